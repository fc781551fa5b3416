
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * A write request on its way: what prom_write.c, which moves it from state to
 * state, and prom_write_find.c, which finds the series, have in common.
 */


#ifndef _PROM_WRITE_STATE_H_INCLUDED_
#define _PROM_WRITE_STATE_H_INCLUDED_


#include "../base/prom_arena.h"
#include "../base/prom_vec.h"
#include "../tsdb/prom_batch.h"
#include "../wire/prom_prw.h"
#include "prom_intern.h"
#include "prom_write.h"
#include "prom_write_report.h"


typedef void (*prom_write_state_pt)(prom_write_t *write);


struct prom_write_s {
    prom_tsdb_t            db;
    prom_write_conf_t      conf;
    prom_write_version_e   version;
    int64_t                now;
    prom_write_state_pt    state;
    prom_write_result_t    result;
    prom_write_report_t    report;

    prom_vec_t             room;        /* the compressed body, if gathered */
    prom_vec_t             body;        /* decompressed */
    prom_vec_t             samples;     /* prom_sample_t */
    prom_vec_t             verdicts;    /* uint8_t */
    prom_vec_t             entries;     /* prom_entry_t */
    prom_vec_t             made;        /* prom_entry_t: series of this request,
                                           before it began anew */
    prom_vec_t             messages;    /* prom_str_t: where entries are from */
    prom_arena_t           keys;        /* of series that were not known: no
                                           more than the body expands to */

    prom_prw1_t            prw1;
    prom_prw2_t            prw2;
    prom_intern_t         *intern;      /* 2.0, NULL: do without */
    prom_intern_run_t      interned;    /* this request's part of it */
    prom_batch_t           batch;

    uint32_t               last;        /* the series found last */
    uint32_t               expected;    /* 1.0: the one of prw1.expected */
    uint32_t               lookups;     /* in this block */
    uint32_t               restarts;
    size_t                 block;       /* first entry of this block */
    size_t                 expanded;    /* bytes of keys written out */
    bool                   unsorted;    /* the last was no key as it stood */
    uint8_t                order[PROM_LABELS_ORDER];    /* if so */
    bool                   decoded;     /* past snappy */

    prom_label_t           labels[PROM_LABELS_MAX];
    uint8_t                raw[PROM_KEY_MAX];
    uint8_t                key[PROM_KEY_MAX];
};


/*
 * The labels as the sender has them, in write->labels.  PROM_LIMIT with a line
 * in the report, PROM_ERROR where the body cannot be decoded.
 */
int prom_write_labels(prom_write_t *write, prom_str_t message, size_t *n);

/*
 * PROM_OK: the entry has its series, or what is needed to resolve it.
 * PROM_ERROR: bad labels, PROM_LIMIT: a limit, both with a line in the report.
 * PROM_AGAIN: the request cannot be taken, the report says why; PROM_NOMEM.
 */
int prom_write_find(prom_write_t *write, prom_entry_t *entry,
    const prom_prw_series_t *series);


#endif /* _PROM_WRITE_STATE_H_INCLUDED_ */
