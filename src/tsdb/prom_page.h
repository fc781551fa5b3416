
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Memory of a shard: pages from the segment's pool, cut into blocks of one
 * size class each.
 *
 * Taking a page is one compare-and-swap on its owner byte, so the pool has no
 * lock.  A page whose last block was freed is given back by prom_page_trim(),
 * outside of any transaction.
 *
 * All functions but prom_page_free_count() want the shard's lock.
 */


#ifndef _PROM_PAGE_H_INCLUDED_
#define _PROM_PAGE_H_INCLUDED_


#include "prom_segment.h"


/*
 * A block of at least `size' bytes (1 .. PROM_PAGE_SIZE), its contents
 * undefined; 0 when neither the shard nor the pool has one.
 */
prom_ref_t prom_alloc(prom_segment_t *seg, prom_shard_t *shard, size_t size);
void prom_free(prom_segment_t *seg, prom_shard_t *shard, prom_ref_t ref);

/* What a block of `size' bytes really holds. */
size_t prom_alloc_size(size_t size);
size_t prom_block_size(const prom_segment_t *seg, prom_ref_t ref);

/* A head; freed ones keep live == 0 until they are given out again. */
prom_series_t *prom_alloc_series(prom_segment_t *seg, prom_shard_t *shard);
void prom_free_series(prom_segment_t *seg, prom_shard_t *shard,
    prom_series_t *series);

/* The number of a head in its shard, and back; NULL where there is none. */
uint32_t prom_series_id(const prom_segment_t *seg, prom_ref_t ref);
prom_series_t *prom_series_by_id(const prom_segment_t *seg,
    const prom_shard_t *shard, uint32_t id);

/* A whole page for a table, its number or 0.  Not undone by a rollback: the
   caller sets the kind inside its transaction. */
uint32_t prom_page_take(prom_segment_t *seg, prom_shard_t *shard);

/*
 * Give pages that became empty back to the pool: all but the last of a class,
 * or all (and tell how many).  No transaction may be open.
 */
void prom_page_trim(prom_segment_t *seg, prom_shard_t *shard);
uint32_t prom_page_trim_all(prom_segment_t *seg, prom_shard_t *shard);

/* Takes the transaction back and returns the pages that were taken for it. */
void prom_page_abort(prom_segment_t *seg, prom_shard_t *shard);

/* Gives pages in transit (I5) back to the pool. */
void prom_page_reclaim(prom_segment_t *seg, prom_shard_t *shard);

/* Repair: the dead may have taken a page without counting it, or the other
   way round. */
void prom_page_recount(prom_segment_t *seg, prom_shard_t *shard);

/* Of the pool; the moment it is known it may be wrong. */
uint32_t prom_page_free_count(const prom_segment_t *seg);


#endif /* _PROM_PAGE_H_INCLUDED_ */
