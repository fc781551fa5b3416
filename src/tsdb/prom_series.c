
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "../base/prom_hash.h"
#include "../labels/prom_labels.h"
#include "prom_index.h"
#include "prom_page.h"
#include "prom_series.h"
#include "prom_table.h"
#include "prom_txn.h"


#define PROM_SERIES_FETCH  512          /* bytes of a key, the most of them */


/* Takes back what was begun and returns pages that were taken for it. */

static void
prom_series_abort(prom_segment_t *seg, prom_shard_t *shard)
{
    prom_txn_rollback(seg, shard);

    if (shard->taken != 0) {
        prom_page_reclaim(seg, shard);
    }
}


/* Unlinks the oldest sealed chunk of a series and frees it. */

static void
prom_chunk_drop(prom_segment_t *seg, prom_shard_t *shard,
    prom_series_t *series)
{
    prom_ref_t     ref;
    prom_chunk_t  *chunk, *other;

    ref = series->oldest;
    chunk = prom_at(seg, ref);

    prom_txn_save(seg, shard, &series->oldest, 2 * sizeof(prom_ref_t));
    series->oldest = chunk->younger;

    if (series->oldest == 0) {
        series->youngest = 0;
    }

    if (chunk->fifo_prev != 0) {
        other = prom_at(seg, chunk->fifo_prev);
        prom_txn_set(seg, shard, other->fifo_next, chunk->fifo_next);

    } else {
        prom_txn_set(seg, shard, shard->fifo_oldest, chunk->fifo_next);
    }

    if (chunk->fifo_next != 0) {
        other = prom_at(seg, chunk->fifo_next);
        prom_txn_set(seg, shard, other->fifo_prev, chunk->fifo_prev);

    } else {
        prom_txn_set(seg, shard, shard->fifo_youngest, chunk->fifo_prev);
    }

    prom_free(seg, shard, ref);
    prom_txn_commit(shard);
}


/*
 * The live series after `prev', and where its key is.  Read without a lock
 * this may be anything, but it is in the segment.
 */
static inline prom_ref_t
prom_series_after(const prom_segment_t *seg, prom_ref_t prev, prom_str_t *key)
{
    uint64_t              start;
    prom_ref_t            ref;
    const prom_series_t  *series;

    series = prom_at(seg, prev);
    ref = atomic_load_explicit(&series->next, memory_order_acquire);

    if (ref == 0
        || ref % (sizeof(prom_series_t) / PROM_UNIT) != 0
        || prom_page_of(ref) >= seg->pages
        || prom_page(seg, prom_page_of(ref))->kind != PROM_KIND_SERIES)
    {
        return 0;
    }

    series = prom_at(seg, ref);

    if (!__atomic_load_n(&series->live, __ATOMIC_ACQUIRE)) {
        return 0;
    }

    start = (uint64_t) __atomic_load_n(&series->key, __ATOMIC_RELAXED)
            * PROM_UNIT;
    key->len = __atomic_load_n(&series->key_len, __ATOMIC_RELAXED);

    if (start + key->len > seg->size) {
        return 0;
    }

    key->data = prom_offset(seg, start);

    return ref;
}


/* The head after this one, or this one where there is none. */

static inline const prom_series_t *
prom_series_peek(const prom_segment_t *seg, const prom_series_t *series)
{
    prom_ref_t  ref;

    ref = atomic_load_explicit(&series->next, memory_order_relaxed);

    if (ref == 0
        || ref % (sizeof(prom_series_t) / PROM_UNIT) != 0
        || prom_page_of(ref) >= seg->pages)
    {
        return series;
    }

    return prom_at(seg, ref);
}


/*
 * What the guesses after this one will read: the key of the series after the
 * next, the head of the one after that.  Only that one was not fetched before.
 */
static inline void
prom_series_fetch(const prom_segment_t *seg, prom_ref_t ref)
{
    size_t                i;
    const uint8_t        *key;
    const prom_series_t  *series;

    series = prom_series_peek(seg, prom_at(seg, ref));
    series = prom_series_peek(seg, series);
    key = prom_at(seg, series->key);

    for (i = 0; i < prom_min(series->key_len, PROM_SERIES_FETCH);
         i += PROM_CACHE_LINE)
    {
        __builtin_prefetch(key + i);
    }

    __builtin_prefetch(prom_at(seg, series->next), 1);
}


prom_ref_t
prom_series_expect(const prom_segment_t *seg, prom_ref_t prev,
    prom_str_t *key)
{
    prom_ref_t  ref;

    ref = prom_series_after(seg, prev, key);

    if (ref != 0) {
        prom_series_fetch(seg, ref);
    }

    return ref;
}


prom_ref_t
prom_series_guess(const prom_segment_t *seg, prom_ref_t prev, prom_str_t key)
{
    prom_ref_t  ref;
    prom_str_t  bytes;

    ref = prom_series_expect(seg, prev, &bytes);

    return ref != 0 && prom_str_eq(bytes, key) ? ref : 0;
}


