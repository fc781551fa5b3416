
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Sets of code points as lists of ranges.
 */


#include <stdlib.h>

#include "prom_re2_fold.h"
#include "prom_re2_parser.h"


static int prom_re2_ranges_shift(prom_arena_t *arena,
    prom_re2_ranges_t *ranges);
static int prom_re2_fold_range(prom_arena_t *arena, prom_re2_ranges_t *ranges,
    const prom_re2_fold_t *fold, uint32_t lo, uint32_t hi);


int
prom_re2_ranges_add(prom_arena_t *arena, prom_re2_ranges_t *ranges,
    uint32_t lo, uint32_t hi)
{
    size_t             cap;
    prom_re2_range_t  *v;

    if (ranges->n == ranges->cap) {
        cap = ranges->cap ? ranges->cap * 2 : 32;

        v = prom_arena_alloc(arena, cap * sizeof(prom_re2_range_t));
        if (v == NULL) {
            return PROM_NOMEM;
        }

        if (ranges->n > 0) {
            memcpy(v, ranges->v, ranges->n * sizeof(prom_re2_range_t));
        }

        ranges->v = v;
        ranges->cap = cap;
    }

    ranges->v[ranges->n].lo = lo;
    ranges->v[ranges->n].hi = hi;
    ranges->n++;

    return PROM_OK;
}


static int
prom_re2_range_cmp(const void *one, const void *two)
{
    const prom_re2_range_t  *a, *b;

    a = one;
    b = two;

    return (a->lo > b->lo) - (a->lo < b->lo);
}


/* Sorts, and joins what overlaps or touches. */

void
prom_re2_ranges_clean(prom_re2_ranges_t *ranges)
{
    size_t             i;
    prom_re2_range_t  *v, *last;

    if (ranges->n < 2) {
        return;
    }

    qsort(ranges->v, ranges->n, sizeof(prom_re2_range_t), prom_re2_range_cmp);

    last = ranges->v;

    for (i = 1; i < ranges->n; i++) {
        v = &ranges->v[i];

        if (v->lo <= last->hi + 1) {
            last->hi = prom_max(last->hi, v->hi);

        } else {
            *++last = *v;
        }
    }

    ranges->n = last - ranges->v + 1;
}


/* The ranges are clean and stay so. */

int
prom_re2_ranges_negate(prom_arena_t *arena, prom_re2_ranges_t *ranges)
{
    size_t             i, n;
    uint32_t           lo, next;
    prom_re2_range_t  *v;

    n = 0;
    lo = 0;

    for (i = 0; i < ranges->n; i++) {
        v = &ranges->v[i];
        next = v->hi + 1;

        if (v->lo > lo) {
            ranges->v[n].hi = v->lo - 1;
            ranges->v[n].lo = lo;
            n++;
        }

        lo = next;
    }

    ranges->n = n;

    return (lo <= PROM_RE2_MAX) ? prom_re2_ranges_add(arena, ranges, lo,
                                                      PROM_RE2_MAX)
                                : PROM_OK;
}


/* Adds whatever is equal but for case; the result is not clean. */

int
prom_re2_ranges_fold(prom_arena_t *arena, prom_re2_ranges_t *ranges)
{
    int  i, rc;

    if (ranges->n == 0) {
        return PROM_OK;
    }

    /* from any code point the others of its cycle are that many steps away */

    for (i = 1; i < PROM_RE2_FOLD_CYCLE; i++) {
        prom_re2_ranges_clean(ranges);

        rc = prom_re2_ranges_shift(arena, ranges);
        if (rc != PROM_OK) {
            return rc;
        }
    }

    return PROM_OK;
}


/* One step in the cycles of all: both lists ascend, so they are merged. */

static int
prom_re2_ranges_shift(prom_arena_t *arena, prom_re2_ranges_t *ranges)
{
    int                     rc;
    size_t                  i, n;
    uint32_t                lo, hi;
    const prom_re2_fold_t  *fold, *end;

    n = ranges->n;
    fold = prom_re2_folds;
    end = prom_re2_folds + prom_re2_folds_n;

    i = 0;

    while (i < n && fold < end) {

        if (fold->hi < ranges->v[i].lo) {
            fold++;
            continue;
        }

        lo = prom_max(fold->lo, ranges->v[i].lo);
        hi = prom_min(fold->hi, ranges->v[i].hi);

        if (lo <= hi) {
            rc = prom_re2_fold_range(arena, ranges, fold, lo, hi);
            if (rc != PROM_OK) {
                return rc;
            }
        }

        if (fold->hi <= ranges->v[i].hi) {
            fold++;

        } else {
            i++;
        }
    }

    return PROM_OK;
}


static int
prom_re2_fold_range(prom_arena_t *arena, prom_re2_ranges_t *ranges,
    const prom_re2_fold_t *fold, uint32_t lo, uint32_t hi)
{
    if (fold->delta != 0) {
        return prom_re2_ranges_add(arena, ranges, lo + fold->delta,
                                   hi + fold->delta);
    }

    /* pairs: only those at the ends can have a half that is missing */

    return prom_re2_ranges_add(arena, ranges,
                               lo - ((lo - fold->lo) & 1),
                               hi + !((hi - fold->lo) & 1));
}


uint32_t
prom_re2_fold(uint32_t c)
{
    size_t                  lo, hi, mid;
    const prom_re2_fold_t  *fold;

    lo = 0;
    hi = prom_re2_folds_n;

    while (lo < hi) {
        mid = (lo + hi) / 2;
        fold = &prom_re2_folds[mid];

        if (c > fold->hi) {
            lo = mid + 1;

        } else if (c < fold->lo) {
            hi = mid;

        } else if (fold->delta != 0) {
            return c + fold->delta;

        } else {
            return ((c - fold->lo) & 1) ? c - 1 : c + 1;
        }
    }

    return c;
}
