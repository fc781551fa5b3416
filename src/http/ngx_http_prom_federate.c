
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The content handler of /federate:
 *
 *     handler    method, readiness, body
 *     start      parameters, selectors, negotiation
 *     run        fills a few buffers, sends them, and comes back when the
 *                event loop has turned or the client has taken some
 *
 * The header is sent with the first bytes, so that an error before those can
 * still become a status; an answer that is complete by then has a
 * Content-Length.  An error after them breaks the answer off in a way that
 * the client notices.
 */


#include "ngx_http_prom_module.h"

#include "../path/prom_federate.h"


#define NGX_HTTP_PROM_BUFS       4
#define NGX_HTTP_PROM_BUF_SIZE   32768
#define NGX_HTTP_PROM_FILLS      2      /* of a turn, 1/4 ms each */

#define NGX_HTTP_PROM_FORM_MAX   (1024 * 1024)
#define NGX_HTTP_PROM_ARENA_MAX  (8 * 1024 * 1024)


typedef struct {
    prom_arena_t         arena;
    prom_selector_t     *selectors;
    size_t               nselectors;
    prom_federate_t     *federate;
    ngx_str_t            content_type;

    ngx_chain_t         *free;
    ngx_chain_t         *busy;
    ngx_uint_t           bufs;          /* that exist, free or busy */

    int                  failure;       /* of prom_federate_fill() */
    unsigned             done:1;        /* all of the answer is in buffers */
} ngx_http_prom_federate_ctx_t;


static void ngx_http_prom_federate_start(ngx_http_request_t *r);
static ngx_int_t ngx_http_prom_federate_open(ngx_http_request_t *r);
static ngx_int_t ngx_http_prom_federate_args(ngx_http_request_t *r,
    ngx_array_t *match, ngx_str_t *error);
static ngx_int_t ngx_http_prom_federate_form(ngx_http_request_t *r,
    ngx_str_t *form);
static ngx_int_t ngx_http_prom_federate_select(ngx_http_request_t *r,
    ngx_http_prom_federate_ctx_t *ctx, ngx_array_t *match, ngx_str_t *error);
static ngx_int_t ngx_http_prom_federate_begin(ngx_http_request_t *r,
    ngx_http_prom_federate_ctx_t *ctx, ngx_http_prom_store_t *store);
static void ngx_http_prom_federate_run(ngx_http_request_t *r);
static ngx_int_t ngx_http_prom_federate_fill(ngx_http_request_t *r,
    ngx_http_prom_federate_ctx_t *ctx, ngx_chain_t **out);
static ngx_chain_t *ngx_http_prom_federate_buf(ngx_http_request_t *r,
    ngx_http_prom_federate_ctx_t *ctx);
static ngx_int_t ngx_http_prom_federate_fail(ngx_http_request_t *r,
    ngx_http_prom_federate_ctx_t *ctx);
static ngx_int_t ngx_http_prom_federate_send_header(ngx_http_request_t *r,
    ngx_http_prom_federate_ctx_t *ctx, ngx_chain_t *out);
static ngx_int_t ngx_http_prom_federate_send(ngx_http_request_t *r,
    ngx_http_prom_federate_ctx_t *ctx, ngx_chain_t *out);
static ngx_int_t ngx_http_prom_federate_wait(ngx_http_request_t *r,
    ngx_http_prom_federate_ctx_t *ctx);
static void ngx_http_prom_federate_cleanup(void *data);


static ngx_str_t  ngx_http_prom_federate_allow =
    ngx_string("GET, HEAD, POST, OPTIONS");
static ngx_str_t  ngx_http_prom_match = ngx_string("match[]");
static ngx_str_t  ngx_http_prom_accept = ngx_string("accept");

static ngx_str_t  ngx_http_prom_federate_not_ready =
    ngx_string("Service Unavailable\n");
static ngx_str_t  ngx_http_prom_federate_no_memory =
    ngx_string("out of memory\n");
static ngx_str_t  ngx_http_prom_federate_limit =
    ngx_string("pattern hit its limit\n");
static ngx_str_t  ngx_http_prom_federate_too_large =
    ngx_string("form body too large\n");
static ngx_str_t  ngx_http_prom_federate_no_form =
    ngx_string("expected a body of type application/x-www-form-urlencoded\n");


