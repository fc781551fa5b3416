
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Housekeeping.  The cursor counts ids: first through all shards' id 0..n of
 * shard 0, then of shard 1, and so on; a turn stays in one shard.
 */


#include "prom_page.h"
#include "prom_segment.h"
#include "prom_chunks.h"
#include "prom_series.h"


#define PROM_CURSOR_BITS  24            /* ids below, the shard above */

_Static_assert(PROM_IDS_MAX == 1u << PROM_CURSOR_BITS, "ids fit the cursor");


static uint32_t
prom_sweep_shard(prom_segment_t *seg, prom_shard_t *shard, uint32_t id,
    uint32_t end, int64_t limit)
{
    prom_series_t  *series;

    for ( /* void */ ; id < end; id++) {
        series = prom_series_by_id(seg, shard, id);

        if (series != NULL && series->live
            && prom_chunks_expire(seg, shard, series, limit))
        {
            prom_series_remove(seg, shard, series);
        }
    }

    return id;
}


void
prom_tsdb_sweep(prom_tsdb_t *db, int64_t now, uint32_t *cursor,
    uint32_t max_series)
{
    uint32_t         n, id, ids, end;
    prom_shard_t    *shard;
    prom_segment_t  *seg;

    seg = db->segment;
    n = *cursor >> PROM_CURSOR_BITS;
    id = *cursor & (PROM_IDS_MAX - 1);

    shard = prom_shard_lock(seg, n);
    ids = shard->positions * PROM_HEADS_PER_PAGE;

    end = ids > id && ids - id > max_series ? id + max_series : ids;

    id = prom_sweep_shard(seg, shard, id, end, now - db->retention);

    if (id >= ids) {
        (void) prom_page_trim_all(seg, shard);
        id = 0;
        n = n + 1 < seg->shards ? n + 1 : 0;
    }

    prom_shard_unlock(seg, shard);

    *cursor = n << PROM_CURSOR_BITS | id;
}
