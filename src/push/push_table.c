
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include <stdlib.h>
#include <string.h>

#include "push_mem.h"
#include "push_table.h"


static uint64_t push_table_hash(const char *key, size_t len);
static uint32_t *push_table_slot(const push_table_t *table, uint64_t hash,
    const char *key, size_t len);
static void push_table_rehash(push_table_t *table);


uint32_t
push_table_add(push_table_t *table, const char *key, size_t len)
{
    uint32_t    *slot;
    uint64_t     hash;
    push_key_t  *k;

    if (2 * (table->n + 1) > table->nslots) {
        push_table_rehash(table);
    }

    hash = push_table_hash(key, len);
    slot = push_table_slot(table, hash, key, len);

    if (*slot != 0) {
        return *slot - 1;
    }

    table->keys = push_grow(table->keys, table->n, &table->cap,
                            sizeof(push_key_t));

    k = &table->keys[table->n];

    k->hash = hash;
    k->len = len;
    k->data = push_alloc(len + 1, 1);
    memcpy(k->data, key, len);

    *slot = ++table->n;

    return *slot - 1;
}


uint32_t
push_table_find(const push_table_t *table, const char *key, size_t len)
{
    uint32_t  slot;

    if (table->nslots == 0) {
        return PUSH_TABLE_NONE;
    }

    slot = *push_table_slot(table, push_table_hash(key, len), key, len);

    return slot ? slot - 1 : PUSH_TABLE_NONE;
}


void
push_table_free(push_table_t *table)
{
    size_t  i;

    for (i = 0; i < table->n; i++) {
        free(table->keys[i].data);
    }

    free(table->keys);
    free(table->slots);

    memset(table, 0, sizeof(push_table_t));
}


/* FNV-1a; what is sent is the user's own, so nobody aims at collisions */

static uint64_t
push_table_hash(const char *key, size_t len)
{
    size_t    i;
    uint64_t  hash;

    hash = 0xcbf29ce484222325;

    for (i = 0; i < len; i++) {
        hash ^= (unsigned char) key[i];
        hash *= 0x100000001b3;
    }

    return hash ^ (hash >> 32);
}


static uint32_t *
push_table_slot(const push_table_t *table, uint64_t hash, const char *key,
    size_t len)
{
    size_t       i;
    push_key_t  *k;

    for (i = hash & (table->nslots - 1);
         table->slots[i] != 0;
         i = (i + 1) & (table->nslots - 1))
    {
        k = &table->keys[table->slots[i] - 1];

        if (k->hash == hash && k->len == len
            && memcmp(k->data, key, len) == 0)
        {
            break;
        }
    }

    return &table->slots[i];
}


static void
push_table_rehash(push_table_t *table)
{
    size_t  i, j;

    table->nslots = table->nslots ? 2 * table->nslots : 64;

    free(table->slots);
    table->slots = push_alloc(table->nslots, sizeof(uint32_t));

    for (i = 0; i < table->n; i++) {
        j = table->keys[i].hash & (table->nslots - 1);

        while (table->slots[j] != 0) {
            j = (j + 1) & (table->nslots - 1);
        }

        table->slots[j] = i + 1;
    }
}
