
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The Test Anything Protocol for unit tests in C.  A test ends with
 *
 *     return tap_done();
 */


#ifndef _TAP_H_INCLUDED_
#define _TAP_H_INCLUDED_


#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>


static unsigned  tap_count;
static unsigned  tap_failed;


static inline bool
tap_result(bool ok, const char *fmt, va_list args)
{
    const char  *p;
    char         name[512];

    vsnprintf(name, sizeof(name), fmt, args);

    printf("%s %u - ", ok ? "ok" : "not ok", ++tap_count);

    for (p = name; *p != '\0'; p++) {
        putchar((*p == '#' || (unsigned char) *p < ' ') ? '.' : *p);
    }

    putchar('\n');

    if (!ok) {
        tap_failed++;
        fflush(stdout);
    }

    return ok;
}


__attribute__((format(printf, 2, 3)))
static inline bool
tap_ok(bool cond, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    tap_result(cond, fmt, args);
    va_end(args);

    return cond;
}


static inline void
tap_diag_bytes(const char *what, const void *data, size_t len)
{
    size_t                i;
    const unsigned char  *p;

    p = data;
    printf("# %s (%zu): ", what, len);

    for (i = 0; i < len; i++) {

        if (p[i] >= ' ' && p[i] != 0x7f) {
            putchar(p[i]);

        } else {
            printf("\\x%02x", p[i]);
        }
    }

    putchar('\n');
}


__attribute__((format(printf, 4, 5)))
static inline bool
tap_is_str(const void *got, size_t len, const char *want, const char *fmt, ...)
{
    bool     ok;
    va_list  args;

    ok = got != NULL && len == strlen(want) && memcmp(got, want, len) == 0;

    va_start(args, fmt);
    tap_result(ok, fmt, args);
    va_end(args);

    if (!ok) {
        tap_diag_bytes(" got", got, got != NULL ? len : 0);
        tap_diag_bytes("want", want, strlen(want));
    }

    return ok;
}


__attribute__((format(printf, 3, 4)))
static inline bool
tap_is_int(int64_t got, int64_t want, const char *fmt, ...)
{
    bool     ok;
    va_list  args;

    ok = (got == want);

    va_start(args, fmt);
    tap_result(ok, fmt, args);
    va_end(args);

    if (!ok) {
        printf("#  got: %" PRId64 "\n# want: %" PRId64 "\n", got, want);
    }

    return ok;
}


static inline int
tap_done(void)
{
    printf("1..%u\n", tap_count);

    if (tap_failed != 0) {
        printf("# failed %u of %u\n", tap_failed, tap_count);
    }

    return tap_failed != 0;
}


#endif /* _TAP_H_INCLUDED_ */
