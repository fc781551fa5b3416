
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The chunks of a series: an open one, which grows as it fills, and sealed
 * ones, linked oldest to youngest per series and, by time of sealing, per
 * shard.
 *
 * All functions but prom_chunks_newest() want no open transaction; each is one
 * or several of its own.  All want the shard's lock.
 *
 * When the pool is empty they make room by dropping the shard's oldest sealed
 * chunks; with none of those left an append gives up the open chunk of its own
 * series.  It never fails.
 */


#ifndef _PROM_CHUNKS_H_INCLUDED_
#define _PROM_CHUNKS_H_INCLUDED_


#include "prom_segment.h"


/* `time' is after the newest time of the series, or the series is empty. */
void prom_chunks_append(prom_segment_t *seg, prom_shard_t *shard,
    prom_series_t *series, int64_t time, uint64_t value);

/* Drops what is older than `limit'; true when the series has no data left. */
bool prom_chunks_expire(prom_segment_t *seg, prom_shard_t *shard,
    prom_series_t *series, int64_t limit);

/* Drops the oldest sealed chunk of a series that has one. */
void prom_chunks_drop(prom_segment_t *seg, prom_shard_t *shard,
    prom_series_t *series);

/*
 * Makes room: drops the shard's oldest sealed chunk, or gives empty pages
 * back; false when there is nothing of either.
 */
bool prom_chunks_evict(prom_segment_t *seg, prom_shard_t *shard);

/* The newest sample not after `now'; false when there is none. */
bool prom_chunks_newest(const prom_segment_t *seg,
    const prom_series_t *series, int64_t now, int64_t *time,
    uint64_t *value);


#endif /* _PROM_CHUNKS_H_INCLUDED_ */
