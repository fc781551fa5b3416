
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The glue between nginx and the rooms that do not know it: configuration,
 * the zones of the stores, and one content handler for each endpoint.
 */


#ifndef _NGX_HTTP_PROM_MODULE_H_INCLUDED_
#define _NGX_HTTP_PROM_MODULE_H_INCLUDED_


#include "ngx_http_prom_compat.h"

#include "../base/prom_msg.h"
#include "../labels/prom_labels.h"
#include "../path/prom_write.h"
#include "../tsdb/prom_tsdb.h"


/*
 * A prom_tsdb block.  Lives as long as its cycle; `db' is valid from the
 * initialization of the zone on and is inherited by the workers.
 */
typedef struct {
    ngx_str_t           name;
    ngx_str_t           file;           /* where the block begins */
    ngx_uint_t          line;

    size_t              size;
    ngx_msec_t          retention;
    ngx_msec_t          lookback;
    ngx_uint_t          max_series;
    ngx_array_t         labels;         /* of prom_label_t, external ones,
                                           sorted, always with an instance */

    prom_tsdb_t         db;             /* .segment is NULL: not ready */

    uint32_t            cursor;         /* of the sweep of this process */
    ngx_msec_t          due;            /* when the next round begins */
} ngx_http_prom_store_t;


/* One location's prom_remote_write or prom_federate. */

typedef struct {
    ngx_str_t                directive;
    ngx_str_t                name;      /* of the store */
    ngx_str_t                file;
    ngx_uint_t               line;
    ngx_http_handler_pt      handler;
    ngx_http_prom_store_t   *store;     /* since postconfiguration */
} ngx_http_prom_use_t;


typedef struct {
    ngx_array_t              stores;    /* of ngx_http_prom_store_t * */
    ngx_array_t              uses;      /* of ngx_http_prom_use_t * */
} ngx_http_prom_main_conf_t;


typedef struct {
    ngx_http_prom_use_t     *use;

    size_t                   max_decoded_size;
    size_t                   max_expanded_size;
    ngx_int_t                max_labels;
    ngx_int_t                max_label_name_length;
    ngx_int_t                max_label_value_length;

    prom_write_conf_t        write;     /* the above, merged */

    unsigned                 max_body_size_set:1;   /* by the user, in this */
    unsigned                 body_buffer_size_set:1;    /* very location */
} ngx_http_prom_loc_conf_t;


/* ngx_http_prom_store.c */

char *ngx_http_prom_tsdb(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
u_char *ngx_http_prom_print_size(u_char *buf, uint64_t size);

/* ngx_http_prom_zone.c */

ngx_int_t ngx_http_prom_add_zone(ngx_conf_t *cf, ngx_http_prom_store_t *store);

/* ngx_http_prom_use.c */

char *ngx_http_prom_remote_write(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_prom_federate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_prom_merge_use(ngx_conf_t *cf, ngx_http_prom_loc_conf_t *prev,
    ngx_http_prom_loc_conf_t *conf);
ngx_int_t ngx_http_prom_resolve(ngx_conf_t *cf);

/* ngx_http_prom_write.c, ngx_http_prom_federate.c */

ngx_int_t ngx_http_prom_write_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_prom_federate_handler(ngx_http_request_t *r);

/* ngx_http_prom_keeper.c */

ngx_int_t ngx_http_prom_init_keeper(ngx_cycle_t *cycle);


/*
 * ngx_http_prom_media.c: what Content-Type and Content-Encoding say.  NGX_OK,
 * NGX_DECLINED with the text of a 415, or NGX_ERROR.
 */

ngx_int_t ngx_http_prom_write_version(ngx_http_request_t *r,
    prom_write_version_e *version, ngx_str_t *error);
ngx_int_t ngx_http_prom_write_encoding(ngx_http_request_t *r,
    ngx_str_t *error);
ngx_uint_t ngx_http_prom_is_form(ngx_http_request_t *r);

/* The first header of that lower-case name, or NULL; *n of them in all. */

ngx_table_elt_t *ngx_http_prom_find_header(ngx_http_request_t *r,
    ngx_str_t *name, ngx_uint_t *n);


/*
 * ngx_http_prom_args.c: appends the decoded values of all parameters of that
 * name to `values', an array of ngx_str_t.  NGX_OK, NGX_DECLINED with the text
 * of a 400, or NGX_ERROR.
 */

ngx_int_t ngx_http_prom_parse_args(ngx_http_request_t *r, ngx_str_t *args,
    ngx_str_t *name, ngx_array_t *values, ngx_str_t *error);


/*
 * ngx_http_prom_body.c: a body that nginx has read, in memory or in a file.
 */

off_t ngx_http_prom_body_len(ngx_http_request_t *r);

/* NGX_OK where it lies in one piece in memory, else NGX_DECLINED. */

ngx_int_t ngx_http_prom_body_span(ngx_http_request_t *r, ngx_str_t *span);

/* `p' has room for ngx_http_prom_body_len() bytes.  NGX_OK or NGX_ERROR. */

ngx_int_t ngx_http_prom_body_copy(ngx_http_request_t *r, u_char *p);


/*
 * ngx_http_prom_response.c: answers of our own, not nginx's pages.  A body of
 * the request that was not read is discarded.  What is returned is to be
 * returned by a content handler, or given to ngx_http_finalize_request().
 */

ngx_int_t ngx_http_prom_send_text(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *text);
ngx_int_t ngx_http_prom_send_empty(ngx_http_request_t *r);
ngx_int_t ngx_http_prom_send_options(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *allow);
ngx_int_t ngx_http_prom_send_not_allowed(ngx_http_request_t *r,
    ngx_str_t *allow);
ngx_int_t ngx_http_prom_send_unavailable(ngx_http_request_t *r,
    ngx_str_t *text);

/* Both strings must outlive the request. */

ngx_int_t ngx_http_prom_add_header(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value);

/* A message as a line of text in the pool of the request. */

ngx_int_t ngx_http_prom_text(ngx_http_request_t *r, prom_msg_t *msg,
    ngx_str_t *text);


/* Milliseconds since the epoch, of the event loop's clock. */

static ngx_inline int64_t
ngx_http_prom_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (int64_t) tp->sec * 1000 + tp->msec;
}


extern ngx_module_t  ngx_http_prom_module;


#endif /* _NGX_HTTP_PROM_MODULE_H_INCLUDED_ */
