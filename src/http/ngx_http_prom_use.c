
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The directives that make a location an endpoint of a store: they remember
 * the store's name, which may be defined later, see to it that the location
 * has no other content handler, and that nginx's limits on request bodies let
 * ordinary batches through.
 */


#include "ngx_http_prom_module.h"


/* What nginx has where nothing is configured; counts as not set. */

#define NGX_HTTP_PROM_CORE_BODY      (1 * 1024 * 1024)
#define NGX_HTTP_PROM_CORE_BUFFER    ((size_t) 2 * ngx_pagesize)

#define NGX_HTTP_PROM_BODY           (32 * 1024 * 1024)
#define NGX_HTTP_PROM_BUFFER         (1 * 1024 * 1024)

/* A batch of 10000 samples is about that large, compressed. */

#define NGX_HTTP_PROM_BATCH          (256 * 1024)


static char *ngx_http_prom_add_use(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_prom_loc_conf_t *plcf, ngx_http_handler_pt handler);
static char *ngx_http_prom_body_limits(ngx_conf_t *cf,
    ngx_http_core_loc_conf_t *clcf, ngx_http_prom_loc_conf_t *conf);
static char *ngx_http_prom_too_small(ngx_conf_t *cf, ngx_http_prom_use_t *use,
    char *directive, uint64_t size, char *instead);
static ngx_int_t ngx_http_prom_unknown_store(ngx_conf_t *cf,
    ngx_array_t *stores, ngx_http_prom_use_t *use);


char *
ngx_http_prom_remote_write(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_prom_loc_conf_t  *plcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->client_max_body_size != NGX_CONF_UNSET) {
        plcf->max_body_size_set = 1;
    }

    if (clcf->client_body_buffer_size != NGX_CONF_UNSET_SIZE) {
        plcf->body_buffer_size_set = 1;
    }

    return ngx_http_prom_add_use(cf, cmd, plcf, ngx_http_prom_write_handler);
}


char *
ngx_http_prom_federate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_prom_add_use(cf, cmd, conf,
                                 ngx_http_prom_federate_handler);
}


static char *
ngx_http_prom_add_use(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_prom_loc_conf_t *plcf, ngx_http_handler_pt handler)
{
    ngx_str_t                  *value;
    ngx_http_prom_use_t        *use, **usep;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_prom_main_conf_t  *pmcf;

    if (plcf->use != NULL) {
        if (plcf->use->handler == handler) {
            return "is duplicate";
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" and \"%V\" cannot share a location, "
                           "write one location for each",
                           &plcf->use->directive, &cmd->name);
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "location \"%V\" already has a content handler, "
                           "write a location of its own for \"%V\"",
                           &clcf->name, &cmd->name);
        return NGX_CONF_ERROR;
    }

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_prom_module);

    use = ngx_pcalloc(cf->pool, sizeof(ngx_http_prom_use_t));
    if (use == NULL) {
        return NGX_CONF_ERROR;
    }

    usep = ngx_array_push(&pmcf->uses);
    if (usep == NULL) {
        return NGX_CONF_ERROR;
    }

    *usep = use;

    value = cf->args->elts;

    use->directive = cmd->name;
    use->name = value[1];
    use->file = cf->conf_file->file.name;
    use->line = cf->conf_file->line;
    use->handler = handler;

    plcf->use = use;
    clcf->handler = handler;

    return NGX_CONF_OK;
}


/*
 * Runs when the core module has merged this location, so what is seen and
 * changed here is what requests will get.
 */

