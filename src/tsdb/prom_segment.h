
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The segment: how a store lies in shared memory.
 *
 *     page 0 ..      prom_segment_t, page owners, page descriptors, shards
 *                    with their directories
 *     first_page ..  pages of 16 KiB, given to shards and back
 *
 * References (prom_ref_t) are offsets from the start of the segment in units
 * of 16 bytes, 0 is none.  There is no pointer in a segment, so its image can
 * be mapped anywhere.
 *
 * A shard owns its pages and everything in them:
 *
 *     series     64-byte heads in pages of their own; a head's number (id) in
 *                its shard is directory position * 256 + slot
 *     keys       the canonical label bytes of a series
 *     chunks     one open chunk per series (bare XOR bytes), sealed ones with
 *                a header, linked oldest to newest per series and per shard
 *     index      names, label pairs, postings (prom_index.h, prom_postings.h)
 *     tables     two hash tables, of series by key and of label pairs
 *
 * Who may touch what
 *  I1. Shard state is read and written under the shard's lock.  Exceptions:
 *      page owners and the counters on the segment's own cache lines (atomic),
 *      and prom_series_guess(), which reads heads and keys without a lock and
 *      whose answer counts only if the generation has not moved since (I4).
 *  I2. Locks are taken in ascending order of shards.  Under a lock there is no
 *      heap allocation, no log line, no system call but the lock's own.
 *  I3. Every store into state that can be reached is preceded by saving the
 *      old bytes in the shard's undo log (prom_txn.h).  Bytes that nothing
 *      reaches yet need no saving.  Within one transaction all allocations
 *      come before all frees, so an old block is intact until the commit.
 *  I4. The generation is raised after a series is marked dead and before its
 *      memory can become anything else.
 *  I5. A page with owner s+1 and kind 0 is in transit; only the holder of
 *      shard s's lock sees such pages, a repair gives them back to the pool.
 *  I6. shard->building names the only series that may be partly indexed.
 *
 * Death: a process can be killed at any instruction.  The next to lock the
 * shard gets EOWNERDEAD and repairs: the undo log is applied backwards, pages
 * in transit are released, a series in building is removed.
 */


#ifndef _PROM_SEGMENT_H_INCLUDED_
#define _PROM_SEGMENT_H_INCLUDED_


#include <pthread.h>
#include <stdatomic.h>

#include "../base/prom_base.h"
#include "prom_tsdb.h"


#define PROM_SEGMENT_MAGIC    UINT64_C(0x31676573204d4f52)    /* "ROM seg1" */
#define PROM_SEGMENT_VERSION  1

#define PROM_PAGE_SIZE        16384
#define PROM_UNIT             16
#define PROM_CACHE_LINE       64

#define PROM_SHARDS_MAX       64
#define PROM_CLASSES          47
#define PROM_KIND_SERIES      (PROM_CLASSES + 1)    /* a page of heads */
#define PROM_KIND_TABLE       (PROM_CLASSES + 2)    /* buckets */

#define PROM_HEADS_PER_PAGE   (PROM_PAGE_SIZE / 64)
#define PROM_IDS_MAX          (1u << 24)            /* series of a shard */

#define PROM_LOG_WORDS        4096                  /* 32 KiB of undo log */
#define PROM_TABLE_PAGES      4096                  /* 16M buckets */
#define PROM_EMPTIES          15

#define PROM_TIME_NONE        INT64_MIN             /* no sample yet */

#define PROM_CHUNK_FIRST      48                    /* bytes of a new chunk */
#define PROM_CHUNK_SAMPLES    120                   /* a chunk is sealed at */
#define PROM_CHUNK_BYTES      1005                  /* the first of these */


typedef uint32_t  prom_ref_t;


