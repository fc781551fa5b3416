
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "prom_chunks.h"
#include "prom_page.h"
#include "prom_txn.h"
#include "prom_xor.h"


void
prom_chunks_drop(prom_segment_t *seg, prom_shard_t *shard,
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


bool
prom_chunks_evict(prom_segment_t *seg, prom_shard_t *shard)
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

    prom_chunks_drop(seg, shard, prom_at(seg, chunk->series));

    if (shard->empties != 0) {
        (void) prom_page_trim_all(seg, shard);
    }

    return true;
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
        prom_page_abort(seg, shard);
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

        if (!prom_chunks_evict(seg, shard)) {
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
        prom_page_abort(seg, shard);
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

        if (!prom_chunks_evict(seg, shard)) {
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
prom_chunks_append(prom_segment_t *seg, prom_shard_t *shard,
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
prom_chunks_expire(prom_segment_t *seg, prom_shard_t *shard,
    prom_series_t *series, int64_t limit)
{
    prom_chunk_t  *chunk;

    while (series->oldest != 0) {
        chunk = prom_at(seg, series->oldest);

        if (chunk->max_time >= limit) {
            return false;
        }

        prom_chunks_drop(seg, shard, series);
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
prom_chunks_newest(const prom_segment_t *seg, const prom_series_t *series,
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
