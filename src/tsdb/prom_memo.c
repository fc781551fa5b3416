
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include <stdlib.h>

#include "../base/prom_clock.h"
#include "../base/prom_hash.h"
#include "prom_memo.h"


#define PROM_MEMO_SLOTS  8192           /* a power of two */
#define PROM_MEMO_FULL   (PROM_MEMO_SLOTS / 2)
#define PROM_MEMO_BYTES  (64 << 20)


int
prom_memo_init(prom_memo_t *memo)
{
    memset(memo, 0, sizeof(prom_memo_t));
    prom_arena_init(&memo->arena, PROM_MEMO_BYTES);

    memo->slots = calloc(PROM_MEMO_SLOTS, sizeof(prom_memo_slot_t));

    return memo->slots != NULL ? PROM_OK : PROM_NOMEM;
}


void
prom_memo_free(prom_memo_t *memo)
{
    free(memo->slots);
    prom_arena_free(&memo->arena);
}


static prom_memo_slot_t *
prom_memo_find(prom_memo_t *memo, uint64_t hash, const prom_matcher_t *matcher,
    prom_str_t value)
{
    uint32_t           i;
    prom_memo_slot_t  *slot;

    for (i = (uint32_t) hash; /* void */ ; i++) {
        slot = memo->slots + i % PROM_MEMO_SLOTS;

        if (slot->matcher == NULL
            || (slot->hash == hash && slot->matcher == matcher
                && prom_str_eq(slot->value, value)))
        {
            return slot;
        }
    }
}


int
prom_memo_get(prom_memo_t *memo, const uint64_t secret[4],
    const prom_matcher_t *matcher, prom_str_t value)
{
    uint8_t           *p;
    uint64_t           hash;
    prom_memo_slot_t  *slot;

    hash = prom_hash(secret, value.data, value.len)
           ^ (uint64_t) (uintptr_t) matcher;
    slot = prom_memo_find(memo, hash, matcher, value);

    if (slot->matcher != NULL) {
        return slot->verdict;
    }

    if (memo->used == PROM_MEMO_FULL) {
        return PROM_AGAIN;
    }

    p = prom_arena_alloc(&memo->arena, prom_max(value.len, (size_t) 1));
    if (p == NULL) {
        return PROM_NOMEM;
    }

    memcpy(p, value.data, value.len);

    slot->matcher = matcher;
    slot->hash = hash;
    slot->value = (prom_str_t) { p, value.len };
    slot->verdict = PROM_AGAIN;

    memo->used++;
    memo->untried++;

    return PROM_AGAIN;
}


int
prom_memo_test(prom_memo_t *memo, uint64_t deadline)
{
    prom_memo_slot_t  *slot;

    while (memo->untried > 0) {
        slot = memo->slots + memo->next++ % PROM_MEMO_SLOTS;

        if (slot->matcher == NULL || slot->verdict != PROM_AGAIN) {
            continue;
        }

        slot->verdict = prom_matcher_test(slot->matcher, slot->value);
        memo->untried--;

        if (slot->verdict == PROM_LIMIT) {
            return PROM_LIMIT;
        }

        if (prom_clock() >= deadline) {
            break;
        }
    }

    return PROM_OK;
}


void
prom_memo_tidy(prom_memo_t *memo)
{
    if (memo->used < PROM_MEMO_FULL) {
        return;
    }

    memset(memo->slots, 0, PROM_MEMO_SLOTS * sizeof(prom_memo_slot_t));
    prom_arena_free(&memo->arena);
    memo->used = 0;
    memo->untried = 0;
}
