
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The content handler of remote write:
 *
 *     handler    method, readiness, Content-Type, Content-Encoding
 *     body       nginx has read it, it goes to the write path as one span
 *     run        the write path works a millisecond at a time, in between
 *                the event loop turns
 *     answer     204, or the status and text of the write path
 *
 * A client that goes away while it runs leaves nothing behind: the cleanup
 * of the request closes the write path before it has stored anything.
 */


#include "ngx_http_prom_module.h"

#include <snappy-c.h>


#define NGX_HTTP_PROM_LOG_MAX  256      /* bytes of an error in the log */
#define NGX_HTTP_PROM_KEEP     60000    /* ms, see run */


typedef struct {
    ngx_http_request_t      *request;
    ngx_http_prom_store_t   *store;
    prom_write_version_e     version;
    prom_write_t            *write;
    ngx_event_t              event;
} ngx_http_prom_write_ctx_t;


static void ngx_http_prom_write_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_prom_write_start(ngx_http_request_t *r,
    ngx_http_prom_write_ctx_t *ctx);
static ngx_int_t ngx_http_prom_write_gather(ngx_http_request_t *r,
    ngx_http_prom_write_ctx_t *ctx, size_t len, prom_str_t *body);
static void ngx_http_prom_write_run(ngx_http_prom_write_ctx_t *ctx);
static void ngx_http_prom_write_event_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_prom_write_answer(ngx_http_request_t *r,
    ngx_http_prom_write_ctx_t *ctx);
static ngx_int_t ngx_http_prom_write_counts(ngx_http_request_t *r,
    const prom_write_result_t *result);
static ngx_int_t ngx_http_prom_write_count(ngx_http_request_t *r,
    ngx_str_t *name, uint64_t n);
static void ngx_http_prom_write_log_refused(ngx_http_request_t *r,
    ngx_http_prom_write_ctx_t *ctx, const prom_write_result_t *result);
static void ngx_http_prom_write_log_left_out(ngx_http_request_t *r,
    ngx_http_prom_write_ctx_t *ctx, const prom_write_result_t *result);
static void ngx_http_prom_write_first_line(const prom_write_result_t *result,
    ngx_str_t *line);
static void ngx_http_prom_write_cleanup(void *data);


static ngx_str_t  ngx_http_prom_write_allow =
    ngx_string("POST, OPTIONS");

static ngx_str_t  ngx_http_prom_samples_written =
    ngx_string("X-Prometheus-Remote-Write-Samples-Written");
static ngx_str_t  ngx_http_prom_histograms_written =
    ngx_string("X-Prometheus-Remote-Write-Histograms-Written");
static ngx_str_t  ngx_http_prom_exemplars_written =
    ngx_string("X-Prometheus-Remote-Write-Exemplars-Written");

static ngx_str_t  ngx_http_prom_write_not_ready =
    ngx_string("Service Unavailable\n");
static ngx_str_t  ngx_http_prom_write_no_memory =
    ngx_string("out of memory\n");
static ngx_str_t  ngx_http_prom_write_empty =
    ngx_string("snappy: corrupt input\n");
static ngx_str_t  ngx_http_prom_write_too_large =
    ngx_string("request body too large\n");


ngx_int_t
ngx_http_prom_write_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_str_t                   error;
    prom_write_version_e        version;
    ngx_http_prom_store_t      *store;
    ngx_http_prom_loc_conf_t   *plcf;
    ngx_http_prom_write_ctx_t  *ctx;

    if (r->method == NGX_HTTP_OPTIONS) {
        return ngx_http_prom_send_options(r, NGX_HTTP_NO_CONTENT,
                                          &ngx_http_prom_write_allow);
    }

    if (r->method != NGX_HTTP_POST) {
        return ngx_http_prom_send_not_allowed(r, &ngx_http_prom_write_allow);
    }

    plcf = ngx_http_get_module_loc_conf(r, ngx_http_prom_module);
    store = plcf->use->store;

    if (store->db.segment == NULL) {
        return ngx_http_prom_send_unavailable(r,
                                              &ngx_http_prom_write_not_ready);
    }

    rc = ngx_http_prom_write_version(r, &version, &error);

    if (rc == NGX_OK) {
        rc = ngx_http_prom_write_encoding(r, &error);
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_prom_send_text(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                       &error);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_prom_write_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->request = r;
    ctx->store = store;
    ctx->version = version;

    ngx_http_set_ctx(r, ctx, ngx_http_prom_module);

    rc = ngx_http_read_client_request_body(r, ngx_http_prom_write_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_http_prom_write_body_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_prom_write_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_prom_module);

    rc = ngx_http_prom_write_start(r, ctx);

    if (rc != NGX_DECLINED) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    if (!r->discard_body) {
        r->read_event_handler = ngx_http_test_reading;
    }

    r->write_event_handler = ngx_http_request_empty_handler;

    ngx_http_prom_write_run(ctx);
}


