
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Series of a shard: guessed by who came before (prom_guess.c), found by key,
 * made and removed.
 *
 * All but the guesses want the shard's lock and no open transaction; each is a
 * series of transactions of its own.
 */


#ifndef _PROM_SERIES_H_INCLUDED_
#define _PROM_SERIES_H_INCLUDED_


#include "prom_segment.h"


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

/*
 * The key is canonical and not in the shard; NULL: no memory, not even after
 * dropping the shard's sealed chunks.
 */
prom_series_t *prom_series_create(prom_segment_t *seg, prom_shard_t *shard,
    uint64_t hash, prom_str_t key);
void prom_series_remove(prom_segment_t *seg, prom_shard_t *shard,
    prom_series_t *series);

/* Repair: removes the series in shard->building (I6). */
void prom_series_unbuild(prom_segment_t *seg, prom_shard_t *shard);


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
