
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The prom_tsdb block.  Its lines are parsed here and are no directives of
 * nginx, so their short names cannot clash with those.
 */


#include "ngx_http_prom_module.h"

#include "../base/prom_utf8.h"


typedef char *(*ngx_http_prom_line_pt)(ngx_conf_t *cf,
    ngx_http_prom_store_t *store, ngx_str_t *value);

typedef struct {
    ngx_str_t               name;
    ngx_uint_t              nargs;      /* with the name */
    ngx_http_prom_line_pt   handler;
    char                   *example;
} ngx_http_prom_line_t;


static ngx_http_prom_store_t *ngx_http_prom_create_store(ngx_conf_t *cf,
    ngx_str_t *name);
static char *ngx_http_prom_line(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);
static char *ngx_http_prom_size(ngx_conf_t *cf, ngx_http_prom_store_t *store,
    ngx_str_t *value);
static char *ngx_http_prom_retention(ngx_conf_t *cf,
    ngx_http_prom_store_t *store, ngx_str_t *value);
static char *ngx_http_prom_lookback(ngx_conf_t *cf,
    ngx_http_prom_store_t *store, ngx_str_t *value);
static char *ngx_http_prom_time(ngx_conf_t *cf, ngx_str_t *value,
    ngx_msec_t *field);
static char *ngx_http_prom_external_label(ngx_conf_t *cf,
    ngx_http_prom_store_t *store, ngx_str_t *value);
static char *ngx_http_prom_check_label(prom_label_t *label);
static char *ngx_http_prom_max_series(ngx_conf_t *cf,
    ngx_http_prom_store_t *store, ngx_str_t *value);
static ngx_int_t ngx_http_prom_finish_labels(ngx_http_prom_store_t *store);
static int ngx_libc_cdecl ngx_http_prom_cmp_labels(const void *one,
    const void *two);


static ngx_http_prom_line_t  ngx_http_prom_lines[] = {

    { ngx_string("size"), 2, ngx_http_prom_size, "size 512m" },

    { ngx_string("retention"), 2, ngx_http_prom_retention, "retention 2h" },

    { ngx_string("lookback"), 2, ngx_http_prom_lookback, "lookback 5m" },

    { ngx_string("external_label"), 3, ngx_http_prom_external_label,
      "external_label cluster eu-1" },

    { ngx_string("max_series"), 2, ngx_http_prom_max_series,
      "max_series 100000" },

    { ngx_null_string, 0, NULL, NULL }
};


char *
ngx_http_prom_tsdb(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                   *rv;
    ngx_str_t              *value;
    ngx_conf_t              save;
    ngx_http_prom_store_t  *store;

    value = cf->args->elts;

    store = ngx_http_prom_create_store(cf, &value[1]);
    if (store == NULL) {
        return NGX_CONF_ERROR;
    }

    save = *cf;
    cf->handler = ngx_http_prom_line;
    cf->handler_conf = store;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (store->size == NGX_CONF_UNSET_SIZE) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no \"size\" in prom_tsdb \"%V\", write how much memory "
                      "the store may take, as in \"size 512m;\", in %V:%ui",
                      &store->name, &store->file, store->line);
        return NGX_CONF_ERROR;
    }

    ngx_conf_init_msec_value(store->retention, 2 * 60 * 60 * 1000);
    ngx_conf_init_msec_value(store->lookback, 5 * 60 * 1000);
    ngx_conf_init_uint_value(store->max_series, 0);

    if (ngx_http_prom_finish_labels(store) != NGX_OK
        || ngx_http_prom_add_zone(cf, store) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_http_prom_store_t *
ngx_http_prom_create_store(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t                   i;
    ngx_http_prom_store_t       *store, **storep;
    ngx_http_prom_main_conf_t   *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_prom_module);

    if (name->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "empty name of a prom_tsdb, write one, as in "
                           "\"prom_tsdb metrics {\"");
        return NULL;
    }

    storep = pmcf->stores.elts;

    for (i = 0; i < pmcf->stores.nelts; i++) {

        if (storep[i]->name.len == name->len
            && ngx_memcmp(storep[i]->name.data, name->data, name->len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate prom_tsdb \"%V\", the first is "
                               "in %V:%ui, write another name",
                               name, &storep[i]->file, storep[i]->line);
            return NULL;
        }
    }

    store = ngx_pcalloc(cf->pool, sizeof(ngx_http_prom_store_t));
    if (store == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     store->db = { NULL };
     *     store->cursor = 0;
     *     store->due = 0;
     */

    store->name = *name;
    store->file = cf->conf_file->file.name;
    store->line = cf->conf_file->line;
    store->size = NGX_CONF_UNSET_SIZE;
    store->retention = NGX_CONF_UNSET_MSEC;
    store->lookback = NGX_CONF_UNSET_MSEC;
    store->max_series = NGX_CONF_UNSET_UINT;

    if (ngx_array_init(&store->labels, cf->pool, 4, sizeof(prom_label_t))
        != NGX_OK)
    {
        return NULL;
    }

    storep = ngx_array_push(&pmcf->stores);
    if (storep == NULL) {
        return NULL;
    }

    *storep = store;

    return store;
}


