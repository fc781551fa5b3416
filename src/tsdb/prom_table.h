
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * A hash table that grows and shrinks one bucket at a time (linear hashing),
 * so no operation is ever long.  Items begin with a prom_link_t whose hash the
 * caller has set; a bucket is the reference of the first item of its chain.
 * Buckets lie in pages of their own, found through an array of page numbers.
 *
 * Wants the shard's lock; changes belong to the caller's transaction.
 */


#ifndef _PROM_TABLE_H_INCLUDED_
#define _PROM_TABLE_H_INCLUDED_


#include "prom_segment.h"


#define PROM_TABLE_MIN  64              /* buckets */


/* The head of the chain an item with this hash would be in, 0 where empty. */
prom_ref_t prom_table_chain(const prom_segment_t *seg,
    const prom_table_t *table, uint32_t hash);

/* Where that head is stored: to prefetch it. */
const uint32_t *prom_table_bucket(const prom_segment_t *seg,
    const prom_table_t *table, uint32_t hash);

/* PROM_OK, or PROM_NOMEM for the very first bucket page only. */
int prom_table_insert(prom_segment_t *seg, prom_shard_t *shard,
    prom_table_t *table, prom_link_t *item);
void prom_table_remove(prom_segment_t *seg, prom_shard_t *shard,
    prom_table_t *table, prom_link_t *item);


#endif /* _PROM_TABLE_H_INCLUDED_ */
