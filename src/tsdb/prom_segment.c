
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include <errno.h>

#include "../base/prom_clock.h"
#include "prom_page.h"
#include "prom_segment.h"
#include "prom_series.h"
#include "prom_txn.h"


#define PROM_SMALL_SEGMENT  (64 * 1024 * 1024)
#define PROM_SHARDS_SMALL   4
#define PROM_SHARDS         16


static uint64_t
prom_align(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}


static void
prom_segment_plan(prom_segment_t *seg, uint64_t size)
{
    uint64_t  at;

    seg->size = size / PROM_PAGE_SIZE * PROM_PAGE_SIZE;
    seg->pages = (uint32_t) (seg->size / PROM_PAGE_SIZE);
    seg->shards = size < PROM_SMALL_SEGMENT ? PROM_SHARDS_SMALL : PROM_SHARDS;
    seg->shard_bits = (uint32_t) __builtin_ctz(seg->shards);

    seg->directory_len = prom_min(seg->pages,
                                  PROM_IDS_MAX / PROM_HEADS_PER_PAGE);
    seg->table_len = prom_min(seg->pages, (uint32_t) PROM_TABLE_PAGES);

    at = prom_align(sizeof(prom_segment_t), PROM_CACHE_LINE);
    seg->owners = at;
    at = prom_align(at + seg->pages, PROM_CACHE_LINE);
    seg->descriptors = at;
    at += seg->pages * sizeof(prom_page_t);

    seg->shard_offset = prom_align(at, PROM_CACHE_LINE);
    seg->shard_size = prom_align(sizeof(prom_shard_t)
                                 + seg->directory_len * sizeof(uint32_t)
                                 + 2 * seg->table_len * sizeof(uint32_t),
                                 PROM_CACHE_LINE);

    at = seg->shard_offset + seg->shards * seg->shard_size;
    seg->first_page = (uint32_t) (prom_align(at, PROM_PAGE_SIZE)
                                  / PROM_PAGE_SIZE);
}


static int
prom_shard_format(prom_segment_t *seg, uint32_t n)
{
    int                  rc;
    prom_shard_t        *shard;
    pthread_mutexattr_t  attr;

    shard = prom_shard(seg, n);
    memset(shard, 0, seg->shard_size);

    shard->number = n;
    shard->directory = seg->shard_offset + n * seg->shard_size
                       + sizeof(prom_shard_t);
    shard->series.pages = shard->directory
                          + seg->directory_len * sizeof(uint32_t);
    shard->pairs.pages = shard->series.pages
                         + seg->table_len * sizeof(uint32_t);

    rc = pthread_mutexattr_init(&attr);
    rc |= pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    rc |= pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    rc |= pthread_mutex_init(&shard->mutex, &attr);
    (void) pthread_mutexattr_destroy(&attr);

    return rc == 0 ? PROM_OK : PROM_ERROR;
}


int
prom_tsdb_format(void *mem, size_t size, const uint8_t secret[32])
{
    uint32_t         n;
    prom_segment_t  *seg;

    if (size < PROM_TSDB_MIN_SIZE || size > PROM_TSDB_MAX_SIZE) {
        return PROM_ERROR;
    }

    seg = mem;
    memset(seg, 0, sizeof(prom_segment_t));
    prom_segment_plan(seg, size);

    memcpy(seg->secret, secret, sizeof(seg->secret));

    memset(prom_offset(seg, seg->owners), 0, seg->pages);
    memset(prom_offset(seg, seg->owners), 0xff, seg->first_page);
    memset(prom_page(seg, 0), 0, seg->pages * sizeof(prom_page_t));

    for (n = 0; n < seg->shards; n++) {
        if (prom_shard_format(seg, n) != PROM_OK) {
            return PROM_ERROR;
        }
    }

    atomic_store(&seg->page_cursor, seg->first_page);
    atomic_store(&seg->newest_time, PROM_TIME_NONE);

    /* what a process remembers of an older store in the same memory must not
       be taken for this one's */

    atomic_store(&seg->generation, prom_clock());

    seg->version = PROM_SEGMENT_VERSION;
    seg->magic = PROM_SEGMENT_MAGIC;

    return PROM_OK;
}


int
prom_tsdb_check(const void *mem, size_t size, prom_msg_t *msg)
{
    const prom_segment_t  *seg;

    seg = mem;

    if (seg->magic != PROM_SEGMENT_MAGIC) {
        prom_msg_add(msg, "it holds no store");
        return PROM_ERROR;
    }

    if (seg->version != PROM_SEGMENT_VERSION) {
        prom_msg_add(msg, "it has layout version %u, this module has %u",
                     seg->version, PROM_SEGMENT_VERSION);
        return PROM_ERROR;
    }

    if (seg->size != size / PROM_PAGE_SIZE * PROM_PAGE_SIZE) {
        prom_msg_add(msg, "it was made for %llu bytes, it has %llu now",
                     (unsigned long long) seg->size,
                     (unsigned long long) size);
        return PROM_ERROR;
    }

    return PROM_OK;
}


void
prom_tsdb_attach(prom_tsdb_t *db, void *mem)
{
    db->segment = mem;
}


/* I3, I4, I5, I6: in this order, for each step relies on the one before. */

static void
prom_shard_repair(prom_segment_t *seg, prom_shard_t *shard)
{
    prom_txn_rollback(seg, shard);

    /*
     * A series that was live for a moment may have been seen, one that was
     * removed may not be told yet; nothing of them was given away so far.
     */

    atomic_fetch_add(&seg->generation, 1);

    prom_page_reclaim(seg, shard);
    prom_page_recount(seg, shard);
    prom_segment_count_live(seg, shard);

    if (shard->building != 0) {
        prom_series_unbuild(seg, shard);
    }

    shard->repairs++;
}


prom_shard_t *
prom_shard_lock(prom_segment_t *seg, uint32_t n)
{
    int            rc;
    bool           waited;
    prom_shard_t  *shard;

    shard = prom_shard(seg, n);
    waited = false;

    rc = pthread_mutex_trylock(&shard->mutex);

    if (rc == EBUSY) {
        waited = true;
        rc = pthread_mutex_lock(&shard->mutex);
    }

    if (prom_unlikely(rc == EOWNERDEAD)) {
        prom_shard_repair(seg, shard);
        (void) pthread_mutex_consistent(&shard->mutex);
    }

    shard->lock_waits += waited;

    return shard;
}


void
prom_shard_unlock(prom_segment_t *seg, prom_shard_t *shard)
{
    if (prom_unlikely(shard->transit != 0)) {
        prom_page_reclaim(seg, shard);
    }

    if (prom_unlikely(shard->empties != 0)) {
        prom_page_trim(seg, shard);
    }

    (void) pthread_mutex_unlock(&shard->mutex);
}


void
prom_tsdb_stats(const prom_tsdb_t *db, prom_tsdb_stats_t *stats)
{
    uint32_t         n;
    prom_shard_t    *shard;
    prom_segment_t  *seg;

    seg = db->segment;
    memset(stats, 0, sizeof(prom_tsdb_stats_t));

    stats->pages = seg->pages - seg->first_page;
    stats->pages_free = prom_page_free_count(seg);

    for (n = 0; n < seg->shards; n++) {
        shard = prom_shard(seg, n);

        stats->series += shard->series.count;
        stats->series_created += shard->series_created;
        stats->series_removed += shard->series_removed;
        stats->samples += shard->samples;
        stats->chunks_evicted += shard->chunks_evicted;
        stats->samples_evicted += shard->samples_evicted;
        stats->repairs += shard->repairs;
        stats->lock_waits += shard->lock_waits;
    }
}
