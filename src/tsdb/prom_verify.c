
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include <stdlib.h>

#include "prom_page.h"
#include "prom_verify.h"


#define PROM_VERIFY_PER_PAGE  (PROM_PAGE_SIZE / sizeof(uint32_t))


static inline size_t
prom_verify_block_size(const prom_verify_t *verify, uint32_t n)
{
    return prom_block_size(verify->seg,
                           n * (PROM_PAGE_SIZE / PROM_UNIT));
}


static inline bool
prom_verify_mine(const prom_verify_t *verify, uint32_t n)
{
    return n >= verify->seg->first_page
           && n < verify->seg->pages
           && atomic_load(prom_owner(verify->seg, n))
              == verify->shard->number + 1;
}


bool
prom_verify_reach_block(prom_verify_t *verify, prom_ref_t ref,
    const char *what)
{
    size_t              at, size;
    uint32_t            n;
    const prom_page_t  *page;

    n = prom_page_of(ref);

    if (!prom_verify_mine(verify, n)) {
        return prom_verify_fail(verify, "%s %u is in page %u, which is not "
                                "the shard's", what, ref, n);
    }

    page = prom_page(verify->seg, n);

    if (page->kind == 0 || page->kind > PROM_KIND_SERIES) {
        return prom_verify_fail(verify, "%s %u is in page %u of kind %u",
                                what, ref, n, page->kind);
    }

    size = prom_verify_block_size(verify, n);
    at = ref % (PROM_PAGE_SIZE / PROM_UNIT) * (size_t) PROM_UNIT;

    if (at % size != 0 || at / size >= page->bump) {
        return prom_verify_fail(verify, "%s %u is no block of page %u", what,
                                ref, n);
    }

    if (prom_verify_bit(verify->free, ref)) {
        return prom_verify_fail(verify, "%s %u is free", what, ref);
    }

    if (prom_verify_bit(verify->reached, ref)) {
        return prom_verify_fail(verify, "%s %u is used twice", what, ref);
    }

    prom_verify_set(verify->reached, ref);
    verify->used[n]++;

    return true;
}


bool
prom_verify_reach(prom_verify_t *verify, prom_ref_t ref, size_t size,
    const char *what)
{
    const prom_page_t  *page;

    if (!prom_verify_reach_block(verify, ref, what)) {
        return false;
    }

    page = prom_page(verify->seg, prom_page_of(ref));

    if (page->kind == PROM_KIND_SERIES
        || prom_block_size(verify->seg, ref) != prom_alloc_size(size))
    {
        return prom_verify_fail(verify, "%s %u of %zu bytes is in a block of "
                                "kind %u", what, ref, size, page->kind);
    }

    return true;
}


/* Freed blocks and those never used are all that are not in use. */

static bool
prom_verify_page(prom_verify_t *verify, uint32_t n)
{
    size_t              size;
    uint32_t            slot, freed, capacity;
    prom_ref_t          ref;
    const prom_page_t  *page;

    page = prom_page(verify->seg, n);
    size = prom_verify_block_size(verify, n);
    capacity = (uint32_t) (PROM_PAGE_SIZE / size);

    if (page->bump > capacity || page->used > page->bump) {
        return prom_verify_fail(verify, "page %u: %u used, %u begun, of %u",
                                n, page->used, page->bump, capacity);
    }

    freed = 0;

    for (slot = page->free; slot != 0; freed++) {
        ref = (prom_ref_t) (((uint64_t) n * PROM_PAGE_SIZE + (slot - 1) * size)
                            / PROM_UNIT);

        if (slot > page->bump || prom_verify_bit(verify->free, ref)) {
            return prom_verify_fail(verify, "page %u: slot %u in the chain of "
                                    "free ones", n, slot - 1);
        }

        prom_verify_set(verify->free, ref);
        slot = *(uint16_t *) prom_at(verify->seg, ref);
    }

    if (freed != (uint32_t) page->bump - page->used) {
        return prom_verify_fail(verify, "page %u: %u freed, but %u of %u used",
                                n, freed, page->used, page->bump);
    }

    if (page->listed != (freed > 0 || page->bump < capacity)) {
        return prom_verify_fail(verify, "page %u: listed is %u with %u freed "
                                "and %u of %u begun", n, page->listed, freed,
                                page->bump, capacity);
    }

    return true;
}


typedef struct {
    uint32_t  owned;
    uint32_t  listed;
    uint32_t  heads;                    /* pages of heads, of tables */
    uint32_t  tables;
} prom_verify_count_t;


