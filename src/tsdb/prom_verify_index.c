
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "../base/prom_hash.h"
#include "prom_index.h"
#include "prom_page.h"
#include "prom_verify.h"


#define PROM_VERIFY_IDS    256
#define PROM_VERIFY_DEPTH  512          /* a treap of 2^32 has some 100 */


typedef struct prom_verify_tree_s  prom_verify_tree_t;

struct prom_verify_tree_s {
    prom_verify_t  *verify;
    prom_term_t    *name;               /* of the pairs; NULL: the names */
    prom_term_t    *last;               /* in order */
    uint32_t        n;
};


static bool prom_verify_name(prom_verify_t *verify, prom_term_t *term);
static bool prom_verify_pair(prom_verify_t *verify, prom_term_t *name,
    prom_term_t *term);


/* The ids a set says it has: as many, ascending, of series that live. */

static bool
prom_verify_ids(prom_verify_t *verify, prom_ref_t ref,
    const prom_postings_t *set)
{
    size_t          i, n;
    uint32_t        from, count, ids[PROM_VERIFY_IDS];
    prom_series_t  *series;

    from = 0;
    count = 0;

    do {
        n = prom_postings_read(verify->seg, set, from, ids, PROM_VERIFY_IDS);

        for (i = 0; i < n; i++) {
            series = NULL;

            if (ids[i] >= from) {
                series = prom_series_by_id(verify->seg, verify->shard, ids[i]);
            }

            if (series == NULL || !series->live) {
                return prom_verify_fail(verify, "pair %u: id %u", ref, ids[i]);
            }

            from = ids[i] + 1;
        }

        count += (uint32_t) n;

    } while (n == PROM_VERIFY_IDS);

    if (count != set->n) {
        return prom_verify_fail(verify, "pair %u: %u ids, counted as %u", ref,
                                count, set->n);
    }

    verify->posted += count;

    return true;
}


/* The layout of prom_postings.h, seen from outside of prom_postings.c. */

typedef struct {
    uint16_t    range;
    uint16_t    count;
    prom_ref_t  ref;
} prom_verify_range_t;


static bool
prom_verify_range(prom_verify_t *verify, const prom_verify_range_t *range)
{
    uint32_t         i, n, bits;
    const uint16_t  *array;
    const uint64_t  *bitmap;

    if (!prom_verify_reach_block(verify, range->ref, "postings")) {
        return false;
    }

    n = (range->count & 0x1fff) + 1u;

    if (range->count & 0x8000) {
        bitmap = prom_at(verify->seg, range->ref);
        bits = 0;

        for (i = 0; i < 8192 / 64; i++) {
            bits += (uint32_t) __builtin_popcountll(bitmap[i]);
        }

        if (bits != n || prom_block_size(verify->seg, range->ref) != 1024) {
            return prom_verify_fail(verify, "postings %u: %u bits, counted as "
                                    "%u", range->ref, bits, n);
        }

        return true;
    }

    if (n > 512 || n * 2 > prom_block_size(verify->seg, range->ref)) {
        return prom_verify_fail(verify, "postings %u: an array of %u",
                                range->ref, n);
    }

    array = prom_at(verify->seg, range->ref);

    for (i = 0; i < n; i++) {
        if (array[i] >= 8192 || (i > 0 && array[i] <= array[i - 1])) {
            return prom_verify_fail(verify, "postings %u: order at %u",
                                    range->ref, i);
        }
    }

    return true;
}


static bool
prom_verify_postings(prom_verify_t *verify, prom_ref_t ref,
    const prom_postings_t *set)
{
    uint32_t                    i;
    const prom_verify_range_t  *ranges;

    if (set->n > 2) {

        if (!prom_verify_reach_block(verify, set->a, "postings' directory")) {
            return false;
        }

        if (set->b == 0 || set->b > set->n
            || set->b * 8u > prom_block_size(verify->seg, set->a))
        {
            return prom_verify_fail(verify, "pair %u: %u ranges", ref, set->b);
        }

        ranges = prom_at(verify->seg, set->a);

        for (i = 0; i < set->b; i++) {

            if (i > 0 && ranges[i].range <= ranges[i - 1].range) {
                return prom_verify_fail(verify, "pair %u: range %u", ref, i);
            }

            if (!prom_verify_range(verify, ranges + i)) {
                return false;
            }
        }
    }

    if (set->n == 0) {
        return prom_verify_fail(verify, "pair %u: no ids", ref);
    }

    return prom_verify_ids(verify, ref, set);
}


