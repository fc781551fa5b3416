
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Pages, blocks, tables and terms by themselves: what is given out does not
 * overlap, comes back, and is as before when it is taken back.
 */


#include "store.h"
#include "tap.h"
#include "tsdb/prom_index.h"
#include "tsdb/prom_table.h"


#define BLOCKS  6000
#define ITEMS   40000


static store_t          store;
static prom_shard_t    *shard;
static prom_segment_t  *seg;
static uint64_t         seed = 3;


static uint32_t
below(uint32_t n)
{
    return (uint32_t) (store_random(&seed) % n);
}


static void
classes(void)
{
    bool    ok;
    size_t  size, got;

    ok = true;

    for (size = 1; size <= PROM_PAGE_SIZE; size++) {
        got = prom_alloc_size(size);
        ok &= got >= size && got % PROM_UNIT == 0
              && (got < 64 || got <= size + size / 4 + 16 || size > 2720);
    }

    tap_ok(ok, "classes hold what is asked and not much more");
    tap_is_int(prom_alloc_size(PROM_PAGE_SIZE), PROM_PAGE_SIZE, "a page");
}


typedef struct {
    prom_ref_t  ref;
    uint32_t    size;
    uint8_t     fill;
} block_t;


static block_t  blocks[BLOCKS];


static bool
intact(const block_t *block)
{
    uint32_t        i;
    const uint8_t  *p;

    p = prom_at(seg, block->ref);

    for (i = 0; i < block->size; i++) {
        if (p[i] != block->fill) {
            return false;
        }
    }

    return true;
}


static void
toggle_block(block_t *block)
{
    if (block->ref != 0) {
        prom_free(seg, shard, block->ref);
        block->ref = 0;
        return;
    }

    block->size = 1 + below(below(20) ? 400 : PROM_PAGE_SIZE);
    block->fill = (uint8_t) below(256);
    block->ref = prom_alloc(seg, shard, block->size);

    if (block->ref != 0) {
        memset(prom_at(seg, block->ref), block->fill, block->size);
    }
}


static void
random_blocks(void)
{
    bool      ok;
    uint32_t  i, k, free_before;
    block_t  *block, old[4];

    ok = true;
    free_before = prom_page_free_count(seg);

    for (i = 0; i < 100000 && ok; i++) {

        if (i % 5 != 0) {
            block = blocks + below(BLOCKS);
            ok = block->ref == 0 || intact(block);
            toggle_block(block);
            prom_txn_commit(shard);
            continue;
        }

        /* a transaction that is taken back: first what it gets, then what it
           gives */

        for (k = 0; k < 2; k++) {
            old[k].size = 1 + below(300);
            old[k].ref = prom_alloc(seg, shard, old[k].size);

            if (old[k].ref != 0) {
                memset(prom_at(seg, old[k].ref), 0xff, old[k].size);
            }
        }

        block = blocks + below(BLOCKS);

        if (block->ref != 0) {
            prom_free(seg, shard, block->ref);
        }

        prom_txn_rollback(seg, shard);
        prom_page_reclaim(seg, shard);
        ok = block->ref == 0 || intact(block);
    }

    for (i = 0; i < BLOCKS; i++) {
        ok &= blocks[i].ref == 0 || intact(&blocks[i]);
    }

    tap_ok(ok, "blocks do not overlap, rollbacks or not");

    for (i = 0; i < BLOCKS; i++) {
        if (blocks[i].ref != 0) {
            toggle_block(blocks + i);
            prom_txn_commit(shard);
        }
    }

    (void) prom_page_trim_all(seg, shard);
    tap_is_int(prom_page_free_count(seg), free_before, "all pages are back");
}


static void
all_pages(void)
{
    uint32_t    n, pages;
    prom_ref_t  ref, first;

    pages = prom_page_free_count(seg);
    first = 0;

    for (n = 0; /* void */ ; n++) {
        ref = prom_alloc(seg, shard, PROM_PAGE_SIZE);
        if (ref == 0) {
            break;
        }

        *(prom_ref_t *) ((uint8_t *) prom_at(seg, ref) + 8) = first;
        first = ref;
        prom_txn_commit(shard);
    }

    tap_ok(n == pages && prom_page_free_count(seg) == 0,
           "each of %u pages can be had", n);
    tap_is_int(prom_alloc(seg, shard, 16), 0, "then no more");

    while (first != 0) {
        ref = first;
        first = *(prom_ref_t *) ((uint8_t *) prom_at(seg, ref) + 8);
        prom_free(seg, shard, ref);
        prom_txn_commit(shard);
    }

    tap_is_int(prom_page_trim_all(seg, shard), n, "they go back");
    tap_is_int(prom_page_free_count(seg), pages, "and are counted");
}


/* Items with hashes from few values to many: in the table or not. */

static prom_ref_t  items[ITEMS];


static bool
is_in(const prom_table_t *table, prom_ref_t wanted)
{
    prom_ref_t           ref;
    const prom_link_t   *link;

    link = prom_at(seg, wanted);

    for (ref = prom_table_chain(seg, table, link->hash);
         ref != 0 && ref != wanted;
         ref = ((prom_link_t *) prom_at(seg, ref))->next)
    {
        /* void */
    }

    return ref == wanted;
}


