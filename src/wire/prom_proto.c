
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "prom_proto.h"


bool
prom_proto_varint_slow(const uint8_t **pos, const uint8_t *end,
    uint64_t *value)
{
    unsigned        shift;
    uint64_t        v;
    const uint8_t  *p;

    v = 0;
    p = *pos;

    for (shift = 0; shift < 64; shift += 7) {

        if (p == end) {
            return false;
        }

        v |= (uint64_t) (*p & 0x7f) << shift;

        if (*p++ < 0x80) {
            *value = v;
            *pos = p;
            return true;
        }
    }

    return false;
}


static bool
prom_proto_skip_one(const uint8_t **pos, const uint8_t *end, uint32_t wire)
{
    uint64_t    value;
    prom_str_t  bytes;

    switch (wire) {

    case PROM_WIRE_VARINT:
        return prom_proto_varint(pos, end, &value);

    case PROM_WIRE_FIXED64:
        return prom_proto_fixed64(pos, end, &value);

    case PROM_WIRE_BYTES:
        return prom_proto_bytes(pos, end, &bytes);

    case PROM_WIRE_FIXED32:
        if (end - *pos < 4) {
            return false;
        }

        *pos += 4;
        return true;

    default:
        return false;
    }
}


bool
prom_proto_skip(const uint8_t **pos, const uint8_t *end, uint32_t wire)
{
    uint32_t      depth;
    prom_field_t  field;

    if (wire != PROM_WIRE_GROUP) {
        return prom_proto_skip_one(pos, end, wire);
    }

    for (depth = 1; depth > 0; /* void */) {

        if (!prom_proto_field(pos, end, &field)) {
            return false;
        }

        if (field.wire == PROM_WIRE_END) {
            depth--;

        } else if (field.wire == PROM_WIRE_GROUP) {
            if (++depth > PROM_PROTO_DEPTH) {
                return false;
            }

        } else if (!prom_proto_skip_one(pos, end, field.wire)) {
            return false;
        }
    }

    return true;
}
