
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "prom_re2.h"
#include "prom_re2_pcre.h"
#include "prom_re2_reduce.h"
#include "prom_regex.h"
#include "prom_regex_pcre.h"


static int prom_regex_literals(prom_regex_t *regex, prom_str_t pattern,
    prom_arena_t *arena);
static bool prom_regex_in_set(const prom_regex_t *regex, prom_str_t value);


static prom_regex_t *
prom_regex_new(prom_arena_t *arena)
{
    prom_regex_t  *regex;

    regex = prom_arena_alloc(arena, sizeof(prom_regex_t));

    if (regex != NULL) {
        memset(regex, 0, sizeof(prom_regex_t));
        regex->kind = PROM_REGEX_PCRE;
    }

    return regex;
}


int
prom_regex_compile(prom_regex_t **result, prom_str_t pattern,
    prom_arena_t *arena, prom_msg_t *msg)
{
    int               rc;
    prom_regex_t     *regex;
    prom_re2_node_t  *root;
    prom_re2_pcre_t  *pcre;

    pcre = NULL;

    regex = prom_regex_new(arena);
    if (regex == NULL) {
        return PROM_NOMEM;
    }

    rc = prom_regex_literals(regex, pattern, arena);

    if (rc == PROM_AGAIN) {
        rc = prom_re2_parse(&root, pattern, arena, msg);
        if (rc != PROM_OK) {
            return rc;
        }

        regex->matches_empty = prom_re2_nullable(root);

        prom_re2_strip(root);

        rc = prom_re2_reduce(regex, root, arena);

        if (rc == PROM_OK && regex->kind == PROM_REGEX_PCRE) {
            rc = prom_re2_pcre_compile(&pcre, root, pattern, arena, msg);
            regex->pcre = pcre;
        }
    }

    if (rc == PROM_OK) {
        *result = regex;
    }

    return rc;
}


int
prom_regex_compile_pcre(prom_regex_t **result, prom_str_t pattern,
    prom_arena_t *arena, prom_msg_t *msg)
{
    int               rc;
    prom_regex_t     *regex;
    prom_re2_node_t  *root;
    prom_re2_pcre_t  *pcre;

    pcre = NULL;

    regex = prom_regex_new(arena);
    if (regex == NULL) {
        return PROM_NOMEM;
    }

    rc = prom_re2_parse(&root, pattern, arena, msg);
    if (rc != PROM_OK) {
        return rc;
    }

    rc = prom_re2_pcre_compile(&pcre, root, pattern, arena, msg);

    if (rc == PROM_OK) {
        regex->pcre = pcre;
        *result = regex;
    }

    return rc;
}


/*
 * Literals with bars between need no parser, and are taken as they are even
 * where they are not UTF-8.  PROM_AGAIN: it is not such a pattern.
 */

static int
prom_regex_literals(prom_regex_t *regex, prom_str_t pattern,
    prom_arena_t *arena)
{
    size_t  i, n;

    n = 1;

    for (i = 0; i < pattern.len; i++) {

        if (pattern.data[i] == '|') {
            n++;

        } else if (memchr("\\.+*?()[]{}^$", pattern.data[i], 13) != NULL) {
            return PROM_AGAIN;
        }
    }

    if (pattern.len > PROM_RE2_LEN) {
        return PROM_AGAIN;
    }

    regex->set = prom_arena_alloc(arena, n * sizeof(prom_str_t));
    if (regex->set == NULL) {
        return PROM_NOMEM;
    }

    regex->set[0].data = pattern.data;
    regex->set[0].len = 0;
    n = 0;

    for (i = 0; i < pattern.len; i++) {

        if (pattern.data[i] != '|') {
            regex->set[n].len++;
            continue;
        }

        n++;
        regex->set[n].data = pattern.data + i + 1;
        regex->set[n].len = 0;
    }

    n++;

    regex->kind = PROM_REGEX_SET;
    regex->n = prom_re2_sort_set(regex->set, n);
    regex->matches_empty = (regex->set[0].len == 0);

    return PROM_OK;
}


void
prom_regex_destroy(prom_regex_t *regex)
{
    if (regex->pcre != NULL) {
        prom_re2_pcre_destroy(regex->pcre);
        regex->pcre = NULL;
    }
}


static inline bool
prom_regex_has_prefix(prom_str_t value, prom_str_t prefix)
{
    return value.len >= prefix.len
           && (prefix.len == 0
               || memcmp(value.data, prefix.data, prefix.len) == 0);
}


static bool
prom_regex_contains(prom_str_t value, prom_str_t literal)
{
    const uint8_t  *p, *end;

    if (value.len < literal.len) {
        return false;
    }

    p = value.data;
    end = p + (value.len - literal.len) + 1;

    while (p < end) {
        p = memchr(p, literal.data[0], end - p);

        if (p == NULL) {
            return false;
        }

        if (memcmp(p, literal.data, literal.len) == 0) {
            return true;
        }

        p++;
    }

    return false;
}


int
prom_regex_test(const prom_regex_t *regex, prom_str_t value)
{
    size_t      len;
    prom_str_t  tail;

    len = regex->literal.len;

    switch (regex->kind) {

    case PROM_REGEX_SET:
        return prom_regex_in_set(regex, value);

    case PROM_REGEX_PREFIX:
        return value.len >= len + regex->min_rest
               && prom_regex_has_prefix(value, regex->literal);

    case PROM_REGEX_SUFFIX:

        if (value.len < len + regex->min_rest) {
            return 0;
        }

        tail.data = value.data + (value.len - len);
        tail.len = len;

        return prom_str_eq(tail, regex->literal);

    case PROM_REGEX_CONTAINS:
        return prom_regex_contains(value, regex->literal);

    case PROM_REGEX_ANY:
        return value.len >= regex->min_rest;

    default:
        break;
    }

    if (!prom_regex_has_prefix(value, regex->literal)) {
        return 0;
    }

    return prom_re2_pcre_test(regex->pcre, value);
}


static bool
prom_regex_in_set(const prom_regex_t *regex, prom_str_t value)
{
    int     rc;
    size_t  lo, hi, mid;

    lo = 0;
    hi = regex->n;

    while (lo < hi) {
        mid = (lo + hi) / 2;
        rc = prom_str_cmp(value, regex->set[mid]);

        if (rc == 0) {
            return true;
        }

        if (rc > 0) {
            lo = mid + 1;

        } else {
            hi = mid;
        }
    }

    return false;
}
