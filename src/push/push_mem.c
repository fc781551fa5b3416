
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "push_mem.h"


static void push_no_memory(void) __attribute__((noreturn));


void *
push_alloc(size_t n, size_t size)
{
    void  *p;

    p = calloc(n ? n : 1, size);
    if (p == NULL) {
        push_no_memory();
    }

    return p;
}


void *
push_grow(void *p, size_t n, size_t *cap, size_t size)
{
    if (n < *cap) {
        return p;
    }

    if (*cap > SIZE_MAX / 2 / size) {
        push_no_memory();
    }

    *cap = *cap ? 2 * *cap : 16;

    p = realloc(p, *cap * size);
    if (p == NULL) {
        push_no_memory();
    }

    return p;
}


static void
push_no_memory(void)
{
    fprintf(stderr, "prom-push: no memory\n");
    exit(2);
}
