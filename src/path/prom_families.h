
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The families of an answer that have their TYPE line.  Two names may become
 * one when they are escaped (my.name, my_name), and parsers refuse a second
 * TYPE line.
 *
 * Names are known by a keyed 64-bit hash: 8 to 16 bytes each.  Should two ever
 * be alike, a TYPE line that says "untyped" is missing, and nothing else.
 */


#ifndef _PROM_FAMILIES_H_INCLUDED_
#define _PROM_FAMILIES_H_INCLUDED_


#include "../base/prom_base.h"


/* Zeroed is empty; the owner calls free() on the slots. */

typedef struct {
    uint64_t  *slots;
    size_t     size;                    /* a power of two */
    size_t     used;
} prom_families_t;


bool prom_families_has(const prom_families_t *families, uint64_t hash);

/* Room for `more' of them, so that adding needs no memory; false: none. */
bool prom_families_reserve(prom_families_t *families, size_t more);
void prom_families_add(prom_families_t *families, uint64_t hash);


#endif /* _PROM_FAMILIES_H_INCLUDED_ */
