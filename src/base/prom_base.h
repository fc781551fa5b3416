
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The words every room uses: a span of bytes, the return codes, the likely
 * branch.  Nothing here allocates.
 */


#ifndef _PROM_BASE_H_INCLUDED_
#define _PROM_BASE_H_INCLUDED_


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>


/* Bytes that belong to somebody else; not NUL-terminated, may hold NUL. */

typedef struct {
    const uint8_t  *data;
    size_t          len;
} prom_str_t;


/* What a function answers when it is not a count or a pointer. */

#define PROM_OK        0
#define PROM_ERROR    -1        /* the input is bad, a message says why */
#define PROM_AGAIN    -2        /* call again, the time slice is used up */
#define PROM_NOMEM    -3        /* memory or a bound on memory is exhausted */
#define PROM_LIMIT    -4        /* a bound on work was hit, no answer */


#define prom_likely(x)    __builtin_expect(!!(x), 1)
#define prom_unlikely(x)  __builtin_expect(!!(x), 0)

#define prom_min(a, b)    ((a) < (b) ? (a) : (b))
#define prom_max(a, b)    ((a) > (b) ? (a) : (b))

#define prom_str(text)    ((prom_str_t) { (const uint8_t *) (text),           \
                                          sizeof(text) - 1 })


static inline bool
prom_str_eq(prom_str_t a, prom_str_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


/* Bytewise order; a proper prefix is smaller. */

static inline int
prom_str_cmp(prom_str_t a, prom_str_t b)
{
    int     rc;
    size_t  n;

    n = prom_min(a.len, b.len);
    rc = n ? memcmp(a.data, b.data, n) : 0;

    if (rc != 0) {
        return rc;
    }

    return (a.len > b.len) - (a.len < b.len);
}


#endif /* _PROM_BASE_H_INCLUDED_ */
