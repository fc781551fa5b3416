
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "prom_txn.h"


void
prom_txn_rollback(prom_segment_t *seg, prom_shard_t *shard)
{
    uint64_t  at, len, word;

    at = shard->log_len;

    while (at > 0) {
        word = shard->log[at - 1];
        len = word & 0xfffff;
        at -= len / 8 + 1;
        memcpy(prom_offset(seg, word >> 20), shard->log + at, len);
    }

    prom_txn_commit(shard);
}
