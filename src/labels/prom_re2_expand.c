
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The strings of a tree that stands for few.
 *
 * Every byte that is written is paid from a budget, so that the work is
 * bounded whatever the tree looks like.
 */


#include <stdlib.h>

#include "../base/prom_utf8.h"
#include "prom_re2_reduce.h"


typedef struct {
    uint8_t  *data;
    size_t    len;
    size_t    cap;
} prom_re2_string_t;


typedef struct {
    prom_re2_string_t  *v;
    size_t              n;
    size_t              cap;
} prom_re2_set_t;


typedef struct {
    prom_arena_t  *arena;
    size_t         max;
    size_t         budget;
} prom_re2_expand_t;


static int prom_re2_expand_node(prom_re2_expand_t *expand,
    const prom_re2_node_t *node, prom_re2_set_t *set);
static int prom_re2_expand_literal(prom_re2_expand_t *expand,
    const prom_re2_node_t *node, prom_re2_set_t *set);
static int prom_re2_expand_class(prom_re2_expand_t *expand,
    const prom_re2_class_t *class, prom_re2_set_t *set);
static int prom_re2_expand_children(prom_re2_expand_t *expand,
    const prom_re2_node_t *node, prom_re2_set_t *set);
static int prom_re2_expand_repeat(prom_re2_expand_t *expand,
    const prom_re2_node_t *node, prom_re2_set_t *set);
static int prom_re2_set_append(prom_re2_expand_t *expand, prom_re2_set_t *set,
    const uint8_t *data, size_t len);
static int prom_re2_set_times(prom_re2_expand_t *expand, prom_re2_set_t *set,
    const prom_re2_set_t *right);
static int prom_re2_set_plus(prom_re2_expand_t *expand, prom_re2_set_t *set,
    const prom_re2_set_t *right);
static int prom_re2_set_add(prom_re2_expand_t *expand, prom_re2_set_t *set,
    const uint8_t *data, size_t len);
static int prom_re2_string_add(prom_re2_expand_t *expand,
    prom_re2_string_t *string, const uint8_t *data, size_t len);


int
prom_re2_expand(const prom_re2_node_t *root, prom_arena_t *arena,
    prom_str_t **result, size_t *n)
{
    int                     rc;
    size_t                  i;
    prom_str_t             *str;
    prom_re2_set_t          set;
    prom_re2_expand_t       expand;
    const prom_re2_node_t  *child;

    expand.arena = arena;
    expand.max = PROM_RE2_SET_MAX;
    expand.budget = PROM_RE2_SET_BUDGET;

    if (root->op == PROM_RE2_ALTERNATE) {

        for (child = root->child; child != NULL; child = child->next) {
            expand.max++;
        }
    }

    memset(&set, 0, sizeof(prom_re2_set_t));

    rc = prom_re2_expand_node(&expand, root, &set);
    if (rc != PROM_OK) {
        return rc;
    }

    str = prom_arena_alloc(arena, (set.n + 1) * sizeof(prom_str_t));
    if (str == NULL) {
        return PROM_NOMEM;
    }

    for (i = 0; i < set.n; i++) {
        str[i].data = set.v[i].data;
        str[i].len = set.v[i].len;
    }

    *result = str;
    *n = set.n;

    return PROM_OK;
}


/* Adds to the set what the node stands for. */

static int
prom_re2_expand_node(prom_re2_expand_t *expand, const prom_re2_node_t *node,
    prom_re2_set_t *set)
{
    switch (node->op) {

    case PROM_RE2_EMPTY:
        return prom_re2_set_add(expand, set, NULL, 0);

    case PROM_RE2_NEVER:
        return PROM_OK;

    case PROM_RE2_LITERAL:
        return prom_re2_expand_literal(expand, node, set);

    case PROM_RE2_CLASS:
        return prom_re2_expand_class(expand, node->class, set);

    case PROM_RE2_CONCAT:
    case PROM_RE2_ALTERNATE:
        return prom_re2_expand_children(expand, node, set);

    case PROM_RE2_REPEAT:
        return prom_re2_expand_repeat(expand, node, set);

    default:
        return PROM_AGAIN;
    }
}


