
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "prom_index.h"
#include "prom_page.h"
#include "prom_series.h"
#include "prom_verify.h"
#include "prom_xor.h"


/* The labels are in order, encoded in the one way there is, and indexed. */

static bool
prom_verify_labels(prom_verify_t *verify, prom_ref_t ref, prom_str_t key)
{
    size_t               n, len;
    uint32_t             id;
    prom_str_t           name;
    prom_term_t         *pair;
    prom_label_t         label, labels[PROM_LABELS_MAX];
    const uint8_t       *pos, *end;
    uint8_t              again[PROM_KEY_MAX];
    prom_label_limits_t  limits;

    id = prom_series_id(verify->seg, ref);
    pos = key.data;
    end = key.data + key.len;
    name = prom_str("");

    for (n = 0; pos < end && prom_labels_next(&pos, end, &label); n++) {

        if (pos > end || n == PROM_LABELS_MAX
            || prom_str_cmp(name, label.name) >= 0)
        {
            return prom_verify_fail(verify, "series %u: label %zu of its key",
                                    ref, n);
        }

        name = label.name;
        labels[n] = label;

        pair = prom_index_pair(verify->seg, verify->shard, label.name,
                               label.value);

        if (pair == NULL || !prom_postings_has(verify->seg, &pair->postings,
                                               id))
        {
            return prom_verify_fail(verify, "series %u: label %zu is not in "
                                    "the index", ref, n);
        }
    }

    limits = (prom_label_limits_t) { PROM_LABELS_MAX, PROM_KEY_MAX,
                                     PROM_KEY_MAX };

    if (prom_labels_canonical(labels, n, &limits, again, &len, verify->msg)
        != PROM_OK
        || len != key.len || memcmp(again, key.data, len) != 0)
    {
        return prom_verify_fail(verify, "series %u: its key is not canonical",
                                ref);
    }

    verify->labels += n;

    return true;
}


/* Samples in ascending order, later than *time; leaves *time at the last. */

static bool
prom_verify_samples(prom_verify_t *verify, prom_ref_t ref,
    const uint8_t *data, size_t bytes, uint32_t samples, int64_t *time,
    prom_xor_reader_t *reader)
{
    uint32_t  i;

    prom_xor_read(reader, data, bytes, samples);

    for (i = 0; prom_xor_next(reader); i++) {

        if (reader->time <= *time) {
            return prom_verify_fail(verify, "series %u: time of sample %u is "
                                    "%lld, after %lld", ref, i,
                                    (long long) reader->time,
                                    (long long) *time);
        }

        *time = reader->time;
    }

    if (i != samples || (reader->pos + 7) / 8 > bytes) {
        return prom_verify_fail(verify, "series %u: %u samples of %u in %zu "
                                "bytes", ref, i, samples, bytes);
    }

    return true;
}


static bool
prom_verify_sealed(prom_verify_t *verify, prom_ref_t owner,
    const prom_series_t *series, int64_t *time)
{
    prom_ref_t           ref, last;
    const prom_chunk_t  *chunk;
    prom_xor_reader_t    reader;

    last = 0;

    for (ref = series->oldest; ref != 0; ref = chunk->younger) {

        if (!prom_verify_reach_block(verify, ref, "chunk")) {
            return false;
        }

        chunk = prom_at(verify->seg, ref);

        if (chunk->series != owner || chunk->samples == 0
            || prom_block_size(verify->seg, ref)
               != prom_alloc_size(sizeof(prom_chunk_t) + chunk->bytes)
            || chunk->data[0] != chunk->samples >> 8
            || chunk->data[1] != (chunk->samples & 0xff))
        {
            return prom_verify_fail(verify, "chunk %u of series %u: series %u, "
                                    "%u samples, %u bytes", ref, owner,
                                    chunk->series, chunk->samples,
                                    chunk->bytes);
        }

        if (!prom_verify_samples(verify, owner, chunk->data, chunk->bytes,
                                 chunk->samples, time, &reader))
        {
            return false;
        }

        if (chunk->max_time != *time
            || (reader.pos + 7) / 8 != chunk->bytes)
        {
            return prom_verify_fail(verify, "chunk %u of series %u: max_time "
                                    "or size", ref, owner);
        }

        last = ref;
        verify->chunks++;
    }

    if (series->youngest != last) {
        return prom_verify_fail(verify, "series %u: chunk %u is the youngest, "
                                "not %u", owner, last, series->youngest);
    }

    return true;
}


