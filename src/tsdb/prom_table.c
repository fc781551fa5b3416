
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "prom_page.h"
#include "prom_table.h"
#include "prom_txn.h"


#define PROM_TABLE_PER_PAGE  (PROM_PAGE_SIZE / sizeof(uint32_t))


static inline uint32_t *
prom_table_slot(const prom_segment_t *seg, const prom_table_t *table,
    uint32_t bucket)
{
    uint32_t  page;

    page = ((uint32_t *) prom_offset(seg, table->pages))
           [bucket / PROM_TABLE_PER_PAGE];

    return (uint32_t *) prom_offset(seg, (uint64_t) page * PROM_PAGE_SIZE)
           + bucket % PROM_TABLE_PER_PAGE;
}


/* The largest power of two not above the number of buckets. */

static inline uint32_t
prom_table_level(uint32_t buckets)
{
    return 1u << (31 - __builtin_clz(buckets));
}


static inline uint32_t
prom_table_index(const prom_table_t *table, uint32_t hash)
{
    uint32_t  level, bucket;

    level = prom_table_level(table->buckets);
    bucket = hash & (2 * level - 1);

    return bucket < table->buckets ? bucket : hash & (level - 1);
}


const uint32_t *
prom_table_bucket(const prom_segment_t *seg, const prom_table_t *table,
    uint32_t hash)
{
    if (table->buckets == 0) {
        return NULL;
    }

    return prom_table_slot(seg, table, prom_table_index(table, hash));
}


prom_ref_t
prom_table_chain(const prom_segment_t *seg, const prom_table_t *table,
    uint32_t hash)
{
    const uint32_t  *slot;

    slot = prom_table_bucket(seg, table, hash);

    return slot != NULL ? *slot : 0;
}


/* Makes sure that bucket number `bucket', the next one, has its page. */

static bool
prom_table_extend(prom_segment_t *seg, prom_shard_t *shard,
    prom_table_t *table, uint32_t bucket)
{
    uint32_t  n, *pages;

    if (bucket % PROM_TABLE_PER_PAGE != 0) {
        return true;
    }

    if (bucket / PROM_TABLE_PER_PAGE == seg->table_len) {
        return false;
    }

    n = prom_page_take(seg, shard);
    if (n == 0) {
        return false;
    }

    prom_txn_save(seg, shard, prom_page(seg, n), sizeof(prom_page_t));
    memset(prom_page(seg, n), 0, sizeof(prom_page_t));
    prom_page(seg, n)->kind = PROM_KIND_TABLE;

    pages = prom_offset(seg, table->pages);
    prom_txn_set(seg, shard, pages[bucket / PROM_TABLE_PER_PAGE], n);

    return true;
}


static int
prom_table_start(prom_segment_t *seg, prom_shard_t *shard,
    prom_table_t *table)
{
    if (!prom_table_extend(seg, shard, table, 0)) {
        return PROM_NOMEM;
    }

    memset(prom_table_slot(seg, table, 0), 0,
           PROM_TABLE_MIN * sizeof(uint32_t));
    prom_txn_set(seg, shard, table->buckets, PROM_TABLE_MIN);

    return PROM_OK;
}


/*
 * Adds one bucket: the items of its elder sibling that belong to it move, in
 * their order.  Without memory the chains just become longer.
 */
static void
prom_table_split(prom_segment_t *seg, prom_shard_t *shard,
    prom_table_t *table)
{
    uint32_t      added, level, *from, *to;
    prom_ref_t    ref;
    prom_link_t  *item;

    added = table->buckets;

    if (!prom_table_extend(seg, shard, table, added)) {
        return;
    }

    level = prom_table_level(added);
    from = prom_table_slot(seg, table, added - level);
    to = prom_table_slot(seg, table, added);

    prom_txn_set(seg, shard, table->buckets, added + 1);
    prom_txn_save_word(seg, shard, from);
    prom_txn_save_word(seg, shard, to);

    for (ref = *from; ref != 0; ref = item->next) {
        item = prom_at(seg, ref);

        if (item->hash & level) {
            *to = ref;
            to = &item->next;

        } else {
            *from = ref;
            from = &item->next;
        }

        prom_txn_save_word(seg, shard, item);
    }

    *to = 0;
    *from = 0;
}


/* Buckets are split in turn: what one of the next splits will move. */

static void
prom_table_fetch_split(const prom_segment_t *seg, const prom_table_t *table)
{
    uint32_t  bucket;

    bucket = table->buckets - prom_table_level(table->buckets) + 4;

    if (bucket < table->buckets) {
        __builtin_prefetch(prom_at(seg, *prom_table_slot(seg, table, bucket)),
                           1);
    }
}


/* The reverse: the last bucket's chain is put before its elder sibling's. */

static void
prom_table_merge(prom_segment_t *seg, prom_shard_t *shard,
    prom_table_t *table)
{
    uint32_t      last, *from, *to, *pages;
    prom_ref_t    ref;
    prom_link_t  *item;
    prom_page_t  *page;

    last = table->buckets - 1;
    from = prom_table_slot(seg, table, last);
    to = prom_table_slot(seg, table, last - prom_table_level(last));

    if (*from != 0) {
        for (ref = *from; ref != 0; ref = item->next) {
            item = prom_at(seg, ref);
        }

        prom_txn_set(seg, shard, item->next, *to);
        prom_txn_set(seg, shard, *to, *from);
    }

    prom_txn_set(seg, shard, table->buckets, last);

    if (last % PROM_TABLE_PER_PAGE != 0) {
        return;
    }

    /* in transit, given to the pool when the lock is let go */

    pages = prom_offset(seg, table->pages);
    page = prom_page(seg, pages[last / PROM_TABLE_PER_PAGE]);
    prom_txn_set(seg, shard, page->kind, 0);
    prom_txn_set(seg, shard, shard->transit, 1);
    prom_txn_set(seg, shard, pages[last / PROM_TABLE_PER_PAGE], 0);
}


int
prom_table_insert(prom_segment_t *seg, prom_shard_t *shard,
    prom_table_t *table, prom_link_t *item)
{
    uint32_t  *slot;

    if (table->buckets == 0
        && prom_table_start(seg, shard, table) != PROM_OK)
    {
        return PROM_NOMEM;
    }

    slot = prom_table_slot(seg, table, prom_table_index(table, item->hash));

    prom_txn_set(seg, shard, item->next, *slot);
    prom_txn_set(seg, shard, *slot, prom_ref(seg, item));
    prom_txn_set(seg, shard, table->count, table->count + 1);

    if (table->count > table->buckets) {
        prom_table_split(seg, shard, table);
        prom_table_fetch_split(seg, table);
    }

    return PROM_OK;
}


void
prom_table_remove(prom_segment_t *seg, prom_shard_t *shard,
    prom_table_t *table, prom_link_t *item)
{
    uint32_t     i, *slot;
    prom_ref_t   ref;

    slot = prom_table_slot(seg, table, prom_table_index(table, item->hash));
    ref = prom_ref(seg, item);

    while (*slot != ref) {
        slot = &((prom_link_t *) prom_at(seg, *slot))->next;
    }

    prom_txn_set(seg, shard, *slot, item->next);
    prom_txn_set(seg, shard, table->count, table->count - 1);

    /* four for one item, or the table would never get as small as its items */

    for (i = 0; i < 4; i++) {

        if (table->buckets > PROM_TABLE_MIN
            && table->count < table->buckets / 4)
        {
            prom_table_merge(seg, shard, table);
        }
    }
}
