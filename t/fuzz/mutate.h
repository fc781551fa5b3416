
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Mutations of protobuf messages.  Most of them know the structure and keep
 * lengths right, so that what they break is looked at and not refused at the
 * first byte; the others flip bits, cut and splice.
 *
 * The same seed makes the same inputs, whatever the compiler: no two calls of
 * fuzz_rnd() stand where their order is open.
 */


#ifndef _MUTATE_H_INCLUDED_
#define _MUTATE_H_INCLUDED_


#include <protobuf-c/protobuf-c.h>

#include "encode.h"


#define FUZZ_FIELDS   4096              /* of a message; more are not moved */
#define FUZZ_BYTES    (64 * 1024)       /* inputs grow no further */


typedef struct {
    const uint8_t  *start;              /* the tag */
    const uint8_t  *payload;            /* behind tag and length */
    const uint8_t  *end;
    uint32_t        number;
    uint32_t        wire;
    uint32_t        tag_len;
    uint32_t        prefix_len;         /* bytes of a length */
} fuzz_field_t;


static uint64_t  fuzz_state = 1;


static inline uint64_t
fuzz_random(void)
{
    uint64_t  z;

    fuzz_state += UINT64_C(0x9e3779b97f4a7c15);

    z = fuzz_state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);

    return z ^ (z >> 31);
}


static inline uint32_t
fuzz_rnd(size_t n)
{
    return (uint32_t) (fuzz_random() % n);
}


static inline unsigned long
fuzz_option(const char *name, unsigned long value)
{
    const char  *text;

    text = getenv(name);

    return text != NULL ? strtoul(text, NULL, 0) : value;
}


/* Numbers where things change, or any. */

static inline uint64_t
fuzz_number(void)
{
    uint64_t  any;
    unsigned  shift;

    any = fuzz_random();
    shift = fuzz_rnd(64);

    switch (fuzz_rnd(4)) {

    case 0:
        return any % 4;

    case 1:
        return (UINT64_C(1) << shift) - any % 3;

    case 2:
        return -(any % 1000);

    default:
        return any >> shift;
    }
}


static inline bool
fuzz_varint(const uint8_t **pos, const uint8_t *end, uint64_t *value)
{
    unsigned  n;

    *value = 0;

    for (n = 0; n < 10 && *pos < end; n++) {
        *value |= (uint64_t) (**pos & 0x7f) << 7 * n;

        if (*(*pos)++ < 0x80) {
            return true;
        }
    }

    return false;
}


/*
 * One field, a group with all that is in it; false where it cannot be read.
 * Does not care for field numbers.
 */
static inline bool
fuzz_field(const uint8_t **pos, const uint8_t *end, fuzz_field_t *field)
{
    uint64_t      value;
    fuzz_field_t  inner;

    field->start = *pos;

    if (!fuzz_varint(pos, end, &value)) {
        return false;
    }

    field->number = (uint32_t) (value >> 3);
    field->wire = value & 7;
    field->tag_len = (uint32_t) (*pos - field->start);
    field->payload = *pos;
    field->prefix_len = 0;

    switch (field->wire) {

    case 0:
        if (!fuzz_varint(pos, end, &value)) {
            return false;
        }

        break;

    case 1:
    case 5:
        value = field->wire == 1 ? 8 : 4;

        if ((uint64_t) (end - *pos) < value) {
            return false;
        }

        *pos += value;
        break;

    case 2:
        if (!fuzz_varint(pos, end, &value) || value > (uint64_t) (end - *pos))
        {
            return false;
        }

        field->prefix_len = (uint32_t) (*pos - field->payload);
        field->payload = *pos;
        *pos += value;
        break;

    case 3:
        for ( ;; ) {
            if (!fuzz_field(pos, end, &inner)) {
                return false;
            }

            if (inner.wire == 4) {
                break;
            }
        }

        break;

    case 4:
        break;

    default:
        return false;
    }

    field->end = *pos;

    return true;
}


static inline const ProtobufCFieldDescriptor *
fuzz_descriptor(const ProtobufCMessageDescriptor *desc, uint32_t number)
{
    unsigned  i;

    for (i = 0; i < desc->n_fields; i++) {
        if (desc->fields[i].id == number) {
            return desc->fields + i;
        }
    }

    return NULL;
}


/* What a field of a message is made of; NULL where it is no known message. */

static inline const ProtobufCMessageDescriptor *
fuzz_message(const ProtobufCMessageDescriptor *desc, const fuzz_field_t *field)
{
    const ProtobufCFieldDescriptor  *known;

    known = field->wire == 2 ? fuzz_descriptor(desc, field->number) : NULL;

    return known != NULL && known->type == PROTOBUF_C_TYPE_MESSAGE
           ? known->descriptor : NULL;
}


/* A varint in as many bytes as asked for. */

static inline void
fuzz_put_long(enc_t *out, uint64_t value, unsigned bytes)
{
    uint8_t  byte;

    for ( /* void */ ; bytes > 1 || value >= 0x80; value >>= 7) {
        byte = (uint8_t) (value | 0x80);
        enc_bytes(out, &byte, 1);
        bytes -= bytes > 1;
    }

    byte = (uint8_t) value;
    enc_bytes(out, &byte, 1);
}


