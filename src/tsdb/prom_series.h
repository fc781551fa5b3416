
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Series of a shard: found by key, made, removed, and their chunks.
 *
 * All but prom_series_guess() want the shard's lock and no open transaction;
 * each is a series of transactions of its own.
 *
 * When the pool is empty they make room by dropping the shard's oldest sealed
 * chunks.  With none of those left a new series cannot be made; an append
 * never fails: it then gives up the open chunk of its own series.
 */


#ifndef _PROM_SERIES_H_INCLUDED_
#define _PROM_SERIES_H_INCLUDED_


#include "prom_segment.h"
#include "prom_xor.h"


/*
 * Without a lock: the series that came after `prev' last time, and its key; 0
 * where there is none.  True only if the generation read before is still the
 * same under the shard's lock (I4): until then the bytes may change.
 */
prom_ref_t prom_series_expect(const prom_segment_t *seg, prom_ref_t prev,
    prom_str_t *key);

/* The same series if its key is `key', else 0. */
prom_ref_t prom_series_guess(const prom_segment_t *seg, prom_ref_t prev,
    prom_str_t key);

/* The same for labels in any order, see prom_labels_same_set(). */
prom_ref_t prom_series_guess_set(const prom_segment_t *seg, prom_ref_t prev,
    prom_str_t run, uint8_t *order);

uint64_t prom_series_hash(const prom_segment_t *seg, prom_str_t key);

prom_series_t *prom_series_find(const prom_segment_t *seg,
    const prom_shard_t *shard, uint64_t hash, prom_str_t key);

/* The key is canonical and not in the shard; NULL: no memory. */
prom_series_t *prom_series_create(prom_segment_t *seg, prom_shard_t *shard,
    uint64_t hash, prom_str_t key);
void prom_series_remove(prom_segment_t *seg, prom_shard_t *shard,
    prom_series_t *series);

/* Repair: removes the series in shard->building (I6). */
void prom_series_unbuild(prom_segment_t *seg, prom_shard_t *shard);

/* `time' is after the newest time of the series, or the series is empty. */
void prom_series_append(prom_segment_t *seg, prom_shard_t *shard,
    prom_series_t *series, int64_t time, uint64_t value);

/* Drops what is older than `limit'; true when the series has no data left. */
bool prom_series_expire(prom_segment_t *seg, prom_shard_t *shard,
    prom_series_t *series, int64_t limit);

/* Drops the shard's oldest sealed chunk; false when there is none. */
bool prom_series_evict(prom_segment_t *seg, prom_shard_t *shard);

/* The newest sample not after `now'; false when there is none. */
bool prom_series_newest(const prom_segment_t *seg, const prom_series_t *series,
    int64_t now, int64_t *time, uint64_t *value);


static inline prom_str_t
prom_series_key(const prom_segment_t *seg, const prom_series_t *series)
{
    return (prom_str_t) { prom_at(seg, series->key), series->key_len };
}


/* A series that was made for a request that then stored nothing is empty. */

static inline bool
prom_series_is_empty(const prom_series_t *series)
{
    return series->samples == 0 && series->youngest == 0;
}


#endif /* _PROM_SERIES_H_INCLUDED_ */