static void
tables(void)
{
    bool           ok;
    uint32_t       i, most, before;
    prom_link_t   *link;
    prom_table_t  *table;

    table = &shard->pairs;
    before = prom_page_free_count(seg);
    ok = true;

    for (i = 0; i < ITEMS && ok; i++) {
        items[i] = prom_alloc(seg, shard, sizeof(prom_link_t));
        link = prom_at(seg, items[i]);
        link->hash = i % 100 ? (uint32_t) store_random(&seed) : i % 7;

        ok = prom_table_insert(seg, shard, table, link) == PROM_OK;

        /* some are taken back and done again */

        if (i % 3 == 0) {
            prom_txn_rollback(seg, shard);
            prom_page_reclaim(seg, shard);
            ok &= table->count == i;
            items[i] = prom_alloc(seg, shard, sizeof(prom_link_t));
            link = prom_at(seg, items[i]);
            link->hash = i % 100 ? (uint32_t) store_random(&seed) : i % 7;
            ok &= prom_table_insert(seg, shard, table, link) == PROM_OK;
        }

        prom_txn_commit(shard);
    }

    for (i = 0; i < ITEMS; i++) {
        ok &= is_in(table, items[i]);
    }

    most = table->buckets;
    tap_ok(ok && table->count == ITEMS, "%u items are found", ITEMS);
    tap_ok(most >= ITEMS - 1, "in as many buckets");

    for (i = 0; i < ITEMS && ok; i++) {
        link = prom_at(seg, items[i]);
        prom_table_remove(seg, shard, table, link);

        if (i % 3 == 0) {
            prom_txn_rollback(seg, shard);
            ok = is_in(table, items[i]);
            prom_table_remove(seg, shard, table, link);
        }

        ok &= !is_in(table, items[i])
              && (i + 1 == ITEMS || is_in(table, items[ITEMS - 1]))
              && (i + 1 == ITEMS || is_in(table, items[i + 1]));
        prom_free(seg, shard, items[i]);
        prom_txn_commit(shard);
    }

    tap_ok(ok && table->count == 0, "and removed");
    tap_is_int(table->buckets, PROM_TABLE_MIN, "the table is small again");

    prom_page_reclaim(seg, shard);
    (void) prom_page_trim_all(seg, shard);
    tap_is_int(prom_page_free_count(seg), before - 1, "on one page");
}


/* Terms against the order of numbers written with leading zeros. */

static void
terms(void)
{
    bool           ok;
    char           text[16];
    bool           in[1000];
    uint32_t       i, n, hash, before;
    prom_str_t     at;
    prom_term_t   *name, *term;
    prom_label_t   label;

    memset(in, 0, sizeof(in));
    ok = true;
    before = prom_page_free_count(seg);

    for (i = 0; i < 20000 && ok; i++) {
        n = below(1000);
        snprintf(text, sizeof(text), "%03u", n);
        label.name = prom_str("number");
        label.value = (prom_str_t) { (uint8_t *) text, 3 };

        if (in[n]) {
            prom_index_remove(seg, shard, &label, 5);

        } else {
            hash = prom_index_fetch(seg, shard, &label);
            ok = prom_index_add(seg, shard, &label, hash, 5) != NULL;
        }

        if (i % 4 == 0) {
            prom_txn_rollback(seg, shard);
            prom_page_reclaim(seg, shard);

        } else {
            prom_txn_commit(shard);
            in[n] = !in[n];
        }

        ok &= (prom_index_pair(seg, shard, label.name, label.value) != NULL)
              == in[n];

        /* the next after a random one */

        n = below(1000);
        snprintf(text, sizeof(text), "%03u", n);
        at = (prom_str_t) { (uint8_t *) text, 3 };
        name = prom_index_name(seg, shard, label.name);
        term = name ? prom_index_value(seg, name, at, i & 1) : NULL;

        for (n += i & 1; n < 1000 && !in[n]; n++) {
            /* void */
        }

        if (n == 1000) {
            ok &= term == NULL;

        } else {
            snprintf(text, sizeof(text), "%03u", n);
            ok &= term != NULL
                  && prom_str_eq(prom_term_text(term), at);
        }
    }

    tap_ok(ok, "values in order, rollbacks or not");

    for (n = 0; n < 1000; n++) {
        snprintf(text, sizeof(text), "%03u", n);
        label.value = (prom_str_t) { (uint8_t *) text, 3 };

        if (in[n]) {
            prom_index_remove(seg, shard, &label, 5);
            prom_txn_commit(shard);
        }
    }

    tap_ok(prom_index_name(seg, shard, label.name) == NULL
           && shard->names == 0, "a name without values is gone");

    (void) prom_page_trim_all(seg, shard);
    tap_is_int(prom_page_free_count(seg), before, "and its memory");
}


int
main(void)
{
    store_open(&store, 32 << 20);
    seg = store.db.segment;
    shard = prom_shard_lock(seg, 1);

    classes();
    random_blocks();
    all_pages();
    tables();
    terms();

    prom_shard_unlock(seg, shard);
    tap_ok(store_sound(&store.db), "the store is sound");
    store_close(&store);

    return tap_done();
}
