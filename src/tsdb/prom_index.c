
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "../base/prom_hash.h"
#include "prom_index.h"
#include "prom_page.h"
#include "prom_table.h"
#include "prom_txn.h"


static inline int
prom_term_cmp(const prom_term_t *term, prom_str_t text)
{
    return prom_str_cmp(prom_term_text(term), text);
}


/*
 * Puts a new term into the tree at *root.  It goes where the first node of
 * lower priority is met on the way; that node's subtree is split by the text.
 */
static void
prom_tree_insert(prom_segment_t *seg, prom_shard_t *shard, prom_ref_t *root,
    prom_term_t *term)
{
    prom_ref_t   ref, *link, *lower, *upper;
    prom_str_t   text;
    prom_term_t  *node;

    text = prom_term_text(term);

    for (link = root; *link != 0; /* void */) {
        node = prom_at(seg, *link);

        if (node->link.hash < term->link.hash) {
            break;
        }

        link = prom_term_cmp(node, text) < 0 ? &node->right : &node->left;
    }

    ref = *link;
    prom_txn_set(seg, shard, *link, prom_ref(seg, term));

    lower = &term->left;
    upper = &term->right;

    while (ref != 0) {
        node = prom_at(seg, ref);

        if (prom_term_cmp(node, text) < 0) {
            prom_txn_set(seg, shard, *lower, ref);
            lower = &node->right;
            ref = *lower;

        } else {
            prom_txn_set(seg, shard, *upper, ref);
            upper = &node->left;
            ref = *upper;
        }
    }

    prom_txn_set(seg, shard, *lower, 0);
    prom_txn_set(seg, shard, *upper, 0);
}


static void
prom_tree_remove(prom_segment_t *seg, prom_shard_t *shard, prom_ref_t *root,
    prom_term_t *term)
{
    prom_ref_t   ref, left, right, *link;
    prom_str_t   text;
    prom_term_t  *a, *b;

    text = prom_term_text(term);
    ref = prom_ref(seg, term);

    for (link = root; *link != ref; /* void */) {
        a = prom_at(seg, *link);
        link = prom_term_cmp(a, text) < 0 ? &a->right : &a->left;
    }

    left = term->left;
    right = term->right;

    while (left != 0 && right != 0) {
        a = prom_at(seg, left);
        b = prom_at(seg, right);

        if (a->link.hash >= b->link.hash) {
            prom_txn_set(seg, shard, *link, left);
            link = &a->right;
            left = *link;

        } else {
            prom_txn_set(seg, shard, *link, right);
            link = &b->left;
            right = *link;
        }
    }

    prom_txn_set(seg, shard, *link, left != 0 ? left : right);
}


static prom_term_t *
prom_tree_find(const prom_segment_t *seg, prom_ref_t ref, prom_str_t text)
{
    int           rc;
    prom_term_t  *node;

    while (ref != 0) {
        node = prom_at(seg, ref);
        rc = prom_term_cmp(node, text);

        if (rc == 0) {
            return node;
        }

        ref = rc < 0 ? node->right : node->left;
    }

    return NULL;
}


prom_term_t *
prom_index_value(const prom_segment_t *seg, const prom_term_t *name,
    prom_str_t text, bool after)
{
    int           rc;
    prom_ref_t    ref;
    prom_term_t  *node, *found;

    found = NULL;

    for (ref = name->values; ref != 0; /* void */) {
        node = prom_at(seg, ref);
        rc = prom_term_cmp(node, text);

        if (rc > 0 || (rc == 0 && !after)) {
            found = node;
            ref = node->left;

        } else {
            ref = node->right;
        }
    }

    return found;
}


prom_term_t *
prom_index_name(const prom_segment_t *seg, const prom_shard_t *shard,
    prom_str_t name)
{
    return prom_tree_find(seg, shard->names, name);
}


static inline uint32_t
prom_pair_hash(const prom_segment_t *seg, prom_str_t name, prom_str_t value)
{
    uint64_t  a, b;

    a = prom_hash(seg->secret, name.data, name.len);
    b = prom_hash(seg->secret, value.data, value.len);

    return (uint32_t) prom_hash_fold(a ^ seg->secret[2], b);
}