typedef struct {
    uint32_t     next;                  /* list of pages with free blocks, */
    uint32_t     prev;                  /* page numbers, 0 is none */
    uint16_t     free;                  /* first freed block + 1 */
    uint16_t     bump;                  /* blocks from here on were not used */
    uint16_t     used;                  /* blocks given out */
    uint8_t      kind;                  /* 0, class + 1, or PROM_KIND_... */
    uint8_t      listed;                /* in the list of its class */
    uint32_t     position;              /* PROM_KIND_SERIES: in the directory */
    uint32_t     unused;
} prom_page_t;


/* Linear hashing; items begin with a prom_link_t. */

typedef struct {
    prom_ref_t   next;
    uint32_t     hash;
} prom_link_t;

typedef struct {
    uint32_t     count;                 /* items */
    uint32_t     buckets;
    uint64_t     pages;                 /* offset of uint32_t[table_len] */
} prom_table_t;


typedef struct {
    prom_link_t        link;            /* table of series; hash of the key */
    _Atomic uint32_t   next;            /* who came after me last time */
    prom_ref_t         key;
    uint16_t           key_len;
    uint8_t            live;            /* set last, cleared first */
    uint8_t            plain;           /* prom_labels_plain(key) */
    uint32_t           mark;            /* live: the entry of a batch that saw
                                           it last; else: how many of its
                                           labels are in the index */

    /* one transaction saves from here ... */
    int64_t            newest_time;
    uint64_t           newest_value;
    prom_ref_t         chunk;           /* the open chunk, never 0 when live */
    uint32_t           delta;           /* of the last two times */
    uint16_t           bits;            /* of the chunk that count */
    uint16_t           room;            /* bytes of the chunk's block */
    uint16_t           samples;         /* in the chunk, 0: none yet */
    uint8_t            lead;            /* window of the last value, 0xff: */
    uint8_t            trail;           /* none yet */
    /* ... to here */

    prom_ref_t         oldest;          /* sealed chunks */
    prom_ref_t         youngest;
} prom_series_t;

_Static_assert(sizeof(prom_series_t) == 64, "a head is one cache line");
_Static_assert(offsetof(prom_series_t, oldest)
               - offsetof(prom_series_t, newest_time) == 32,
               "the state of an open chunk is saved in one piece");


typedef struct {
    prom_ref_t         series;
    prom_ref_t         younger;         /* of the same series */
    prom_ref_t         fifo_next;       /* of the shard, by time of sealing */
    prom_ref_t         fifo_prev;
    int64_t            max_time;
    uint16_t           bytes;
    uint16_t           samples;
    uint32_t           unused;
    uint8_t            data[];          /* as Prometheus encodes it */
} prom_chunk_t;


typedef struct {
    pthread_mutex_t    mutex;

    /* undo log: the words up to log_len, see prom_txn.h */
    _Alignas(PROM_CACHE_LINE)
    volatile uint64_t  log_len;
    uint32_t           number;
    prom_ref_t         building;        /* I6 */

    uint32_t           lists[PROM_CLASSES];
    uint32_t           series_list;     /* pages of heads with free slots */
    uint32_t           positions;       /* of the directory that were used */

    uint32_t           transit;         /* this lock's holder left pages in
                                           transit behind (I5) */

    /* hints, not saved in the log: share no word with what is */
    uint32_t           empties;         /* pages that became empty, */
    uint32_t           taken;           /* pages taken since a look at all */
    uint32_t           empty[PROM_EMPTIES];     /* more than fit: look at all */

    prom_table_t       series;
    prom_table_t       pairs;
    prom_ref_t         names;           /* tree of label names */
    prom_ref_t         fifo_oldest;     /* sealed chunks */
    prom_ref_t         fifo_youngest;

    /* statistics: written under the lock, read without */
    uint64_t           series_created;
    uint64_t           series_removed;
    uint64_t           samples;
    uint64_t           chunks_sealed;
    uint64_t           chunks_evicted;
    uint64_t           samples_evicted;
    uint64_t           repairs;
    uint64_t           lock_waits;

    uint64_t           directory;       /* offset of uint32_t[], page numbers */
    uint64_t           log[PROM_LOG_WORDS];
} prom_shard_t;