char *
ngx_http_prom_merge_use(ngx_conf_t *cf, ngx_http_prom_loc_conf_t *prev,
    ngx_http_prom_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* the nameless locations of "if" and "limit_except" */

    if (clcf->noname && clcf->handler == NULL && prev->use != NULL) {
        conf->use = prev->use;
        conf->max_body_size_set = prev->max_body_size_set;
        conf->body_buffer_size_set = prev->body_buffer_size_set;

        clcf->handler = conf->use->handler;
    }

    if (conf->use == NULL) {
        return NGX_CONF_OK;
    }

    if (clcf->handler != conf->use->handler) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "location \"%V\" has a second content handler, write "
                      "a location of its own for \"%V %V\" in %V:%ui",
                      &clcf->name, &conf->use->directive, &conf->use->name,
                      &conf->use->file, conf->use->line);
        return NGX_CONF_ERROR;
    }

    if (conf->use->handler == ngx_http_prom_write_handler) {
        return ngx_http_prom_body_limits(cf, clcf, conf);
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_prom_body_limits(ngx_conf_t *cf, ngx_http_core_loc_conf_t *clcf,
    ngx_http_prom_loc_conf_t *conf)
{
    if (clcf->client_max_body_size == NGX_HTTP_PROM_CORE_BODY
        && !conf->max_body_size_set)
    {
        clcf->client_max_body_size = NGX_HTTP_PROM_BODY;
    }

    if (clcf->client_body_buffer_size == NGX_HTTP_PROM_CORE_BUFFER
        && !conf->body_buffer_size_set)
    {
        clcf->client_body_buffer_size = NGX_HTTP_PROM_BUFFER;
    }

    /* 0 is no limit at all */

    if (clcf->client_max_body_size != 0
        && clcf->client_max_body_size < NGX_HTTP_PROM_BATCH)
    {
        return ngx_http_prom_too_small(cf, conf->use, "client_max_body_size",
                                       clcf->client_max_body_size, "32m");
    }

    if (clcf->client_body_buffer_size < NGX_HTTP_PROM_BATCH) {
        return ngx_http_prom_too_small(cf, conf->use,
                                       "client_body_buffer_size",
                                       clcf->client_body_buffer_size, "1m");
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_prom_too_small(ngx_conf_t *cf, ngx_http_prom_use_t *use,
    char *directive, uint64_t size, char *instead)
{
    u_char  text[NGX_OFF_T_LEN + 2];

    ngx_http_prom_print_size(text, size);

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"%s\" is %s where \"%V %V\" is used, less than a batch of "
                  "10000 samples takes (256k), write \"%s %s;\" beside it "
                  "in %V:%ui",
                  directive, text, &use->directive, &use->name,
                  directive, instead, &use->file, use->line);

    return NGX_CONF_ERROR;
}


/* A store may stand anywhere in the http block, also after its uses. */

ngx_int_t
ngx_http_prom_resolve(ngx_conf_t *cf)
{
    ngx_uint_t                   i, n;
    ngx_http_prom_use_t        **use;
    ngx_http_prom_store_t      **store;
    ngx_http_prom_main_conf_t   *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_prom_module);

    use = pmcf->uses.elts;
    store = pmcf->stores.elts;

    for (i = 0; i < pmcf->uses.nelts; i++) {

        for (n = 0; n < pmcf->stores.nelts; n++) {

            if (store[n]->name.len == use[i]->name.len
                && ngx_memcmp(store[n]->name.data, use[i]->name.data,
                              use[i]->name.len)
                   == 0)
            {
                use[i]->store = store[n];
                break;
            }
        }

        if (use[i]->store == NULL) {
            return ngx_http_prom_unknown_store(cf, &pmcf->stores, use[i]);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_prom_unknown_store(ngx_conf_t *cf, ngx_array_t *stores,
    ngx_http_prom_use_t *use)
{
    u_char                  *p, *last, text[512];
    ngx_uint_t               i;
    ngx_http_prom_store_t  **store;

    if (stores->nelts == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "unknown store \"%V\" in \"%V\", there is none, write "
                      "\"prom_tsdb %V { size 512m; }\" in the http block "
                      "in %V:%ui",
                      &use->name, &use->directive, &use->name, &use->file,
                      use->line);
        return NGX_ERROR;
    }

    store = stores->elts;
    p = text;
    last = text + sizeof(text);

    for (i = 0; i < stores->nelts; i++) {
        p = ngx_slprintf(p, last, "%s\"%V\"", i ? ", " : "", &store[i]->name);
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "unknown store \"%V\" in \"%V\", known are %*s in %V:%ui",
                  &use->name, &use->directive, (size_t) (p - text), text,
                  &use->file, use->line);

    return NGX_ERROR;
}
