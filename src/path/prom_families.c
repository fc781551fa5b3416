
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include <stdlib.h>

#include "prom_families.h"


/* The slot of a hash, or the free one where it would be; 0 marks those. */

static uint64_t *
prom_families_slot(const prom_families_t *families, uint64_t hash)
{
    size_t  i;

    for (i = hash; /* void */ ; i++) {
        i &= families->size - 1;

        if (families->slots[i] == 0 || families->slots[i] == hash) {
            return families->slots + i;
        }
    }
}


bool
prom_families_has(const prom_families_t *families, uint64_t hash)
{
    return families->size > 0
           && *prom_families_slot(families, hash | 1) != 0;
}


bool
prom_families_reserve(prom_families_t *families, size_t more)
{
    size_t           i;
    prom_families_t  grown;

    if ((families->used + more) * 2 <= families->size) {
        return true;
    }

    grown.used = families->used;
    grown.size = families->size ? families->size : 64;

    while (grown.size < (families->used + more) * 2) {
        grown.size *= 2;
    }

    grown.slots = calloc(grown.size, sizeof(uint64_t));

    if (grown.slots == NULL) {
        return false;
    }

    for (i = 0; i < families->size; i++) {
        if (families->slots[i] != 0) {
            *prom_families_slot(&grown, families->slots[i])
                = families->slots[i];
        }
    }

    free(families->slots);
    *families = grown;

    return true;
}


void
prom_families_add(prom_families_t *families, uint64_t hash)
{
    *prom_families_slot(families, hash | 1) = hash | 1;
    families->used++;
}
