
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * What the shortcuts are compared with.
 */


#ifndef _PROM_REGEX_PCRE_H_INCLUDED_
#define _PROM_REGEX_PCRE_H_INCLUDED_


#include "prom_regex.h"


/*
 * As prom_regex_compile(), but the kind is PROM_REGEX_PCRE whatever the
 * pattern, and nothing is taken off the tree.
 */
int prom_regex_compile_pcre(prom_regex_t **regex, prom_str_t pattern,
    prom_arena_t *arena, prom_msg_t *msg);


#endif /* _PROM_REGEX_PCRE_H_INCLUDED_ */
