
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * An arena: memory that is given out piece by piece and returned all at once.
 * The caller sets the most it may take in total; past that, and when malloc()
 * fails, prom_arena_alloc() returns NULL and the arena stays usable.
 * Pieces are aligned to 16 bytes and live until prom_arena_free().
 */


#ifndef _PROM_ARENA_H_INCLUDED_
#define _PROM_ARENA_H_INCLUDED_


#include "prom_base.h"


typedef struct prom_arena_block_s  prom_arena_block_t;

typedef struct {
    prom_arena_block_t  *blocks;
    uint8_t             *pos;
    uint8_t             *end;
    size_t               used;          /* bytes taken from malloc() */
    size_t               limit;
} prom_arena_t;


void prom_arena_init(prom_arena_t *arena, size_t limit);
void *prom_arena_alloc(prom_arena_t *arena, size_t size);
void prom_arena_free(prom_arena_t *arena);


#endif /* _PROM_ARENA_H_INCLUDED_ */
