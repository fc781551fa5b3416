
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * A growing array on the heap.  Zeroed is empty; the owner calls
 * prom_vec_free().  Pointers into it are void after prom_vec_reserve().
 */


#ifndef _PROM_VEC_H_INCLUDED_
#define _PROM_VEC_H_INCLUDED_


#include <stdlib.h>

#include "prom_base.h"


typedef struct {
    void    *data;
    size_t   n;
    size_t   room;                      /* elements */
} prom_vec_t;


/* Room for `more' elements behind the n that are there; false: no memory. */

static inline bool
prom_vec_reserve(prom_vec_t *vec, size_t more, size_t size)
{
    void    *data;
    size_t   room;

    if (prom_likely(vec->room - vec->n >= more)) {
        return true;
    }

    room = prom_max(vec->n + more, vec->room * 2);
    room = prom_max(room, (size_t) 64);

    data = realloc(vec->data, room * size);
    if (data == NULL) {
        return false;
    }

    vec->data = data;
    vec->room = room;

    return true;
}


/* Forgets the elements, and the memory where it is more than `keep' bytes. */

static inline void
prom_vec_reset(prom_vec_t *vec, size_t size, size_t keep)
{
    vec->n = 0;

    if (vec->room * size > keep) {
        free(vec->data);
        vec->data = NULL;
        vec->room = 0;
    }
}


static inline void
prom_vec_free(prom_vec_t *vec)
{
    free(vec->data);
    memset(vec, 0, sizeof(prom_vec_t));
}


#endif /* _PROM_VEC_H_INCLUDED_ */