static bool
prom_verify_pages(prom_verify_t *verify, prom_verify_count_t *count)
{
    uint32_t            n;
    const prom_page_t  *page;

    memset(count, 0, sizeof(prom_verify_count_t));

    for (n = verify->seg->first_page; n < verify->seg->pages; n++) {

        if (!prom_verify_mine(verify, n)) {
            continue;
        }

        page = prom_page(verify->seg, n);
        count->owned++;

        if (page->kind == PROM_KIND_TABLE) {
            count->tables++;
            continue;
        }

        if (page->kind == 0 || page->kind > PROM_KIND_SERIES) {
            return prom_verify_fail(verify, "page %u: kind %u", n, page->kind);
        }

        count->listed += page->listed;
        count->heads += page->kind == PROM_KIND_SERIES;

        if (!prom_verify_page(verify, n)) {
            return false;
        }
    }

    n = atomic_load(&verify->seg->owned[verify->shard->number]);

    if (n != count->owned) {
        return prom_verify_fail(verify, "%u pages, counted as %u",
                                count->owned, n);
    }

    return true;
}


static bool
prom_verify_list(prom_verify_t *verify, uint32_t first, uint8_t kind,
    uint32_t *left)
{
    uint32_t            n, prev;
    const prom_page_t  *page;

    prev = 0;

    for (n = first; n != 0; n = page->next) {

        if (!prom_verify_mine(verify, n)) {
            return prom_verify_fail(verify, "list of kind %u: page %u is not "
                                    "the shard's", kind, n);
        }

        page = prom_page(verify->seg, n);

        if (page->kind != kind || page->prev != prev || !page->listed
            || (*left)-- == 0)
        {
            return prom_verify_fail(verify, "list of kind %u: page %u, kind "
                                    "%u, prev %u, listed %u", kind, n,
                                    page->kind, page->prev, page->listed);
        }

        prev = n;
    }

    return true;
}


static bool
prom_verify_lists(prom_verify_t *verify, uint32_t listed)
{
    uint8_t  i;

    for (i = 0; i < PROM_CLASSES; i++) {

        if (!prom_verify_list(verify, verify->shard->lists[i], i + 1, &listed))
        {
            return false;
        }
    }

    if (!prom_verify_list(verify, verify->shard->series_list,
                          PROM_KIND_SERIES, &listed))
    {
        return false;
    }

    if (listed != 0) {
        return prom_verify_fail(verify, "%u listed pages are in no list",
                                listed);
    }

    return true;
}


static bool
prom_verify_directory(prom_verify_t *verify, uint32_t heads)
{
    uint32_t            i, n;
    const uint32_t     *directory;
    const prom_page_t  *page;

    directory = prom_offset(verify->seg, verify->shard->directory);

    for (i = 0; i < verify->seg->directory_len; i++) {
        n = directory[i];

        if (n == 0) {
            continue;
        }

        page = prom_page(verify->seg, n);

        if (!prom_verify_mine(verify, n) || page->kind != PROM_KIND_SERIES
            || page->position != i || i >= verify->shard->positions)
        {
            return prom_verify_fail(verify, "directory: page %u at %u of %u",
                                    n, i, verify->shard->positions);
        }

        heads--;
    }

    if (heads != 0) {
        return prom_verify_fail(verify, "%u pages of heads are not in the "
                                "directory", heads);
    }

    return true;
}


static bool
prom_verify_table_pages(prom_verify_t *verify, const prom_table_t *table,
    const char *what)
{
    uint32_t         i, n, wanted;
    const uint32_t  *pages;

    pages = prom_offset(verify->seg, table->pages);
    wanted = (table->buckets + PROM_VERIFY_PER_PAGE - 1)
             / PROM_VERIFY_PER_PAGE;

    for (i = 0; i < verify->seg->table_len; i++) {
        n = pages[i];

        if (i >= wanted && n == 0) {
            continue;
        }

        if (i >= wanted || !prom_verify_mine(verify, n)
            || prom_page(verify->seg, n)->kind != PROM_KIND_TABLE)
        {
            return prom_verify_fail(verify, "%s: page %u at %u, %u buckets",
                                    what, n, i, table->buckets);
        }

        verify->tables++;
    }

    return true;
}


bool
prom_verify_table(prom_verify_t *verify, const prom_table_t *table,
    const char *what, prom_verify_item_pt item)
{
    uint32_t            i, count, *pages;
    prom_ref_t          ref;
    const uint32_t     *slot;
    const prom_link_t  *link;

    if (!prom_verify_table_pages(verify, table, what)) {
        return false;
    }

    pages = prom_offset(verify->seg, table->pages);
    count = 0;

    for (i = 0; i < table->buckets; i++) {
        slot = prom_offset(verify->seg,
                           (uint64_t) pages[i / PROM_VERIFY_PER_PAGE]
                           * PROM_PAGE_SIZE);
        slot += i % PROM_VERIFY_PER_PAGE;

        for (ref = *slot; ref != 0; ref = link->next) {

            if (prom_page_of(ref) >= verify->seg->pages
                || ++count > table->count)
            {
                return prom_verify_fail(verify, "%s: item %u in bucket %u, "
                                        "number %u of %u", what, ref, i,
                                        count, table->count);
            }

            link = prom_at(verify->seg, ref);

            if (prom_table_bucket(verify->seg, table, link->hash) != slot) {
                return prom_verify_fail(verify, "%s: hash %08x of %u in bucket "
                                        "%u of %u", what, link->hash, ref, i,
                                        table->buckets);
            }

            if (!item(verify, ref)) {
                return false;
            }
        }
    }

    if (count != table->count) {
        return prom_verify_fail(verify, "%s: %u items, counted as %u", what,
                                count, table->count);
    }

    return true;
}