_Static_assert(offsetof(prom_shard_t, empties) % 8 == 0
               && offsetof(prom_shard_t, series) % 8 == 0,
               "a rollback leaves hints alone");


struct prom_segment_s {
    uint64_t           magic;
    uint32_t           version;
    uint32_t           shards;          /* a power of two */
    uint64_t           size;
    uint64_t           secret[4];
    uint32_t           pages;           /* of the whole segment */
    uint32_t           first_page;      /* that can be given to a shard */
    uint32_t           directory_len;   /* of each shard */
    uint32_t           table_len;       /* of each table */
    uint32_t           shard_bits;
    uint64_t           owners;          /* offset of uint8_t[pages] */
    uint64_t           descriptors;     /* offset of prom_page_t[pages] */
    uint64_t           shard_offset;
    uint64_t           shard_size;

    _Alignas(PROM_CACHE_LINE)
    _Atomic uint64_t   generation;      /* I4 */

    _Alignas(PROM_CACHE_LINE)
    _Atomic uint32_t   page_cursor;     /* where to look for a free page */

    _Alignas(PROM_CACHE_LINE)
    _Atomic int64_t    newest_time;     /* of all samples */

    /*
     * Totals are sums of what each shard counts of its own: written under the
     * shard's lock only, so a repair can count anew without a race.
     */
    _Alignas(PROM_CACHE_LINE)
    _Atomic uint32_t   owned[PROM_SHARDS_MAX];  /* pages */
    _Atomic uint32_t   live[PROM_SHARDS_MAX];   /* series */
};


static inline void *
prom_at(const prom_segment_t *seg, prom_ref_t ref)
{
    return (uint8_t *) seg + (uint64_t) ref * PROM_UNIT;
}


static inline void *
prom_offset(const prom_segment_t *seg, uint64_t offset)
{
    return (uint8_t *) seg + offset;
}


static inline prom_ref_t
prom_ref(const prom_segment_t *seg, const void *p)
{
    return (prom_ref_t) (((const uint8_t *) p - (const uint8_t *) seg)
                         / PROM_UNIT);
}


static inline prom_shard_t *
prom_shard(const prom_segment_t *seg, uint32_t n)
{
    return prom_offset(seg, seg->shard_offset + n * seg->shard_size);
}


static inline prom_page_t *
prom_page(const prom_segment_t *seg, uint32_t n)
{
    return (prom_page_t *) prom_offset(seg, seg->descriptors) + n;
}


static inline _Atomic uint8_t *
prom_owner(const prom_segment_t *seg, uint32_t n)
{
    return (_Atomic uint8_t *) prom_offset(seg, seg->owners) + n;
}


static inline uint32_t
prom_page_of(prom_ref_t ref)
{
    return ref / (PROM_PAGE_SIZE / PROM_UNIT);
}


static inline uint64_t
prom_segment_live(const prom_segment_t *seg)
{
    uint32_t  n;
    uint64_t  live;

    live = 0;

    for (n = 0; n < seg->shards; n++) {
        live += atomic_load_explicit(&seg->live[n], memory_order_relaxed);
    }

    return live;
}


static inline void
prom_segment_count_live(prom_segment_t *seg, const prom_shard_t *shard)
{
    atomic_store_explicit(&seg->live[shard->number], shard->series.count,
                          memory_order_relaxed);
}


/* The shard a key with this hash belongs to. */

static inline uint32_t
prom_shard_of(const prom_segment_t *seg, uint64_t hash)
{
    return seg->shard_bits ? (uint32_t) (hash >> (64 - seg->shard_bits)) : 0;
}


/*
 * Waits for the lock of shard `n' and repairs the shard where its last holder
 * died.
 */
prom_shard_t *prom_shard_lock(prom_segment_t *seg, uint32_t n);
void prom_shard_unlock(prom_segment_t *seg, prom_shard_t *shard);


#endif /* _PROM_SEGMENT_H_INCLUDED_ */
