
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The protobuf wire format, read in place.  The rules are those of the
 * decoders that gogo/protobuf generates, which Prometheus uses: unknown fields
 * are skipped, unknown groups too; a field number of 0, wire types 6 and 7, a
 * stray end of group, a varint of more than 10 bytes and anything that ends
 * too soon are errors.
 *
 * Every function moves *pos only over bytes before `end'; false: the input is
 * bad.
 */


#ifndef _PROM_PROTO_H_INCLUDED_
#define _PROM_PROTO_H_INCLUDED_


#include "../base/prom_base.h"


#define PROM_WIRE_VARINT   0
#define PROM_WIRE_FIXED64  1
#define PROM_WIRE_BYTES    2
#define PROM_WIRE_GROUP    3
#define PROM_WIRE_END      4
#define PROM_WIRE_FIXED32  5

#define PROM_PROTO_DEPTH   64           /* of unknown groups in groups */


typedef struct {
    uint32_t  number;
    uint32_t  wire;
} prom_field_t;


bool prom_proto_varint_slow(const uint8_t **pos, const uint8_t *end,
    uint64_t *value);
bool prom_proto_skip(const uint8_t **pos, const uint8_t *end, uint32_t wire);


static inline bool
prom_proto_varint(const uint8_t **pos, const uint8_t *end, uint64_t *value)
{
    if (prom_likely(*pos < end && **pos < 0x80)) {
        *value = *(*pos)++;
        return true;
    }

    return prom_proto_varint_slow(pos, end, value);
}


static inline bool
prom_proto_field(const uint8_t **pos, const uint8_t *end, prom_field_t *field)
{
    uint64_t  tag;

    if (prom_unlikely(!prom_proto_varint(pos, end, &tag))) {
        return false;
    }

    field->wire = tag & 7;
    field->number = (uint32_t) (tag >> 3);

    return (int32_t) field->number > 0;
}


static inline bool
prom_proto_bytes(const uint8_t **pos, const uint8_t *end, prom_str_t *bytes)
{
    uint64_t  len;

    if (prom_unlikely(!prom_proto_varint(pos, end, &len)
                      || len > (uint64_t) (end - *pos)))
    {
        return false;
    }

    bytes->data = *pos;
    bytes->len = len;
    *pos += len;

    return true;
}


static inline bool
prom_proto_fixed64(const uint8_t **pos, const uint8_t *end, uint64_t *value)
{
    if (prom_unlikely(end - *pos < 8)) {
        return false;
    }

    memcpy(value, *pos, 8);

#if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
    *value = __builtin_bswap64(*value);
#endif

    *pos += 8;

    return true;
}


#endif /* _PROM_PROTO_H_INCLUDED_ */