static bool
prom_verify_open(prom_verify_t *verify, prom_ref_t ref,
    const prom_series_t *series, int64_t *time)
{
    prom_xor_reader_t  reader;

    if (!prom_verify_reach_block(verify, series->chunk, "open chunk")) {
        return false;
    }

    if (series->room != prom_block_size(verify->seg, series->chunk)
        || series->bits > series->room * 8u)
    {
        return prom_verify_fail(verify, "series %u: room %u, %u bits", ref,
                                series->room, series->bits);
    }

    if (series->samples == 0) {

        /* what was newest may be sealed or given up */

        if (series->bits != 0
            || (*time != PROM_TIME_NONE && series->newest_time < *time))
        {
            return prom_verify_fail(verify, "series %u: empty, %u bits, or its "
                                    "newest time", ref, series->bits);
        }

        return true;
    }

    if (!prom_verify_samples(verify, ref,
                             prom_at(verify->seg, series->chunk),
                             (series->bits + 7u) / 8, series->samples, time,
                             &reader))
    {
        return false;
    }

    if (reader.pos != series->bits
        || reader.time != series->newest_time
        || reader.value != series->newest_value
        || series->samples > PROM_CHUNK_SAMPLES)
    {
        return prom_verify_fail(verify, "series %u: its newest sample is not "
                                "the last of its %u", ref, series->samples);
    }

    return true;
}


static bool
prom_verify_one(prom_verify_t *verify, prom_ref_t ref)
{
    int64_t               time;
    uint64_t              hash;
    prom_str_t            key;
    const prom_series_t  *series;

    if (!prom_verify_reach_block(verify, ref, "series")) {
        return false;
    }

    series = prom_at(verify->seg, ref);

    if (prom_page(verify->seg, prom_page_of(ref))->kind != PROM_KIND_SERIES
        || series->live != 1)
    {
        return prom_verify_fail(verify, "series %u: live is %u", ref,
                                series->live);
    }

    if (!prom_verify_reach(verify, series->key, series->key_len, "key")) {
        return false;
    }

    key = prom_series_key(verify->seg, series);
    hash = prom_series_hash(verify->seg, key);

    if ((uint32_t) hash != series->link.hash
        || prom_shard_of(verify->seg, hash) != verify->shard->number
        || prom_labels_plain(key) != series->plain
        || prom_series_find(verify->seg, verify->shard, hash, key) != series)
    {
        return prom_verify_fail(verify, "series %u: its hash, plain, or it is "
                                "there twice", ref);
    }

    time = PROM_TIME_NONE;

    return prom_verify_labels(verify, ref, key)
           && prom_verify_sealed(verify, ref, series, &time)
           && prom_verify_open(verify, ref, series, &time);
}


/* All sealed chunks, each after the one before it of the same series. */

static bool
prom_verify_fifo(prom_verify_t *verify)
{
    uint32_t              n;
    prom_ref_t            ref, prev;
    const prom_chunk_t   *chunk;
    const prom_series_t  *series;

    prev = 0;
    n = 0;

    for (ref = verify->shard->fifo_oldest; ref != 0; ref = chunk->fifo_next) {

        if (prom_page_of(ref) >= verify->seg->pages
            || !prom_verify_bit(verify->reached, ref)
            || ++n > verify->chunks)
        {
            return prom_verify_fail(verify, "chunk %u in the fifo is of no "
                                    "series", ref);
        }

        chunk = prom_at(verify->seg, ref);
        series = prom_at(verify->seg, chunk->series);

        if (chunk->fifo_prev != prev
            || (series->oldest != ref && !prom_verify_bit(verify->due, ref)))
        {
            return prom_verify_fail(verify, "chunk %u is out of place in the "
                                    "fifo", ref);
        }

        prom_verify_set(verify->due, chunk->younger);
        prev = ref;
    }

    if (n != verify->chunks || verify->shard->fifo_youngest != prev) {
        return prom_verify_fail(verify, "%u chunks in the fifo, %u in series",
                                n, verify->chunks);
    }

    return true;
}


bool
prom_verify_series(prom_verify_t *verify)
{
    uint64_t       live;
    prom_shard_t  *shard;

    shard = verify->shard;

    if (!prom_verify_table(verify, &shard->series, "series",
                           prom_verify_one)
        || !prom_verify_fifo(verify))
    {
        return false;
    }

    live = atomic_load(&verify->seg->live[shard->number]);

    if (live != shard->series.count
        || shard->series_created - shard->series_removed != live)
    {
        return prom_verify_fail(verify, "%u series, counted as %llu, made %llu "
                                "and removed %llu", shard->series.count,
                                (unsigned long long) live,
                                (unsigned long long) shard->series_created,
                                (unsigned long long) shard->series_removed);
    }

    return true;
}
