
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The shared memory of a store:
 *
 *     0                  sizeof(ngx_slab_pool_t)    NGX_HTTP_PROM_ALIGN
 *     | ngx_slab_pool_t  | nothing                  | segment of prom_tsdb |
 *
 * 1. The head is nginx's: its master unlocks the mutex in it when a worker
 *    dies.  Its `data' points to the segment.
 * 2. The pages that nginx's allocator would manage are never asked for, so
 *    the segment lies over them.
 * 3. A zone with old data is in use by the workers of the old configuration
 *    while it is initialized, also under "nginx -t" and when the reload fails
 *    later: it is looked at and not changed.
 */


#include "ngx_http_prom_module.h"

#include <sys/random.h>


#define NGX_HTTP_PROM_ALIGN  16384


static ngx_int_t ngx_http_prom_init_zone(ngx_shm_zone_t *zone, void *data);
static ngx_int_t ngx_http_prom_format_zone(ngx_shm_zone_t *zone,
    ngx_http_prom_store_t *store, u_char *mem);
static ngx_int_t ngx_http_prom_adopt_zone(ngx_shm_zone_t *zone,
    ngx_http_prom_store_t *store, u_char *mem);
static ngx_int_t ngx_http_prom_check_resize(ngx_shm_zone_t *zone,
    ngx_http_prom_store_t *store);
static ngx_int_t ngx_http_prom_random(u_char *p, size_t len);


ngx_int_t
ngx_http_prom_add_zone(ngx_conf_t *cf, ngx_http_prom_store_t *store)
{
    ngx_shm_zone_t  *zone;

    store->size = store->size / NGX_HTTP_PROM_ALIGN * NGX_HTTP_PROM_ALIGN;

    /* mappings begin at a page, which may be smaller than the alignment */

    zone = ngx_shared_memory_add(cf, &store->name,
                                 store->size + 2 * NGX_HTTP_PROM_ALIGN,
                                 &ngx_http_prom_module);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->init = ngx_http_prom_init_zone;
    zone->data = store;

    return NGX_OK;
}


static ngx_int_t
ngx_http_prom_init_zone(ngx_shm_zone_t *zone, void *data)
{
    u_char                 *mem;
    ngx_int_t               rc;
    ngx_slab_pool_t        *shpool;
    ngx_http_prom_store_t  *store;

    store = zone->data;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;
    mem = ngx_align_ptr(zone->shm.addr + sizeof(ngx_slab_pool_t),
                        NGX_HTTP_PROM_ALIGN);

    if (data != NULL) {
        rc = ngx_http_prom_adopt_zone(zone, store, mem);

    } else {
        rc = ngx_http_prom_format_zone(zone, store, mem);

        if (rc == NGX_OK) {
            shpool->data = mem;
        }
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    prom_tsdb_attach(&store->db, mem);

    store->db.retention = (int64_t) store->retention;
    store->db.max_series = store->max_series;

    return NGX_OK;
}


static ngx_int_t
ngx_http_prom_format_zone(ngx_shm_zone_t *zone, ngx_http_prom_store_t *store,
    u_char *mem)
{
    u_char  secret[32];

    if (ngx_http_prom_check_resize(zone, store) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_prom_random(secret, sizeof(secret)) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, ngx_errno,
                      "store \"%V\": getrandom() failed", &store->name);
        return NGX_ERROR;
    }

#if (NGX_DEBUG_MALLOC)

    /* nginx has filled the memory of a new zone with junk */

    ngx_memzero(mem, store->size);

#endif

    if (prom_tsdb_format(mem, store->size, secret) != PROM_OK) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "store \"%V\": a segment of %uz bytes is not possible",
                      &store->name, store->size);
        return NGX_ERROR;
    }

    ngx_explicit_memzero(secret, sizeof(secret));

    return NGX_OK;
}


static ngx_int_t
ngx_http_prom_adopt_zone(ngx_shm_zone_t *zone, ngx_http_prom_store_t *store,
    u_char *mem)
{
    char        text[256];
    prom_msg_t  msg;

    prom_msg_init(&msg, text, sizeof(text));

    if (prom_tsdb_check(mem, store->size, &msg) == PROM_OK) {
        return NGX_OK;
    }

    /* the old workers go on using it, so it cannot be formatted anew */

    ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                  "store \"%V\": the data in memory cannot be used: %s; the "
                  "old configuration stays, restart nginx (the store then "
                  "starts empty) or give the store another name",
                  &store->name, text);

    return NGX_ERROR;
}


/*
 * nginx hands over no data when the size differs, and says nothing.  While a
 * zone is initialized, ngx_cycle is the cycle that is going to be replaced.
 */

static ngx_int_t
ngx_http_prom_check_resize(ngx_shm_zone_t *zone, ngx_http_prom_store_t *store)
{
    u_char                  from[NGX_OFF_T_LEN + 2], to[NGX_OFF_T_LEN + 2];
    ngx_uint_t              i;
    ngx_list_part_t        *part;
    ngx_shm_zone_t         *old;
    ngx_http_prom_store_t  *prev;

    part = (ngx_list_part_t *) &ngx_cycle->shared_memory.part;
    old = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NGX_OK;
            }

            part = part->next;
            old = part->elts;
            i = 0;
        }

        if (old[i].tag == zone->tag
            && old[i].shm.name.len == zone->shm.name.len
            && ngx_memcmp(old[i].shm.name.data, zone->shm.name.data,
                          zone->shm.name.len)
               == 0)
        {
            break;
        }
    }

    prev = old[i].data;

    ngx_http_prom_print_size(from, prev->size);
    ngx_http_prom_print_size(to, store->size);

    if (ngx_process == NGX_PROCESS_SINGLE) {

        /* the old memory is unmapped under the requests that still use it */

        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "store \"%V\": size cannot be changed from %s to %s by "
                      "a reload with \"master_process off\", restart nginx",
                      &store->name, from, to);
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_WARN, zone->shm.log, 0,
                  "store \"%V\": size changed from %s to %s, the store starts "
                  "empty (data not carried over)", &store->name, from, to);

    return NGX_OK;
}


static ngx_int_t
ngx_http_prom_random(u_char *p, size_t len)
{
    ssize_t  n;

    while (len) {
        n = getrandom(p, len, 0);

        if (n == -1) {
            if (ngx_errno == NGX_EINTR) {
                continue;
            }

            return NGX_ERROR;
        }

        p += n;
        len -= (size_t) n;
    }

    return NGX_OK;
}
