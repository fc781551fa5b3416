
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * A message for the client, written into memory of the caller.  What does not
 * fit is left out whole, piece by piece, and `cut' tells so; the text always
 * stays NUL-terminated and valid UTF-8 as long as its pieces are.
 */


#ifndef _PROM_MSG_H_INCLUDED_
#define _PROM_MSG_H_INCLUDED_


#include "prom_base.h"


typedef struct {
    char    *data;
    size_t   len;               /* without the NUL */
    size_t   cap;               /* with the NUL */
    bool     cut;
} prom_msg_t;


void prom_msg_init(prom_msg_t *msg, char *data, size_t cap);
void prom_msg_add(prom_msg_t *msg, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Text as it is, shortened to `max' bytes and "..." where longer. */
void prom_msg_add_str(prom_msg_t *msg, prom_str_t str, size_t max);

/* Between quotes, as Go's strconv.Quote() does; shortened likewise. */
void prom_msg_add_quoted(prom_msg_t *msg, prom_str_t str, size_t max);


#endif /* _PROM_MSG_H_INCLUDED_ */
