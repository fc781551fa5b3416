
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "../base/prom_hash.h"
#include "../labels/prom_labels.h"
#include "prom_chunks.h"
#include "prom_index.h"
#include "prom_page.h"
#include "prom_series.h"
#include "prom_table.h"
#include "prom_txn.h"


uint64_t
prom_series_hash(const prom_segment_t *seg, prom_str_t key)
{
    return prom_hash(seg->secret, key.data, key.len);
}


prom_series_t *
prom_series_find(const prom_segment_t *seg, const prom_shard_t *shard,
    uint64_t hash, prom_str_t key)
{
    prom_ref_t      ref;
    prom_series_t  *series;

    ref = prom_table_chain(seg, &shard->series, (uint32_t) hash);

    while (ref != 0) {
        series = prom_at(seg, ref);

        if (series->link.hash == (uint32_t) hash
            && prom_str_eq(prom_series_key(seg, series), key))
        {
            return series;
        }

        ref = series->link.next;
    }

    return NULL;
}


/* Head, key and an empty first chunk; from here on it is in building. */

static prom_series_t *
prom_series_begin(prom_segment_t *seg, prom_shard_t *shard, uint64_t hash,
    prom_str_t key)
{
    prom_ref_t      bytes, chunk;
    prom_series_t  *series;

    series = prom_alloc_series(seg, shard);
    bytes = series != NULL ? prom_alloc(seg, shard, key.len) : 0;
    chunk = bytes != 0 ? prom_alloc(seg, shard, PROM_CHUNK_FIRST) : 0;

    if (chunk == 0) {
        prom_page_abort(seg, shard);
        return NULL;
    }

    /* the slot's link was saved when it was allocated, the rest is not
       reached: readers without a lock see live == 0 */

    memcpy(prom_at(seg, bytes), key.data, key.len);
    memset(series, 0, sizeof(prom_series_t));

    series->link.hash = (uint32_t) hash;
    series->key = bytes;
    series->key_len = (uint16_t) key.len;
    series->plain = 1;
    series->chunk = chunk;
    series->room = (uint16_t) prom_block_size(seg, chunk);
    series->newest_time = PROM_TIME_NONE;

    prom_txn_set(seg, shard, shard->building, prom_ref(seg, series));
    prom_txn_commit(shard);

    return series;
}


static int
prom_series_index(prom_segment_t *seg, prom_shard_t *shard,
    prom_series_t *series)
{
    uint32_t            id, n, hash[PROM_LABELS_MAX];
    prom_str_t          key;
    prom_label_t        label;
    const uint8_t      *pos;
    const prom_term_t  *pair;

    id = prom_series_id(seg, prom_ref(seg, series));
    key = prom_series_key(seg, series);

    pos = key.data;

    for (n = 0; prom_labels_next(&pos, key.data + key.len, &label); n++) {
        hash[n] = prom_index_fetch(seg, shard, &label);
    }

    pos = key.data;

    for (n = 0; prom_labels_next(&pos, key.data + key.len, &label); n++) {

        while ((pair = prom_index_add(seg, shard, &label, hash[n], id))
               == NULL)
        {
            prom_page_abort(seg, shard);

            if (!prom_chunks_evict(seg, shard)) {
                return PROM_NOMEM;
            }
        }

        series->plain &= pair->plain;

        prom_txn_set(seg, shard, series->mark, series->mark + 1);
        prom_txn_commit(shard);
    }

    return PROM_OK;
}


prom_series_t *
prom_series_create(prom_segment_t *seg, prom_shard_t *shard, uint64_t hash,
    prom_str_t key)
{
    prom_series_t  *series;

    do {
        series = prom_series_begin(seg, shard, hash, key);

    } while (series == NULL && prom_chunks_evict(seg, shard));

    if (series == NULL) {
        return NULL;
    }

    if (prom_series_index(seg, shard, series) != PROM_OK) {
        prom_series_unbuild(seg, shard);
        return NULL;
    }

    while (prom_table_insert(seg, shard, &shard->series, &series->link)
           != PROM_OK)
    {
        prom_page_abort(seg, shard);

        if (!prom_chunks_evict(seg, shard)) {
            prom_series_unbuild(seg, shard);
            return NULL;
        }
    }

    prom_txn_set(seg, shard, shard->building, 0);
    prom_txn_set(seg, shard, shard->series_created, shard->series_created + 1);
    prom_txn_save(seg, shard, &series->live, sizeof(series->live));
    __atomic_store_n(&series->live, 1, __ATOMIC_RELEASE);
    prom_txn_commit(shard);

    prom_segment_count_live(seg, shard);

    return series;
}


void
prom_series_unbuild(prom_segment_t *seg, prom_shard_t *shard)
{
    uint32_t        n, id;
    uint16_t        offset[PROM_LABELS_MAX];
    prom_str_t      key;
    prom_label_t    label;
    prom_series_t  *series;
    const uint8_t  *pos;

    series = prom_at(seg, shard->building);
    id = prom_series_id(seg, shard->building);
    key = prom_series_key(seg, series);
    pos = key.data;

    for (n = 0; n < series->mark; n++) {
        offset[n] = (uint16_t) (pos - key.data);
        (void) prom_labels_next(&pos, key.data + key.len, &label);
    }

    while (n-- > 0) {
        pos = key.data + offset[n];
        (void) prom_labels_next(&pos, key.data + key.len, &label);

        prom_index_remove(seg, shard, &label, id);
        prom_txn_set(seg, shard, series->mark, n);
        prom_txn_commit(shard);
    }

    while (series->oldest != 0) {
        prom_chunks_drop(seg, shard, series);
    }

    prom_txn_set(seg, shard, shard->building, 0);
    prom_free(seg, shard, series->chunk);
    prom_free(seg, shard, series->key);
    prom_free_series(seg, shard, series);
    prom_txn_commit(shard);
}


static uint32_t
prom_series_labels(const prom_segment_t *seg, const prom_series_t *series)
{
    uint32_t        n;
    prom_str_t      key;
    prom_label_t    label;
    const uint8_t  *pos;

    key = prom_series_key(seg, series);
    pos = key.data;

    for (n = 0; prom_labels_next(&pos, key.data + key.len, &label); n++) {
        /* void */
    }

    return n;
}


void
prom_series_remove(prom_segment_t *seg, prom_shard_t *shard,
    prom_series_t *series)
{
    prom_txn_save(seg, shard, &series->live, sizeof(series->live));
    __atomic_store_n(&series->live, 0, __ATOMIC_RELEASE);
    prom_txn_set(seg, shard, series->mark, prom_series_labels(seg, series));
    prom_table_remove(seg, shard, &shard->series, &series->link);
    prom_txn_set(seg, shard, shard->building, prom_ref(seg, series));
    prom_txn_set(seg, shard, shard->series_removed, shard->series_removed + 1);
    prom_txn_commit(shard);

    atomic_fetch_add(&seg->generation, 1);
    prom_segment_count_live(seg, shard);

    prom_series_unbuild(seg, shard);
}