static prom_term_t *
prom_pair_find(const prom_segment_t *seg, const prom_shard_t *shard,
    uint32_t hash, prom_str_t name, prom_str_t value)
{
    prom_ref_t    ref;
    prom_term_t  *pair;

    ref = prom_table_chain(seg, &shard->pairs, hash);

    while (ref != 0) {
        pair = prom_at(seg, ref);

        if (pair->link.hash == hash
            && prom_str_eq(prom_term_text(pair), value)
            && prom_str_eq(prom_term_text(prom_at(seg, pair->name)), name))
        {
            return pair;
        }

        ref = pair->link.next;
    }

    return NULL;
}


prom_term_t *
prom_index_pair(const prom_segment_t *seg, const prom_shard_t *shard,
    prom_str_t name, prom_str_t value)
{
    return prom_pair_find(seg, shard, prom_pair_hash(seg, name, value), name,
                          value);
}


static prom_term_t *
prom_term_new(prom_segment_t *seg, prom_shard_t *shard, prom_str_t text,
    uint32_t hash)
{
    prom_ref_t    ref;
    prom_term_t  *term;

    ref = prom_alloc(seg, shard, sizeof(prom_term_t) + text.len);
    if (ref == 0) {
        return NULL;
    }

    term = prom_at(seg, ref);
    memset(term, 0, sizeof(prom_term_t));

    term->link.hash = hash;
    term->len = (uint16_t) text.len;
    memcpy(term->text, text.data, text.len);

    return term;
}


static prom_term_t *
prom_pair_new(prom_segment_t *seg, prom_shard_t *shard, uint32_t hash,
    const prom_label_t *label)
{
    prom_str_t    name;
    prom_term_t  *owner, *pair;

    name = label->name;
    owner = prom_index_name(seg, shard, name);

    if (owner == NULL) {
        owner = prom_term_new(seg, shard, name,
                              (uint32_t) prom_hash(seg->secret, name.data,
                                                   name.len));
        if (owner == NULL) {
            return NULL;
        }

        prom_tree_insert(seg, shard, &shard->names, owner);
    }

    pair = prom_term_new(seg, shard, label->value, hash);
    if (pair == NULL) {
        return NULL;
    }

    pair->name = prom_ref(seg, owner);
    pair->plain = prom_label_plain(label);

    if (prom_table_insert(seg, shard, &shard->pairs, &pair->link) != PROM_OK) {
        return NULL;
    }

    prom_tree_insert(seg, shard, &owner->values, pair);
    prom_txn_set(seg, shard, owner->postings.n, owner->postings.n + 1);

    return pair;
}


uint32_t
prom_index_fetch(const prom_segment_t *seg, const prom_shard_t *shard,
    const prom_label_t *label)
{
    uint32_t         hash;
    const uint32_t  *bucket;

    hash = prom_pair_hash(seg, label->name, label->value);
    bucket = prom_table_bucket(seg, &shard->pairs, hash);

    if (bucket != NULL) {
        __builtin_prefetch(bucket, 1);
    }

    return hash;
}


const prom_term_t *
prom_index_add(prom_segment_t *seg, prom_shard_t *shard,
    const prom_label_t *label, uint32_t hash, uint32_t id)
{
    prom_term_t  *pair;

    pair = prom_pair_find(seg, shard, hash, label->name, label->value);

    if (pair == NULL) {
        pair = prom_pair_new(seg, shard, hash, label);
    }

    if (pair == NULL
        || prom_postings_add(seg, shard, &pair->postings, id) != PROM_OK)
    {
        return NULL;
    }

    return pair;
}


void
prom_index_remove(prom_segment_t *seg, prom_shard_t *shard,
    const prom_label_t *label, uint32_t id)
{
    prom_term_t  *pair, *owner;

    pair = prom_index_pair(seg, shard, label->name, label->value);

    prom_postings_remove(seg, shard, &pair->postings, id);

    if (pair->postings.n > 0) {
        return;
    }

    owner = prom_at(seg, pair->name);

    prom_table_remove(seg, shard, &shard->pairs, &pair->link);
    prom_tree_remove(seg, shard, &owner->values, pair);
    prom_txn_set(seg, shard, owner->postings.n, owner->postings.n - 1);

    if (owner->postings.n == 0) {
        prom_tree_remove(seg, shard, &shard->names, owner);
        prom_free(seg, shard, prom_ref(seg, owner));
    }

    prom_free(seg, shard, prom_ref(seg, pair));
}
