
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "prom_page.h"
#include "prom_postings.h"
#include "prom_txn.h"


#define PROM_RANGE_BITS   13
#define PROM_RANGE_MASK   ((1u << PROM_RANGE_BITS) - 1)
#define PROM_ARRAY_MAX    512
#define PROM_ARRAY_AGAIN  384           /* a bitmap that shrinks to this */
#define PROM_BITMAP_SIZE  ((1u << PROM_RANGE_BITS) / 8)
#define PROM_IS_BITMAP    0x8000


typedef struct {
    uint16_t    range;
    uint16_t    count;                  /* minus 1, with PROM_IS_BITMAP */
    prom_ref_t  ref;
} prom_range_t;


static inline uint32_t
prom_range_count(const prom_range_t *range)
{
    return (range->count & PROM_RANGE_MASK) + 1u;
}


/* The first entry not below `range', set->b where there is none. */

static uint32_t
prom_range_find(const prom_range_t *ranges, uint32_t n, uint32_t range)
{
    uint32_t  low, high, mid;

    if (n > 0 && ranges[n - 1].range == range) {
        return n - 1;
    }

    low = 0;
    high = n;

    while (low < high) {
        mid = (low + high) / 2;

        if (ranges[mid].range < range) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    return low;
}


static uint32_t
prom_array_find(const uint16_t *array, uint32_t n, uint32_t low_bits)
{
    uint32_t  low, high, mid;

    if (n > 0 && array[n - 1] < low_bits) {
        return n;
    }

    low = 0;
    high = n;

    while (low < high) {
        mid = (low + high) / 2;

        if (array[mid] < low_bits) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    return low;
}


/* A bitmap in place of an array, or the reverse; the old block is freed. */

static int
prom_range_convert(prom_segment_t *seg, prom_shard_t *shard,
    prom_range_t *range)
{
    uint32_t     i, n, word;
    uint64_t    *bitmap, bits;
    uint16_t    *array;
    prom_ref_t   ref, old;

    n = prom_range_count(range);
    old = range->ref;

    if (range->count & PROM_IS_BITMAP) {
        ref = prom_alloc(seg, shard, n * sizeof(uint16_t));
        if (ref == 0) {
            return PROM_NOMEM;
        }

        bitmap = prom_at(seg, old);
        array = prom_at(seg, ref);
        i = 0;

        for (word = 0; word < PROM_BITMAP_SIZE / 8; word++) {
            for (bits = bitmap[word]; bits != 0; bits &= bits - 1) {
                array[i++] = (uint16_t) (word * 64 + __builtin_ctzll(bits));
            }
        }

    } else {
        ref = prom_alloc(seg, shard, PROM_BITMAP_SIZE);
        if (ref == 0) {
            return PROM_NOMEM;
        }

        array = prom_at(seg, old);
        bitmap = prom_at(seg, ref);
        memset(bitmap, 0, PROM_BITMAP_SIZE);

        for (i = 0; i < n; i++) {
            bitmap[array[i] / 64] |= UINT64_C(1) << array[i] % 64;
        }
    }

    prom_txn_save(seg, shard, range, sizeof(prom_range_t));
    range->count ^= PROM_IS_BITMAP;
    range->ref = ref;
    prom_free(seg, shard, old);

    return PROM_OK;
}


/* A larger or smaller block for the same array. */

static int
prom_array_resize(prom_segment_t *seg, prom_shard_t *shard,
    prom_range_t *range, uint32_t capacity)
{
    prom_ref_t  ref, old;

    ref = prom_alloc(seg, shard, capacity * sizeof(uint16_t));
    if (ref == 0) {
        return PROM_NOMEM;
    }

    old = range->ref;
    memcpy(prom_at(seg, ref), prom_at(seg, old),
           prom_range_count(range) * sizeof(uint16_t));

    prom_txn_save(seg, shard, range, sizeof(prom_range_t));
    range->ref = ref;
    prom_free(seg, shard, old);

    return PROM_OK;
}


static int
prom_range_add(prom_segment_t *seg, prom_shard_t *shard, prom_range_t *range,
    uint32_t low)
{
    uint32_t   n, at;
    uint16_t  *array;
    uint64_t  *word;

    n = prom_range_count(range);

    if (n == PROM_ARRAY_MAX && !(range->count & PROM_IS_BITMAP)
        && prom_range_convert(seg, shard, range) != PROM_OK)
    {
        return PROM_NOMEM;
    }

    if (range->count & PROM_IS_BITMAP) {
        word = (uint64_t *) prom_at(seg, range->ref) + low / 64;
        prom_txn_save(seg, shard, word, sizeof(uint64_t));
        *word |= UINT64_C(1) << low % 64;

    } else {

        if (n * sizeof(uint16_t) == prom_block_size(seg, range->ref)
            && prom_array_resize(seg, shard, range,
                                 prom_min(n + n / 2, PROM_ARRAY_MAX))
               != PROM_OK)
        {
            return PROM_NOMEM;
        }

        array = prom_at(seg, range->ref);
        at = prom_array_find(array, n, low);

        if (at < n) {
            prom_txn_save(seg, shard, array + at,
                          (n - at) * sizeof(uint16_t));
            memmove(array + at + 1, array + at, (n - at) * sizeof(uint16_t));
        }

        array[at] = (uint16_t) low;
    }

    prom_txn_set(seg, shard, range->count, range->count + 1);

    return PROM_OK;
}


/* Puts a range with one id into the directory at `at'. */

static int
prom_range_insert(prom_segment_t *seg, prom_shard_t *shard,
    prom_postings_t *set, uint32_t at, uint32_t id)
{
    uint32_t       n;
    prom_ref_t     ref, directory, old;
    prom_range_t  *ranges;

    n = set->b;
    old = 0;

    ref = prom_alloc(seg, shard, sizeof(uint16_t));
    if (ref == 0) {
        return PROM_NOMEM;
    }

    *(uint16_t *) prom_at(seg, ref) = id & PROM_RANGE_MASK;

    prom_txn_save(seg, shard, set, sizeof(prom_postings_t));

    if (n * sizeof(prom_range_t) == prom_block_size(seg, set->a)) {
        if (n * sizeof(prom_range_t) == PROM_PAGE_SIZE) {
            return PROM_NOMEM;
        }

        directory = prom_alloc(seg, shard,
                               prom_min((n + n / 2) * sizeof(prom_range_t),
                                        (size_t) PROM_PAGE_SIZE));
        if (directory == 0) {
            return PROM_NOMEM;
        }

        old = set->a;
        ranges = prom_at(seg, directory);
        memcpy(ranges, prom_at(seg, old), n * sizeof(prom_range_t));
        set->a = directory;

    } else {
        ranges = prom_at(seg, set->a);
        prom_txn_save(seg, shard, ranges + at,
                      (n - at + 1) * sizeof(prom_range_t));
    }

    memmove(ranges + at + 1, ranges + at, (n - at) * sizeof(prom_range_t));
    ranges[at] = (prom_range_t) { (uint16_t) (id >> PROM_RANGE_BITS), 0, ref };
    set->b = n + 1;

    if (old != 0) {
        prom_free(seg, shard, old);
    }

    return PROM_OK;
}


static int
prom_ranges_add(prom_segment_t *seg, prom_shard_t *shard,
    prom_postings_t *set, uint32_t id)
{
    uint32_t       at;
    prom_range_t  *ranges;

    ranges = prom_at(seg, set->a);
    at = prom_range_find(ranges, set->b, id >> PROM_RANGE_BITS);

    if (at < set->b && ranges[at].range == id >> PROM_RANGE_BITS) {
        return prom_range_add(seg, shard, ranges + at, id & PROM_RANGE_MASK);
    }

    return prom_range_insert(seg, shard, set, at, id);
}


/* From two ids in place to a directory. */

static int
prom_postings_spread(prom_segment_t *seg, prom_shard_t *shard,
    prom_postings_t *set)
{
    uint32_t    a, b;
    prom_ref_t  directory;

    a = set->a;
    b = set->b;

    directory = prom_alloc(seg, shard, 2 * sizeof(prom_range_t));
    if (directory == 0) {
        return PROM_NOMEM;
    }

    set->a = directory;
    set->b = 0;

    if (prom_range_insert(seg, shard, set, 0, a) != PROM_OK) {
        return PROM_NOMEM;
    }

    return prom_ranges_add(seg, shard, set, b);
}


int
prom_postings_add(prom_segment_t *seg, prom_shard_t *shard,
    prom_postings_t *set, uint32_t id)
{
    prom_txn_save(seg, shard, set, sizeof(prom_postings_t));

    switch (set->n) {

    case 0:
        set->a = id;
        break;

    case 1:
        set->b = prom_max(set->a, id);
        set->a = prom_min(set->a, id);
        break;

    case 2:
        if (prom_postings_spread(seg, shard, set) != PROM_OK) {
            return PROM_NOMEM;
        }

        /* fall through */

    default:
        if (prom_ranges_add(seg, shard, set, id) != PROM_OK) {
            return PROM_NOMEM;
        }
    }

    set->n++;

    return PROM_OK;
}


/*
 * Back to two ids in place: what is left are two ids in one or two ranges.
 * set->n still says that there is a directory.
 */

static void
prom_postings_gather(prom_segment_t *seg, prom_shard_t *shard,
    prom_postings_t *set)
{
    uint32_t       i, ranges_n, ids[2];
    prom_ref_t     directory;
    prom_range_t  *ranges;

    (void) prom_postings_read(seg, set, 0, ids, 2);

    directory = set->a;
    ranges = prom_at(seg, directory);
    ranges_n = set->b;

    for (i = 0; i < ranges_n; i++) {
        prom_free(seg, shard, ranges[i].ref);
    }

    prom_free(seg, shard, directory);

    set->a = ids[0];
    set->b = ids[1];
}


static void
prom_range_remove(prom_segment_t *seg, prom_shard_t *shard,
    prom_postings_t *set, uint32_t at, uint32_t low)
{
    uint32_t       n, i;
    uint16_t      *array;
    uint64_t      *word;
    prom_ref_t     ref;
    prom_range_t  *ranges, *range;

    ranges = prom_at(seg, set->a);
    range = ranges + at;
    n = prom_range_count(range);

    if (n == 1) {
        ref = range->ref;
        prom_txn_save(seg, shard, range,
                      (set->b - at) * sizeof(prom_range_t));
        memmove(range, range + 1, (set->b - at - 1) * sizeof(prom_range_t));
        set->b--;
        prom_free(seg, shard, ref);
        return;
    }

    if (range->count & PROM_IS_BITMAP) {
        word = (uint64_t *) prom_at(seg, range->ref) + low / 64;
        prom_txn_save(seg, shard, word, sizeof(uint64_t));
        *word &= ~(UINT64_C(1) << low % 64);

    } else {
        array = prom_at(seg, range->ref);
        i = prom_array_find(array, n, low);
        prom_txn_save(seg, shard, array + i, (n - i) * sizeof(uint16_t));
        memmove(array + i, array + i + 1, (n - i - 1) * sizeof(uint16_t));
    }

    prom_txn_set(seg, shard, range->count, range->count - 1);
    n--;

    /* smaller where it pays; without memory it stays as it is */

    if (range->count & PROM_IS_BITMAP) {
        if (n == PROM_ARRAY_AGAIN) {
            (void) prom_range_convert(seg, shard, range);
        }

    } else if (n >= 8 && n * sizeof(uint16_t) * 2
                         < prom_block_size(seg, range->ref))
    {
        (void) prom_array_resize(seg, shard, range, n + n / 4);
    }
}


void
prom_postings_remove(prom_segment_t *seg, prom_shard_t *shard,
    prom_postings_t *set, uint32_t id)
{
    uint32_t  at;

    prom_txn_save(seg, shard, set, sizeof(prom_postings_t));

    switch (set->n) {

    case 1:
        break;

    case 2:
        set->a = set->a == id ? set->b : set->a;
        break;

    default:
        at = prom_range_find(prom_at(seg, set->a), set->b,
                             id >> PROM_RANGE_BITS);
        prom_range_remove(seg, shard, set, at, id & PROM_RANGE_MASK);

        if (set->n == 3) {
            prom_postings_gather(seg, shard, set);
        }
    }

    set->n--;
}


bool
prom_postings_has(const prom_segment_t *seg, const prom_postings_t *set,
    uint32_t id)
{
    uint32_t             at, n, low;
    const uint16_t      *array;
    const uint64_t      *bitmap;
    const prom_range_t  *ranges;

    if (set->n <= 2) {
        return (set->n > 0 && set->a == id) || (set->n > 1 && set->b == id);
    }

    ranges = prom_at(seg, set->a);
    at = prom_range_find(ranges, set->b, id >> PROM_RANGE_BITS);

    if (at == set->b || ranges[at].range != id >> PROM_RANGE_BITS) {
        return false;
    }

    low = id & PROM_RANGE_MASK;

    if (ranges[at].count & PROM_IS_BITMAP) {
        bitmap = prom_at(seg, ranges[at].ref);
        return bitmap[low / 64] >> low % 64 & 1;
    }

    array = prom_at(seg, ranges[at].ref);
    n = prom_range_count(ranges + at);
    at = prom_array_find(array, n, low);

    return at < n && array[at] == low;
}


static size_t
prom_bitmap_read(const uint64_t *bitmap, uint32_t low, uint32_t base,
    uint32_t *ids, size_t max)
{
    size_t    n;
    uint32_t  word;
    uint64_t  bits;

    n = 0;
    word = low / 64;
    bits = bitmap[word] & ~UINT64_C(0) << low % 64;

    for ( ;; ) {

        for ( /* void */ ; bits != 0; bits &= bits - 1) {
            if (n == max) {
                return n;
            }

            ids[n++] = base + word * 64 + __builtin_ctzll(bits);
        }

        if (++word == PROM_BITMAP_SIZE / 8) {
            return n;
        }

        bits = bitmap[word];
    }
}


size_t
prom_postings_read(const prom_segment_t *seg, const prom_postings_t *set,
    uint32_t from, uint32_t *ids, size_t max)
{
    size_t               n;
    uint32_t             at, i, count, low, base;
    const uint16_t      *array;
    const prom_range_t  *ranges, *range;

    n = 0;

    if (set->n <= 2) {
        if (set->n > 0 && set->a >= from && n < max) {
            ids[n++] = set->a;
        }

        if (set->n > 1 && set->b >= from && n < max) {
            ids[n++] = set->b;
        }

        return n;
    }

    ranges = prom_at(seg, set->a);
    at = prom_range_find(ranges, set->b, from >> PROM_RANGE_BITS);

    for ( /* void */ ; at < set->b && n < max; at++) {
        range = ranges + at;
        base = (uint32_t) range->range << PROM_RANGE_BITS;
        low = base < from ? from - base : 0;

        if (range->count & PROM_IS_BITMAP) {
            n += prom_bitmap_read(prom_at(seg, range->ref), low, base,
                                  ids + n, max - n);
            continue;
        }

        array = prom_at(seg, range->ref);
        count = prom_range_count(range);

        for (i = prom_array_find(array, count, low);
             i < count && n < max;
             i++)
        {
            ids[n++] = base + array[i];
        }
    }

    return n;
}
