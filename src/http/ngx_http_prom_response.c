
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "ngx_http_prom_module.h"


#define NGX_HTTP_PROM_TEXT_TYPE  "text/plain; charset=utf-8"


static void ngx_http_prom_discard_body(ngx_http_request_t *r);


static ngx_str_t  ngx_http_prom_allow = ngx_string("Allow");
static ngx_str_t  ngx_http_prom_retry_after = ngx_string("Retry-After");
static ngx_str_t  ngx_http_prom_retry_seconds = ngx_string("5");
static ngx_str_t  ngx_http_prom_type_options =
    ngx_string("X-Content-Type-Options");
static ngx_str_t  ngx_http_prom_nosniff = ngx_string("nosniff");


ngx_int_t
ngx_http_prom_send_text(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *text)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    ngx_http_prom_discard_body(r);

    if (ngx_http_prom_add_header(r, &ngx_http_prom_type_options,
                                 &ngx_http_prom_nosniff)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = text->len;

    ngx_str_set(&r->headers_out.content_type, NGX_HTTP_PROM_TEXT_TYPE);
    r->headers_out.content_type_len = sizeof("text/plain") - 1;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = text->data;
    b->last = text->data + text->len;
    b->memory = text->len ? 1 : 0;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


/* 200 without a byte; the type, if there is one, is the caller's. */

ngx_int_t
ngx_http_prom_send_empty(ngx_http_request_t *r)
{
    ngx_http_prom_discard_body(r);

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = 0;
    r->header_only = 1;

    return ngx_http_send_header(r);
}


ngx_int_t
ngx_http_prom_send_options(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *allow)
{
    if (ngx_http_prom_add_header(r, &ngx_http_prom_allow, allow) != NGX_OK) {
        return NGX_ERROR;
    }

    if (status == NGX_HTTP_NO_CONTENT) {
        return NGX_HTTP_NO_CONTENT;
    }

    return ngx_http_prom_send_empty(r);
}


ngx_int_t
ngx_http_prom_send_not_allowed(ngx_http_request_t *r, ngx_str_t *allow)
{
    static ngx_str_t  text = ngx_string("Method Not Allowed\n");

    if (ngx_http_prom_add_header(r, &ngx_http_prom_allow, allow) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_prom_send_text(r, NGX_HTTP_NOT_ALLOWED, &text);
}


ngx_int_t
ngx_http_prom_send_unavailable(ngx_http_request_t *r, ngx_str_t *text)
{
    if (ngx_http_prom_add_header(r, &ngx_http_prom_retry_after,
                                 &ngx_http_prom_retry_seconds)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_prom_send_text(r, NGX_HTTP_SERVICE_UNAVAILABLE, text);
}


ngx_int_t
ngx_http_prom_add_header(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key = *name;
    h->value = *value;
    h->lowcase_key = NULL;
    ngx_http_prom_unlink_header(h);

    return NGX_OK;
}


ngx_int_t
ngx_http_prom_text(ngx_http_request_t *r, prom_msg_t *msg, ngx_str_t *text)
{
    text->data = ngx_pnalloc(r->pool, msg->len + 1);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    *ngx_cpymem(text->data, msg->data, msg->len) = LF;
    text->len = msg->len + 1;

    return NGX_OK;
}


/* A client that waits for "100 Continue" gets the answer instead. */

static void
ngx_http_prom_discard_body(ngx_http_request_t *r)
{
    r->expect_tested = 1;

    if (ngx_http_discard_request_body(r) != NGX_OK) {
        r->keepalive = 0;
    }
}
