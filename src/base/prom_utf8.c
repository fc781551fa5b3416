
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "prom_utf8.h"


/*
 * The bytes that may follow a lead byte: how many in all, and the range of the
 * second one, which is what rules out overlong forms, surrogates and code
 * points above U+10FFFF.  Returns 0 for a byte that cannot lead.
 */

static inline size_t
prom_utf8_lead(uint8_t c, uint8_t *lo, uint8_t *hi)
{
    *lo = 0x80;
    *hi = 0xbf;

    if (c < 0x80) {
        return 1;
    }

    if (c < 0xc2 || c > 0xf4) {
        return 0;
    }

    if (c < 0xe0) {
        return 2;
    }

    if (c < 0xf0) {
        *lo = (c == 0xe0) ? 0xa0 : 0x80;
        *hi = (c == 0xed) ? 0x9f : 0xbf;

        return 3;
    }

    *lo = (c == 0xf0) ? 0x90 : 0x80;
    *hi = (c == 0xf4) ? 0x8f : 0xbf;

    return 4;
}


uint32_t
prom_utf8_decode(const uint8_t *p, size_t len, size_t *size)
{
    size_t    i, n;
    uint8_t   lo, hi;
    uint32_t  c;

    *size = 1;

    n = prom_utf8_lead(p[0], &lo, &hi);

    if (n == 1) {
        return p[0];
    }

    if (n == 0 || n > len || p[1] < lo || p[1] > hi) {
        return PROM_UTF8_ERROR;
    }

    c = p[0] & (0x7f >> n);
    c = c << 6 | (p[1] & 0x3f);

    for (i = 2; i < n; i++) {

        if ((p[i] & 0xc0) != 0x80) {
            return PROM_UTF8_ERROR;
        }

        c = c << 6 | (p[i] & 0x3f);
    }

    *size = n;

    return c;
}


bool
prom_utf8_valid(const uint8_t *p, size_t len)
{
    size_t    size;
    uint64_t  word;

    while (len > 0) {

        if (len >= sizeof(word)) {
            memcpy(&word, p, sizeof(word));

            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                p += sizeof(word);
                len -= sizeof(word);
                continue;
            }
        }

        if (*p < 0x80) {
            p++;
            len--;
            continue;
        }

        (void) prom_utf8_decode(p, len, &size);

        /* only a bad byte is one byte long here: *p is not ASCII */

        if (size == 1) {
            return false;
        }

        p += size;
        len -= size;
    }

    return true;
}


size_t
prom_utf8_encode(uint8_t *p, uint32_t c)
{
    if (c < 0x80) {
        p[0] = (uint8_t) c;
        return 1;
    }

    if (c < 0x800) {
        p[0] = (uint8_t) (0xc0 | c >> 6);
        p[1] = (uint8_t) (0x80 | (c & 0x3f));
        return 2;
    }

    if (c < 0x10000) {
        p[0] = (uint8_t) (0xe0 | c >> 12);
        p[1] = (uint8_t) (0x80 | (c >> 6 & 0x3f));
        p[2] = (uint8_t) (0x80 | (c & 0x3f));
        return 3;
    }

    p[0] = (uint8_t) (0xf0 | c >> 18);
    p[1] = (uint8_t) (0x80 | (c >> 12 & 0x3f));
    p[2] = (uint8_t) (0x80 | (c >> 6 & 0x3f));
    p[3] = (uint8_t) (0x80 | (c & 0x3f));

    return 4;
}
