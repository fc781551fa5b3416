
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The messages that both versions of remote write have in common.
 */


#ifndef _PROM_PRW_PARTS_H_INCLUDED_
#define _PROM_PRW_PARTS_H_INCLUDED_


#include "../base/prom_base.h"
#include "../base/prom_sample.h"
#include "prom_proto.h"


bool prom_prw_sample_slow(const uint8_t *pos, const uint8_t *end,
    prom_sample_t *sample);

/* Whether a Histogram is well-formed on the wire. */
bool prom_prw_histogram(const uint8_t *pos, const uint8_t *end);


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


#endif /* _PROM_PRW_PARTS_H_INCLUDED_ */
