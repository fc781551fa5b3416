
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * ns per sample of the text that /federate sends, on one core:
 *
 *     expose [series]
 *
 * Series look like those of a node or a pod: 11 labels and about 290 bytes of
 * text.  The lines go to a buffer of 64 KiB that is begun again when full.
 */


#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "expose/prom_expose.h"


#define SERIES  20000
#define BUFFER  65536
#define ROUNDS  15


typedef struct {
    prom_str_t  key;
    uint64_t    value;
} series_t;


typedef uint64_t (*value_pt)(size_t i);


static uint64_t  seed = 88172645463325252u;


static uint64_t
rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return seed;
}


static double
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1e9 + ts.tv_nsec;
}


static uint64_t
bits_of(double value)
{
    uint64_t  bits;

    memcpy(&bits, &value, sizeof(bits));

    return bits;
}


static uint64_t
value_zero(size_t i)
{
    return 0;
}


static uint64_t
value_small(size_t i)
{
    return bits_of((double) (rnd() % 1000));
}


static uint64_t
value_random(size_t i)
{
    return bits_of((double) (rnd() >> 11) / (1ull << 40));
}


/* Half of them counts, a quarter zeros, a quarter anything. */

static uint64_t
value_mixed(size_t i)
{
    switch (rnd() % 4) {

    case 0:
        return 0;

    case 1:
        return value_random(i);

    default:
        return bits_of((double) (rnd() >> (34 + rnd() % 20)));
    }
}


static prom_str_t
make_key(size_t i, bool quote)
{
    char           pod[64], id[64], le[32], node[64];
    size_t         len;
    uint8_t       *key;
    prom_msg_t     msg;

    const prom_label_limits_t  limits = { 64, 256, 2048 };

    prom_label_t   labels[] = {
        { prom_str("__name__"), prom_str("http_request_duration_seconds") },
        { prom_str("cluster"), prom_str("prod-eu-west-1") },
        { prom_str("code"), prom_str("200") },
        { prom_str("container"), prom_str("api-gateway") },
        { prom_str("endpoint"), prom_str("metrics") },
        { prom_str("instance"), { (uint8_t *) node, 0 } },
        { prom_str("job"), prom_str("kubernetes-pods") },
        { prom_str("le"), { (uint8_t *) le, 0 } },
        { prom_str("namespace"), prom_str("payments") },
        { prom_str("pod"), { (uint8_t *) pod, 0 } },
        { prom_str("uid"), { (uint8_t *) id, 0 } },
        { prom_str("zz"), prom_str("GET /api/\"v1\"") }
    };

    labels[5].value.len = sprintf(node, "10.%u.%u.%u:9090",
                                  (unsigned) (i >> 12 & 255),
                                  (unsigned) (i >> 6 & 63),
                                  (unsigned) (i & 63));
    labels[7].value.len = sprintf(le, "%g", 0.005 * (double) (i % 12 + 1));
    labels[9].value.len = sprintf(pod, "api-gateway-%06x-%05zu",
                                  (unsigned) (rnd() & 0xffffff), i % 100000);
    labels[10].value.len = sprintf(id, "%08x-%04x-%04x",
                                   (unsigned) (rnd() & 0xffffffff),
                                   (unsigned) (rnd() & 0xffff),
                                   (unsigned) (rnd() & 0xffff));

    key = malloc(PROM_KEY_MAX);
    prom_msg_init(&msg, pod, sizeof(pod));

    if (prom_labels_canonical(labels, quote ? 12 : 11, &limits, key, &len,
                              &msg)
        != PROM_OK)
    {
        exit(2);
    }

    return (prom_str_t) { realloc(key, len), len };
}


static void
run(const char *what, const prom_expose_t *expose, size_t n, value_pt value,
    bool quote)
{
    bool       plain;
    double     start, took, best;
    size_t     i, round, bytes;
    uint8_t   *p, *next;
    series_t  *series;

    static uint8_t  buf[BUFFER];

    series = malloc(n * sizeof(series_t));

    for (i = 0; i < n; i++) {
        series[i].key = make_key(i, quote);
        series[i].value = value(i);
    }

    plain = prom_labels_plain(series[0].key);
    best = 1e18;
    bytes = 0;

    for (round = 0; round < ROUNDS; round++) {
        start = now();
        p = buf;
        bytes = 0;

        for (i = 0; i < n; i++) {
            next = prom_expose_sample(expose, series[i].key, plain,
                                      series[i].value, 1700000000000 + i,
                                      p, buf + BUFFER);

            if (next == NULL) {
                p = buf;
                i--;
                continue;
            }

            bytes += next - p;
            p = next;
        }

        took = (now() - start) / n;
        best = prom_min(best, took);
    }

    printf("%-28s %7zu series %6.1f bytes %7.1f ns a sample %6.2f GB/s\n",
           what, n, (double) bytes / n, best, (double) bytes / n / best);

    for (i = 0; i < n; i++) {
        free((void *) series[i].key.data);
    }

    free(series);
}


int
main(int argc, char **argv)
{
    size_t         n;
    prom_expose_t  bare, usual;

    const prom_label_t  external[] = {
        { prom_str("instance"), prom_str("") },
        { prom_str("region"), prom_str("eu-1") }
    };

    n = (argc > 1) ? strtoul(argv[1], NULL, 10) : SERIES;

    bare = (prom_expose_t) { PROM_ESCAPE_UNDERSCORES, external, 1 };
    usual = (prom_expose_t) { PROM_ESCAPE_UNDERSCORES, external, 2 };

    run("zeros, in cache", &bare, 500, value_zero, false);
    run("small counts, in cache", &bare, 500, value_small, false);
    run("mixed values, in cache", &bare, 500, value_mixed, false);
    run("zeros", &bare, n, value_zero, false);
    run("small counts", &bare, n, value_small, false);
    run("mixed values", &bare, n, value_mixed, false);
    run("random doubles", &bare, n, value_random, false);
    run("mixed, external label", &usual, n, value_mixed, false);
    run("mixed, quotes in a value", &usual, n, value_mixed, true);

    return 0;
}
