
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "prom_xor.h"


/*
 * Puts the low `n' bits (1 .. 64) of `v' at bit `pos'; what is beyond in the
 * last byte becomes zero.
 */
static inline unsigned
prom_xor_put(uint8_t *p, unsigned pos, uint64_t v, unsigned n)
{
    unsigned  used;
    uint64_t  word;

    p += pos / 8;
    used = pos % 8;

    v <<= 64 - n;

    word = (uint64_t) (p[0] & ~(0xff >> used)) << 56 | v >> used;
    word = __builtin_bswap64(word);
    memcpy(p, &word, 8);

    if (used + n > 64) {
        p[8] = (uint8_t) (v << (8 - used));
    }

    return pos + n;
}


static inline unsigned
prom_xor_put_varint(uint8_t *p, unsigned pos, uint64_t v)
{
    while (v >= 0x80) {
        pos = prom_xor_put(p, pos, (v & 0x7f) | 0x80, 8);
        v >>= 7;
    }

    return prom_xor_put(p, pos, v, 8);
}


static inline unsigned
prom_xor_put_dod(uint8_t *p, unsigned pos, int64_t dod)
{
    if (dod == 0) {
        return prom_xor_put(p, pos, 0, 1);
    }

    if (dod >= -8191 && dod <= 8192) {
        return prom_xor_put(p, pos, 2 << 14 | (dod & 0x3fff), 2 + 14);
    }

    if (dod >= -65535 && dod <= 65536) {
        return prom_xor_put(p, pos, 6 << 17 | (dod & 0x1ffff), 3 + 17);
    }

    if (dod >= -524287 && dod <= 524288) {
        return prom_xor_put(p, pos, 14 << 20 | (dod & 0xfffff), 4 + 20);
    }

    pos = prom_xor_put(p, pos, 15, 4);

    return prom_xor_put(p, pos, (uint64_t) dod, 64);
}


static inline unsigned
prom_xor_put_value(uint8_t *p, unsigned pos, prom_xor_t *xor, uint64_t value)
{
    unsigned  lead, trail, bits;
    uint64_t  x;

    x = value ^ xor->value;

    if (x == 0) {
        return prom_xor_put(p, pos, 0, 1);
    }

    lead = __builtin_clzll(x);
    trail = __builtin_ctzll(x);
    lead = prom_min(lead, 31u);

    if (xor->lead != PROM_XOR_NO_WINDOW
        && lead >= xor->lead
        && trail >= xor->trail)
    {
        bits = 64 - xor->lead - xor->trail;
        pos = prom_xor_put(p, pos, 2, 2);

        return prom_xor_put(p, pos, x >> xor->trail, bits);
    }

    xor->lead = (uint8_t) lead;
    xor->trail = (uint8_t) trail;

    bits = 64 - lead - trail;
    pos = prom_xor_put(p, pos, 3 << 11 | lead << 6 | (bits & 0x3f), 13);

    return prom_xor_put(p, pos, x >> trail, bits);
}


size_t
prom_xor_append(prom_xor_t *xor, int64_t time, uint64_t value,
    uint8_t out[PROM_XOR_SAMPLE])
{
    int64_t   dod;
    unsigned  start, pos;

    if (xor->samples == 0) {
        pos = prom_xor_put_varint(out, 0, (uint64_t) time << 1
                                          ^ (uint64_t) (time >> 63));
        pos = prom_xor_put(out, pos, value, 64);

        xor->bits = PROM_XOR_HEADER * 8 + (uint16_t) pos;
        xor->delta = 0;
        xor->lead = PROM_XOR_NO_WINDOW;
        xor->trail = 0;

    } else {
        start = xor->bits % 8;
        dod = time - xor->time;

        if (xor->samples == 1) {
            pos = prom_xor_put_varint(out, start, (uint64_t) dod);

        } else {
            pos = prom_xor_put_dod(out, start, dod - (int64_t) xor->delta);
        }

        xor->delta = (uint32_t) dod;

        pos = prom_xor_put_value(out, pos, xor, value);
        xor->bits += (uint16_t) (pos - start);
    }

    xor->samples++;
    xor->time = time;
    xor->value = value;

    return (pos + 7) / 8;
}


void
prom_xor_set_count(uint8_t *chunk, uint16_t samples)
{
    chunk[0] = (uint8_t) (samples >> 8);
    chunk[1] = (uint8_t) samples;
}


