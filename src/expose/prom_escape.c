
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "../base/prom_utf8.h"
#include "prom_escape.h"


#define PROM_ESCAPE_RUNE  12            /* room that any code point fits into,
                                           under any scheme */


static uint8_t *prom_escape_odd(uint8_t *p, uint8_t *end, prom_str_t name,
    prom_escape_e escape, bool colon);
static uint8_t *prom_escape_quoted(uint8_t *p, uint8_t *end, prom_str_t name);
static size_t prom_escape_rune(uint8_t *buf, uint32_t c, bool first,
    bool colon, prom_escape_e escape);
static size_t prom_escape_hex(uint8_t *buf, uint32_t c);
static bool prom_escape_clean(prom_str_t value);
static inline uint64_t prom_escape_find(uint64_t v);


uint8_t *
prom_escape_name(uint8_t *p, uint8_t *end, prom_str_t name,
    prom_escape_e escape)
{
    if (prom_labels_legacy_name(name)) {
        return prom_escape_raw(p, end, name);
    }

    return prom_escape_odd(p, end, name, escape, true);
}


uint8_t *
prom_escape_label(uint8_t *p, uint8_t *end, prom_str_t name,
    prom_escape_e escape)
{
    if (prom_labels_legacy_label(name)) {
        return prom_escape_raw(p, end, name);
    }

    return prom_escape_odd(p, end, name, escape, false);
}


/* `colon' tells whether it may stay. */

static uint8_t *
prom_escape_odd(uint8_t *p, uint8_t *end, prom_str_t name,
    prom_escape_e escape, bool colon)
{
    size_t    i, size;
    uint8_t   buf[PROM_ESCAPE_RUNE];
    uint32_t  c;

    if (escape == PROM_ESCAPE_ALLOW_UTF8) {
        return prom_escape_quoted(p, end, name);
    }

    if (escape == PROM_ESCAPE_VALUES) {
        p = prom_escape_raw(p, end, prom_str("U__"));
    }

    for (i = 0; i < name.len && p != NULL; i += size) {
        c = prom_utf8_decode(name.data + i, name.len - i, &size);
        p = prom_escape_raw(p, end, (prom_str_t) {
                            buf, prom_escape_rune(buf, c, i == 0, colon,
                                                  escape) });
    }

    return p;
}


static uint8_t *
prom_escape_quoted(uint8_t *p, uint8_t *end, prom_str_t name)
{
    p = prom_escape_raw(p, end, prom_str("\""));
    p = prom_escape_value(p, end, name);

    return prom_escape_raw(p, end, prom_str("\""));
}


static size_t
prom_escape_rune(uint8_t *buf, uint32_t c, bool first, bool colon,
    prom_escape_e escape)
{
    bool  valid;

    valid = (c | 0x20) - 'a' < 26 || c == '_' || (c == ':' && colon)
            || (!first && c - '0' < 10);

    if (valid && (c != '_' || escape == PROM_ESCAPE_UNDERSCORES)) {
        buf[0] = (uint8_t) c;
        return 1;
    }

    if (escape == PROM_ESCAPE_DOTS && c == '.') {
        memcpy(buf, "_dot_", 5);
        return 5;
    }

    if (escape == PROM_ESCAPE_VALUES && c != '_') {
        return prom_escape_hex(buf, c);
    }

    buf[0] = '_';
    buf[1] = '_';

    return (escape == PROM_ESCAPE_UNDERSCORES) ? 1 : 2;
}


static size_t
prom_escape_hex(uint8_t *buf, uint32_t c)
{
    size_t    n;
    uint32_t  shift;

    n = 0;
    buf[n++] = '_';

    for (shift = 20; shift > 0 && c >> shift == 0; shift -= 4) {
        /* void */
    }

    for ( ;; ) {
        buf[n++] = "0123456789abcdef"[c >> shift & 0xf];

        if (shift == 0) {
            break;
        }

        shift -= 4;
    }

    buf[n++] = '_';

    return n;
}


uint8_t *
prom_escape_value(uint8_t *p, uint8_t *end, prom_str_t value)
{
    size_t   i;
    uint8_t  c;

    if (prom_escape_clean(value)) {
        return prom_escape_raw(p, end, value);
    }

    for (i = 0; i < value.len && p != NULL; i++) {
        c = value.data[i];

        switch (c) {

        case '\n':
            p = prom_escape_raw(p, end, prom_str("\\n"));
            break;

        case '"':
            p = prom_escape_raw(p, end, prom_str("\\\""));
            break;

        case '\\':
            p = prom_escape_raw(p, end, prom_str("\\\\"));
            break;

        default:
            p = prom_escape_raw(p, end, (prom_str_t) { &c, 1 });
        }
    }

    return p;
}


/* No byte is a quote, a backslash or a newline. */

static bool
prom_escape_clean(prom_str_t value)
{
    size_t    i;
    uint64_t  v, found;

    v = 0;
    found = 0;

    if (value.len < 8) {

        for (i = 0; i < value.len; i++) {
            v = v << 8 | value.data[i];
        }

        return prom_escape_find(v) == 0;
    }

    for (i = 0; i + 8 < value.len; i += 8) {
        memcpy(&v, value.data + i, 8);
        found |= prom_escape_find(v);
    }

    memcpy(&v, value.data + value.len - 8, 8);

    return (found | prom_escape_find(v)) == 0;
}


/*
 * Zero if none of eight bytes must be escaped.  A byte that becomes zero
 * borrows from its top bit, which was not set, when one is subtracted; a
 * borrow that is passed on has such a byte before it.
 */

static inline uint64_t
prom_escape_find(uint64_t v)
{
    uint64_t  quote, slash, line;

    const uint64_t  ones = 0x0101010101010101;

    quote = v ^ ones * '"';
    slash = v ^ ones * '\\';
    line = v ^ ones * '\n';

    return (((quote - ones) & ~quote) | ((slash - ones) & ~slash)
            | ((line - ones) & ~line)) & ones << 7;
}