static inline void
fuzz_put_unknown(enc_t *out, unsigned depth)
{
    uint32_t  number, wire;
    uint64_t  any;

    static const uint32_t  numbers[] = {
        1, 2, 3, 4, 5, 6, 7, 15, 16, 17, 18, 100, 0x1fffffff
    };

    number = numbers[fuzz_rnd(sizeof(numbers) / sizeof(numbers[0]))];
    wire = fuzz_rnd(8);
    any = fuzz_number();

    switch (fuzz_rnd(9)) {

    case 0:
    case 1:
        enc_int(out, number, (int64_t) any);
        break;

    case 2:
        enc_bits(out, number, any);
        break;

    case 3:
        enc_str(out, number, &"unknown"[fuzz_rnd(8)]);
        break;

    case 4:
        enc_tag(out, number, 5);
        enc_bytes(out, "\1\2\3\4", 4);
        break;

    case 5:
        enc_tag(out, number, 3);

        if (depth < 4 && fuzz_rnd(2)) {
            fuzz_put_unknown(out, depth + 1);
        }

        enc_tag(out, fuzz_rnd(8) ? number : number + 1, 4);
        break;

    case 6:
        fuzz_put_long(out, any << 3 | wire, 1 + fuzz_rnd(11));
        enc_bytes(out, "\0\0\0\0\0\0\0\0", fuzz_rnd(9));
        break;

    case 7:                             /* numbers that are none */
        any = fuzz_rnd(2) ? 0 : UINT64_C(0x80000000) | (any & 0x7fffffff);
        fuzz_put_long(out, any << 3, 1 + fuzz_rnd(5));
        enc_varint(out, number);
        break;

    default:
        enc_tag(out, fuzz_rnd(2) ? 0 : number, wire);
    }
}


/* Packed numbers one by one, or one of them packed. */

static inline void
fuzz_repack(enc_t *out, const fuzz_field_t *field)
{
    uint64_t        value;
    const uint8_t  *pos;

    if (field->wire != 2) {
        enc_tag(out, field->number, 2);
        enc_varint(out, (uint64_t) (field->end - field->payload));
        enc_bytes(out, field->payload, (size_t) (field->end - field->payload));
        return;
    }

    pos = field->payload;

    while (pos < field->end && fuzz_varint(&pos, field->end, &value)) {
        enc_int(out, field->number, (int64_t) value);
    }
}


static inline void
fuzz_put_changed(enc_t *out, const fuzz_field_t *field)
{
    size_t    len, at;
    uint8_t   junk[300];
    uint32_t  other, wire;
    uint64_t  any;

    len = (size_t) (field->end - field->payload);
    other = fuzz_rnd(2) ? field->number : fuzz_rnd(20);
    wire = fuzz_rnd(8);
    any = fuzz_number();

    switch (fuzz_rnd(8)) {

    case 0:                             /* another wire type or number */
        enc_tag(out, other, wire);
        at = field->tag_len;
        enc_bytes(out, field->start + at,
                  (size_t) (field->end - field->start) - at);
        break;

    case 1:                             /* a long tag */
        any = wire < 6 ? 0 : any << 35;
        any |= (uint64_t) field->number << 3 | field->wire;
        fuzz_put_long(out, any, 1 + fuzz_rnd(11));
        at = field->tag_len;
        enc_bytes(out, field->start + at,
                  (size_t) (field->end - field->start) - at);
        break;

    case 2:                             /* a long length, or a wrong one */
        enc_tag(out, field->number, 2);
        fuzz_put_long(out, wire < 4 ? len : len + any, 1 + fuzz_rnd(11));
        enc_bytes(out, field->payload, len);
        break;

    case 3:                             /* another number */
        enc_tag(out, field->number, 0);
        fuzz_put_long(out, any, 1 + fuzz_rnd(11));
        break;

    case 4:
        enc_bits(out, field->number,
                 wire < 4 ? any : UINT64_C(0x7ff0000000000002));
        break;

    case 5:
        fuzz_repack(out, field);
        break;

    case 6:                             /* other bytes */
        for (at = 0; at < sizeof(junk); at++) {
            junk[at] = (uint8_t) (fuzz_rnd(4) ? 'a' : fuzz_random());
        }

        enc_field(out, field->number, junk, fuzz_rnd(8) ? fuzz_rnd(20)
                                            : fuzz_rnd(sizeof(junk) + 1));
        break;

    default:                            /* a byte of it */
        at = out->len + field->tag_len + field->prefix_len;
        enc_bytes(out, field->start, (size_t) (field->end - field->start));

        if (len > 0) {
            out->data[at + fuzz_rnd(len)] ^= (uint8_t) (1 << fuzz_rnd(8));
        }
    }
}


static inline void
fuzz_put_field(enc_t *out, const fuzz_field_t *field)
{
    enc_bytes(out, field->start, (size_t) (field->end - field->start));
}


