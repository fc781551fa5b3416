
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The messages that both versions of remote write have in common.
 */


#ifndef _PROM_PRW_PARTS_H_INCLUDED_
#define _PROM_PRW_PARTS_H_INCLUDED_


#include "../base/prom_base.h"
#include "../base/prom_msg.h"
#include "../base/prom_sample.h"
#include "../base/prom_vec.h"
#include "prom_proto.h"
#include "prom_prw.h"


/*
 * A message of which nothing is kept: what its fields are on the wire, by
 * their number.  Repeated numbers may be packed or not.
 */

typedef enum {
    PROM_PART_UNKNOWN = 0,
    PROM_PART_VARINT,
    PROM_PART_DOUBLE,
    PROM_PART_BYTES,
    PROM_PART_VARINTS,
    PROM_PART_DOUBLES,
    PROM_PART_SPAN,
    PROM_PART_LABEL
} prom_part_e;

typedef struct {
    const uint8_t  *parts;
    size_t          n;
} prom_schema_t;

extern const prom_schema_t  prom_prw_histogram;
extern const prom_schema_t  prom_prw1_exemplar;
extern const prom_schema_t  prom_prw1_metadata;
extern const prom_schema_t  prom_prw2_exemplar;

bool prom_prw_well_formed(prom_str_t message, const prom_schema_t *schema);


/*
 * Appends a Sample.  PROM_OK, PROM_ERROR: it is bad, PROM_LIMIT: one more than
 * PROM_PRW_SAMPLES, PROM_NOMEM.
 */
static inline int prom_prw_add_sample(prom_vec_t *samples, prom_str_t message);

bool prom_prw_sample_slow(const uint8_t *pos, const uint8_t *end,
    prom_sample_t *sample);


/* A Sample: 09 value 10 time, nearly always. */

static inline bool
prom_prw_sample(prom_str_t message, prom_sample_t *sample)
{
    const uint8_t  *p, *end;

    p = message.data;
    end = p + message.len;

    if (prom_likely(message.len > 10 && p[0] == 0x09 && p[9] == 0x10)) {
        p++;
        (void) prom_proto_fixed64(&p, end, &sample->value);
        p++;

        if (prom_proto_varint(&p, end, (uint64_t *) &sample->time)
            && p == end)
        {
            return true;
        }
    }

    return prom_prw_sample_slow(message.data, end, sample);
}


static inline int
prom_prw_add_sample(prom_vec_t *samples, prom_str_t message)
{
    if (prom_unlikely(samples->n == PROM_PRW_SAMPLES)) {
        return PROM_LIMIT;
    }

    if (!prom_vec_reserve(samples, 1, sizeof(prom_sample_t))) {
        return PROM_NOMEM;
    }

    if (!prom_prw_sample(message,
                         (prom_sample_t *) samples->data + samples->n))
    {
        return PROM_ERROR;
    }

    samples->n++;

    return PROM_OK;
}


#endif /* _PROM_PRW_PARTS_H_INCLUDED_ */