static int
prom_re2_expand_rune(prom_re2_expand_t *expand, uint32_t c,
    prom_re2_set_t *set)
{
    uint8_t  buf[4];

    return prom_re2_set_add(expand, set, buf, prom_utf8_encode(buf, c));
}


static int
prom_re2_expand_literal(prom_re2_expand_t *expand, const prom_re2_node_t *node,
    prom_re2_set_t *set)
{
    int       rc;
    uint32_t  c;

    c = node->c;

    do {
        rc = prom_re2_expand_rune(expand, c, set);
        c = node->fold ? prom_re2_fold(c) : node->c;
    } while (rc == PROM_OK && c != node->c);

    return rc;
}


static int
prom_re2_expand_class(prom_re2_expand_t *expand, const prom_re2_class_t *class,
    prom_re2_set_t *set)
{
    int       rc;
    uint32_t  i, c;

    if (class->n_items > 0) {
        return PROM_AGAIN;
    }

    for (i = 0; i < class->n; i++) {

        for (c = class->ranges[i].lo; c <= class->ranges[i].hi; c++) {
            rc = prom_re2_expand_rune(expand, c, set);
            if (rc != PROM_OK) {
                return rc;
            }
        }
    }

    return PROM_OK;
}


static int
prom_re2_expand_children(prom_re2_expand_t *expand,
    const prom_re2_node_t *node, prom_re2_set_t *set)
{
    int                     rc;
    uint8_t                 buf[4];
    prom_re2_set_t          product, right;
    const prom_re2_node_t  *child;

    memset(&product, 0, sizeof(prom_re2_set_t));

    rc = (node->op == PROM_RE2_CONCAT)
         ? prom_re2_set_add(expand, &product, NULL, 0) : PROM_OK;

    for (child = node->child; child != NULL && rc == PROM_OK;
         child = child->next)
    {
        if (node->op == PROM_RE2_ALTERNATE) {
            rc = prom_re2_expand_node(expand, child, set);
            continue;
        }

        if (child->op == PROM_RE2_LITERAL && !child->fold) {
            rc = prom_re2_set_append(expand, &product, buf,
                                     prom_utf8_encode(buf, child->c));
            continue;
        }

        memset(&right, 0, sizeof(prom_re2_set_t));
        rc = prom_re2_expand_node(expand, child, &right);

        if (rc == PROM_OK) {
            rc = prom_re2_set_times(expand, &product, &right);
        }
    }

    return (rc == PROM_OK) ? prom_re2_set_plus(expand, set, &product) : rc;
}


static int
prom_re2_expand_repeat(prom_re2_expand_t *expand, const prom_re2_node_t *node,
    prom_re2_set_t *set)
{
    int             i, rc;
    prom_re2_set_t  power, child;

    if (node->max == -1) {
        return PROM_AGAIN;
    }

    memset(&power, 0, sizeof(prom_re2_set_t));
    memset(&child, 0, sizeof(prom_re2_set_t));

    rc = prom_re2_expand_node(expand, node->child, &child);

    if (rc == PROM_OK) {
        rc = prom_re2_set_add(expand, &power, NULL, 0);
    }

    for (i = 0; rc == PROM_OK; i++) {

        if (i >= node->min) {
            rc = prom_re2_set_plus(expand, set, &power);
        }

        if (rc != PROM_OK || i == node->max) {
            break;
        }

        rc = prom_re2_set_times(expand, &power, &child);
    }

    return rc;
}


static int
prom_re2_set_append(prom_re2_expand_t *expand, prom_re2_set_t *set,
    const uint8_t *data, size_t len)
{
    int     rc;
    size_t  i;

    for (i = 0; i < set->n; i++) {
        rc = prom_re2_string_add(expand, &set->v[i], data, len);
        if (rc != PROM_OK) {
            return rc;
        }
    }

    return PROM_OK;
}


