
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The index of a shard: label names and, under each, the values that live
 * series have, each with its postings.
 *
 * Both are terms: nodes of a tree ordered bytewise by text (a treap, its
 * priorities are the keyed hashes, so nobody outside can unbalance it).  Pairs
 * are also in the shard's hash table of pairs.  A term without series is
 * removed, and a name without pairs.
 *
 * Wants the shard's lock; changes belong to the caller's transaction.
 */


#ifndef _PROM_INDEX_H_INCLUDED_
#define _PROM_INDEX_H_INCLUDED_


#include "../labels/prom_labels.h"
#include "prom_postings.h"
#include "prom_segment.h"


typedef struct {
    prom_link_t      link;              /* hash: of the pair, or of the name */
    prom_ref_t       left;
    prom_ref_t       right;
    prom_ref_t       name;              /* of a pair; 0 in a name */
    prom_ref_t       values;            /* of a name: root of its pairs */
    prom_postings_t  postings;          /* of a pair; of a name: n is the
                                           number of its pairs */
    uint16_t         len;
    uint8_t          plain;             /* of a pair: prom_label_plain() */
    uint8_t          unused;
    uint8_t          text[];
} prom_term_t;


/* The hash that prom_index_add() wants; what it will read is fetched. */
uint32_t prom_index_fetch(const prom_segment_t *seg,
    const prom_shard_t *shard, const prom_label_t *label);

/*
 * The pair, with the id in its postings, or NULL: no memory (roll back).
 */
const prom_term_t *prom_index_add(prom_segment_t *seg, prom_shard_t *shard,
    const prom_label_t *label, uint32_t hash, uint32_t id);
void prom_index_remove(prom_segment_t *seg, prom_shard_t *shard,
    const prom_label_t *label, uint32_t id);

/* NULL where there is none. */
prom_term_t *prom_index_name(const prom_segment_t *seg,
    const prom_shard_t *shard, prom_str_t name);
prom_term_t *prom_index_pair(const prom_segment_t *seg,
    const prom_shard_t *shard, prom_str_t name, prom_str_t value);

/* The first value of a name that is >= text, or > text; NULL at the end. */
prom_term_t *prom_index_value(const prom_segment_t *seg,
    const prom_term_t *name, prom_str_t text, bool after);


static inline prom_str_t
prom_term_text(const prom_term_t *term)
{
    return (prom_str_t) { term->text, term->len };
}


#endif /* _PROM_INDEX_H_INCLUDED_ */