static inline void
    fuzz_structure(enc_t *out, const ProtobufCMessageDescriptor *desc,
    const uint8_t *data, size_t len);


/* A message with a change inside. */

static inline void
fuzz_put_message(enc_t *out, const ProtobufCMessageDescriptor *desc,
    const fuzz_field_t *field)
{
    enc_t  inner;

    memset(&inner, 0, sizeof(inner));
    fuzz_structure(&inner, desc, field->payload,
                   (size_t) (field->end - field->payload));
    enc_field(out, field->number, inner.data, inner.len);
    enc_free(&inner);
}


/* One change among the fields of this message. */

static inline void
fuzz_fields(enc_t *out, const ProtobufCMessageDescriptor *desc,
    const fuzz_field_t *fields, unsigned n)
{
    unsigned                           i, a, b, op;
    const ProtobufCMessageDescriptor  *message;

    a = n > 0 ? fuzz_rnd(n) : 0;
    b = n > 0 ? fuzz_rnd(n) : 0;
    op = n > 0 ? fuzz_rnd(8) : 0;

    for (i = 0; i <= n; i++) {

        if (op == 0 && i == (n > 0 ? a : n)) {
            fuzz_put_unknown(out, 0);
        }

        if (i == n) {
            break;
        }

        if (op == 1 && i == a) {
            continue;
        }

        if (op == 2 && i == a) {
            message = fuzz_message(desc, fields + b);

            if (message != NULL && fuzz_rnd(2)) {
                fuzz_put_message(out, message, fields + b);

            } else {
                fuzz_put_field(out, fields + b);
            }
        }

        if (op == 3 && (i == a || i == b)) {
            fuzz_put_field(out, fields + (i == a ? b : a));

        } else if (op > 3 && i == a) {
            fuzz_put_changed(out, fields + i);

        } else {
            fuzz_put_field(out, fields + i);
        }
    }
}


/* One change in this message or in one inside of it. */

static inline void
fuzz_structure(enc_t *out, const ProtobufCMessageDescriptor *desc,
    const uint8_t *data, size_t len)
{
    unsigned                           i, n, pick;
    const uint8_t                     *pos, *end;
    fuzz_field_t                      *fields;
    const ProtobufCMessageDescriptor  *message;

    fields = malloc(prom_min(len, (size_t) FUZZ_FIELDS)
                    * sizeof(fuzz_field_t));
    pos = data;
    end = data + len;

    for (n = 0; n < FUZZ_FIELDS && pos < end; n++) {
        if (!fuzz_field(&pos, end, fields + n)) {
            pos = fields[n].start;
            break;
        }
    }

    pick = n > 0 ? fuzz_rnd(n) : 0;
    message = n > 0 ? fuzz_message(desc, fields + pick) : NULL;

    if (message != NULL && fuzz_rnd(5)) {
        for (i = 0; i < n; i++) {
            if (i == pick) {
                fuzz_put_message(out, message, fields + i);

            } else {
                fuzz_put_field(out, fields + i);
            }
        }

    } else {
        fuzz_fields(out, desc, fields, n);
    }

    enc_bytes(out, pos, (size_t) (end - pos));
    free(fields);
}


/* Without regard for structure; `other' is something to splice with. */

static inline void
fuzz_blind(enc_t *buf, const enc_t *other)
{
    size_t   at, n;
    uint8_t  byte;

    if (buf->len == 0) {
        return;
    }

    at = fuzz_rnd(buf->len);

    switch (fuzz_rnd(5)) {

    case 0:
        buf->data[at] ^= (uint8_t) (1 << fuzz_rnd(8));
        break;

    case 1:
        buf->data[at] = (uint8_t) fuzz_random();
        break;

    case 2:
        buf->len = at;
        break;

    case 3:
        n = 1 + fuzz_rnd(4);
        n = prom_min(n, buf->len - at);
        memmove(buf->data + at, buf->data + at + n, buf->len - at - n);
        buf->len -= n;
        break;

    default:
        if (other->len > 0 && fuzz_rnd(2)) {
            buf->len = at;
            at = fuzz_rnd(other->len);
            enc_bytes(buf, other->data + at, other->len - at);

        } else {
            byte = (uint8_t) fuzz_random();
            enc_bytes(buf, &byte, 1);
        }
    }
}


/* `buf' after some mutations. */

static inline void
fuzz_mutate(enc_t *buf, const ProtobufCMessageDescriptor *desc,
    const enc_t *other)
{
    enc_t     out;
    unsigned  n;

    memset(&out, 0, sizeof(out));

    for (n = 1 + fuzz_rnd(3); n > 0; n--) {

        if (fuzz_rnd(8) == 0) {
            fuzz_blind(buf, other);
            continue;
        }

        enc_start(&out);
        fuzz_structure(&out, desc, buf->data, buf->len);

        enc_start(buf);
        enc_bytes(buf, out.data, prom_min(out.len, (size_t) FUZZ_BYTES));
    }

    enc_free(&out);
}


#endif /* _MUTATE_H_INCLUDED_ */
