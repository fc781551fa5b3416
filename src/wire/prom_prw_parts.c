
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


#define prom_schema(parts)  { parts, sizeof(parts) }


static const uint8_t  prom_span_parts[] = {
    PROM_PART_UNKNOWN,
    PROM_PART_VARINT,                   /* offset */
    PROM_PART_VARINT                    /* length */
};

static const uint8_t  prom_label_parts[] = {
    PROM_PART_UNKNOWN,
    PROM_PART_BYTES,                    /* name */
    PROM_PART_BYTES                     /* value */
};

static const uint8_t  prom_histogram_parts[] = {
    PROM_PART_UNKNOWN,
    PROM_PART_VARINT,                   /* count_int */
    PROM_PART_DOUBLE,                   /* count_float */
    PROM_PART_DOUBLE,                   /* sum */
    PROM_PART_VARINT,                   /* schema */
    PROM_PART_DOUBLE,                   /* zero_threshold */
    PROM_PART_VARINT,                   /* zero_count_int */
    PROM_PART_DOUBLE,                   /* zero_count_float */
    PROM_PART_SPAN,                     /* negative_spans */
    PROM_PART_VARINTS,                  /* negative_deltas */
    PROM_PART_DOUBLES,                  /* negative_counts */
    PROM_PART_SPAN,                     /* positive_spans */
    PROM_PART_VARINTS,                  /* positive_deltas */
    PROM_PART_DOUBLES,                  /* positive_counts */
    PROM_PART_VARINT,                   /* reset_hint */
    PROM_PART_VARINT,                   /* timestamp */
    PROM_PART_DOUBLES                   /* custom_values */
};

static const uint8_t  prom_exemplar1_parts[] = {
    PROM_PART_UNKNOWN,
    PROM_PART_LABEL,                    /* labels */
    PROM_PART_DOUBLE,                   /* value */
    PROM_PART_VARINT                    /* timestamp */
};

static const uint8_t  prom_exemplar2_parts[] = {
    PROM_PART_UNKNOWN,
    PROM_PART_VARINTS,                  /* labels_refs */
    PROM_PART_DOUBLE,                   /* value */
    PROM_PART_VARINT                    /* timestamp */
};

static const uint8_t  prom_metadata1_parts[] = {
    PROM_PART_UNKNOWN,
    PROM_PART_VARINT,                   /* type */
    PROM_PART_BYTES,                    /* metric_family_name */
    PROM_PART_UNKNOWN,
    PROM_PART_BYTES,                    /* help */
    PROM_PART_BYTES                     /* unit */
};

static const prom_schema_t  prom_span = prom_schema(prom_span_parts);
static const prom_schema_t  prom_label = prom_schema(prom_label_parts);

const prom_schema_t  prom_prw_histogram = prom_schema(prom_histogram_parts);
const prom_schema_t  prom_prw1_exemplar = prom_schema(prom_exemplar1_parts);
const prom_schema_t  prom_prw1_metadata = prom_schema(prom_metadata1_parts);
const prom_schema_t  prom_prw2_exemplar = prom_schema(prom_exemplar2_parts);


static bool
prom_part_varints(prom_str_t packed)
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


/* A known field of wire type PROM_WIRE_BYTES. */

static bool
prom_part_bytes(prom_str_t bytes, prom_part_e part)
{
    switch (part) {

    case PROM_PART_BYTES:
        return true;

    case PROM_PART_VARINTS:
        return prom_part_varints(bytes);

    case PROM_PART_DOUBLES:
        return bytes.len % 8 == 0;

    case PROM_PART_SPAN:
        return prom_prw_well_formed(bytes, &prom_span);

    case PROM_PART_LABEL:
        return prom_prw_well_formed(bytes, &prom_label);

    default:
        return false;
    }
}


static bool
prom_part_field(const uint8_t **pos, const uint8_t *end, uint32_t wire,
    prom_part_e part)
{
    prom_str_t  bytes;

    if (part != PROM_PART_UNKNOWN && wire == PROM_WIRE_BYTES) {
        return prom_proto_bytes(pos, end, &bytes)
               && prom_part_bytes(bytes, part);
    }

    switch (part) {

    case PROM_PART_UNKNOWN:
        break;

    case PROM_PART_VARINT:
    case PROM_PART_VARINTS:
        if (wire != PROM_WIRE_VARINT) {
            return false;
        }

        break;

    case PROM_PART_DOUBLE:
    case PROM_PART_DOUBLES:
        if (wire != PROM_WIRE_FIXED64) {
            return false;
        }

        break;

    default:
        return false;
    }

    return prom_proto_skip(pos, end, wire);
}


bool
prom_prw_well_formed(prom_str_t message, const prom_schema_t *schema)
{
    prom_part_e     part;
    prom_field_t    field;
    const uint8_t  *pos, *end;

    pos = message.data;
    end = pos + message.len;

    while (pos < end) {

        if (!prom_proto_field(&pos, end, &field)) {
            return false;
        }

        part = field.number < schema->n ? schema->parts[field.number]
                                        : PROM_PART_UNKNOWN;

        if (!prom_part_field(&pos, end, field.wire, part)) {
            return false;
        }
    }

    return true;
}
