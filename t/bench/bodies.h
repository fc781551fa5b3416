
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The load of the benchmarks, made without the receiver's code.
 *
 * Series are those of a fleet: each target (instance, pod) has 50 metric names
 * with 10 label combinations.  11 labels, about 300 bytes of them.  Values: of
 * each 10 series 4 are counters that rise by small whole steps, 3 are gauges
 * with two decimals that walk, 3 do not change.
 *
 * A body is encoded once; for the next round only the times and values in it
 * are changed in place, and it is compressed again.
 */


#ifndef _BODIES_H_INCLUDED_
#define _BODIES_H_INCLUDED_


#include <snappy-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define BODY_LABELS      11
#define BODY_PER_TARGET  500


typedef struct {
    char  name[16];
    char  value[64];
} body_label_t;

typedef struct {
    uint8_t  *value;                    /* 8 bytes in the body */
    uint8_t  *time;                     /* 6 bytes of varint */
    double    now;
    uint64_t  number;
} body_sample_t;

typedef struct {
    uint8_t        *raw;
    size_t          len;
    body_sample_t  *samples;
    size_t          n;
    char           *packed;
    size_t          packed_len;
} body_t;


static uint64_t  body_random = 88172645463325252u;
static int       body_calm;


static inline uint64_t
body_rand(void)
{
    body_random ^= body_random << 13;
    body_random ^= body_random >> 7;
    body_random ^= body_random << 17;

    return body_random;
}


static inline void
body_labels(uint64_t n, unsigned generation, body_label_t *labels)
{
    unsigned  target, metric, combination;

    static const char  *method[] = { "GET", "POST", "PUT", "DELETE", "PATCH" };

    target = (unsigned) (n / BODY_PER_TARGET);
    metric = n / 10 % 50;
    combination = n % 10;

#define body_label(i, k, ...)                                                 \
    strcpy(labels[i].name, k);                                                \
    snprintf(labels[i].value, sizeof(labels[i].value), __VA_ARGS__)

    body_label(0, "__name__", "http_server_requests_handled_%02u_total",
               metric);
    body_label(1, "cluster", "production-%u", target % 3);
    body_label(2, "code", "%u", 200 + combination / 5 * 300);
    body_label(3, "container", "application-server");
    body_label(4, "environment", "production");
    body_label(5, "handler", "/api/v1/resource/%u", metric % 7);
    body_label(6, "instance", "10.%u.%u.%u:9100", target >> 16,
               target >> 8 & 255, target & 255);
    body_label(7, "job", "kubernetes-pods-%u", target % 20);
    body_label(8, "method", "%s", method[combination % 5]);
    body_label(9, "namespace", "payments-and-billing");
    body_label(10, "pod", "application-server-6d5f7c9b4-%05x-%u", target,
               generation);

#undef body_label
}


static inline uint8_t *
body_varint(uint8_t *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (uint8_t) (v | 0x80);
        v >>= 7;
    }

    *p++ = (uint8_t) v;

    return p;
}


static inline uint8_t *
body_bytes(uint8_t *p, uint8_t tag, const void *data, size_t len)
{
    *p++ = tag;
    p = body_varint(p, len);
    memcpy(p, data, len);

    return p + len;
}


/* 09 value 10 time; the time takes 6 bytes from 1970 to 2100. */

static inline uint8_t *
body_sample(uint8_t *p, uint8_t tag, body_sample_t *sample)
{
    *p++ = tag;
    *p++ = 1 + 8 + 1 + 6;
    *p++ = 0x09;
    sample->value = p;
    p += 8;
    *p++ = 0x10;
    sample->time = p;

    return p + 6;
}


static inline void
body_init_sample(body_sample_t *sample, uint64_t number)
{
    sample->number = number;
    sample->now = number % 10 < 4 ? (double) (body_rand() % 1000000)
                                  : (double) (body_rand() % 10000) / 100;

    if (body_calm) {
        sample->now = (double) (body_rand() % (number % 10 < 3 ? 1000000
                                                               : 1000));
    }
}


static inline double
body_step(uint64_t number)
{
    unsigned  kind;

    kind = number % 10;

    if (body_calm) {
        return kind < 3 ? (double) (body_rand() % 10)
               : kind < 5 ? (double) (body_rand() % 7) - 3 : 0;
    }

    return kind < 4 ? (double) (body_rand() % 100)
           : kind < 7 ? ((double) (body_rand() % 200) - 100) / 100 : 0;
}