static bool
prom_verify_tree(prom_verify_tree_t *tree, prom_ref_t ref, uint32_t above,
    uint32_t depth)
{
    bool            ok;
    prom_term_t    *term;
    prom_verify_t  *verify;

    if (ref == 0) {
        return true;
    }

    verify = tree->verify;

    if (!prom_verify_reach_block(verify, ref, "term")) {
        return false;
    }

    term = prom_at(verify->seg, ref);

    if (prom_block_size(verify->seg, ref)
        != prom_alloc_size(sizeof(prom_term_t) + term->len)
        || term->link.hash > above || depth == PROM_VERIFY_DEPTH)
    {
        return prom_verify_fail(verify, "term %u: %u bytes, hash %08x below "
                                "%08x, depth %u", ref, term->len,
                                term->link.hash, above, depth);
    }

    if (!prom_verify_tree(tree, term->left, term->link.hash, depth + 1)) {
        return false;
    }

    if (tree->last != NULL
        && prom_str_cmp(prom_term_text(tree->last), prom_term_text(term)) >= 0)
    {
        return prom_verify_fail(verify, "term %u: out of order", ref);
    }

    tree->last = term;
    tree->n++;

    ok = tree->name == NULL ? prom_verify_name(verify, term)
                            : prom_verify_pair(verify, tree->name, term);

    return ok && prom_verify_tree(tree, term->right, term->link.hash,
                                  depth + 1);
}


static bool
prom_verify_pair(prom_verify_t *verify, prom_term_t *name, prom_term_t *term)
{
    prom_ref_t  ref;

    ref = prom_ref(verify->seg, term);

    if (term->name != prom_ref(verify->seg, name) || term->values != 0
        || prom_index_pair(verify->seg, verify->shard, prom_term_text(name),
                           prom_term_text(term)) != term)
    {
        return prom_verify_fail(verify, "pair %u: name %u, values %u, or not "
                                "in the table", ref, term->name, term->values);
    }

    return prom_verify_postings(verify, ref, &term->postings);
}


static bool
prom_verify_name(prom_verify_t *verify, prom_term_t *term)
{
    prom_verify_tree_t  pairs;

    if (term->name != 0 || term->values == 0
        || term->link.hash != (uint32_t) prom_hash(verify->seg->secret,
                                                   term->text, term->len)
        || prom_index_name(verify->seg, verify->shard, prom_term_text(term))
           != term)
    {
        return prom_verify_fail(verify, "name %u: hash %08x, values %u",
                                prom_ref(verify->seg, term), term->link.hash,
                                term->values);
    }

    pairs = (prom_verify_tree_t) { verify, term, NULL, 0 };

    if (!prom_verify_tree(&pairs, term->values, UINT32_MAX, 0)) {
        return false;
    }

    if (pairs.n != term->postings.n) {
        return prom_verify_fail(verify, "name %u: %u pairs, counted as %u",
                                prom_ref(verify->seg, term), pairs.n,
                                term->postings.n);
    }

    /* each was found in the table: none must be left there at last */

    verify->pairs += pairs.n;

    return true;
}


/* Items are reached by way of the trees. */

static bool
prom_verify_item(prom_verify_t *verify, prom_ref_t ref)
{
    return true;
}


bool
prom_verify_index(prom_verify_t *verify)
{
    prom_shard_t        *shard;
    prom_verify_tree_t   names;

    shard = verify->shard;
    names = (prom_verify_tree_t) { verify, NULL, NULL, 0 };

    if (!prom_verify_table(verify, &shard->pairs, "pairs", prom_verify_item)
        || !prom_verify_tree(&names, shard->names, UINT32_MAX, 0))
    {
        return false;
    }

    if (verify->pairs != shard->pairs.count) {
        return prom_verify_fail(verify, "%u pairs in trees, %u in the table",
                                verify->pairs, shard->pairs.count);
    }

    return true;
}
