
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The read path of /federate: selectors -> series of the store -> text, in
 * slices of bounded work and memory.
 *
 *     f = prom_federate_open(db, &conf, selectors, n);
 *     do {
 *         rc = prom_federate_fill(f, buf, size, &len);    send buf[0..len)
 *     } while (rc == PROM_AGAIN);
 *     prom_federate_close(f);
 *
 * Series come by ascending metric name, so families are contiguous; each
 * series once, however many selectors match it; the newest sample not after
 * `now' and not older than the lookback, none where that is a stale marker.
 */


#ifndef _PROM_FEDERATE_H_INCLUDED_
#define _PROM_FEDERATE_H_INCLUDED_


#include "../base/prom_base.h"
#include "../expose/prom_expose.h"
#include "../labels/prom_selector.h"
#include "../tsdb/prom_tsdb.h"


#define PROM_FEDERATE_BUF_MIN  4096


typedef struct {
    int64_t        now;
    int64_t        lookback;            /* ms, both ends are inclusive */
    prom_expose_t  expose;
} prom_federate_conf_t;


typedef struct prom_federate_s  prom_federate_t;


/*
 * The selectors stay the caller's and must outlive the object; *conf is
 * copied.  NULL when there is no memory.
 */
prom_federate_t *prom_federate_open(prom_tsdb_t *db,
    const prom_federate_conf_t *conf, const prom_selector_t *selectors,
    size_t n);

/*
 * Puts at most `size' bytes (PROM_FEDERATE_BUF_MIN or more) into `buf', *len
 * tells how many, 0 is possible.  About a quarter of a millisecond.
 * PROM_OK      that was the last
 * PROM_AGAIN   there may be more
 * PROM_LIMIT   a pattern hit its limit; the answer must be broken off
 * PROM_NOMEM   no memory, likewise
 */
int prom_federate_fill(prom_federate_t *federate, uint8_t *buf, size_t size,
    size_t *len);

void prom_federate_close(prom_federate_t *federate);


#endif /* _PROM_FEDERATE_H_INCLUDED_ */
