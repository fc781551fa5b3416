
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Which series comes next, without a lock: see I1 and I4 of prom_segment.h.
 * Everything read here may change under the eyes, so every reference is
 * checked to lie in the segment, and the answer is worth nothing until the
 * caller has seen, under the lock, that the generation is still the same.
 */


#include "../labels/prom_labels.h"
#include "prom_series.h"


#define PROM_SERIES_FETCH  512          /* bytes of a key, the most of them */


/*
 * The live series after `prev', and where its key is.  Read without a lock
 * this may be anything, but it is in the segment.
 */
static inline prom_ref_t
prom_series_after(const prom_segment_t *seg, prom_ref_t prev, prom_str_t *key)
{
    uint64_t              start;
    prom_ref_t            ref;
    const prom_series_t  *series;

    series = prom_at(seg, prev);
    ref = atomic_load_explicit(&series->next, memory_order_acquire);

    if (ref == 0
        || ref % (sizeof(prom_series_t) / PROM_UNIT) != 0
        || prom_page_of(ref) >= seg->pages
        || prom_page(seg, prom_page_of(ref))->kind != PROM_KIND_SERIES)
    {
        return 0;
    }

    series = prom_at(seg, ref);

    if (!__atomic_load_n(&series->live, __ATOMIC_ACQUIRE)) {
        return 0;
    }

    start = (uint64_t) __atomic_load_n(&series->key, __ATOMIC_RELAXED)
            * PROM_UNIT;
    key->len = __atomic_load_n(&series->key_len, __ATOMIC_RELAXED);

    if (start + key->len > seg->size) {
        return 0;
    }

    key->data = prom_offset(seg, start);

    return ref;
}


/* The head after this one, or this one where there is none. */

static inline const prom_series_t *
prom_series_peek(const prom_segment_t *seg, const prom_series_t *series)
{
    prom_ref_t  ref;

    ref = atomic_load_explicit(&series->next, memory_order_relaxed);

    if (ref == 0
        || ref % (sizeof(prom_series_t) / PROM_UNIT) != 0
        || prom_page_of(ref) >= seg->pages)
    {
        return series;
    }

    return prom_at(seg, ref);
}


/*
 * What the guesses after this one will read: the key of the series after the
 * next, the head of the one after that.  Only that one was not fetched before.
 */
static inline void
prom_series_fetch(const prom_segment_t *seg, prom_ref_t ref)
{
    size_t                i;
    const uint8_t        *key;
    const prom_series_t  *series;

    series = prom_series_peek(seg, prom_at(seg, ref));
    series = prom_series_peek(seg, series);
    key = prom_at(seg, series->key);

    for (i = 0; i < prom_min(series->key_len, PROM_SERIES_FETCH);
         i += PROM_CACHE_LINE)
    {
        __builtin_prefetch(key + i);
    }

    __builtin_prefetch(prom_at(seg, series->next), 1);
}


prom_ref_t
prom_series_expect(const prom_segment_t *seg, prom_ref_t prev,
    prom_str_t *key)
{
    prom_ref_t  ref;

    ref = prom_series_after(seg, prev, key);

    if (ref != 0) {
        prom_series_fetch(seg, ref);
    }

    return ref;
}


prom_ref_t
prom_series_guess(const prom_segment_t *seg, prom_ref_t prev, prom_str_t key)
{
    prom_ref_t  ref;
    prom_str_t  bytes;

    ref = prom_series_expect(seg, prev, &bytes);

    return ref != 0 && prom_str_eq(bytes, key) ? ref : 0;
}


prom_ref_t
prom_series_guess_set(const prom_segment_t *seg, prom_ref_t prev,
    prom_str_t run, uint8_t *order)
{
    uint8_t     copy[PROM_KEY_MAX];
    prom_ref_t  ref;
    prom_str_t  bytes;

    ref = prom_series_expect(seg, prev, &bytes);

    if (ref == 0 || bytes.len != run.len || run.len > PROM_KEY_MAX) {
        return 0;
    }

    /* lengths in it must not change between their check and their use */

    memcpy(copy, bytes.data, run.len);
    bytes.data = copy;

    return prom_labels_same_set(run, bytes, order) ? ref : 0;
}
