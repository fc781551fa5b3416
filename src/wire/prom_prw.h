
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Remote write on the wire: a decompressed body -> its series, one after the
 * other, read in place.
 *
 * What is read of a series points into the body.  Its samples are appended to
 * a vector of the caller.  Exemplars, native histograms and metadata are
 * decoded as far as needed to know that they are well-formed, and counted.
 *
 * Field numbers are those of prometheus.WriteRequest (1.0 and what Prometheus
 * sends besides) and io.prometheus.write.v2.Request, see proto/.
 */


#ifndef _PROM_PRW_H_INCLUDED_
#define _PROM_PRW_H_INCLUDED_


#include "../base/prom_base.h"
#include "../base/prom_msg.h"
#include "../base/prom_sample.h"
#include "../base/prom_vec.h"
#include "../labels/prom_labels.h"


#define PROM_PRW_SAMPLES  (1u << 20)    /* of a request, a hundred times what */
#define PROM_PRW_SYMBOLS  (1u << 20)    /* senders send: bounds its memory */


typedef struct {
    prom_str_t   message;               /* the TimeSeries as a whole */
    prom_str_t   run;                   /* 1.0: the label fields where they
                                           lie in one run, else empty */
    bool         expected;              /* 1.0: the run is reader->expected */
    uint32_t     first;                 /* its samples in the vector */
    uint32_t     samples;
    uint32_t     exemplars;
    uint32_t     histograms;
    bool         metadata;              /* 2.0 */
    uint32_t     help;                  /* symbols of it */
    uint32_t     unit;
} prom_prw_series_t;


/* Errors of the functions below: the body as a whole is not well-formed. */


/* Remote write 1.0 */

typedef struct {
    const uint8_t  *pos;
    const uint8_t  *end;
    uint64_t        metadata;           /* metric families described */
    prom_str_t      expected;           /* by the caller: the labels that the
                                           next series may have, or empty;
                                           spares to walk over them */
} prom_prw1_t;

void prom_prw1_open(prom_prw1_t *reader, prom_str_t body);

/*
 * 1: a series, 0: the end, PROM_ERROR with a message, PROM_LIMIT: there would
 * be more than PROM_PRW_SAMPLES samples, PROM_NOMEM.
 */
int prom_prw1_next(prom_prw1_t *reader, prom_prw_series_t *series,
    prom_vec_t *samples, prom_msg_t *msg);

/*
 * The labels of a TimeSeries as they stand, *n of them.  PROM_OK, PROM_ERROR
 * with a message, PROM_LIMIT where there are more than `max'.
 */
int prom_prw1_labels(prom_str_t message, prom_label_t *labels, size_t max,
    size_t *n, prom_msg_t *msg);


/* Remote write 2.0 */

typedef struct {
    const uint8_t  *pos;
    const uint8_t  *end;
    prom_vec_t      symbols;            /* prom_str_t */
    prom_vec_t      refs;               /* uint32_t, of the series just read */
} prom_prw2_t;

/*
 * Reads the symbols, wherever they stand.  PROM_OK, PROM_ERROR, PROM_LIMIT:
 * more than PROM_PRW_SYMBOLS, PROM_NOMEM.
 */
int prom_prw2_open(prom_prw2_t *reader, prom_str_t body, prom_msg_t *msg);
int prom_prw2_next(prom_prw2_t *reader, prom_prw_series_t *series,
    prom_vec_t *samples, prom_msg_t *msg);

/*
 * Whether the references of the series just read are good: they come in pairs
 * and exist, those of its metadata too.  PROM_ERROR with a message: this
 * series cannot be taken, others can.
 */
int prom_prw2_check(const prom_prw2_t *reader,
    const prom_prw_series_t *series, prom_msg_t *msg);

/* The same question, quickly. */
static inline bool prom_prw2_is_good(const prom_prw2_t *reader,
    const prom_prw_series_t *series);

/* Reads the references of a series that was read before once more. */
void prom_prw2_reread(prom_prw2_t *reader, prom_str_t message);

void prom_prw2_close(prom_prw2_t *reader);


static inline bool
prom_prw2_is_good(const prom_prw2_t *reader, const prom_prw_series_t *series)
{
    size_t           i;
    uint32_t         highest;
    const uint32_t  *refs;

    refs = reader->refs.data;
    highest = prom_max(series->help, series->unit);

    for (i = 0; i < reader->refs.n; i++) {
        highest = prom_max(highest, refs[i]);
    }

    /* metadata may refer to symbol 0 where there is none */

    return reader->refs.n % 2 == 0
           && (highest < reader->symbols.n
               || (highest == 0 && reader->refs.n == 0));
}


#endif /* _PROM_PRW_H_INCLUDED_ */
