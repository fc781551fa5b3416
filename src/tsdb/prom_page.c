
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "prom_page.h"
#include "prom_txn.h"


#define PROM_PAGE_WORDS  (sizeof(prom_page_t) / 8)


/*
 * Block sizes.  Up to 256 a step is one unit; above, steps of about an eighth,
 * and the large ones are what an even split of a page gives.
 */
static const uint16_t  prom_class_size[PROM_CLASSES] = {
    16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256,
    272, 288, 304, 320, 336, 352, 384, 416, 448, 480, 512,
    576, 640, 704, 768, 832, 896, 960, 1024,
    1168, 1360, 1488, 1632, 1808, 2048, 2336, 2720, 3264, 4096,
    8192, 16384
};


static uint32_t
prom_class_of(size_t size)
{
    uint32_t  low, high, mid;

    if (size <= 352) {
        return (uint32_t) (size + PROM_UNIT - 1) / PROM_UNIT - 1;
    }

    low = 22;
    high = PROM_CLASSES - 1;

    while (low < high) {
        mid = (low + high) / 2;

        if (prom_class_size[mid] < size) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    return low;
}


size_t
prom_alloc_size(size_t size)
{
    return prom_class_size[prom_class_of(size)];
}


static inline size_t
prom_kind_size(uint8_t kind)
{
    return kind == PROM_KIND_SERIES ? sizeof(prom_series_t)
                                    : prom_class_size[kind - 1];
}


static inline uint32_t *
prom_kind_list(prom_shard_t *shard, uint8_t kind)
{
    return kind == PROM_KIND_SERIES ? &shard->series_list
                                    : &shard->lists[kind - 1];
}


size_t
prom_block_size(const prom_segment_t *seg, prom_ref_t ref)
{
    return prom_kind_size(prom_page(seg, prom_page_of(ref))->kind);
}


uint32_t
prom_page_free_count(const prom_segment_t *seg)
{
    uint32_t  n, pages, owned;

    pages = seg->pages - seg->first_page;
    owned = 0;

    for (n = 0; n < seg->shards; n++) {
        owned += atomic_load_explicit(&seg->owned[n], memory_order_relaxed);
    }

    return owned < pages ? pages - owned : 0;
}


static inline void
prom_page_count(prom_segment_t *seg, prom_shard_t *shard, uint32_t change)
{
    _Atomic uint32_t  *owned;

    owned = &seg->owned[shard->number];

    atomic_store_explicit(owned,
                          atomic_load_explicit(owned, memory_order_relaxed)
                          + change,
                          memory_order_relaxed);
}


uint32_t
prom_page_take(prom_segment_t *seg, prom_shard_t *shard)
{
    uint8_t           none;
    uint32_t          i, n, start;
    _Atomic uint8_t  *owner;

    /* in a full store this is asked often, so do not look at every page */

    if (prom_page_free_count(seg) == 0) {
        return 0;
    }

    shard->taken++;

    start = atomic_load_explicit(&seg->page_cursor, memory_order_relaxed);

    for (i = 0; i < seg->pages; i++) {
        n = start + i < seg->pages ? start + i : start + i - seg->pages;
        owner = prom_owner(seg, n);
        none = 0;

        if (atomic_load_explicit(owner, memory_order_relaxed) == 0
            && atomic_compare_exchange_strong(owner, &none,
                                              (uint8_t) (shard->number + 1)))
        {
            prom_page_count(seg, shard, 1);
            atomic_store_explicit(&seg->page_cursor, n, memory_order_relaxed);
            return n;
        }
    }

    /* others were faster */

    return 0;
}


static void
prom_page_give(prom_segment_t *seg, prom_shard_t *shard, uint32_t n)
{
    uint32_t  cursor;

    atomic_store(prom_owner(seg, n), 0);
    prom_page_count(seg, shard, UINT32_MAX);

    /* low pages first: those above stay untouched, and cost nothing yet */

    cursor = atomic_load_explicit(&seg->page_cursor, memory_order_relaxed);

    if (n < cursor) {
        atomic_store_explicit(&seg->page_cursor, n, memory_order_relaxed);
    }
}


void
prom_page_reclaim(prom_segment_t *seg, prom_shard_t *shard)
{
    uint32_t  n;

    for (n = seg->first_page; n < seg->pages; n++) {

        if (atomic_load(prom_owner(seg, n)) == shard->number + 1
            && prom_page(seg, n)->kind == 0)
        {
            prom_page_give(seg, shard, n);
        }
    }

    shard->transit = 0;
    shard->taken = 0;
}


void
prom_page_abort(prom_segment_t *seg, prom_shard_t *shard)
{
    prom_txn_rollback(seg, shard);

    if (shard->taken != 0) {
        prom_page_reclaim(seg, shard);
    }
}


void
prom_page_recount(prom_segment_t *seg, prom_shard_t *shard)
{
    uint32_t  n, owned;

    owned = 0;

    for (n = seg->first_page; n < seg->pages; n++) {
        owned += atomic_load(prom_owner(seg, n)) == shard->number + 1;
    }

    atomic_store(&seg->owned[shard->number], owned);
}


static void
prom_page_link(prom_segment_t *seg, prom_shard_t *shard, uint32_t n)
{
    uint32_t     *list;
    prom_page_t  *page, *next;

    page = prom_page(seg, n);
    list = prom_kind_list(shard, page->kind);

    if (*list != 0) {
        next = prom_page(seg, *list);
        prom_txn_set(seg, shard, next->prev, n);
    }

    page->next = *list;
    page->prev = 0;
    page->listed = 1;
    prom_txn_set(seg, shard, *list, n);
}


static void
prom_page_unlink(prom_segment_t *seg, prom_shard_t *shard, uint32_t n)
{
    uint32_t     *list;
    prom_page_t  *page, *other;

    page = prom_page(seg, n);

    if (page->next != 0) {
        other = prom_page(seg, page->next);
        prom_txn_set(seg, shard, other->prev, page->prev);
    }

    if (page->prev != 0) {
        other = prom_page(seg, page->prev);
        prom_txn_set(seg, shard, other->next, page->next);

    } else {
        list = prom_kind_list(shard, page->kind);
        prom_txn_set(seg, shard, *list, page->next);
    }

    page->listed = 0;
}


static uint32_t
prom_page_new(prom_segment_t *seg, prom_shard_t *shard, uint8_t kind)
{
    uint32_t      n;
    prom_page_t  *page;

    n = prom_page_take(seg, shard);
    if (n == 0) {
        return 0;
    }

    page = prom_page(seg, n);
    prom_txn_save_words(seg, shard, page, PROM_PAGE_WORDS);

    memset(page, 0, sizeof(prom_page_t));
    page->kind = kind;

    prom_page_link(seg, shard, n);

    return n;
}


/* A block of the first page in the list. */

static prom_ref_t
prom_page_block(prom_segment_t *seg, prom_shard_t *shard, uint32_t n)
{
    size_t        size;
    uint16_t      slot, *freed;
    prom_page_t  *page;

    page = prom_page(seg, n);
    size = prom_kind_size(page->kind);

    prom_txn_save_words(seg, shard, page, PROM_PAGE_WORDS);

    if (page->free != 0) {
        slot = page->free - 1;
        freed = prom_offset(seg, (uint64_t) n * PROM_PAGE_SIZE + slot * size);

        /* the caller writes over the link, a rollback wants it back */

        prom_txn_save_word(seg, shard, freed);
        page->free = *freed;

    } else {
        slot = page->bump++;
    }

    page->used++;

    if (page->free == 0 && (page->bump + 1u) * size > PROM_PAGE_SIZE) {
        prom_page_unlink(seg, shard, n);
    }

    return (prom_ref_t) (((uint64_t) n * PROM_PAGE_SIZE + slot * size)
                         / PROM_UNIT);
}


prom_ref_t
prom_alloc(prom_segment_t *seg, prom_shard_t *shard, size_t size)
{
    uint32_t  class, n;

    class = prom_class_of(size);
    n = shard->lists[class];

    if (n == 0) {
        n = prom_page_new(seg, shard, (uint8_t) (class + 1));
        if (n == 0) {
            return 0;
        }
    }

    return prom_page_block(seg, shard, n);
}


void
prom_free(prom_segment_t *seg, prom_shard_t *shard, prom_ref_t ref)
{
    size_t        size;
    uint32_t      n;
    uint16_t     *link;
    prom_page_t  *page;

    n = prom_page_of(ref);
    page = prom_page(seg, n);
    size = prom_kind_size(page->kind);

    link = prom_at(seg, ref);
    prom_txn_save_word(seg, shard, link);
    prom_txn_save_words(seg, shard, page, PROM_PAGE_WORDS);

    *link = page->free;
    page->free = (uint16_t) (((uint64_t) ref * PROM_UNIT
                              - (uint64_t) n * PROM_PAGE_SIZE) / size + 1);
    page->used--;

    if (!page->listed) {
        prom_page_link(seg, shard, n);
    }

    if (page->used == 0) {

        /* hints only, so not saved */

        if (shard->empties < PROM_EMPTIES) {
            shard->empty[shard->empties] = n;
        }

        shard->empties++;
    }
}


/* A free position of the directory, or its length. */

static uint32_t
prom_directory_position(prom_segment_t *seg, prom_shard_t *shard)
{
    uint32_t  i, *directory;

    directory = prom_offset(seg, shard->directory);

    for (i = 0; i < shard->positions; i++) {
        if (directory[i] == 0) {
            return i;
        }
    }

    return shard->positions;
}


static uint32_t
prom_page_new_series(prom_segment_t *seg, prom_shard_t *shard)
{
    uint32_t        n, position, *directory;
    prom_series_t  *series;

    position = prom_directory_position(seg, shard);

    if (position == seg->directory_len
        || position == PROM_IDS_MAX / PROM_HEADS_PER_PAGE)
    {
        return 0;
    }

    n = prom_page_take(seg, shard);
    if (n == 0) {
        return 0;
    }

    /* readers without a lock must find no live head before the kind is set */

    series = prom_offset(seg, (uint64_t) n * PROM_PAGE_SIZE);
    memset(series, 0, PROM_PAGE_SIZE);
    atomic_thread_fence(memory_order_release);

    prom_txn_save(seg, shard, prom_page(seg, n), sizeof(prom_page_t));
    memset(prom_page(seg, n), 0, sizeof(prom_page_t));
    prom_page(seg, n)->kind = PROM_KIND_SERIES;
    prom_page(seg, n)->position = position;
    prom_page_link(seg, shard, n);

    directory = prom_offset(seg, shard->directory);
    prom_txn_set(seg, shard, directory[position], n);

    if (position == shard->positions) {
        prom_txn_set(seg, shard, shard->positions, position + 1);
    }

    return n;
}


prom_series_t *
prom_alloc_series(prom_segment_t *seg, prom_shard_t *shard)
{
    uint32_t  n;

    n = shard->series_list;

    if (n == 0) {
        n = prom_page_new_series(seg, shard);
        if (n == 0) {
            return NULL;
        }
    }

    return prom_at(seg, prom_page_block(seg, shard, n));
}


void
prom_free_series(prom_segment_t *seg, prom_shard_t *shard,
    prom_series_t *series)
{
    prom_free(seg, shard, prom_ref(seg, series));
}


uint32_t
prom_series_id(const prom_segment_t *seg, prom_ref_t ref)
{
    uint32_t  n;

    n = prom_page_of(ref);

    return prom_page(seg, n)->position * PROM_HEADS_PER_PAGE
           + (ref - n * (PROM_PAGE_SIZE / PROM_UNIT))
             / (sizeof(prom_series_t) / PROM_UNIT);
}


prom_series_t *
prom_series_by_id(const prom_segment_t *seg, const prom_shard_t *shard,
    uint32_t id)
{
    uint32_t  n, position;

    position = id / PROM_HEADS_PER_PAGE;

    if (position >= shard->positions) {
        return NULL;
    }

    n = ((uint32_t *) prom_offset(seg, shard->directory))[position];
    if (n == 0) {
        return NULL;
    }

    return (prom_series_t *) prom_offset(seg, (uint64_t) n * PROM_PAGE_SIZE)
           + id % PROM_HEADS_PER_PAGE;
}


static bool
prom_page_is_empty(prom_segment_t *seg, prom_shard_t *shard, uint32_t n)
{
    prom_page_t  *page;

    page = prom_page(seg, n);

    return atomic_load(prom_owner(seg, n)) == shard->number + 1
           && page->kind != 0
           && page->kind != PROM_KIND_TABLE
           && page->used == 0;
}


static void
prom_page_release(prom_segment_t *seg, prom_shard_t *shard, uint32_t n)
{
    uint8_t       kind;
    uint32_t     *directory;
    prom_page_t  *page;

    page = prom_page(seg, n);
    kind = page->kind;

    prom_txn_save_words(seg, shard, page, PROM_PAGE_WORDS);
    prom_page_unlink(seg, shard, n);

    if (kind == PROM_KIND_SERIES) {
        directory = prom_offset(seg, shard->directory);
        prom_txn_set(seg, shard, directory[page->position], 0);
    }

    page->kind = 0;

    prom_txn_commit(shard);

    if (kind == PROM_KIND_SERIES) {

        /* I4 for the page: its heads may become anything from here on */

        atomic_fetch_add(&seg->generation, 1);
    }

    prom_page_give(seg, shard, n);
}


void
prom_page_trim(prom_segment_t *seg, prom_shard_t *shard)
{
    uint32_t      i, n;
    prom_page_t  *page;

    if (shard->empties > PROM_EMPTIES) {
        (void) prom_page_trim_all(seg, shard);
        return;
    }

    for (i = 0; i < shard->empties; i++) {
        n = shard->empty[i];
        page = prom_page(seg, n);

        /* the last one of a class stays: it is soon wanted again */

        if (prom_page_is_empty(seg, shard, n)
            && (page->next != 0 || page->prev != 0))
        {
            prom_page_release(seg, shard, n);
        }
    }

    shard->empties = 0;
}


uint32_t
prom_page_trim_all(prom_segment_t *seg, prom_shard_t *shard)
{
    uint32_t  n, released;

    released = 0;

    for (n = seg->first_page; n < seg->pages; n++) {

        if (prom_page_is_empty(seg, shard, n)) {
            prom_page_release(seg, shard, n);
            released++;
        }
    }

    shard->empties = 0;

    return released;
}
