
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * What a query knows about values that patterns were tried on: a pattern runs
 * once per distinct value, and never under a lock.  A value that is not known
 * is noted; prom_memo_test() then tries the noted ones.
 *
 * Bounded: full, it notes nothing more until prom_memo_tidy() forgets all.
 */


#ifndef _PROM_MEMO_H_INCLUDED_
#define _PROM_MEMO_H_INCLUDED_


#include "../base/prom_arena.h"
#include "../labels/prom_selector.h"


typedef struct {
    const prom_matcher_t  *matcher;     /* NULL: a free slot */
    uint64_t               hash;
    prom_str_t             value;
    int                    verdict;     /* 1, 0, PROM_AGAIN: not yet tried */
} prom_memo_slot_t;

typedef struct {
    prom_memo_slot_t  *slots;
    uint32_t           used;
    uint32_t           untried;
    uint32_t           next;            /* slot to try next */
    prom_arena_t       arena;
} prom_memo_t;


int prom_memo_init(prom_memo_t *memo);
void prom_memo_free(prom_memo_t *memo);

/* 1, 0; PROM_AGAIN when it was only noted; PROM_NOMEM. */
int prom_memo_get(prom_memo_t *memo, const uint64_t secret[4],
    const prom_matcher_t *matcher, prom_str_t value);

/*
 * Tries until the deadline (prom_clock()), one at the least; see memo->untried
 * for what is left.  PROM_OK, or PROM_LIMIT from a pattern.
 */
int prom_memo_test(prom_memo_t *memo, uint64_t deadline);
void prom_memo_tidy(prom_memo_t *memo);


#endif /* _PROM_MEMO_H_INCLUDED_ */