/* Each of the one followed by each of the other. */

static int
prom_re2_set_times(prom_re2_expand_t *expand, prom_re2_set_t *set,
    const prom_re2_set_t *right)
{
    int             rc;
    size_t          i, k;
    prom_re2_set_t  product;

    if (right->n == 1) {
        return prom_re2_set_append(expand, set, right->v[0].data,
                                   right->v[0].len);
    }

    memset(&product, 0, sizeof(prom_re2_set_t));

    for (i = 0; i < set->n; i++) {

        for (k = 0; k < right->n; k++) {
            rc = prom_re2_set_add(expand, &product, set->v[i].data,
                                  set->v[i].len);

            if (rc == PROM_OK) {
                rc = prom_re2_string_add(expand, &product.v[product.n - 1],
                                         right->v[k].data, right->v[k].len);
            }

            if (rc != PROM_OK) {
                return rc;
            }
        }
    }

    *set = product;

    return PROM_OK;
}


static int
prom_re2_set_plus(prom_re2_expand_t *expand, prom_re2_set_t *set,
    const prom_re2_set_t *right)
{
    int     rc;
    size_t  i;

    for (i = 0; i < right->n; i++) {
        rc = prom_re2_set_add(expand, set, right->v[i].data, right->v[i].len);
        if (rc != PROM_OK) {
            return rc;
        }
    }

    return PROM_OK;
}


static int
prom_re2_set_add(prom_re2_expand_t *expand, prom_re2_set_t *set,
    const uint8_t *data, size_t len)
{
    size_t              cap;
    prom_re2_string_t  *v;

    if (set->n >= expand->max || expand->budget < sizeof(prom_re2_string_t)) {
        return PROM_AGAIN;
    }

    expand->budget -= sizeof(prom_re2_string_t);

    if (set->n == set->cap) {
        cap = set->cap ? set->cap * 2 : 1;

        v = prom_arena_alloc(expand->arena, cap * sizeof(prom_re2_string_t));
        if (v == NULL) {
            return PROM_NOMEM;
        }

        if (set->n > 0) {
            memcpy(v, set->v, set->n * sizeof(prom_re2_string_t));
        }

        set->v = v;
        set->cap = cap;
    }

    v = &set->v[set->n++];
    memset(v, 0, sizeof(prom_re2_string_t));

    return prom_re2_string_add(expand, v, data, len);
}


static int
prom_re2_string_add(prom_re2_expand_t *expand, prom_re2_string_t *string,
    const uint8_t *data, size_t len)
{
    size_t    cap;
    uint8_t  *p;

    if (len == 0) {
        return PROM_OK;
    }

    if (expand->budget < len) {
        return PROM_AGAIN;
    }

    expand->budget -= len;

    if (string->cap - string->len < len) {
        cap = prom_max(string->len * 2 + len, (size_t) 16);

        p = prom_arena_alloc(expand->arena, cap);
        if (p == NULL) {
            return PROM_NOMEM;
        }

        if (string->len > 0) {
            memcpy(p, string->data, string->len);
        }

        string->data = p;
        string->cap = cap;
    }

    memcpy(string->data + string->len, data, len);
    string->len += len;

    return PROM_OK;
}


static int
prom_re2_set_cmp(const void *one, const void *two)
{
    return prom_str_cmp(*(const prom_str_t *) one, *(const prom_str_t *) two);
}


size_t
prom_re2_sort_set(prom_str_t *set, size_t n)
{
    size_t  i, last;

    if (n < 2) {
        return n;
    }

    qsort(set, n, sizeof(prom_str_t), prom_re2_set_cmp);

    last = 0;

    for (i = 1; i < n; i++) {

        if (!prom_str_eq(set[i], set[last])) {
            set[++last] = set[i];
        }
    }

    return last + 1;
}
