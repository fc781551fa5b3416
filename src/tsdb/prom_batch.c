
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "prom_batch.h"
#include "prom_segment.h"
#include "prom_chunks.h"
#include "prom_series.h"
#include "prom_table.h"
#include "prom_xor.h"


#define PROM_BATCH_BACK   3600000       /* ms behind the newest time */
#define PROM_BATCH_BLOCK  512           /* entries that are sorted by shard */
#define PROM_BATCH_FETCH  16            /* entries whose heads are fetched */


void
prom_batch_begin(prom_tsdb_t *db, prom_batch_t *batch)
{
    batch->n = 0;
    batch->refused = 0;
    batch->generation = atomic_load(&db->segment->generation);
}


uint32_t
prom_batch_expect(const prom_tsdb_t *db, uint32_t prev, prom_str_t *key)
{
    return prev != 0 ? prom_series_expect(db->segment, prev, key) : 0;
}


uint32_t
prom_batch_guess(const prom_tsdb_t *db, uint32_t prev, prom_str_t key)
{
    return prev != 0 ? prom_series_guess(db->segment, prev, key) : 0;
}


uint32_t
prom_batch_guess_set(const prom_tsdb_t *db, uint32_t prev, prom_str_t run,
    uint8_t *order)
{
    return prev != 0 ? prom_series_guess_set(db->segment, prev, run, order)
                     : 0;
}


void
prom_batch_fetch(const prom_tsdb_t *db, uint32_t series)
{
    __builtin_prefetch(prom_at(db->segment, series), 1);
}


uint64_t
prom_batch_hash(const prom_tsdb_t *db, prom_str_t key)
{
    return prom_series_hash(db->segment, key);
}


uint32_t
prom_batch_find(prom_tsdb_t *db, prom_str_t key, uint64_t hash)
{
    uint32_t         ref;
    prom_shard_t    *shard;
    prom_series_t   *series;
    prom_segment_t  *seg;

    seg = db->segment;

    shard = prom_shard_lock(seg, prom_shard_of(seg, hash));
    series = prom_series_find(seg, shard, hash, key);
    ref = series != NULL ? prom_ref(seg, series) : 0;
    prom_shard_unlock(seg, shard);

    return ref;
}


static int
prom_batch_resolve_one(prom_tsdb_t *db, prom_shard_t *shard,
    prom_entry_t *entry)
{
    prom_series_t   *series;
    prom_segment_t  *seg;

    seg = db->segment;
    series = prom_series_find(seg, shard, entry->hash, entry->key);

    if (series == NULL) {

        if (db->max_series != 0
            && prom_segment_live(seg) >= db->max_series)
        {
            return PROM_LIMIT;
        }

        series = prom_series_create(seg, shard, entry->hash, entry->key);
        if (series == NULL) {
            return PROM_NOMEM;
        }

        entry->created = true;
    }

    entry->series = prom_ref(seg, series);

    return PROM_OK;
}


/*
 * Entries of one shard, each with its hash: what a look-up reads first is
 * fetched for all of them before it is needed.
 */
static void
prom_batch_fetch_heads(const prom_segment_t *seg, const prom_shard_t *shard,
    prom_entry_t **entries, size_t n)
{
    size_t           i;
    const uint32_t  *bucket;

    for (i = 0; i < n; i++) {
        bucket = prom_table_bucket(seg, &shard->series,
                                   (uint32_t) entries[i]->hash);
        if (bucket != NULL) {
            __builtin_prefetch(bucket, 1);
        }
    }

    for (i = 0; i < n; i++) {
        __builtin_prefetch(prom_at(seg,
                                   prom_table_chain(seg, &shard->series,
                                               (uint32_t) entries[i]->hash)));
    }
}


static int
prom_batch_resolve_shard(prom_tsdb_t *db, uint32_t number,
    prom_entry_t **entries, size_t n)
{
    int              rc;
    size_t           i;
    prom_shard_t    *shard;
    prom_segment_t  *seg;

    seg = db->segment;
    shard = prom_shard_lock(seg, number);

    prom_batch_fetch_heads(seg, shard, entries, n);

    rc = PROM_OK;

    for (i = 0; i < n && rc == PROM_OK; i++) {
        rc = prom_batch_resolve_one(db, shard, entries[i]);
    }

    prom_shard_unlock(seg, shard);

    return rc;
}


/* At most PROM_BATCH_BLOCK entries, sorted by shard. */

