
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Series -> text format 0.0.4, as /federate answers it.
 *
 * A family is one "# TYPE name untyped" line and then its samples.  Names that
 * are not [a-zA-Z_:][a-zA-Z0-9_:]* are escaped by the scheme that the client
 * asked for, or quoted (allow-utf-8); label values never are.
 */


#ifndef _PROM_EXPOSE_H_INCLUDED_
#define _PROM_EXPOSE_H_INCLUDED_


#include "../base/prom_base.h"
#include "../labels/prom_labels.h"


typedef enum {
    PROM_ESCAPE_UNDERSCORES = 0,        /* the default */
    PROM_ESCAPE_ALLOW_UTF8,
    PROM_ESCAPE_DOTS,
    PROM_ESCAPE_VALUES
} prom_escape_e;


/*
 * The walk of prometheus/common's Negotiate() over one Accept header (empty
 * when there is none), for a server that only speaks text 0.0.4: what is left
 * to choose is the escaping scheme.
 */
prom_escape_e prom_expose_negotiate(prom_str_t accept);

/* "text/plain; version=0.0.4; charset=utf-8; escaping=..." */
prom_str_t prom_expose_content_type(prom_escape_e escape);


/*
 * What is the same for all lines of an answer: external labels, prepared once.
 * `labels' are sorted by name, values not empty except for `instance', which
 * the caller adds with "" where the operator configured none; the strings
 * must outlive the object.
 */
typedef struct {
    prom_escape_e        escape;
    const prom_label_t  *external;
    size_t               n_external;
} prom_expose_t;


/*
 * Each writes one line into p..end and returns its end, or NULL where the line
 * does not fit (then nothing that was written counts).
 * `plain' promises what prom_labels_plain() says of the key.
 */
uint8_t *prom_expose_family(const prom_expose_t *expose, prom_str_t name,
    uint8_t *p, uint8_t *end);
uint8_t *prom_expose_sample(const prom_expose_t *expose, prom_str_t key,
    bool plain, uint64_t value, int64_t timestamp, uint8_t *p, uint8_t *end);

#endif /* _PROM_EXPOSE_H_INCLUDED_ */
