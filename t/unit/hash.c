
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The hash spreads: short and long inputs that differ in a byte or in their
 * length fall into buckets as random numbers would, by every part of it.
 */


#include <stdio.h>

#include "base/prom_hash.h"
#include "tap.h"


#define ROUNDS   65536
#define BUCKETS  4096


static const uint64_t  key[4] = {
    0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb,
    0x2545f4914f6cdd1d
};


/* Chi squared of the buckets, about BUCKETS for random numbers. */

static double
spread(const char *format, size_t pad, unsigned shift)
{
    int       i, n, counts[BUCKETS] = { 0 };
    char      text[512];
    double    sum, mean;
    uint64_t  h;

    memset(text, 'x', sizeof(text));

    for (i = 0; i < ROUNDS; i++) {
        n = snprintf(text + pad / 2, 64, format, i);
        text[pad / 2 + (size_t) n] = 'x';
        h = prom_hash(key, (uint8_t *) text, pad + (size_t) n);
        counts[(h >> shift) % BUCKETS]++;
    }

    mean = (double) ROUNDS / BUCKETS;
    sum = 0;

    for (i = 0; i < BUCKETS; i++) {
        sum += (counts[i] - mean) * (counts[i] - mean) / mean;
    }

    return sum;
}


int
main(void)
{
    double    chi;
    size_t    pad, i;
    unsigned  shift;
    uint8_t   zeros[300] = { 0 };
    uint64_t  h, last;

    static const char  *formats[] = { "%d", "%05d", "%x", "10.0.0.%d:9100" };

    for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        for (pad = 0; pad <= 320; pad += pad < 48 ? 8 : 68) {
            for (shift = 0; shift <= 52; shift += 26) {
                chi = spread(formats[i], pad, shift);
                tap_ok(chi < BUCKETS * 1.15,
                       "\"%s\" in %zu bytes, bits from %u: %.0f",
                       formats[i], pad, shift, chi);
            }
        }
    }

    last = 0;

    for (i = 0; i <= 300; i++) {
        h = prom_hash(key, zeros, i);

        if (i > 0 && (h == last || h == 0)) {
            break;
        }

        last = h;
    }

    tap_ok(i == 301, "zeros of every length differ");

    return tap_done();
}