static int
prom_batch_resolve_block(prom_tsdb_t *db, prom_entry_t *entries, size_t n)
{
    int              rc;
    size_t           i, k;
    uint32_t         shard;
    uint16_t         start[PROM_SHARDS_MAX + 1];
    prom_entry_t    *sorted[PROM_BATCH_BLOCK];
    prom_segment_t  *seg;

    seg = db->segment;
    memset(start, 0, sizeof(start));

    for (i = 0; i < n; i++) {
        if (entries[i].series == 0) {
            entries[i].shard = (uint16_t) prom_shard_of(seg, entries[i].hash);
            start[entries[i].shard + 1]++;
        }
    }

    for (shard = 0; shard < seg->shards; shard++) {
        start[shard + 1] += start[shard];
    }

    for (i = 0; i < n; i++) {
        if (entries[i].series == 0) {
            k = start[entries[i].shard]++;
            sorted[k] = entries + i;
        }
    }

    /* start[s] is now where shard s ends */

    for (shard = 0, k = 0; shard < seg->shards; k = start[shard++]) {

        if (start[shard] > k) {
            rc = prom_batch_resolve_shard(db, shard, sorted + k,
                                          start[shard] - k);
            if (rc != PROM_OK) {
                return rc;
            }
        }
    }

    return PROM_OK;
}


int
prom_batch_resolve(prom_tsdb_t *db, prom_batch_t *batch, size_t from)
{
    int     rc;
    size_t  n;

    for (rc = PROM_OK; from < batch->n && rc == PROM_OK; from += n) {
        n = prom_min(batch->n - from, (size_t) PROM_BATCH_BLOCK);
        rc = prom_batch_resolve_block(db, batch->entries + from, n);
    }

    return rc;
}


/* The shards of all series; false where a series is gone already. */

static bool
prom_batch_touched(const prom_segment_t *seg, prom_batch_t *batch,
    uint64_t *touched)
{
    size_t         i;
    uint8_t        owner;
    prom_entry_t  *entry;

    *touched = 0;

    for (i = 0; i < batch->n; i++) {
        entry = batch->entries + i;
        owner = atomic_load_explicit(
                    prom_owner(seg, prom_page_of(entry->series)),
                    memory_order_relaxed);

        if (owner == 0 || owner > seg->shards) {
            return false;
        }

        entry->shard = owner - 1;
        *touched |= UINT64_C(1) << entry->shard;
    }

    return true;
}


static void
prom_batch_lock(prom_segment_t *seg, uint64_t shards)
{
    for ( /* void */ ; shards != 0; shards &= shards - 1) {
        (void) prom_shard_lock(seg, (uint32_t) __builtin_ctzll(shards));
    }
}


static void
prom_batch_unlock(prom_segment_t *seg, uint64_t shards)
{
    uint32_t  n;

    for ( /* void */ ; shards != 0; shards &= shards - 1) {
        n = (uint32_t) __builtin_ctzll(shards);
        prom_shard_unlock(seg, prom_shard(seg, n));
    }
}


typedef struct {
    int64_t  lowest;
    int64_t  highest;
} prom_bounds_t;


static prom_bounds_t
prom_batch_bounds(const prom_tsdb_t *db, int64_t now)
{
    int64_t        newest;
    prom_bounds_t  bounds;

    newest = atomic_load(&db->segment->newest_time);

    bounds.highest = now + PROM_BATCH_AHEAD;
    bounds.lowest = PROM_TIME_NONE + 1;

    if (newest > INT64_MIN + PROM_BATCH_BACK) {
        bounds.lowest = newest - prom_min((int64_t) PROM_BATCH_BACK,
                                          db->retention);
    }

    return bounds;
}


static prom_verdict_e
prom_batch_judge(const prom_bounds_t *bounds, const prom_sample_t *newest,
    const prom_sample_t *sample)
{
    if (prom_unlikely(sample->time > bounds->highest)) {
        return PROM_SAMPLE_FUTURE;
    }

    if (prom_unlikely(sample->time < bounds->lowest)) {
        return PROM_SAMPLE_OUT_OF_BOUNDS;
    }

    if (prom_likely(sample->time > newest->time)) {
        return PROM_SAMPLE_GOOD;
    }

    if (sample->time < newest->time) {
        return PROM_SAMPLE_OUT_OF_ORDER;
    }

    return sample->value == newest->value ? PROM_SAMPLE_SAME
                                          : PROM_SAMPLE_DUPLICATE;
}


/*
 * What is newest for an entry: the state of the series, or of the last entry
 * of this batch with the same series.  A mark that an earlier batch left does
 * not deceive: the entry it names must come before and be of this series.
 */
static void
prom_batch_newest(prom_batch_t *batch, size_t i, prom_series_t *series)
{
    prom_entry_t  *entry;

    entry = batch->entries + i;

    if (prom_unlikely(series->mark < i
                      && batch->entries[series->mark].series == entry->series))
    {
        entry->newest = batch->entries[series->mark].newest;

    } else {
        entry->newest.time = series->newest_time;
        entry->newest.value = series->newest_value;
    }

    series->mark = (uint32_t) i;
}


/* Where the next sample goes: often into two cache lines. */