prom_ref_t
prom_series_guess_set(const prom_segment_t *seg, prom_ref_t prev,
    prom_str_t run, uint8_t *order)
{
    uint8_t     copy[PROM_KEY_MAX];
    prom_ref_t  ref;
    prom_str_t  bytes;

    ref = prom_series_expect(seg, prev, &bytes);

    if (ref == 0 || bytes.len != run.len || run.len > PROM_KEY_MAX) {
        return 0;
    }

    /* lengths in it must not change between their check and their use */

    memcpy(copy, bytes.data, run.len);
    bytes.data = copy;

    return prom_labels_same_set(run, bytes, order) ? ref : 0;
}


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
        prom_series_abort(seg, shard);
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
            prom_series_abort(seg, shard);

            if (!prom_series_evict(seg, shard)) {
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

    } while (series == NULL && prom_series_evict(seg, shard));

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
        prom_series_abort(seg, shard);

        if (!prom_series_evict(seg, shard)) {
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
        prom_chunk_drop(seg, shard, series);
    }

    prom_txn_set(seg, shard, shard->building, 0);
    prom_free(seg, shard, series->chunk);
    prom_free(seg, shard, series->key);
    prom_free_series(seg, shard, series);
    prom_txn_commit(shard);
}


bool
prom_series_evict(prom_segment_t *seg, prom_shard_t *shard)
{
    prom_chunk_t  *chunk;

    if (shard->fifo_oldest == 0) {

        /* pages that one class does not need may serve another */

        return prom_page_trim_all(seg, shard) > 0;
    }

    /* sealed in order, so the oldest of all is the oldest of its series */

    chunk = prom_at(seg, shard->fifo_oldest);

    shard->chunks_evicted++;
    shard->samples_evicted += chunk->samples;

    prom_chunk_drop(seg, shard, prom_at(seg, chunk->series));

    if (shard->empties != 0) {
        (void) prom_page_trim_all(seg, shard);
    }

    return true;
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


static inline void
prom_series_save(const prom_segment_t *seg, prom_shard_t *shard,
    const prom_series_t *series)
{
    prom_txn_save_words(seg, shard, &series->newest_time, 4);
}


/* Gives up what is in the open chunk, to go on in its block. */

static void
prom_chunk_recycle(prom_segment_t *seg, prom_shard_t *shard,
    prom_series_t *series)
{
    shard->chunks_evicted++;
    shard->samples_evicted += series->samples;

    prom_series_save(seg, shard, series);
    series->samples = 0;
    series->bits = 0;
    prom_txn_commit(shard);
}


static inline size_t
prom_chunk_bytes(const prom_series_t *series)
{
    return (series->bits + 7u) / 8;
}


/*
 * A block of just the right size takes the finished chunk, a small one the
 * samples to come.
 */
static bool
prom_chunk_seal_once(prom_segment_t *seg, prom_shard_t *shard,
    prom_series_t *series)
{
    size_t         bytes;
    prom_ref_t     ref, first;
    prom_chunk_t  *chunk, *other;

    bytes = prom_chunk_bytes(series);

    ref = prom_alloc(seg, shard, sizeof(prom_chunk_t) + bytes);
    first = ref != 0 ? prom_alloc(seg, shard, PROM_CHUNK_FIRST) : 0;

    if (first == 0) {
        prom_series_abort(seg, shard);
        return false;
    }

    chunk = prom_at(seg, ref);
    memset(chunk, 0, sizeof(prom_chunk_t));
    chunk->series = prom_ref(seg, series);
    chunk->max_time = series->newest_time;
    chunk->bytes = (uint16_t) bytes;
    chunk->samples = series->samples;
    memcpy(chunk->data, prom_at(seg, series->chunk), bytes);
    prom_xor_set_count(chunk->data, series->samples);

    chunk->fifo_prev = shard->fifo_youngest;

    if (shard->fifo_youngest != 0) {
        other = prom_at(seg, shard->fifo_youngest);
        prom_txn_set(seg, shard, other->fifo_next, ref);

    } else {
        prom_txn_set(seg, shard, shard->fifo_oldest, ref);
    }

    prom_txn_set(seg, shard, shard->fifo_youngest, ref);

    prom_txn_save(seg, shard, &series->oldest, 2 * sizeof(prom_ref_t));

    if (series->youngest != 0) {
        other = prom_at(seg, series->youngest);
        prom_txn_set(seg, shard, other->younger, ref);

    } else {
        series->oldest = ref;
    }

    series->youngest = ref;

    prom_series_save(seg, shard, series);
    prom_free(seg, shard, series->chunk);
    series->chunk = first;
    series->room = (uint16_t) prom_block_size(seg, first);
    series->samples = 0;
    series->bits = 0;

    prom_txn_commit(shard);

    shard->chunks_sealed++;

    return true;
}


static void
prom_chunk_seal(prom_segment_t *seg, prom_shard_t *shard,
    prom_series_t *series)
{
    while (!prom_chunk_seal_once(seg, shard, series)) {

        if (!prom_series_evict(seg, shard)) {
            prom_chunk_recycle(seg, shard, series);
            return;
        }
    }
}


static bool
prom_chunk_grow_once(prom_segment_t *seg, prom_shard_t *shard,
    prom_series_t *series, size_t size)
{
    prom_ref_t  ref, old;

    ref = prom_alloc(seg, shard, size);

    if (ref == 0) {
        prom_series_abort(seg, shard);
        return false;
    }

    old = series->chunk;
    memcpy(prom_at(seg, ref), prom_at(seg, old), prom_chunk_bytes(series));

    prom_series_save(seg, shard, series);
    series->chunk = ref;
    series->room = (uint16_t) prom_block_size(seg, ref);
    prom_free(seg, shard, old);
    prom_txn_commit(shard);

    return true;
}


/* Steps of about a third: a series copies its chunk some five times a life. */

static bool
prom_chunk_grow(prom_segment_t *seg, prom_shard_t *shard,
    prom_series_t *series, size_t need)
{
    size_t  size;

    size = prom_max(need, (size_t) series->room + series->room / 3);

    while (!prom_chunk_grow_once(seg, shard, series, size)) {

        if (!prom_series_evict(seg, shard)) {
            return false;
        }
    }

    return true;
}


static inline bool
prom_chunk_is_full(const prom_series_t *series, int64_t time)
{
    return series->samples >= PROM_CHUNK_SAMPLES
           || series->bits >= PROM_CHUNK_BYTES * 8
           || (uint64_t) time - (uint64_t) series->newest_time
              > PROM_XOR_DELTA_MAX;
}


/*
 * Encodes beside the chunk, so that what comes out is known to fit before a
 * byte of the chunk is touched.  Bytes past the counted bits mean nothing
 * until the head says so, the byte that is shared keeps its counted bits.
 */
void
prom_series_append(prom_segment_t *seg, prom_shard_t *shard,
    prom_series_t *series, int64_t time, uint64_t value)
{
    size_t      len, at;
    uint8_t    *data, out[PROM_XOR_SAMPLE] = { 0 };
    prom_xor_t  xor;

    if (series->samples > 0 && prom_chunk_is_full(series, time)) {
        prom_chunk_seal(seg, shard, series);
    }

    for ( ;; ) {
        xor.time = series->newest_time;
        xor.value = series->newest_value;
        xor.delta = series->delta;
        xor.samples = series->samples;
        xor.bits = series->bits;
        xor.lead = series->lead;
        xor.trail = series->trail;

        data = prom_at(seg, series->chunk);
        at = series->samples ? series->bits / 8 : PROM_XOR_HEADER;

        out[0] = xor.bits % 8 ? data[at] : 0;
        len = prom_xor_append(&xor, time, value, out);

        if (prom_likely(at + len <= series->room)) {
            break;
        }

        if (!prom_chunk_grow(seg, shard, series, at + len)) {
            prom_chunk_recycle(seg, shard, series);
        }
    }

    if (prom_likely(at + PROM_XOR_SAMPLE <= series->room)) {
        memcpy(data + at, out, PROM_XOR_SAMPLE);

    } else {
        memcpy(data + at, out, len);
    }

    prom_series_save(seg, shard, series);
    series->newest_time = time;
    series->newest_value = value;
    series->delta = xor.delta;
    series->bits = xor.bits;
    series->samples = xor.samples;
    series->lead = xor.lead;
    series->trail = xor.trail;
    prom_txn_commit(shard);

    shard->samples++;
}


bool
prom_series_expire(prom_segment_t *seg, prom_shard_t *shard,
    prom_series_t *series, int64_t limit)
{
    prom_chunk_t  *chunk;

    while (series->oldest != 0) {
        chunk = prom_at(seg, series->oldest);

        if (chunk->max_time >= limit) {
            return false;
        }

        prom_chunk_drop(seg, shard, series);
    }

    return series->samples == 0 || series->newest_time < limit;
}


static bool
prom_chunk_newest(const uint8_t *data, size_t bytes, uint32_t samples,
    int64_t now, int64_t *time, uint64_t *value)
{
    bool               found;
    prom_xor_reader_t  reader;

    found = false;
    prom_xor_read(&reader, data, bytes, samples);

    while (prom_xor_next(&reader) && reader.time <= now) {
        *time = reader.time;
        *value = reader.value;
        found = true;
    }

    return found;
}


bool
prom_series_newest(const prom_segment_t *seg, const prom_series_t *series,
    int64_t now, int64_t *time, uint64_t *value)
{
    bool                 found;
    prom_ref_t           ref;
    const prom_chunk_t  *chunk;

    if (series->samples > 0 && series->newest_time <= now) {
        *time = series->newest_time;
        *value = series->newest_value;
        return true;
    }

    if (prom_chunk_newest(prom_at(seg, series->chunk),
                          prom_chunk_bytes(series), series->samples, now,
                          time, value))
    {
        return true;
    }

    found = false;

    for (ref = series->oldest; ref != 0; ref = chunk->younger) {
        chunk = prom_at(seg, ref);

        if (prom_chunk_newest(chunk->data, chunk->bytes, chunk->samples, now,
                              time, value))
        {
            found = true;
        }
    }

    return found;
}
