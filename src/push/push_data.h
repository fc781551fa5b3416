
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * What is to be sent: metric families, series, and samples in the order in
 * which they were read.
 *
 * Invariants
 *  1. The labels of a series are sorted by name in byte order, have no name
 *     twice, no empty name and no empty value, and __name__ is among them.
 *  2. No two series have the same labels.
 *  3. All strings are valid UTF-8 and end in NUL; they hold no other NUL, for
 *     neither the text format nor protobuf-c has a way to write one.
 *  4. Samples are never sorted: what is out of order in the input is so in
 *     the requests, and the server judges it.
 *
 * Timestamps are milliseconds since the epoch.  The data owns its strings.
 */


#ifndef _PUSH_DATA_H_INCLUDED_
#define _PUSH_DATA_H_INCLUDED_


#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#include "push_table.h"


/* The numbers are those of both protocol versions. */

typedef enum {
    PUSH_UNKNOWN = 0,
    PUSH_COUNTER,
    PUSH_GAUGE,
    PUSH_HISTOGRAM,
    PUSH_GAUGEHISTOGRAM,
    PUSH_SUMMARY,
    PUSH_INFO,
    PUSH_STATESET
} push_type_e;


typedef struct {
    const char        *name;
    const char        *value;
} push_label_t;


typedef struct {
    const char        *name;
    char              *help;            /* NULL: not given */
    char              *unit;            /* NULL: not given */
    push_type_e        type;
    bool               typed;           /* the type was given */
} push_family_t;


typedef struct {
    push_label_t      *labels;
    size_t             nlabels;
    uint32_t           family;          /* PUSH_TABLE_NONE: no metadata;
                                           set by push_data_finish() */
} push_series_t;


typedef struct {
    double             value;
    int64_t            timestamp;
    uint32_t           series;
} push_sample_t;


typedef struct {
    push_series_t     *series;          /* as numbered in series_table */
    push_family_t     *families;        /* as numbered in family_table */
    push_sample_t     *samples;
    size_t             nsamples;

    push_table_t       series_table;
    push_table_t       family_table;

    push_label_t      *extra;           /* labels for all series */
    size_t             nextra;
    bool               override;        /* extra labels win */

    size_t             series_cap;
    size_t             families_cap;
    size_t             samples_cap;
    size_t             extra_cap;

    push_label_t      *work;
    size_t             work_cap;
    char              *key;
    size_t             key_cap;
} push_data_t;


#define push_data_nseries(data)    ((data)->series_table.n)
#define push_data_nfamilies(data)  ((data)->family_table.n)


/* Data start as zeros. */

/* For all series added later; the strings must outlive the data. */
void push_data_add_extra(push_data_t *data, const char *name,
    const char *value);

/*
 * Copies the labels, which come in any order.  Returns NULL, or what is wrong
 * with them; for a duplicate *which is its name.
 */
const char *push_data_add_sample(push_data_t *data, const push_label_t *labels,
    size_t nlabels, double value, int64_t timestamp, const char **which);

/* Found or made; the pointer is good until the next call. */
push_family_t *push_data_family(push_data_t *data, const char *name);

/* Sets *to to a copy of the string. */
void push_data_set(char **to, const char *text);

/* When everything is read: finds the family of each series. */
void push_data_finish(push_data_t *data);

const char *push_series_name(const push_series_t *series);

void push_data_free(push_data_t *data);

bool push_utf8_valid(const char *p, size_t len);


#endif /* _PUSH_DATA_H_INCLUDED_ */