static inline void
body_v1(body_t *body, uint64_t first, size_t n, unsigned generation,
    bool shuffled)
{
    size_t         i, k, at;
    uint8_t       *p, *q, one[2048], label[256];
    body_label_t   labels[BODY_LABELS], spare;

    body->raw = malloc(n * 512);
    body->samples = calloc(n, sizeof(body_sample_t));
    body->n = n;
    p = body->raw;

    for (i = 0; i < n; i++) {
        body_labels(first + i, generation, labels);
        q = one;

        for (k = 0; shuffled && k < BODY_LABELS; k++) {
            at = (k * 7 + 3) % BODY_LABELS;
            spare = labels[k];
            labels[k] = labels[at];
            labels[at] = spare;
        }

        for (k = 0; k < BODY_LABELS; k++) {
            uint8_t  *end;

            end = body_bytes(label, 0x0a, labels[k].name,
                             strlen(labels[k].name));
            end = body_bytes(end, 0x12, labels[k].value,
                             strlen(labels[k].value));
            q = body_bytes(q, 0x0a, label, (size_t) (end - label));
        }

        *p++ = 0x0a;
        p = body_varint(p, (uint64_t) (q - one) + 18);
        memcpy(p, one, (size_t) (q - one));
        p += q - one;

        body_init_sample(body->samples + i, first + i);
        p = body_sample(p, 0x12, body->samples + i);
    }

    body->len = (size_t) (p - body->raw);
}


/* Symbols are found by a walk over a small table: the load is made once. */

static inline uint32_t
body_symbol(char (*symbols)[64], uint32_t *n, uint32_t *table,
    uint32_t size, const char *text)
{
    uint32_t     h;
    const char  *c;

    h = 2166136261u;

    for (c = text; *c; c++) {
        h = (h ^ (uint8_t) *c) * 16777619u;
    }

    for (h %= size; table[h] != 0; h = (h + 1) % size) {
        if (strcmp(symbols[table[h]], text) == 0) {
            return table[h];
        }
    }

    strcpy(symbols[*n], text);
    table[h] = *n;

    return (*n)++;
}


static inline void
body_v2(body_t *body, uint64_t first, size_t n, unsigned generation)
{
    size_t         i, k;
    uint8_t       *p, *q, *part, *end, refs[128], one[256];
    uint32_t       symbols_n, size, *table;
    char         (*symbols)[64];
    body_label_t   labels[BODY_LABELS];

    size = (uint32_t) n * 4 + 1024;
    table = calloc(size, sizeof(uint32_t));
    symbols = calloc(n * 2 + 256, 64);
    symbols_n = 1;

    part = malloc(n * 128);
    body->samples = calloc(n, sizeof(body_sample_t));
    body->n = n;
    p = part;

    for (i = 0; i < n; i++) {
        body_labels(first + i, generation, labels);
        q = refs;

        for (k = 0; k < BODY_LABELS; k++) {
            q = body_varint(q, body_symbol(symbols, &symbols_n, table, size,
                                           labels[k].name));
            q = body_varint(q, body_symbol(symbols, &symbols_n, table, size,
                                           labels[k].value));
        }

        end = body_bytes(one, 0x0a, refs, (size_t) (q - refs));

        *p++ = 0x2a;
        p = body_varint(p, (uint64_t) (end - one) + 18 + 2);
        memcpy(p, one, (size_t) (end - one));
        p += end - one;

        body_init_sample(body->samples + i, first + i);
        p = body_sample(p, 0x12, body->samples + i);
        *p++ = 0x2a;
        *p++ = 0;
    }

    body->raw = malloc((size_t) symbols_n * 66 + (size_t) (p - part));
    q = body->raw;

    for (i = 0; i < symbols_n; i++) {
        q = body_bytes(q, 0x22, symbols[i], strlen(symbols[i]));
    }

    for (i = 0; i < n; i++) {
        body->samples[i].value += q - part;
        body->samples[i].time += q - part;
    }

    memcpy(q, part, (size_t) (p - part));
    body->len = (size_t) (q - body->raw) + (size_t) (p - part);

    free(part);
    free(symbols);
    free(table);
}


/* The next value of each series at this time, and the body compressed. */

static inline void
body_tick(body_t *body, int64_t time)
{
    size_t          i;
    uint8_t         varint[16];
    body_sample_t  *sample;

    memset(varint, 0, sizeof(varint));
    (void) body_varint(varint, (uint64_t) time);

    for (i = 0; i < body->n; i++) {
        sample = body->samples + i;

        sample->now += body_step(sample->number);

        memcpy(sample->value, &sample->now, 8);
        memcpy(sample->time, varint, 6);
    }

    if (body->packed == NULL) {
        body->packed = malloc(snappy_max_compressed_length(body->len));
    }

    body->packed_len = snappy_max_compressed_length(body->len);
    snappy_compress((char *) body->raw, body->len, body->packed,
                    &body->packed_len);
}


static inline void
body_free(body_t *body)
{
    free(body->raw);
    free(body->samples);
    free(body->packed);
    memset(body, 0, sizeof(body_t));
}


#endif /* _BODIES_H_INCLUDED_ */