static bool
prom_verify_leaks(prom_verify_t *verify)
{
    uint32_t            n;
    const prom_page_t  *page;

    for (n = verify->seg->first_page; n < verify->seg->pages; n++) {

        if (!prom_verify_mine(verify, n)) {
            continue;
        }

        page = prom_page(verify->seg, n);

        if (page->kind != PROM_KIND_TABLE && page->used != verify->used[n]) {
            return prom_verify_fail(verify, "page %u of kind %u: %u blocks "
                                    "used, %u reached", n, page->kind,
                                    page->used, verify->used[n]);
        }
    }

    return true;
}


static bool
prom_verify_shard(prom_verify_t *verify)
{
    prom_shard_t         *shard;
    prom_verify_count_t   count;

    shard = verify->shard;

    if (shard->log_len != 0 || shard->building != 0 || shard->transit != 0) {
        return prom_verify_fail(verify, "log_len %llu, building %u, transit %u",
                                (unsigned long long) shard->log_len,
                                shard->building, shard->transit);
    }

    if (!prom_verify_pages(verify, &count)
        || !prom_verify_lists(verify, count.listed)
        || !prom_verify_directory(verify, count.heads)
        || !prom_verify_series(verify)
        || !prom_verify_index(verify)
        || !prom_verify_leaks(verify))
    {
        return false;
    }

    if (verify->tables != count.tables) {
        return prom_verify_fail(verify, "%u pages of tables, %u in use",
                                count.tables, verify->tables);
    }

    if (verify->labels != verify->posted) {
        return prom_verify_fail(verify, "series have %llu labels, postings "
                                "%llu", (unsigned long long) verify->labels,
                                (unsigned long long) verify->posted);
    }

    return true;
}


/* Pages that no shard has: a page may be taken or given at any time. */

static bool
prom_verify_owners(prom_verify_t *verify)
{
    uint8_t          owner, kind;
    uint32_t         n;
    prom_segment_t  *seg;

    seg = verify->seg;

    for (n = 0; n < seg->pages; n++) {
        owner = atomic_load(prom_owner(seg, n));
        kind = prom_page(seg, n)->kind;

        if (owner != atomic_load(prom_owner(seg, n))) {
            continue;
        }

        if ((n < seg->first_page) != (owner == 0xff)
            || (owner != 0xff && owner > seg->shards)
            || (kind != 0 && (owner == 0 || owner == 0xff)))
        {
            prom_msg_add(verify->msg, "page %u: owner %u, kind %u", n, owner,
                         kind);
            return false;
        }
    }

    return true;
}


static bool
prom_verify_each(prom_verify_t *verify)
{
    bool             ok;
    size_t           bits;
    uint32_t         n;
    prom_segment_t  *seg;

    seg = verify->seg;
    bits = (size_t) (seg->size / PROM_UNIT / 8);

    for (n = 0; n < seg->shards; n++) {
        memset(verify->free, 0, bits);
        memset(verify->reached, 0, bits);
        memset(verify->due, 0, bits);
        memset(verify->used, 0, seg->pages * sizeof(uint32_t));

        verify->tables = 0;
        verify->labels = 0;
        verify->posted = 0;
        verify->pairs = 0;
        verify->chunks = 0;

        verify->shard = prom_shard_lock(seg, n);
        ok = prom_verify_shard(verify);
        prom_shard_unlock(seg, verify->shard);

        if (!ok) {
            return false;
        }
    }

    return prom_verify_owners(verify);
}


int
prom_tsdb_verify(prom_tsdb_t *db, prom_msg_t *msg)
{
    bool           ok;
    size_t         bits;
    prom_verify_t  verify;

    memset(&verify, 0, sizeof(prom_verify_t));

    verify.seg = db->segment;
    verify.msg = msg;

    bits = (size_t) (verify.seg->size / PROM_UNIT / 8);

    verify.free = malloc(bits);
    verify.reached = malloc(bits);
    verify.due = malloc(bits);
    verify.used = malloc(verify.seg->pages * sizeof(uint32_t));

    ok = false;

    if (verify.free != NULL && verify.reached != NULL && verify.due != NULL
        && verify.used != NULL)
    {
        ok = prom_verify_each(&verify);

    } else {
        prom_msg_add(msg, "no memory");
    }

    free(verify.free);
    free(verify.reached);
    free(verify.due);
    free(verify.used);

    return ok ? PROM_OK : PROM_ERROR;
}
