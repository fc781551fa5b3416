
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * A set of series ids of one shard.
 *
 *     n == 0         empty
 *     n == 1, 2      the ids themselves, ascending, in a and b
 *     n >  2         a: block of directory entries by ascending range,
 *                    b: how many
 *
 * A directory entry stands for the ids of one range of 8192.  Its block holds
 * their low 13 bits: up to 512 as a sorted array of uint16_t, more as a bitmap
 * of 1 KiB (bit 15 of count tells which).
 *
 * Wants the shard's lock; changes belong to the caller's transaction.
 */


#ifndef _PROM_POSTINGS_H_INCLUDED_
#define _PROM_POSTINGS_H_INCLUDED_


#include "prom_segment.h"


typedef struct {
    uint32_t  n;
    uint32_t  a;
    uint32_t  b;
} prom_postings_t;


/* PROM_OK or PROM_NOMEM (roll back); the id is not in the set. */
int prom_postings_add(prom_segment_t *seg, prom_shard_t *shard,
    prom_postings_t *set, uint32_t id);

/* The id is in the set. */
void prom_postings_remove(prom_segment_t *seg, prom_shard_t *shard,
    prom_postings_t *set, uint32_t id);

bool prom_postings_has(const prom_segment_t *seg, const prom_postings_t *set,
    uint32_t id);

/* Up to `max' ids from `from' on, ascending; returns how many. */
size_t prom_postings_read(const prom_segment_t *seg,
    const prom_postings_t *set, uint32_t from, uint32_t *ids, size_t max);


#endif /* _PROM_POSTINGS_H_INCLUDED_ */
