
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "../base/prom_utf8.h"
#include "prom_escape.h"


#define PROM_ESCAPE_RUNE  12            /* room that any code point fits into,
                                           under any scheme */


static uint8_t *prom_escape_quoted(uint8_t *p, uint8_t *end, prom_str_t name);
static size_t prom_escape_rune(uint8_t *buf, uint32_t c, bool first,
    prom_escape_e escape);
static size_t prom_escape_hex(uint8_t *buf, uint32_t c);
static inline bool prom_escape_clean(uint64_t v);


uint8_t *
prom_escape_raw(uint8_t *p, uint8_t *end, prom_str_t str)
{
    if (p == NULL || str.len > (size_t) (end - p)) {
        return NULL;
    }

    if (str.len > 0) {
        memcpy(p, str.data, str.len);
    }

    return p + str.len;
}


uint8_t *
prom_escape_name(uint8_t *p, uint8_t *end, prom_str_t name,
    prom_escape_e escape)
{
    size_t    i, size;
    uint8_t   buf[PROM_ESCAPE_RUNE];
    uint32_t  c;

    if (prom_labels_legacy_name(name)) {
        return prom_escape_raw(p, end, name);
    }

    if (escape == PROM_ESCAPE_ALLOW_UTF8) {
        return prom_escape_quoted(p, end, name);
    }

    if (escape == PROM_ESCAPE_VALUES) {
        p = prom_escape_raw(p, end, prom_str("U__"));
    }

    for (i = 0; i < name.len && p != NULL; i += size) {
        c = prom_utf8_decode(name.data + i, name.len - i, &size);
        p = prom_escape_raw(p, end, (prom_str_t) {
                            buf, prom_escape_rune(buf, c, i == 0, escape) });
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
prom_escape_rune(uint8_t *buf, uint32_t c, bool first, prom_escape_e escape)
{
    bool  valid;

    valid = (c | 0x20) - 'a' < 26 || c == '_' || c == ':'
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
    uint8_t         c;
    uint64_t        v;
    const uint8_t  *s, *last;

    if (p == NULL) {
        return NULL;
    }

    s = value.data;
    last = s + value.len;

    while (s < last) {

        if (last - s >= 8 && end - p >= 8) {
            memcpy(&v, s, 8);

            if (prom_escape_clean(v)) {
                memcpy(p, &v, 8);
                p += 8;
                s += 8;
                continue;
            }
        }

        c = *s++;

        if (c == '"' || c == '\\' || c == '\n') {
            if (end - p < 2) {
                return NULL;
            }

            *p++ = '\\';
            *p++ = (c == '\n') ? 'n' : c;
            continue;
        }

        if (p == end) {
            return NULL;
        }

        *p++ = c;
    }

    return p;
}


/*
 * None of eight bytes is a quote, a backslash or a newline.  A byte is zero
 * when subtracting one borrows from its top bit, which was not set; a borrow
 * passed on to the next byte needs a zero before it and so does no harm.
 */

static inline bool
prom_escape_clean(uint64_t v)
{
    uint64_t  quote, slash, line;

    const uint64_t  ones = 0x0101010101010101;

    quote = v ^ ones * '"';
    slash = v ^ ones * '\\';
    line = v ^ ones * '\n';

    return ((((quote - ones) & ~quote) | ((slash - ones) & ~slash)
             | ((line - ones) & ~line)) & ones << 7) == 0;
}
