
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Names and values as the text format writes them.
 *
 * Each function writes into p..end and returns the end of what it wrote, or
 * NULL where there is not room for all of it.  A `p' of NULL is passed on, so
 * that calls can be chained and only the last one looked at.
 */


#ifndef _PROM_ESCAPE_H_INCLUDED_
#define _PROM_ESCAPE_H_INCLUDED_


#include "prom_expose.h"


/*
 * The most that a byte of a name becomes: `.' under dots is `_dot_'.  What
 * stands before and around a name, "U__" or quotes, comes on top.
 */
#define PROM_ESCAPE_NAME_MAX   5
#define PROM_ESCAPE_NAME_MORE  3


/* As it is. */
static inline uint8_t *prom_escape_raw(uint8_t *p, uint8_t *end,
    prom_str_t str);

/*
 * A legacy name as it is, another one escaped, or quoted by allow-utf-8.  In
 * the name of a label a colon is escaped too.  Prometheus leaves it, and its
 * own parser then refuses the text as a whole.
 */
uint8_t *prom_escape_name(uint8_t *p, uint8_t *end, prom_str_t name,
    prom_escape_e escape);
uint8_t *prom_escape_label(uint8_t *p, uint8_t *end, prom_str_t name,
    prom_escape_e escape);

/* What stands between the quotes. */
uint8_t *prom_escape_value(uint8_t *p, uint8_t *end, prom_str_t value);


static inline uint8_t *
prom_escape_raw(uint8_t *p, uint8_t *end, prom_str_t str)
{
    if (p == NULL || str.len > (size_t) (end - p)) {
        return NULL;
    }

    if (str.len > 0) {
        memcpy(p, str.data, str.len);
    }

    return p + str.len;
}


#endif /* _PROM_ESCAPE_H_INCLUDED_ */