ngx_int_t
ngx_http_prom_federate_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_prom_loc_conf_t  *plcf;

    if (r->method == NGX_HTTP_OPTIONS) {
        return ngx_http_prom_send_options(r, NGX_HTTP_OK,
                                          &ngx_http_prom_federate_allow);
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST))) {
        return ngx_http_prom_send_not_allowed(r,
                                              &ngx_http_prom_federate_allow);
    }

    plcf = ngx_http_get_module_loc_conf(r, ngx_http_prom_module);

    if (plcf->use->store->db.segment == NULL) {
        return ngx_http_prom_send_unavailable(r,
                                           &ngx_http_prom_federate_not_ready);
    }

    if (r->method != NGX_HTTP_POST) {

        rc = ngx_http_discard_request_body(r);

        if (rc != NGX_OK) {
            return rc;
        }

        r->main->count++;

        ngx_http_prom_federate_start(r);

        return NGX_DONE;
    }

    if ((r->headers_in.content_length_n > 0 || r->headers_in.chunked)
        && !ngx_http_prom_is_form(r))
    {
        return ngx_http_prom_send_text(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                       &ngx_http_prom_federate_no_form);
    }

    if (r->headers_in.content_length_n > NGX_HTTP_PROM_FORM_MAX) {
        return ngx_http_prom_send_text(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                       &ngx_http_prom_federate_too_large);
    }

    rc = ngx_http_read_client_request_body(r, ngx_http_prom_federate_start);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


/* Owns a count of the request. */

static void
ngx_http_prom_federate_start(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_prom_federate_open(r);

    if (rc != NGX_DECLINED) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    if (!r->discard_body) {
        r->read_event_handler = ngx_http_test_reading;
    }

    r->write_event_handler = ngx_http_prom_federate_run;

    ngx_http_prom_federate_run(r);
}


/*
 * NGX_DECLINED when it is to be run, else the end of the request: an answer
 * that has been sent may be any of NGX_OK, NGX_AGAIN and NGX_ERROR.
 */