/*
 * NGX_DECLINED when it is to be run, else the end of the request: an answer
 * that has been sent may be any of NGX_OK, NGX_AGAIN and NGX_ERROR.
 */

static ngx_int_t
ngx_http_prom_write_start(ngx_http_request_t *r,
    ngx_http_prom_write_ctx_t *ctx)
{
    off_t                      len;
    ngx_int_t                  rc;
    prom_str_t                 body;
    ngx_http_cleanup_t        *cln;
    ngx_http_prom_loc_conf_t  *plcf;

    plcf = ngx_http_get_module_loc_conf(r, ngx_http_prom_module);

    len = ngx_http_prom_body_len(r);

    if (len == 0) {
        return ngx_http_prom_send_text(r, NGX_HTTP_BAD_REQUEST,
                                       &ngx_http_prom_write_empty);
    }

    /* snappy never makes more of what is small enough */

    if ((uint64_t) len > snappy_max_compressed_length(plcf->max_decoded_size))
    {
        return ngx_http_prom_send_text(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                       &ngx_http_prom_write_too_large);
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_prom_write_cleanup;
    cln->data = ctx;

    ctx->event.handler = ngx_http_prom_write_event_handler;
    ctx->event.data = ctx;
    ctx->event.log = r->connection->log;

    ctx->write = prom_write_open(&ctx->store->db, &plcf->write, ctx->version);

    if (ctx->write == NULL) {
        return ngx_http_prom_send_unavailable(r,
                                              &ngx_http_prom_write_no_memory);
    }

    rc = ngx_http_prom_write_gather(r, ctx, (size_t) len, &body);

    if (rc == NGX_DECLINED) {
        return ngx_http_prom_send_unavailable(r,
                                              &ngx_http_prom_write_no_memory);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    prom_write_start(ctx->write, body, ngx_http_prom_now());

    return NGX_DECLINED;
}


/* NGX_DECLINED: no memory. */

static ngx_int_t
ngx_http_prom_write_gather(ngx_http_request_t *r,
    ngx_http_prom_write_ctx_t *ctx, size_t len, prom_str_t *body)
{
    u_char     *p;
    ngx_str_t   span;

    if (ngx_http_prom_body_span(r, &span) == NGX_OK) {
        body->data = span.data;
        body->len = span.len;

        return NGX_OK;
    }

    p = prom_write_room(ctx->write, len);
    if (p == NULL) {
        return NGX_DECLINED;
    }

    body->data = p;
    body->len = len;

    return ngx_http_prom_body_copy(r, p);
}


static void
ngx_http_prom_write_run(ngx_http_prom_write_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    if (prom_write_run(ctx->write) == PROM_AGAIN) {
        ngx_post_event(&ctx->event, &ngx_posted_next_events);

        /* a worker that is to quit waits for timers, not for posted events */

        ngx_add_timer(&ctx->event, NGX_HTTP_PROM_KEEP);

        return;
    }

    r = ctx->request;

    rc = ngx_http_prom_write_answer(r, ctx);

    ngx_http_prom_write_cleanup(ctx);

    ngx_http_finalize_request(r, rc);
}


static void
ngx_http_prom_write_event_handler(ngx_event_t *ev)
{
    ngx_connection_t           *c;
    ngx_http_prom_write_ctx_t  *ctx;

    ctx = ev->data;
    c = ctx->request->connection;

    ngx_http_prom_write_run(ctx);

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_prom_write_answer(ngx_http_request_t *r,
    ngx_http_prom_write_ctx_t *ctx)
{
    ngx_str_t                   text;
    const prom_write_result_t  *result;

    result = prom_write_result(ctx->write);

    if (result->counted && ngx_http_prom_write_counts(r, result) != NGX_OK) {
        return NGX_ERROR;
    }

    if (result->status == NGX_HTTP_NO_CONTENT) {
        ngx_http_prom_write_log_left_out(r, ctx, result);
        return NGX_HTTP_NO_CONTENT;
    }

    /* the answer may be sent after the write path has been closed */

    text.len = result->text.len;
    text.data = ngx_pnalloc(r->pool, text.len);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(text.data, result->text.data, text.len);

    ngx_http_prom_write_log_refused(r, ctx, result);

    if (result->status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        return ngx_http_prom_send_unavailable(r, &text);
    }

    return ngx_http_prom_send_text(r, result->status, &text);
}


static ngx_int_t
ngx_http_prom_write_counts(ngx_http_request_t *r,
    const prom_write_result_t *result)
{
    if (ngx_http_prom_write_count(r, &ngx_http_prom_samples_written,
                                  result->samples)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_prom_write_count(r, &ngx_http_prom_histograms_written,
                                  result->histograms)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_prom_write_count(r, &ngx_http_prom_exemplars_written,
                                     result->exemplars);
}


static ngx_int_t
ngx_http_prom_write_count(ngx_http_request_t *r, ngx_str_t *name, uint64_t n)
{
    ngx_str_t  value;

    value.data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%uL", n) - value.data;

    return ngx_http_prom_add_header(r, name, &value);
}


/* A full store is the operator's business, a bad request the sender's. */

static void
ngx_http_prom_write_log_refused(ngx_http_request_t *r,
    ngx_http_prom_write_ctx_t *ctx, const prom_write_result_t *result)
{
    ngx_str_t   line;
    ngx_uint_t  level;

    ngx_http_prom_write_first_line(result, &line);

    level = (result->status == NGX_HTTP_SERVICE_UNAVAILABLE) ? NGX_LOG_WARN
                                                             : NGX_LOG_INFO;

    ngx_log_error(level, r->connection->log, 0,
                  "store \"%V\": remote write refused: %V",
                  &ctx->store->name, &line);
}


/* The sender is not told, the protocol has no word for it. */

static void
ngx_http_prom_write_log_left_out(ngx_http_request_t *r,
    ngx_http_prom_write_ctx_t *ctx, const prom_write_result_t *result)
{
    ngx_str_t  line;

    if (result->skipped) {
        ngx_http_prom_write_first_line(result, &line);

        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "store \"%V\": remote write left out %uL series with "
                      "bad labels, the first: %V",
                      &ctx->store->name, result->skipped, &line);
    }

    if (result->unstored) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "store \"%V\": remote write left out %uL exemplars and "
                      "histograms", &ctx->store->name, result->unstored);
    }
}


/* The first line is enough to know what is wrong. */

static void
ngx_http_prom_write_first_line(const prom_write_result_t *result,
    ngx_str_t *line)
{
    u_char  *end;

    line->data = (u_char *) result->text.data;
    line->len = ngx_min(result->text.len, NGX_HTTP_PROM_LOG_MAX);

    end = ngx_strlchr(line->data, line->data + line->len, LF);

    if (end != NULL) {
        line->len = end - line->data;
    }
}


static void
ngx_http_prom_write_cleanup(void *data)
{
    ngx_http_prom_write_ctx_t  *ctx = data;

    if (ctx->event.posted) {
        ngx_delete_posted_event(&ctx->event);
    }

    if (ctx->event.timer_set) {
        ngx_del_timer(&ctx->event);
    }

    if (ctx->write != NULL) {
        prom_write_close(ctx->write);
        ctx->write = NULL;
    }
}
