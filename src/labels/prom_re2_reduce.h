
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * From a tree to the cheapest form that decides it.
 */


#ifndef _PROM_RE2_REDUCE_H_INCLUDED_
#define _PROM_RE2_REDUCE_H_INCLUDED_


#include "prom_re2.h"
#include "prom_regex.h"


#define PROM_RE2_SET_MAX     256        /* strings that classes, repetitions
                                           and inner alternatives make */
#define PROM_RE2_SET_BUDGET  (1024 * 1024)
                                        /* bytes that making them may take */


/*
 * Anchors that say nothing since the whole value is matched go away.  The tree
 * is changed; an alternation may then stand in another one.
 */
void prom_re2_strip(prom_re2_node_t *root);

/*
 * Fills in kind, set, n, literal and min_rest.  What has no shortcut is left
 * as PROM_REGEX_PCRE with its literal prefix, without pattern.
 * PROM_OK or PROM_NOMEM.
 */
int prom_re2_reduce(prom_regex_t *regex, const prom_re2_node_t *root,
    prom_arena_t *arena);

/*
 * The strings that a tree stands for, unsorted, where there are at most
 * PROM_RE2_SET_MAX, not counting one for each alternative of the root.
 * PROM_OK, PROM_AGAIN where there are more or no end, or PROM_NOMEM.
 */
int prom_re2_expand(const prom_re2_node_t *root, prom_arena_t *arena,
    prom_str_t **set, size_t *n);

/* Sorts a set bytewise and drops doubles; returns how many are left. */
size_t prom_re2_sort_set(prom_str_t *set, size_t n);


#endif /* _PROM_RE2_REDUCE_H_INCLUDED_ */