static char *
ngx_http_prom_line(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_http_prom_store_t  *store = conf;

    char                  *rv;
    ngx_str_t             *value;
    ngx_http_prom_line_t  *line;

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[0].data, "include") == 0) {
        return ngx_conf_include(cf, dummy, conf);
    }

    for (line = ngx_http_prom_lines; line->name.len; line++) {

        if (value[0].len != line->name.len
            || ngx_memcmp(value[0].data, line->name.data, line->name.len) != 0)
        {
            continue;
        }

        if (cf->args->nelts != line->nargs) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid number of arguments in \"%V\" of "
                               "prom_tsdb \"%V\", write as in \"%s;\"",
                               &line->name, &store->name, line->example);
            return NGX_CONF_ERROR;
        }

        rv = line->handler(cf, store, value);

        if (rv == NGX_CONF_OK || rv == NGX_CONF_ERROR) {
            return rv;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of prom_tsdb \"%V\" %s",
                           &line->name, &store->name, rv);
        return NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown line \"%V\" in prom_tsdb \"%V\", known are "
                       "size, retention, lookback, external_label and "
                       "max_series", &value[0], &store->name);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_prom_size(ngx_conf_t *cf, ngx_http_prom_store_t *store,
    ngx_str_t *value)
{
    off_t   size;
    u_char  text[NGX_OFF_T_LEN + 2];

    if (store->size != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    size = ngx_parse_offset(&value[1]);

    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\" of prom_tsdb \"%V\", write a "
                           "whole number with k, m or g, as in \"size 512m;\"",
                           &value[1], &store->name);
        return NGX_CONF_ERROR;
    }

    if (size < PROM_TSDB_MIN_SIZE) {
        ngx_http_prom_print_size(text, PROM_TSDB_MIN_SIZE);

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "size \"%V\" of prom_tsdb \"%V\" is too small, "
                           "write %s or more",
                           &value[1], &store->name, text);
        return NGX_CONF_ERROR;
    }

    if ((uint64_t) size > PROM_TSDB_MAX_SIZE) {
        ngx_http_prom_print_size(text, PROM_TSDB_MAX_SIZE);

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "size \"%V\" of prom_tsdb \"%V\" is too large, "
                           "write %s or less",
                           &value[1], &store->name, text);
        return NGX_CONF_ERROR;
    }

    store->size = (size_t) size;

    return NGX_CONF_OK;
}


static char *
ngx_http_prom_retention(ngx_conf_t *cf, ngx_http_prom_store_t *store,
    ngx_str_t *value)
{
    return ngx_http_prom_time(cf, value, &store->retention);
}


static char *
ngx_http_prom_lookback(ngx_conf_t *cf, ngx_http_prom_store_t *store,
    ngx_str_t *value)
{
    return ngx_http_prom_time(cf, value, &store->lookback);
}


