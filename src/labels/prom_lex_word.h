
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * What only messages need: the keywords of PromQL, numbers and durations.
 */


#ifndef _PROM_LEX_WORD_H_INCLUDED_
#define _PROM_LEX_WORD_H_INCLUDED_


#include "prom_lex.h"


/* What a word outside of braces is. */
prom_lex_e prom_lex_word(prom_str_t word);

/*
 * At a digit, or a dot before one: PROM_LEX_NUMBER, _DURATION or _ERROR, with
 * *pos moved behind what was read.
 */
prom_lex_e prom_lex_number(prom_str_t text, size_t *pos);


#endif /* _PROM_LEX_WORD_H_INCLUDED_ */
