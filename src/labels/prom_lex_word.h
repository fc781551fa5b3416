
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The keywords of PromQL.
 */


#ifndef _PROM_LEX_WORD_H_INCLUDED_
#define _PROM_LEX_WORD_H_INCLUDED_


#include "prom_lex.h"


/* What a word outside of braces is. */
prom_lex_e prom_lex_word(prom_str_t word);


#endif /* _PROM_LEX_WORD_H_INCLUDED_ */
