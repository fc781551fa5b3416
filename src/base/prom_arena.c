
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include <stdlib.h>

#include "prom_arena.h"


#define PROM_ARENA_ALIGN  16
#define PROM_ARENA_BLOCK  4096


struct prom_arena_block_s {
    prom_arena_block_t  *next;
    size_t               size;
};


void
prom_arena_init(prom_arena_t *arena, size_t limit)
{
    memset(arena, 0, sizeof(prom_arena_t));
    arena->limit = limit;
}


static bool
prom_arena_grow(prom_arena_t *arena, size_t size)
{
    prom_arena_block_t  *block;

    size = prom_max(size + PROM_ARENA_ALIGN, (size_t) PROM_ARENA_BLOCK);

    if (size > arena->limit - arena->used) {
        return false;
    }

    block = malloc(size);
    if (block == NULL) {
        return false;
    }

    block->next = arena->blocks;
    block->size = size;

    arena->blocks = block;
    arena->pos = (uint8_t *) block + PROM_ARENA_ALIGN;
    arena->end = (uint8_t *) block + size;
    arena->used += size;

    return true;
}


void *
prom_arena_alloc(prom_arena_t *arena, size_t size)
{
    void  *p;

    if (size > arena->limit) {
        return NULL;
    }

    size = (size + PROM_ARENA_ALIGN - 1) & ~(size_t) (PROM_ARENA_ALIGN - 1);

    if (size > (size_t) (arena->end - arena->pos)
        && !prom_arena_grow(arena, size))
    {
        return NULL;
    }

    p = arena->pos;
    arena->pos += size;

    return p;
}


void
prom_arena_free(prom_arena_t *arena)
{
    prom_arena_block_t  *block, *next;

    for (block = arena->blocks; block != NULL; block = next) {
        next = block->next;
        free(block);
    }

    prom_arena_init(arena, arena->limit);
}
