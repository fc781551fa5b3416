
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Patterns of selectors: RE2 syntax as Prometheus 3.4 takes it (Go's
 * regexp/syntax, dot matches newline, anchored at both ends of the value).
 *
 * A pattern is parsed by our own parser, refused where Go refuses it, and
 * reduced to the cheapest form that decides it:
 *
 *   SET       one of a list of literals (a lone literal is a list of one)
 *   PREFIX    literal.*      with min_rest 1 for literal.+
 *   SUFFIX    .*literal      likewise
 *   CONTAINS  .*literal.*
 *   ANY       .*             with min_rest 1 for .+
 *   PCRE      everything else: a canonical PCRE2 pattern made from the parsed
 *             tree, run with a match limit
 *
 * An index may use SET and the literal of PREFIX to find values without
 * testing each.
 */


#ifndef _PROM_REGEX_H_INCLUDED_
#define _PROM_REGEX_H_INCLUDED_


#include "../base/prom_arena.h"
#include "../base/prom_base.h"
#include "../base/prom_msg.h"


typedef enum {
    PROM_REGEX_SET = 0,
    PROM_REGEX_PREFIX,
    PROM_REGEX_SUFFIX,
    PROM_REGEX_CONTAINS,
    PROM_REGEX_ANY,
    PROM_REGEX_PCRE
} prom_regex_e;


typedef struct {
    prom_regex_e   kind;
    prom_str_t    *set;                 /* SET: sorted bytewise, no doubles */
    size_t         n;
    prom_str_t     literal;             /* PREFIX, SUFFIX, CONTAINS; for PCRE
                                           a literal prefix, may be empty */
    size_t         min_rest;            /* bytes beside the literal, 0 or 1 */
    bool           matches_empty;       /* a value of length 0 */
    void          *pcre;                /* PCRE: compiled code and match data */
} prom_regex_t;


/*
 * PROM_OK, PROM_ERROR with Go's words in the message ("missing closing ): `('"
 * with Go's backticks), or PROM_NOMEM.
 */
int prom_regex_compile(prom_regex_t **regex, prom_str_t pattern,
    prom_arena_t *arena, prom_msg_t *msg);
void prom_regex_destroy(prom_regex_t *regex);

/* 1, 0 or PROM_LIMIT. */
int prom_regex_test(const prom_regex_t *regex, prom_str_t value);


#endif /* _PROM_REGEX_H_INCLUDED_ */
