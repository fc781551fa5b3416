
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * What the parts of prom_tsdb_verify() share.  Every block that is in use is
 * reached once, from what owns it; in the end what was reached and what is
 * free must be all that was ever given out.
 */


#ifndef _PROM_VERIFY_H_INCLUDED_
#define _PROM_VERIFY_H_INCLUDED_


#include "prom_segment.h"
#include "prom_table.h"


typedef struct {
    prom_segment_t  *seg;
    prom_shard_t    *shard;
    prom_msg_t      *msg;

    uint8_t         *free;              /* bits, one per unit of the segment: */
    uint8_t         *reached;           /* a block begins here, and is ... */
    uint8_t         *due;               /* a sealed chunk that may come now */
    uint32_t        *used;              /* reached blocks of each page */

    uint32_t         tables;            /* pages that tables hold */
    uint64_t         labels;            /* of all series */
    uint64_t         posted;            /* ids in all postings */
    uint32_t         pairs;             /* in the trees of all names */
    uint32_t         chunks;            /* sealed */
} prom_verify_t;


/* Notes what is broken; is false, to be returned. */

#define prom_verify_fail(verify, ...)                                         \
    (prom_msg_add((verify)->msg, "shard %u: ", (verify)->shard->number),      \
     prom_msg_add((verify)->msg, __VA_ARGS__),                                \
     false)


static inline bool
prom_verify_bit(const uint8_t *bits, prom_ref_t ref)
{
    return bits[ref / 8] >> ref % 8 & 1;
}


static inline void
prom_verify_set(uint8_t *bits, prom_ref_t ref)
{
    bits[ref / 8] |= (uint8_t) (1 << ref % 8);
}


/* A block of the class for `size' bytes, reached for the first time. */
bool prom_verify_reach(prom_verify_t *verify, prom_ref_t ref, size_t size,
    const char *what);

/* The same for a block whose size the caller looks at, and for a head. */
bool prom_verify_reach_block(prom_verify_t *verify, prom_ref_t ref,
    const char *what);

/* Calls `item' for each item of a table. */
typedef bool (*prom_verify_item_pt)(prom_verify_t *verify, prom_ref_t ref);

bool prom_verify_table(prom_verify_t *verify, const prom_table_t *table,
    const char *what, prom_verify_item_pt item);

bool prom_verify_series(prom_verify_t *verify);
bool prom_verify_index(prom_verify_t *verify);


#endif /* _PROM_VERIFY_H_INCLUDED_ */
