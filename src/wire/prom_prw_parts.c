
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "prom_prw_parts.h"


bool
prom_prw_sample_slow(const uint8_t *pos, const uint8_t *end,
    prom_sample_t *sample)
{
    uint64_t      time;
    prom_field_t  field;

    sample->time = 0;
    sample->value = 0;

    while (pos < end) {

        if (!prom_proto_field(&pos, end, &field)) {
            return false;
        }

        switch (field.number) {

        case 1:
            if (field.wire != PROM_WIRE_FIXED64
                || !prom_proto_fixed64(&pos, end, &sample->value))
            {
                return false;
            }

            break;

        case 2:
            if (field.wire != PROM_WIRE_VARINT
                || !prom_proto_varint(&pos, end, &time))
            {
                return false;
            }

            sample->time = (int64_t) time;
            break;

        default:
            if (!prom_proto_skip(&pos, end, field.wire)) {
                return false;
            }
        }
    }

    return true;
}


static bool
prom_prw_varints(prom_str_t packed)
{
    uint64_t        value;
    const uint8_t  *pos, *end;

    pos = packed.data;
    end = pos + packed.len;

    while (pos < end) {
        if (!prom_proto_varint(&pos, end, &value)) {
            return false;
        }
    }

    return true;
}


static bool
prom_prw_span(prom_str_t message)
{
    prom_field_t    field;
    const uint8_t  *pos, *end;

    pos = message.data;
    end = pos + message.len;

    while (pos < end) {

        if (!prom_proto_field(&pos, end, &field)
            || (field.number <= 2 && field.wire != PROM_WIRE_VARINT)
            || !prom_proto_skip(&pos, end, field.wire))
        {
            return false;
        }
    }

    return true;
}


/* What a field of Histogram is on the wire, by its number. */

typedef enum {
    PROM_HISTOGRAM_UNKNOWN = 0,
    PROM_HISTOGRAM_VARINT,
    PROM_HISTOGRAM_DOUBLE,
    PROM_HISTOGRAM_SPAN,
    PROM_HISTOGRAM_VARINTS,
    PROM_HISTOGRAM_DOUBLES
} prom_histogram_field_e;

static const uint8_t  prom_histogram_fields[] = {
    PROM_HISTOGRAM_UNKNOWN,
    PROM_HISTOGRAM_VARINT,              /* count_int */
    PROM_HISTOGRAM_DOUBLE,              /* count_float */
    PROM_HISTOGRAM_DOUBLE,              /* sum */
    PROM_HISTOGRAM_VARINT,              /* schema */
    PROM_HISTOGRAM_DOUBLE,              /* zero_threshold */
    PROM_HISTOGRAM_VARINT,              /* zero_count_int */
    PROM_HISTOGRAM_DOUBLE,              /* zero_count_float */
    PROM_HISTOGRAM_SPAN,                /* negative_spans */
    PROM_HISTOGRAM_VARINTS,             /* negative_deltas */
    PROM_HISTOGRAM_DOUBLES,             /* negative_counts */
    PROM_HISTOGRAM_SPAN,                /* positive_spans */
    PROM_HISTOGRAM_VARINTS,             /* positive_deltas */
    PROM_HISTOGRAM_DOUBLES,             /* positive_counts */
    PROM_HISTOGRAM_VARINT,              /* reset_hint */
    PROM_HISTOGRAM_VARINT,              /* timestamp */
    PROM_HISTOGRAM_DOUBLES              /* custom_values */
};


static bool
prom_prw_histogram_field(const uint8_t **pos, const uint8_t *end,
    prom_field_t field)
{
    uint8_t     kind;
    prom_str_t  bytes;

    kind = PROM_HISTOGRAM_UNKNOWN;

    if (field.number < sizeof(prom_histogram_fields)) {
        kind = prom_histogram_fields[field.number];
    }

    if (field.wire == PROM_WIRE_BYTES && kind != PROM_HISTOGRAM_UNKNOWN) {

        if (!prom_proto_bytes(pos, end, &bytes)) {
            return false;
        }

        return (kind == PROM_HISTOGRAM_SPAN && prom_prw_span(bytes))
               || (kind == PROM_HISTOGRAM_VARINTS && prom_prw_varints(bytes))
               || (kind == PROM_HISTOGRAM_DOUBLES && bytes.len % 8 == 0);
    }

    switch (kind) {

    case PROM_HISTOGRAM_VARINT:
    case PROM_HISTOGRAM_VARINTS:
        if (field.wire != PROM_WIRE_VARINT) {
            return false;
        }

        break;

    case PROM_HISTOGRAM_DOUBLE:
    case PROM_HISTOGRAM_DOUBLES:
        if (field.wire != PROM_WIRE_FIXED64) {
            return false;
        }

        break;

    case PROM_HISTOGRAM_SPAN:
        return false;
    }

    return prom_proto_skip(pos, end, field.wire);
}


bool
prom_prw_histogram(const uint8_t *pos, const uint8_t *end)
{
    prom_field_t  field;

    while (pos < end) {

        if (!prom_proto_field(&pos, end, &field)
            || !prom_prw_histogram_field(&pos, end, field))
        {
            return false;
        }
    }

    return true;
}
