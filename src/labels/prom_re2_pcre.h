
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * A tree as a pattern of PCRE2, compiled and run.
 *
 * The text made of a tree uses nothing whose meaning depends on the version of
 * the library or on how it was built: characters stand as letters, digits or
 * \x{...}, classes as lists of such and of properties.
 */


#ifndef _PROM_RE2_PCRE_H_INCLUDED_
#define _PROM_RE2_PCRE_H_INCLUDED_


#include "prom_re2.h"


#define PROM_RE2_MATCH_LIMIT  1000000
#define PROM_RE2_HEAP_LIMIT   20480     /* KiB */


typedef struct prom_re2_pcre_s  prom_re2_pcre_t;


/* The text; PROM_OK or PROM_NOMEM. */
int prom_re2_emit(const prom_re2_node_t *root, prom_arena_t *arena,
    prom_str_t *text);

/*
 * PROM_OK, PROM_ERROR with a message that quotes `pattern' where it is too
 * large for PCRE2, or PROM_NOMEM.  What PCRE2 takes from malloc() counts as
 * taken from the arena.
 */
int prom_re2_pcre_compile(prom_re2_pcre_t **pcre, const prom_re2_node_t *root,
    prom_str_t pattern, prom_arena_t *arena, prom_msg_t *msg);
void prom_re2_pcre_destroy(prom_re2_pcre_t *pcre);

/* 1, 0 or PROM_LIMIT; what is not UTF-8 does not match. */
int prom_re2_pcre_test(const prom_re2_pcre_t *pcre, prom_str_t value);


#endif /* _PROM_RE2_PCRE_H_INCLUDED_ */