static ngx_int_t
ngx_http_prom_federate_open(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_str_t                      error;
    ngx_array_t                    match;
    ngx_http_cleanup_t            *cln;
    ngx_http_prom_loc_conf_t      *plcf;
    ngx_http_prom_federate_ctx_t  *ctx;

    if (ngx_http_prom_body_len(r) > NGX_HTTP_PROM_FORM_MAX) {
        return ngx_http_prom_send_text(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                       &ngx_http_prom_federate_too_large);
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_prom_federate_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    prom_arena_init(&ctx->arena, NGX_HTTP_PROM_ARENA_MAX);

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_prom_federate_cleanup;
    cln->data = ctx;

    if (ngx_array_init(&match, r->pool, 4, sizeof(ngx_str_t)) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_prom_federate_args(r, &match, &error);

    if (rc == NGX_OK) {
        rc = ngx_http_prom_federate_select(r, ctx, &match, &error);
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_prom_send_text(r, NGX_HTTP_BAD_REQUEST, &error);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    plcf = ngx_http_get_module_loc_conf(r, ngx_http_prom_module);

    rc = ngx_http_prom_federate_begin(r, ctx, plcf->use->store);

    if (rc == NGX_DECLINED) {
        return ngx_http_prom_send_unavailable(r,
                                           &ngx_http_prom_federate_no_memory);
    }

    ngx_http_set_ctx(r, ctx, ngx_http_prom_module);

    return NGX_DECLINED;
}


/* Those of a form come before those of the query string. */

static ngx_int_t
ngx_http_prom_federate_args(ngx_http_request_t *r, ngx_array_t *match,
    ngx_str_t *error)
{
    ngx_int_t  rc;
    ngx_str_t  form;

    if (r->method == NGX_HTTP_POST) {

        if (ngx_http_prom_federate_form(r, &form) != NGX_OK) {
            return NGX_ERROR;
        }

        rc = ngx_http_prom_parse_args(r, &form, &ngx_http_prom_match, match,
                                      error);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_http_prom_parse_args(r, &r->args, &ngx_http_prom_match, match,
                                    error);
}


static ngx_int_t
ngx_http_prom_federate_form(ngx_http_request_t *r, ngx_str_t *form)
{
    if (ngx_http_prom_body_span(r, form) == NGX_OK) {
        return NGX_OK;
    }

    form->len = (size_t) ngx_http_prom_body_len(r);

    form->data = ngx_pnalloc(r->pool, form->len);
    if (form->data == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_prom_body_copy(r, form->data);
}


static ngx_int_t
ngx_http_prom_federate_select(ngx_http_request_t *r,
    ngx_http_prom_federate_ctx_t *ctx, ngx_array_t *match, ngx_str_t *error)
{
    int          rc;
    char         text[1024];
    ngx_str_t   *value;
    ngx_uint_t   i;
    prom_msg_t   msg;
    prom_str_t   selector;

    prom_msg_init(&msg, text, sizeof(text));

    ctx->selectors = ngx_palloc(r->pool,
                                (match->nelts + 1) * sizeof(prom_selector_t));
    if (ctx->selectors == NULL) {
        return NGX_ERROR;
    }

    value = match->elts;

    for (i = 0; i < match->nelts; i++) {

        selector.data = value[i].data;
        selector.len = value[i].len;

        rc = prom_selector_parse(&ctx->selectors[i], selector, &ctx->arena,
                                 &msg);

        if (rc == PROM_OK) {
            ctx->nselectors++;
            continue;
        }

        if (rc == PROM_NOMEM) {
            prom_msg_add(&msg, "selectors too large");
        }

        if (ngx_http_prom_text(r, &msg, error) != NGX_OK) {
            return NGX_ERROR;
        }

        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* NGX_DECLINED: no memory. */

static ngx_int_t
ngx_http_prom_federate_begin(ngx_http_request_t *r,
    ngx_http_prom_federate_ctx_t *ctx, ngx_http_prom_store_t *store)
{
    ngx_uint_t             n;
    prom_str_t             accept, type;
    ngx_table_elt_t       *h;
    prom_federate_conf_t   conf;

    h = ngx_http_prom_find_header(r, &ngx_http_prom_accept, &n);

    accept.data = (h != NULL) ? h->value.data : (u_char *) "";
    accept.len = (h != NULL) ? h->value.len : 0;

    conf.now = ngx_http_prom_now();
    conf.lookback = (int64_t) store->lookback;
    conf.expose.escape = prom_expose_negotiate(accept);
    conf.expose.external = store->labels.elts;
    conf.expose.n_external = store->labels.nelts;

    type = prom_expose_content_type(conf.expose.escape);

    ctx->content_type.data = (u_char *) type.data;
    ctx->content_type.len = type.len;

    ctx->federate = prom_federate_open(&store->db, &conf, ctx->selectors,
                                       ctx->nselectors);

    return (ctx->federate != NULL) ? NGX_OK : NGX_DECLINED;
}


static void
ngx_http_prom_federate_run(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_chain_t                   *out;
    ngx_event_t                   *wev;
    ngx_connection_t              *c;
    ngx_http_prom_federate_ctx_t  *ctx;

    c = r->connection;
    wev = c->write;
    ctx = ngx_http_get_module_ctx(r, ngx_http_prom_module);

    if (wev->timedout && !wev->delayed) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client timed out");
        c->timedout = 1;

        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    rc = ngx_http_prom_federate_fill(r, ctx, &out);

    if (rc == NGX_ABORT) {
        rc = ngx_http_prom_federate_fail(r, ctx);
        ngx_http_finalize_request(r, rc);
        return;
    }

    if (rc == NGX_ERROR) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    if (!r->header_sent && (out != NULL || ctx->done)) {

        rc = ngx_http_prom_federate_send_header(r, ctx, out);

        if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
            ngx_http_finalize_request(r, rc);
            return;
        }
    }

    rc = ngx_http_prom_federate_send(r, ctx, out);

    if (rc != NGX_ERROR && !ctx->done) {
        rc = ngx_http_prom_federate_wait(r, ctx);

        if (rc == NGX_OK) {
            return;
        }
    }

    ngx_http_finalize_request(r, rc);
}


/*
 * Produces what fits into free buffers and one turn, NULL if that is nothing.
 * NGX_OK, NGX_ABORT where ctx->failure tells why, or NGX_ERROR.
 */

static ngx_int_t
ngx_http_prom_federate_fill(ngx_http_request_t *r,
    ngx_http_prom_federate_ctx_t *ctx, ngx_chain_t **out)
{
    int           rc;
    size_t        len;
    ngx_buf_t    *b;
    ngx_uint_t    n;
    ngx_chain_t  *cl, **ll;

    cl = NULL;
    ll = out;
    *out = NULL;

    for (n = 0; n < NGX_HTTP_PROM_FILLS && !ctx->done; n++) {

        if (cl == NULL) {

            if (ctx->free == NULL && ctx->bufs == NGX_HTTP_PROM_BUFS) {
                break;
            }

            cl = ngx_http_prom_federate_buf(r, ctx);
            if (cl == NULL) {
                return NGX_ERROR;
            }
        }

        b = cl->buf;

        rc = prom_federate_fill(ctx->federate, b->last, b->end - b->last, &len);

        if (rc != PROM_OK && rc != PROM_AGAIN) {
            ctx->failure = rc;
            return NGX_ABORT;
        }

        b->last += len;
        ctx->done = (rc == PROM_OK);

        if (b->end - b->last < PROM_FEDERATE_BUF_MIN) {
            *ll = cl;
            ll = &cl->next;
            cl = NULL;
        }
    }

    if (cl != NULL) {

        if (cl->buf->last != cl->buf->pos) {
            *ll = cl;
            ll = &cl->next;

        } else {
            cl->next = ctx->free;
            ctx->free = cl;
        }
    }

    *ll = NULL;

    return NGX_OK;
}


static ngx_chain_t *
ngx_http_prom_federate_buf(ngx_http_request_t *r,
    ngx_http_prom_federate_ctx_t *ctx)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ctx->free;

    if (cl != NULL) {
        ctx->free = cl->next;
        cl->next = NULL;

        return cl;
    }

    cl = ngx_alloc_chain_link(r->pool);
    if (cl == NULL) {
        return NULL;
    }

    b = ngx_create_temp_buf(r->pool, NGX_HTTP_PROM_BUF_SIZE);
    if (b == NULL) {
        return NULL;
    }

    /* without it little output would stay in nginx until there is more */

    b->flush = 1;
    b->tag = (ngx_buf_tag_t) &ngx_http_prom_module;

    cl->buf = b;
    cl->next = NULL;

    ctx->bufs++;

    return cl;
}


static ngx_int_t
ngx_http_prom_federate_fail(ngx_http_request_t *r,
    ngx_http_prom_federate_ctx_t *ctx)
{
    ngx_http_prom_federate_cleanup(ctx);

    if (r->header_sent) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "federate answer broken off: %s",
                      ctx->failure == PROM_LIMIT ? "pattern hit its limit"
                                                 : "out of memory");
        return NGX_ERROR;
    }

    if (ctx->failure == PROM_LIMIT) {
        return ngx_http_prom_send_text(r, NGX_HTTP_BAD_REQUEST,
                                       &ngx_http_prom_federate_limit);
    }

    return ngx_http_prom_send_unavailable(r, &ngx_http_prom_federate_no_memory);
}


static ngx_int_t
ngx_http_prom_federate_send_header(ngx_http_request_t *r,
    ngx_http_prom_federate_ctx_t *ctx, ngx_chain_t *out)
{
    u_char       *p;
    ngx_chain_t  *cl;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_type = ctx->content_type;
    r->headers_out.content_type_lowcase = NULL;

    /* filters look at the bare type */

    p = ngx_strlchr(ctx->content_type.data,
                    ctx->content_type.data + ctx->content_type.len, ';');

    r->headers_out.content_type_len = (p != NULL)
                                      ? (size_t) (p - ctx->content_type.data)
                                      : ctx->content_type.len;

    /* an answer is made anew each time, conditions on it mean nothing */

    r->disable_not_modified = 1;

    if (!ctx->done) {
        return ngx_http_send_header(r);
    }

    if (out == NULL) {
        return ngx_http_prom_send_empty(r);
    }

    r->headers_out.content_length_n = 0;

    for (cl = out; cl; cl = cl->next) {
        r->headers_out.content_length_n += cl->buf->last - cl->buf->pos;
    }

    return ngx_http_send_header(r);
}


static ngx_int_t
ngx_http_prom_federate_send(ngx_http_request_t *r,
    ngx_http_prom_federate_ctx_t *ctx, ngx_chain_t *out)
{
    ngx_int_t     rc;
    ngx_chain_t  *cl;

    if (ctx->done) {

        /* what is left to do needs no more of this */

        ngx_http_prom_federate_cleanup(ctx);

        if (out == NULL) {
            return ngx_http_send_special(r, NGX_HTTP_LAST);
        }

        for (cl = out; cl->next; cl = cl->next) { /* void */ }

        cl->buf->last_buf = (r == r->main) ? 1 : 0;
        cl->buf->last_in_chain = 1;
    }

    if (out == NULL && ctx->busy == NULL && !r->connection->buffered) {
        return NGX_OK;
    }

    rc = ngx_http_output_filter(r, out);

    if (rc != NGX_ERROR) {
        ngx_chain_update_chains(r->pool, &ctx->free, &ctx->busy, &out,
                                (ngx_buf_tag_t) &ngx_http_prom_module);
    }

    return rc;
}


/* With a buffer at hand for the next turn of the loop, else for the client. */

static ngx_int_t
ngx_http_prom_federate_wait(ngx_http_request_t *r,
    ngx_http_prom_federate_ctx_t *ctx)
{
    ngx_event_t               *wev;
    ngx_http_core_loc_conf_t  *clcf;

    wev = r->connection->write;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    /* also before a posted event: a worker that is to quit sees timers only */

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    if (ctx->free != NULL || ctx->bufs < NGX_HTTP_PROM_BUFS) {
        ngx_post_event(wev, &ngx_posted_next_events);

        return NGX_OK;
    }

    if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_prom_federate_cleanup(void *data)
{
    ngx_http_prom_federate_ctx_t  *ctx = data;

    size_t  i;

    if (ctx->federate != NULL) {
        prom_federate_close(ctx->federate);
        ctx->federate = NULL;
    }

    for (i = 0; i < ctx->nselectors; i++) {
        prom_selector_destroy(&ctx->selectors[i]);
    }

    ctx->nselectors = 0;

    prom_arena_free(&ctx->arena);
}