static inline void
prom_batch_fetch_chunk(const prom_segment_t *seg, const prom_series_t *series)
{
    uint8_t  *end;

    end = (uint8_t *) prom_at(seg, series->chunk) + series->bits / 8;

    __builtin_prefetch(end, 1);
    __builtin_prefetch(end + PROM_XOR_SAMPLE - 1, 1);
}


static bool
prom_batch_check(prom_tsdb_t *db, prom_batch_t *batch, int64_t now,
    bool partial)
{
    size_t           i, k, ahead;
    prom_entry_t    *entry;
    prom_series_t   *series;
    prom_bounds_t    bounds;
    prom_sample_t   *sample;
    prom_segment_t  *seg;
    prom_verdict_e   verdict;

    seg = db->segment;
    bounds = prom_batch_bounds(db, now);
    batch->refused = 0;

    for (i = 0; i < batch->n; i++) {
        ahead = prom_min(i + PROM_BATCH_FETCH, batch->n - 1);
        __builtin_prefetch(prom_at(seg, batch->entries[ahead].series), 1);

        entry = batch->entries + i;
        series = prom_at(seg, entry->series);

        prom_batch_newest(batch, i, series);
        prom_batch_fetch_chunk(seg, series);

        for (k = entry->first; k < entry->first + entry->samples; k++) {
            sample = batch->samples + k;
            verdict = prom_batch_judge(&bounds, &entry->newest, sample);
            batch->verdicts[k] = (uint8_t) verdict;

            if (prom_likely(verdict == PROM_SAMPLE_GOOD)) {
                entry->newest = *sample;

            } else if (verdict != PROM_SAMPLE_SAME) {

                if (batch->refused++ == 0) {
                    batch->replaced = entry->newest.value;
                }

                if (!partial) {
                    return false;
                }
            }
        }
    }

    return true;
}


static void
prom_batch_raise_newest(prom_segment_t *seg, int64_t time)
{
    int64_t  newest;

    newest = atomic_load(&seg->newest_time);

    while (newest < time
           && !atomic_compare_exchange_weak(&seg->newest_time, &newest, time))
    {
        /* void */
    }
}


static void
prom_batch_write(prom_segment_t *seg, prom_batch_t *batch)
{
    size_t           i, k;
    int64_t          newest;
    prom_entry_t    *entry;
    prom_shard_t    *shard;
    prom_series_t   *series, *prev;
    prom_sample_t   *sample;

    prev = NULL;
    newest = INT64_MIN;

    for (i = 0; i < batch->n; i++) {
        entry = batch->entries + i;
        series = prom_at(seg, entry->series);
        shard = prom_shard(seg, entry->shard);

        for (k = entry->first; k < entry->first + entry->samples; k++) {

            if (prom_likely(batch->verdicts[k] == PROM_SAMPLE_GOOD)) {
                sample = batch->samples + k;
                prom_chunks_append(seg, shard, series, sample->time,
                                   sample->value);
                newest = prom_max(newest, sample->time);
            }
        }

        if (prev != NULL && prev->next != entry->series) {
            atomic_store_explicit(&prev->next, entry->series,
                                  memory_order_release);
        }

        prev = series;
    }

    prom_batch_raise_newest(seg, newest);
}


int
prom_batch_commit(prom_tsdb_t *db, prom_batch_t *batch, int64_t now,
    bool partial)
{
    int              rc;
    uint64_t         touched;
    prom_segment_t  *seg;

    if (batch->n == 0) {
        return PROM_OK;
    }

    seg = db->segment;

    if (!prom_batch_touched(seg, batch, &touched)) {
        return PROM_AGAIN;
    }

    prom_batch_lock(seg, touched);

    if (prom_unlikely(atomic_load(&seg->generation) != batch->generation)) {
        rc = PROM_AGAIN;

    } else if (!prom_batch_check(db, batch, now, partial)) {
        rc = PROM_ERROR;

    } else {
        prom_batch_write(seg, batch);
        rc = PROM_OK;
    }

    prom_batch_unlock(seg, touched);

    return rc;
}


void
prom_batch_undo(prom_tsdb_t *db, prom_batch_t *batch)
{
    size_t           i;
    prom_entry_t    *entry;
    prom_shard_t    *shard;
    prom_series_t   *series;
    prom_segment_t  *seg;

    seg = db->segment;

    for (i = 0; i < batch->n; i++) {
        entry = batch->entries + i;

        if (!entry->created) {
            continue;
        }

        shard = prom_shard_lock(seg, prom_shard_of(seg, entry->hash));
        series = prom_series_find(seg, shard, entry->hash, entry->key);

        if (series != NULL && prom_series_is_empty(series)) {
            prom_series_remove(seg, shard, series);
        }

        prom_shard_unlock(seg, shard);
        entry->created = false;
    }
}
