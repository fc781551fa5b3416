
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Transactions of a shard: an undo log.
 *
 * A record is the old bytes (a multiple of 8) and after them one word with
 * their offset and length, so the log can be read backwards.  log_len is
 * raised only when the record is complete, and the caller changes the bytes
 * only after that:
 *
 *     prom_txn_save(seg, shard, &series->key, sizeof(series->key));
 *     series->key = key;
 *     ...
 *     prom_txn_commit(shard);
 *
 * A process killed anywhere leaves either an empty log and a finished change,
 * or a log that takes everything back.  The killed process's stores are all in
 * memory by the time another one gets its lock, so only the order of
 * instructions matters, and compiler barriers keep it.
 *
 * Taking back may itself be killed and starts over: records hold old bytes,
 * applying them twice is the same as once, log_len is cleared last.
 */


#ifndef _PROM_TXN_H_INCLUDED_
#define _PROM_TXN_H_INCLUDED_


#include "prom_segment.h"


#define prom_txn_barrier()  atomic_signal_fence(memory_order_seq_cst)


/*
 * Saves the aligned words that cover `len' bytes at `p'.  The log is sized for
 * the largest transaction there is; passing it is a bug and aborts.
 */
static inline void
prom_txn_save(const prom_segment_t *seg, prom_shard_t *shard, const void *p,
    size_t len)
{
    uint64_t         at, end, offset, *log;
    const uint64_t  *from;

    offset = (uint64_t) ((const uint8_t *) p - (const uint8_t *) seg);
    end = (offset + len + 7) & ~UINT64_C(7);
    offset &= ~UINT64_C(7);
    len = end - offset;

    at = shard->log_len;

    if (prom_unlikely(at + len / 8 + 1 > PROM_LOG_WORDS)) {
        __builtin_trap();
    }

    from = prom_offset(seg, offset);
    log = shard->log + at;
    memcpy(log, from, len);
    log[len / 8] = offset << 20 | len;

    prom_txn_barrier();
    shard->log_len = at + len / 8 + 1;
    prom_txn_barrier();
}


#define prom_txn_set(seg, shard, lvalue, value)                               \
    do {                                                                      \
        prom_txn_save(seg, shard, &(lvalue), sizeof(lvalue));                 \
        (lvalue) = (value);                                                   \
    } while (0)


static inline void
prom_txn_commit(prom_shard_t *shard)
{
    prom_txn_barrier();
    shard->log_len = 0;
    prom_txn_barrier();
}


/* Takes back everything since the last commit. */

void prom_txn_rollback(prom_segment_t *seg, prom_shard_t *shard);


#endif /* _PROM_TXN_H_INCLUDED_ */
