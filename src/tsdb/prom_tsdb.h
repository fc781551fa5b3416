
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The store: series in a shared-memory segment, written and read by any number
 * of processes at once.  How it lies in memory is in prom_segment.h.
 *
 * Times are int64 milliseconds since the epoch; `now' is always the caller's.
 * Values are the 64 bits of an IEEE double and never pass through an FPU.
 */


#ifndef _PROM_TSDB_H_INCLUDED_
#define _PROM_TSDB_H_INCLUDED_


#include "../base/prom_base.h"
#include "../base/prom_msg.h"


#define PROM_STALE_NAN     UINT64_C(0x7ff0000000000002)

#define PROM_TSDB_MIN_SIZE (4 * 1024 * 1024)
#define PROM_TSDB_MAX_SIZE (UINT64_C(64) << 30)


/*
 * A process's view of a segment.  Small, copyable, holds no resource: when the
 * mapping goes, the view is void.
 */
typedef struct prom_segment_s  prom_segment_t;

typedef struct {
    prom_segment_t  *segment;
    int64_t          retention;         /* ms */
    uint64_t         max_series;        /* 0: as many as memory holds */
} prom_tsdb_t;


/*
 * Makes an empty store in `size' zeroed bytes at a page boundary; `secret' are
 * 32 random bytes.  PROM_ERROR where the size is impossible.
 */
int prom_tsdb_format(void *mem, size_t size, const uint8_t secret[32]);

/*
 * Looks at what is in memory and changes nothing: PROM_OK where it is a store
 * of this layout version and size, PROM_ERROR with a message where not.
 */
int prom_tsdb_check(const void *mem, size_t size, prom_msg_t *msg);

/* A view of a segment that prom_tsdb_format() or _check() approved. */
void prom_tsdb_attach(prom_tsdb_t *db, void *mem);


/*
 * Housekeeping: drops what is past retention and series without data, a
 * bounded number of series at a time.  Call again and again; *cursor starts
 * as 0 and is 0 again after a full round.  Any process may, several at once
 * are harmless.
 */
void prom_tsdb_sweep(prom_tsdb_t *db, int64_t now, uint32_t *cursor,
    uint32_t max_series);


typedef struct {
    uint64_t  series;
    uint64_t  series_created;
    uint64_t  series_removed;
    uint64_t  samples;                  /* appended since the segment began */
    uint64_t  chunks_evicted;           /* dropped for want of memory */
    uint64_t  samples_evicted;
    uint64_t  pages;
    uint64_t  pages_free;
    uint64_t  repairs;                  /* locks taken over from the dead */
    uint64_t  lock_waits;
} prom_tsdb_stats_t;

void prom_tsdb_stats(const prom_tsdb_t *db, prom_tsdb_stats_t *stats);

/*
 * Walks the whole segment, one shard under its lock at a time, and checks
 * every invariant of prom_segment.h.  PROM_OK, or PROM_ERROR with the first
 * that is broken.  For tests; takes as long as it takes.
 */
int prom_tsdb_verify(prom_tsdb_t *db, prom_msg_t *msg);


#endif /* _PROM_TSDB_H_INCLUDED_ */
