
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Reading: the series that selectors match, by ascending metric name, each
 * once, with their newest sample in a range of time; in slices.
 *
 * The cursor is (metric name, shard, id): between two slices series may come
 * and go.  One that lives through the whole query is read exactly once.
 */


#ifndef _PROM_QUERY_H_INCLUDED_
#define _PROM_QUERY_H_INCLUDED_


#include "../base/prom_base.h"
#include "../base/prom_sample.h"
#include "../labels/prom_selector.h"
#include "prom_tsdb.h"


typedef struct prom_query_s  prom_query_t;


typedef struct {
    prom_str_t     key;                 /* valid during the call */
    bool           plain;               /* prom_labels_plain(key) */
    prom_sample_t  sample;
} prom_row_t;

/*
 * Takes a row; false: no room, the row comes again in the next slice.  Called
 * under a lock: it copies and formats, nothing else.
 */
typedef bool (*prom_query_emit_pt)(void *ctx, const prom_row_t *row);


/*
 * Series whose newest sample not after `to' is not before `from' either and is
 * no staleness marker.  The selectors must outlive the query; one without
 * matchers selects nothing.  NULL: no memory.
 */
prom_query_t *prom_query_open(prom_tsdb_t *db,
    const prom_selector_t *selectors, size_t n, int64_t from, int64_t to);

/*
 * A slice of about a quarter of a millisecond.
 * PROM_OK: that was all; PROM_AGAIN; PROM_LIMIT: a pattern hit its limit;
 * PROM_NOMEM.
 */
int prom_query_run(prom_query_t *query, prom_query_emit_pt emit, void *ctx);

/* The metric name of the rows that are emitted now. */
prom_str_t prom_query_name(const prom_query_t *query);

void prom_query_close(prom_query_t *query);


#endif /* _PROM_QUERY_H_INCLUDED_ */
