
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "ngx_http_prom_module.h"


typedef struct {
    off_t   low;
    off_t   high;
} ngx_http_prom_size_bounds_t;


static char *ngx_http_prom_set_size(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void *ngx_http_prom_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_prom_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_prom_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);


static ngx_http_prom_size_bounds_t  ngx_http_prom_decoded_bounds = {
    1024, 1024 * 1024 * 1024
};

static ngx_http_prom_size_bounds_t  ngx_http_prom_expanded_bounds = {
    1024, (off_t) 4 * 1024 * 1024 * 1024
};

static ngx_conf_num_bounds_t  ngx_http_prom_labels_bounds = {
    ngx_conf_check_num_bounds, 1, PROM_LABELS_MAX
};

static ngx_conf_num_bounds_t  ngx_http_prom_length_bounds = {
    ngx_conf_check_num_bounds, 1, PROM_KEY_MAX
};


static ngx_command_t  ngx_http_prom_commands[] = {

    { ngx_string("prom_tsdb"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_prom_tsdb,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("prom_remote_write"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_prom_remote_write,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("prom_federate"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_prom_federate,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("prom_max_decoded_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_prom_set_size,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_prom_loc_conf_t, max_decoded_size),
      &ngx_http_prom_decoded_bounds },

    { ngx_string("prom_max_expanded_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_prom_set_size,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_prom_loc_conf_t, max_expanded_size),
      &ngx_http_prom_expanded_bounds },

    { ngx_string("prom_max_labels"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_prom_loc_conf_t, max_labels),
      &ngx_http_prom_labels_bounds },

    { ngx_string("prom_max_label_name_length"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_prom_loc_conf_t, max_label_name_length),
      &ngx_http_prom_length_bounds },

    { ngx_string("prom_max_label_value_length"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_prom_loc_conf_t, max_label_value_length),
      &ngx_http_prom_length_bounds },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_prom_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_prom_resolve,                 /* postconfiguration */

    ngx_http_prom_create_main_conf,        /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_prom_create_loc_conf,         /* create location configuration */
    ngx_http_prom_merge_loc_conf           /* merge location configuration */
};


ngx_module_t  ngx_http_prom_module = {
    NGX_MODULE_V1,
    &ngx_http_prom_module_ctx,             /* module context */
    ngx_http_prom_commands,                /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_prom_init_keeper,             /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* As ngx_conf_set_size_slot(), but knows "g" and bounds. */

static char *
ngx_http_prom_set_size(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    off_t                         size;
    u_char                        low[NGX_OFF_T_LEN + 2];
    u_char                        high[NGX_OFF_T_LEN + 2];
    size_t                       *field;
    ngx_str_t                    *value;
    ngx_http_prom_size_bounds_t  *bounds;

    field = (size_t *) (p + cmd->offset);

    if (*field != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;
    bounds = cmd->post;

    size = ngx_parse_offset(&value[1]);

    if (size < bounds->low || size > bounds->high) {
        ngx_http_prom_print_size(low, bounds->low);
        ngx_http_prom_print_size(high, bounds->high);

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"%V\", write a size "
                           "between %s and %s",
                           &value[1], &cmd->name, low, high);
        return NGX_CONF_ERROR;
    }

    *field = (size_t) size;

    return NGX_CONF_OK;
}


static void *
ngx_http_prom_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_prom_main_conf_t  *pmcf;

    pmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_prom_main_conf_t));
    if (pmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&pmcf->stores, cf->pool, 2,
                       sizeof(ngx_http_prom_store_t *))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&pmcf->uses, cf->pool, 4,
                       sizeof(ngx_http_prom_use_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return pmcf;
}


static void *
ngx_http_prom_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_prom_loc_conf_t  *plcf;

    plcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_prom_loc_conf_t));
    if (plcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     plcf->use = NULL;
     *     plcf->write = { 0 };
     *     plcf->max_body_size_set = 0;
     *     plcf->body_buffer_size_set = 0;
     */

    plcf->max_decoded_size = NGX_CONF_UNSET_SIZE;
    plcf->max_expanded_size = NGX_CONF_UNSET_SIZE;
    plcf->max_labels = NGX_CONF_UNSET;
    plcf->max_label_name_length = NGX_CONF_UNSET;
    plcf->max_label_value_length = NGX_CONF_UNSET;

    return plcf;
}


static char *
ngx_http_prom_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_prom_loc_conf_t  *prev = parent;
    ngx_http_prom_loc_conf_t  *conf = child;

    ngx_conf_merge_size_value(conf->max_decoded_size,
                              prev->max_decoded_size, 32 * 1024 * 1024);
    ngx_conf_merge_size_value(conf->max_expanded_size,
                              prev->max_expanded_size, 256 * 1024 * 1024);
    ngx_conf_merge_value(conf->max_labels, prev->max_labels, 128);
    ngx_conf_merge_value(conf->max_label_name_length,
                         prev->max_label_name_length, 1024);
    ngx_conf_merge_value(conf->max_label_value_length,
                         prev->max_label_value_length, 4096);

    conf->write.max_decoded = conf->max_decoded_size;
    conf->write.max_expanded = conf->max_expanded_size;
    conf->write.labels.labels = (uint32_t) conf->max_labels;
    conf->write.labels.name_len = (uint32_t) conf->max_label_name_length;
    conf->write.labels.value_len = (uint32_t) conf->max_label_value_length;

    return ngx_http_prom_merge_use(cf, prev, conf);
}
