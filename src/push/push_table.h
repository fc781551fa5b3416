
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * A table of byte strings, numbered in the order of their first appearance.
 * It serves for series (the key is the label set), metric families and the
 * symbols of a request alike.
 *
 * Invariants
 *  1. keys[i], i < n, are different from each other.
 *  2. A key is followed by a NUL that "len" does not count, and stays at its
 *     address until push_table_free().
 *
 * The table owns copies of the keys.
 */


#ifndef _PUSH_TABLE_H_INCLUDED_
#define _PUSH_TABLE_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>


#define PUSH_TABLE_NONE  UINT32_MAX


typedef struct {
    uint64_t           hash;
    size_t             len;
    char              *data;
} push_key_t;


typedef struct {
    push_key_t        *keys;
    size_t             n;

    size_t             cap;
    uint32_t          *slots;           /* number of a key + 1; 0: free */
    size_t             nslots;          /* 0 or a power of two, > n */
} push_table_t;


/* A table starts as zeros. */

/* The number of the key, which is new when it equals the "n" of before. */
uint32_t push_table_add(push_table_t *table, const char *key, size_t len);

/* PUSH_TABLE_NONE: there is no such key. */
uint32_t push_table_find(const push_table_t *table, const char *key,
    size_t len);

void push_table_free(push_table_t *table);


#endif /* _PUSH_TABLE_H_INCLUDED_ */
