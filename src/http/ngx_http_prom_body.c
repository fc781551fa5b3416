
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The body of a request as nginx leaves it after reading: none at all, links
 * that often but not always lie one after the other in memory, or a file.
 */


#include "ngx_http_prom_module.h"


static ngx_int_t ngx_http_prom_body_read(ngx_http_request_t *r, ngx_buf_t *b,
    u_char *p);


off_t
ngx_http_prom_body_len(ngx_http_request_t *r)
{
    off_t         len;
    ngx_chain_t  *cl;

    len = 0;

    if (r->request_body == NULL) {
        return 0;
    }

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        len += ngx_buf_size(cl->buf);
    }

    return len;
}


ngx_int_t
ngx_http_prom_body_span(ngx_http_request_t *r, ngx_str_t *span)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    ngx_str_null(span);

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        b = cl->buf;

        if (ngx_buf_size(b) == 0) {
            continue;
        }

        if (!ngx_buf_in_memory(b)) {
            return NGX_DECLINED;
        }

        if (span->len == 0) {
            span->data = b->pos;

        } else if (span->data + span->len != b->pos) {
            return NGX_DECLINED;
        }

        span->len += b->last - b->pos;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_prom_body_copy(ngx_http_request_t *r, u_char *p)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, b->last - b->pos);
            continue;
        }

        if (ngx_buf_size(b) == 0) {
            continue;
        }

        if (ngx_http_prom_body_read(r, b, p) != NGX_OK) {
            return NGX_ERROR;
        }

        p += ngx_buf_size(b);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_prom_body_read(ngx_http_request_t *r, ngx_buf_t *b, u_char *p)
{
    off_t    offset;
    ssize_t  n;

    for (offset = b->file_pos; offset < b->file_last; offset += n) {

        n = ngx_read_file(b->file, p, (size_t) (b->file_last - offset),
                          offset);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (n == 0) {
            ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                          "temporary file \"%V\" of a request body is shorter "
                          "than the body", &b->file->name);
            return NGX_ERROR;
        }

        p += n;
    }

    return NGX_OK;
}
