
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * UTF-8 as RFC 3629 and Go's unicode/utf8 have it: no overlong forms, no
 * surrogates, nothing above U+10FFFF.
 */


#ifndef _PROM_UTF8_H_INCLUDED_
#define _PROM_UTF8_H_INCLUDED_


#include "prom_base.h"


#define PROM_UTF8_ERROR  0xfffdu        /* U+FFFD, what a bad byte decodes to */


bool prom_utf8_valid(const uint8_t *p, size_t len);

/*
 * Decodes one code point of a non-empty run and sets *size to the bytes it
 * takes; a bad byte is PROM_UTF8_ERROR with *size 1.
 */
uint32_t prom_utf8_decode(const uint8_t *p, size_t len, size_t *size);

/* Writes 1 to 4 bytes, returns how many. */
size_t prom_utf8_encode(uint8_t *p, uint32_t c);


#endif /* _PROM_UTF8_H_INCLUDED_ */
