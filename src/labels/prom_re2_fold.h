
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Tables of Unicode 15.0: simple case folding, and the names of properties.
 */


#ifndef _PROM_RE2_FOLD_H_INCLUDED_
#define _PROM_RE2_FOLD_H_INCLUDED_


#include "prom_re2.h"


#define PROM_RE2_FOLD_CYCLE  4          /* the longest one, as that of theta */


/*
 * Code points that are followed in their cycle by the one at +delta.  With
 * delta 0 they are pairs: the first and second, the third and fourth ...
 * Disjoint and ascending.
 */

typedef struct {
    uint32_t  lo;
    uint32_t  hi;
    int32_t   delta;
} prom_re2_fold_t;


extern const prom_re2_fold_t  prom_re2_folds[];
extern const size_t           prom_re2_folds_n;

/* What folding adds to the categories Ll, Lt and Lu. */

extern const prom_re2_extra_t  prom_re2_extra_ll[];
extern const prom_re2_extra_t  prom_re2_extra_lt[];
extern const prom_re2_extra_t  prom_re2_extra_lu[];


#endif /* _PROM_RE2_FOLD_H_INCLUDED_ */