void
prom_xor_read(prom_xor_reader_t *reader, const uint8_t *chunk, size_t bytes,
    uint32_t samples)
{
    memset(reader, 0, sizeof(prom_xor_reader_t));

    reader->data = chunk;
    reader->pos = PROM_XOR_HEADER * 8;
    reader->end = bytes * 8;
    reader->left = bytes >= PROM_XOR_HEADER ? samples : 0;
}


/* Reads `n' bits (1 .. 64); the caller has seen that they are there. */

static inline uint64_t
prom_xor_get(prom_xor_reader_t *reader, unsigned n)
{
    uint64_t        v;
    unsigned        used, take;
    const uint8_t  *p;

    v = 0;

    while (n > 0) {
        p = reader->data + reader->pos / 8;
        used = reader->pos % 8;
        take = prom_min(8 - used, n);

        v = v << take | ((*p >> (8 - used - take)) & ((1u << take) - 1));

        reader->pos += take;
        n -= take;
    }

    return v;
}


static inline bool
prom_xor_has(const prom_xor_reader_t *reader, unsigned n)
{
    return reader->end - reader->pos >= n;
}


static bool
prom_xor_get_varint(prom_xor_reader_t *reader, uint64_t *v)
{
    unsigned  shift;
    uint64_t  byte;

    *v = 0;

    for (shift = 0; shift < 70; shift += 7) {

        if (!prom_xor_has(reader, 8)) {
            return false;
        }

        byte = prom_xor_get(reader, 8);
        *v |= (byte & 0x7f) << shift;

        if (byte < 0x80) {
            return true;
        }
    }

    return false;
}


static bool
prom_xor_get_dod(prom_xor_reader_t *reader, int64_t *dod)
{
    uint64_t  v;
    unsigned  ones, bits;

    static const uint8_t  width[] = { 0, 14, 17, 20, 64 };

    for (ones = 0; ones < 4; ones++) {

        if (!prom_xor_has(reader, 1)) {
            return false;
        }

        if (prom_xor_get(reader, 1) == 0) {
            break;
        }
    }

    bits = width[ones];

    if (bits == 0) {
        *dod = 0;
        return true;
    }

    if (!prom_xor_has(reader, bits)) {
        return false;
    }

    v = prom_xor_get(reader, bits);

    if (bits != 64 && v > UINT64_C(1) << (bits - 1)) {
        v -= UINT64_C(1) << bits;
    }

    *dod = (int64_t) v;

    return true;
}


static bool
prom_xor_get_value(prom_xor_reader_t *reader)
{
    unsigned  bits;

    if (!prom_xor_has(reader, 1)) {
        return false;
    }

    if (prom_xor_get(reader, 1) == 0) {
        return true;
    }

    if (!prom_xor_has(reader, 1)) {
        return false;
    }

    if (prom_xor_get(reader, 1) != 0) {

        if (!prom_xor_has(reader, 11)) {
            return false;
        }

        reader->lead = (uint8_t) prom_xor_get(reader, 5);
        bits = (unsigned) prom_xor_get(reader, 6);
        bits = bits ? bits : 64;

        if (reader->lead + bits > 64) {
            return false;
        }

        reader->trail = (uint8_t) (64 - reader->lead - bits);
    }

    bits = 64 - reader->lead - reader->trail;

    if (!prom_xor_has(reader, bits)) {
        return false;
    }

    reader->value ^= prom_xor_get(reader, bits) << reader->trail;

    return true;
}


bool
prom_xor_next(prom_xor_reader_t *reader)
{
    int64_t   dod;
    uint64_t  v;

    if (reader->left == 0) {
        return false;
    }

    switch (reader->read) {

    case 0:
        if (!prom_xor_get_varint(reader, &v) || !prom_xor_has(reader, 64)) {
            return false;
        }

        reader->time = (int64_t) (v >> 1 ^ -(v & 1));
        reader->value = prom_xor_get(reader, 64);
        break;

    case 1:
        if (!prom_xor_get_varint(reader, &reader->delta)
            || !prom_xor_get_value(reader))
        {
            return false;
        }

        reader->time = (int64_t) ((uint64_t) reader->time + reader->delta);
        break;

    default:
        if (!prom_xor_get_dod(reader, &dod)) {
            return false;
        }

        reader->delta += (uint64_t) dod;
        reader->time = (int64_t) ((uint64_t) reader->time + reader->delta);

        if (!prom_xor_get_value(reader)) {
            return false;
        }
    }

    reader->read++;
    reader->left--;

    return true;
}
