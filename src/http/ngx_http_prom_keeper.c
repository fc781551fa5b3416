
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Housekeeping in every worker: a timer that sweeps the stores of the current
 * configuration, a slice at a time.  A round over a store is followed by a
 * pause of a sixteenth of its retention.
 *
 * The timer belongs to the process and finds the configuration anew at each
 * turn, because a process without a master keeps its timers over a reload.
 */


#include "ngx_http_prom_module.h"


#define NGX_HTTP_PROM_KEEPER_IDLE    1000           /* ms */
#define NGX_HTTP_PROM_KEEPER_BUSY    5

#define NGX_HTTP_PROM_KEEPER_PAUSE_MIN  (5 * 1000)
#define NGX_HTTP_PROM_KEEPER_PAUSE_MAX  (60 * 1000)

#define NGX_HTTP_PROM_KEEPER_SLICE   500000         /* ns of a turn */
#define NGX_HTTP_PROM_KEEPER_TURN    4096           /* series of a turn */
#define NGX_HTTP_PROM_KEEPER_STEP    64             /* series between looks
                                                       at the clock */


/* Begins as ngx_connection_t does: debug logs of timers print the fd. */

typedef struct {
    void             *data;
    ngx_event_t      *read;
    ngx_event_t      *write;
    ngx_socket_t      fd;

    ngx_event_t       event;
} ngx_http_prom_keeper_t;


static void ngx_http_prom_keeper_handler(ngx_event_t *ev);
static ngx_uint_t ngx_http_prom_keeper_turn(
    ngx_http_prom_main_conf_t *pmcf);
static ngx_msec_t ngx_http_prom_keeper_pause(ngx_http_prom_store_t *store);
static uint64_t ngx_http_prom_keeper_clock(void);


static ngx_http_prom_keeper_t  ngx_http_prom_keeper;


ngx_int_t
ngx_http_prom_init_keeper(ngx_cycle_t *cycle)
{
    ngx_event_t                *ev;
    ngx_http_prom_main_conf_t  *pmcf;

    if (ngx_process == NGX_PROCESS_WORKER) {

        pmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                                   ngx_http_prom_module);

        if (pmcf == NULL || pmcf->stores.nelts == 0) {
            return NGX_OK;
        }

    } else if (ngx_process != NGX_PROCESS_SINGLE) {
        return NGX_OK;
    }

    ngx_http_prom_keeper.fd = (ngx_socket_t) -1;

    ev = &ngx_http_prom_keeper.event;

    ngx_memzero(ev, sizeof(ngx_event_t));

    ev->handler = ngx_http_prom_keeper_handler;
    ev->data = &ngx_http_prom_keeper;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, NGX_HTTP_PROM_KEEPER_IDLE);

    return NGX_OK;
}


static void
ngx_http_prom_keeper_handler(ngx_event_t *ev)
{
    ngx_msec_t                  wait;
    ngx_http_prom_main_conf_t  *pmcf;

    if (ngx_exiting) {

        /* the retention of an old configuration is not ours to enforce */

        return;
    }

    ev->log = ngx_cycle->log;
    wait = NGX_HTTP_PROM_KEEPER_IDLE;

    pmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle, ngx_http_prom_module);

    if (pmcf != NULL && ngx_http_prom_keeper_turn(pmcf)) {
        wait = NGX_HTTP_PROM_KEEPER_BUSY;
    }

    ngx_add_timer(ev, wait);
}


/* True if time ran out in the middle of a round. */

static ngx_uint_t
ngx_http_prom_keeper_turn(ngx_http_prom_main_conf_t *pmcf)
{
    int64_t                  now;
    uint64_t                 end;
    ngx_uint_t               i, n;
    ngx_http_prom_store_t  **store;

    now = ngx_http_prom_now();
    end = ngx_http_prom_keeper_clock() + NGX_HTTP_PROM_KEEPER_SLICE;
    n = NGX_HTTP_PROM_KEEPER_TURN;

    store = pmcf->stores.elts;

    for (i = 0; i < pmcf->stores.nelts; i++) {

        if ((ngx_msec_int_t) (store[i]->due - ngx_current_msec) > 0) {
            continue;
        }

        do {
            if (n == 0 || ngx_http_prom_keeper_clock() >= end) {
                return 1;
            }

            prom_tsdb_sweep(&store[i]->db, now, &store[i]->cursor,
                            NGX_HTTP_PROM_KEEPER_STEP);

            n -= NGX_HTTP_PROM_KEEPER_STEP;

        } while (store[i]->cursor != 0);

        store[i]->due = ngx_current_msec
                        + ngx_http_prom_keeper_pause(store[i]);
    }

    return 0;
}


static ngx_msec_t
ngx_http_prom_keeper_pause(ngx_http_prom_store_t *store)
{
    ngx_msec_t  pause;

    pause = store->retention / 16;

    pause = ngx_max(pause, NGX_HTTP_PROM_KEEPER_PAUSE_MIN);

    return ngx_min(pause, NGX_HTTP_PROM_KEEPER_PAUSE_MAX);
}


static uint64_t
ngx_http_prom_keeper_clock(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}
