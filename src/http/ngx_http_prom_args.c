
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Query strings and form bodies, as Go's net/url decodes them: pairs between
 * "&", empty ones skipped, "+" is a blank, a missing "=" an empty value.  One
 * bad pair anywhere refuses all.
 */


#include "ngx_http_prom_module.h"


#define NGX_HTTP_PROM_PAIRS_MAX  10000


static ngx_int_t ngx_http_prom_unescape(ngx_str_t *str, ngx_str_t *bad);
static ngx_int_t ngx_http_prom_hex(u_char ch);
static ngx_uint_t ngx_http_prom_count_pairs(u_char *p, u_char *last);
static ngx_int_t ngx_http_prom_bad_args(ngx_http_request_t *r, ngx_str_t *bad,
    const char *reason, ngx_str_t *error);


ngx_int_t
ngx_http_prom_parse_args(ngx_http_request_t *r, ngx_str_t *args,
    ngx_str_t *name, ngx_array_t *values, ngx_str_t *error)
{
    u_char     *p, *last, *end, *eq;
    ngx_str_t   key, value, bad, *match;

    if (args->len == 0) {
        return NGX_OK;
    }

    /* decoding is done in place, and the original is for the logs */

    p = ngx_pstrdup(r->pool, args);
    if (p == NULL) {
        return NGX_ERROR;
    }

    last = p + args->len;

    if (ngx_http_prom_count_pairs(p, last) > NGX_HTTP_PROM_PAIRS_MAX) {
        return ngx_http_prom_bad_args(r, NULL, "number of URL query "
                                      "parameters exceeded limit", error);
    }

    if (ngx_strlchr(p, last, ';') != NULL) {
        return ngx_http_prom_bad_args(r, NULL, "invalid semicolon separator "
                                      "in query", error);
    }

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');
        if (end == NULL) {
            end = last;
        }

        eq = ngx_strlchr(p, end, '=');
        if (eq == NULL) {
            eq = end;
        }

        key.data = p;
        key.len = eq - p;

        value.data = ngx_min(eq + 1, end);
        value.len = end - value.data;

        if (ngx_http_prom_unescape(&key, &bad) != NGX_OK
            || ngx_http_prom_unescape(&value, &bad) != NGX_OK)
        {
            return ngx_http_prom_bad_args(r, &bad, "invalid URL escape ",
                                          error);
        }

        if (key.len != name->len
            || ngx_memcmp(key.data, name->data, name->len) != 0)
        {
            continue;
        }

        match = ngx_array_push(values);
        if (match == NULL) {
            return NGX_ERROR;
        }

        *match = value;
    }

    return NGX_OK;
}


/* In place; what cannot be decoded, at most three bytes, is left in `bad'. */

static ngx_int_t
ngx_http_prom_unescape(ngx_str_t *str, ngx_str_t *bad)
{
    u_char     *p, *q, *last;
    ngx_int_t   high, low;

    p = str->data;
    q = p;
    last = p + str->len;

    while (p < last) {

        if (*p != '%') {
            *q++ = (*p == '+') ? ' ' : *p;
            p++;
            continue;
        }

        high = (last - p > 2) ? ngx_http_prom_hex(p[1]) : NGX_ERROR;
        low = (last - p > 2) ? ngx_http_prom_hex(p[2]) : NGX_ERROR;

        if (high == NGX_ERROR || low == NGX_ERROR) {
            bad->data = p;
            bad->len = ngx_min(last - p, 3);
            return NGX_DECLINED;
        }

        *q++ = (u_char) (high << 4 | low);
        p += 3;
    }

    str->len = q - str->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_prom_hex(u_char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch |= 0x20;

    if (ch >= 'a' && ch <= 'f') {
        return ch - 'a' + 10;
    }

    return NGX_ERROR;
}


static ngx_uint_t
ngx_http_prom_count_pairs(u_char *p, u_char *last)
{
    ngx_uint_t  n;

    n = 1;

    for ( ;; ) {
        p = ngx_strlchr(p, last, '&');
        if (p == NULL) {
            return n;
        }

        n++;
        p++;
    }
}


static ngx_int_t
ngx_http_prom_bad_args(ngx_http_request_t *r, ngx_str_t *bad,
    const char *reason, ngx_str_t *error)
{
    char        text[256];
    prom_msg_t  msg;
    prom_str_t  str;

    prom_msg_init(&msg, text, sizeof(text));
    prom_msg_add(&msg, "error parsing form values: %s", reason);

    if (bad != NULL) {
        str.data = bad->data;
        str.len = bad->len;
        prom_msg_add_quoted(&msg, str, str.len);
    }

    if (ngx_http_prom_text(r, &msg, error) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_DECLINED;
}