static char *
ngx_http_prom_time(ngx_conf_t *cf, ngx_str_t *value, ngx_msec_t *field)
{
    ngx_int_t  msec;

    if (*field != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    msec = ngx_parse_time(&value[1], 0);

    if (msec == NGX_ERROR || msec == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\" in \"%V\", write a number "
                           "above 0 with ms, s, m, h or d, as in \"5m\"",
                           &value[1], &value[0]);
        return NGX_CONF_ERROR;
    }

    *field = (ngx_msec_t) msec;

    return NGX_CONF_OK;
}


static char *
ngx_http_prom_external_label(ngx_conf_t *cf, ngx_http_prom_store_t *store,
    ngx_str_t *value)
{
    char          *rv;
    ngx_uint_t     i;
    prom_label_t  *label, name;

    name.name.data = value[1].data;
    name.name.len = value[1].len;
    name.value.data = value[2].data;
    name.value.len = value[2].len;

    rv = ngx_http_prom_check_label(&name);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    label = store->labels.elts;

    for (i = 0; i < store->labels.nelts; i++) {

        if (prom_str_eq(label[i].name, name.name)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate external_label \"%V\" of prom_tsdb "
                               "\"%V\", write one value for each name",
                               &value[1], &store->name);
            return NGX_CONF_ERROR;
        }
    }

    label = ngx_array_push(&store->labels);
    if (label == NULL) {
        return NGX_CONF_ERROR;
    }

    *label = name;

    return NGX_CONF_OK;
}


static char *
ngx_http_prom_check_label(prom_label_t *label)
{
    if (label->name.len == 0) {
        return "has an empty name, write as in \"external_label cluster "
               "eu-1;\"";
    }

    if (!prom_utf8_valid(label->name.data, label->name.len)) {
        return "has a name that is not valid UTF-8, write it in UTF-8";
    }

    if (prom_str_eq(label->name, prom_str("__name__"))) {
        return "cannot set \"__name__\", every series has one, write another "
               "name";
    }

    if (!prom_utf8_valid(label->value.data, label->value.len)) {
        return "has a value that is not valid UTF-8, write it in UTF-8";
    }

    if (label->value.len == 0
        && !prom_str_eq(label->name, prom_str("instance")))
    {
        return "has an empty value, which is the same as no label, write a "
               "value or remove the line";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_prom_max_series(ngx_conf_t *cf, ngx_http_prom_store_t *store,
    ngx_str_t *value)
{
    ngx_int_t  n;

    if (store->max_series != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    n = ngx_atoi(value[1].data, value[1].len);

    if (n == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid max_series \"%V\" of prom_tsdb \"%V\", "
                           "write a whole number, 0 for no bound but memory",
                           &value[1], &store->name);
        return NGX_CONF_ERROR;
    }

    store->max_series = (ngx_uint_t) n;

    return NGX_CONF_OK;
}


/*
 * A federating server keeps the "instance" of a series only if the text has
 * one, even an empty one; without it, it would put its target's name there.
 */

static ngx_int_t
ngx_http_prom_finish_labels(ngx_http_prom_store_t *store)
{
    ngx_uint_t     i;
    prom_label_t  *label;

    label = store->labels.elts;

    for (i = 0; i < store->labels.nelts; i++) {
        if (prom_str_eq(label[i].name, prom_str("instance"))) {
            break;
        }
    }

    if (i == store->labels.nelts) {
        label = ngx_array_push(&store->labels);
        if (label == NULL) {
            return NGX_ERROR;
        }

        label->name = prom_str("instance");
        label->value = prom_str("");
    }

    ngx_qsort(store->labels.elts, store->labels.nelts, sizeof(prom_label_t),
              ngx_http_prom_cmp_labels);

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_http_prom_cmp_labels(const void *one, const void *two)
{
    const prom_label_t  *first = one;
    const prom_label_t  *second = two;

    return prom_str_cmp(first->name, second->name);
}


/* As a user would write it; `buf' has NGX_OFF_T_LEN + 2 bytes. */

u_char *
ngx_http_prom_print_size(u_char *buf, uint64_t size)
{
    ngx_uint_t  i;

    static char  *unit[] = { "", "k", "m", "g" };

    for (i = 0; i < 3 && size != 0 && size % 1024 == 0; i++) {
        size /= 1024;
    }

    return ngx_sprintf(buf, "%uL%s%Z", size, unit[i]);
}
