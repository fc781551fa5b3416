
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * A series selector as match[] carries it: name{label op "value", ...}.
 * Grammar, escapes and error texts are those of Prometheus 3.4's
 * ParseMetricSelector(), which does not ask for a non-empty matcher.
 *
 * A label that a series lacks has the value "".  `{}' selects nothing: it has
 * no matcher, and the reader treats such a selector as empty.
 *
 * Everything a selector points to lives in the arena it was parsed into; the
 * compiled patterns are released by prom_selector_destroy(), which comes
 * before prom_arena_free().
 */


#ifndef _PROM_SELECTOR_H_INCLUDED_
#define _PROM_SELECTOR_H_INCLUDED_


#include "../base/prom_arena.h"
#include "../base/prom_base.h"
#include "../base/prom_msg.h"
#include "prom_regex.h"


typedef enum {
    PROM_MATCH_EQ = 0,
    PROM_MATCH_NE,
    PROM_MATCH_RE,
    PROM_MATCH_NRE
} prom_match_e;


typedef struct {
    prom_match_e   type;
    prom_str_t     name;
    prom_str_t     value;               /* EQ, NE: the text to be equal to */
    prom_regex_t  *regex;               /* RE, NRE */
    bool           matches_empty;       /* holds for a series without label */
} prom_matcher_t;


typedef struct {
    prom_matcher_t  *matchers;
    size_t           n;
} prom_selector_t;


/*
 * PROM_OK, PROM_ERROR with the message ("1:5: parse error: ..."), or
 * PROM_NOMEM when the arena is exhausted.
 */
int prom_selector_parse(prom_selector_t *selector, prom_str_t text,
    prom_arena_t *arena, prom_msg_t *msg);
void prom_selector_destroy(prom_selector_t *selector);

/*
 * 1 if the value satisfies the matcher, 0 if not, PROM_LIMIT when the pattern
 * engine hit its limit: that is an error of the request, never a "no".
 */
int prom_matcher_test(const prom_matcher_t *matcher, prom_str_t value);


#endif /* _PROM_SELECTOR_H_INCLUDED_ */
