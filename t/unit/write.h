
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The write path from outside: a body goes in, an answer comes out, and what
 * the store then holds is read back and compared as text, one line a series:
 *
 *     {__name__="up", job="a"} 1.5@+1000
 *
 * with times counted from T0.
 */


#ifndef _WRITE_H_INCLUDED_
#define _WRITE_H_INCLUDED_


#include <time.h>

#include <snappy-c.h>

#include "encode.h"
#include "path/prom_write.h"
#include "store.h"
#include "tap.h"
#include "tsdb/prom_query.h"
#include "wire/prom_prw.h"


#define T0      STORE_T0
#define STALE   PROM_STALE_NAN
#define HELD    (1 << 16)


static const prom_write_conf_t  usual = {
    { 32, 128, 1024 }, 32 << 20, 64 << 20
};

static prom_write_conf_t    conf;
static store_t              store;
static int64_t              now;

static enc_t                enc;        /* the body that is being made */
static prom_write_result_t  result;
static char                 text[4096];

static prom_selector_t      all;
static prom_arena_t         arena;

static char                 held[HELD];
static char                 *lines[HELD / 64];
static size_t               n_lines;


/* A store of its own for each test; the smallest by default. */

static inline void
fresh(size_t size)
{
    if (store.db.segment != NULL) {
        tap_ok(store_sound(&store.db), "the store is sound");
        store_close(&store);
    }

    store_open(&store, size ? size : PROM_TSDB_MIN_SIZE);
    conf = usual;
    now = T0;
    enc_start(&enc);
}


static inline prom_tsdb_stats_t
stats(void)
{
    prom_tsdb_stats_t  s;

    prom_tsdb_stats(&store.db, &s);

    return s;
}


static inline prom_str_t
packed(const enc_t *body)
{
    size_t        len;
    static enc_t  out;

    enc_start(&out);
    len = snappy_max_compressed_length(body->len);

    out.data = realloc(out.data, len);
    out.room = len;

    snappy_compress((const char *) body->data, body->len, (char *) out.data,
                    &len);

    return (prom_str_t) { out.data, len };
}


/* The answer outlives the object that gave it. */

static inline void
take(prom_write_t *write)
{
    result = *prom_write_result(write);

    snprintf(text, sizeof(text), "%.*s", (int) result.text.len,
             (const char *) result.text.data);
    result.text.data = (const uint8_t *) text;

    prom_write_close(write);
}


static inline void
finish(prom_write_t *write)
{
    while (prom_write_run(write) == PROM_AGAIN) {
        /* void */
    }

    take(write);
}


static inline void
deliver(int version, prom_str_t body)
{
    uint8_t       *copy;
    prom_write_t  *write;

    copy = malloc(body.len);

    if (body.len > 0) {
        memcpy(copy, body.data, body.len);
    }

    write = prom_write_open(&store.db, &conf, version);
    prom_write_start(write, (prom_str_t) { copy, body.len }, now);
    free(copy);

    finish(write);
}


/* What was encoded goes out; the next body begins. */

static inline void
put(int version)
{
    deliver(version, packed(&enc));
    enc_start(&enc);
}


static inline bool
answers(uint32_t status, const char *want, const char *what)
{
    tap_is_int(result.status, status, "%s: status", what);

    return tap_is_str(text, result.text.len, want, "%s: text", what);
}


static inline bool
read_row(void *ctx, const prom_row_t *row)
{
    char        *p;
    double       value;
    size_t      *len;
    prom_msg_t   msg;

    len = ctx;
    p = held + *len;

    if (*len + 2048 > sizeof(held) || n_lines == HELD / 64) {
        return true;
    }

    prom_msg_init(&msg, p, 1900);
    prom_labels_print(&msg, row->key);
    memcpy(&value, &row->sample.value, 8);

    if (value != value) {
        snprintf(p + msg.len, 60, " %016" PRIx64 "@%+" PRId64,
                 row->sample.value, row->sample.time - T0);

    } else {
        snprintf(p + msg.len, 60, " %.17g@%+" PRId64, value,
                 row->sample.time - T0);
    }

    lines[n_lines++] = p;
    *len += strlen(p) + 1;

    return true;
}


static inline int
order(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}


static inline void
read_back(void)
{
    int            rc;
    size_t         len;
    prom_query_t  *query;

    len = 0;
    n_lines = 0;
    query = prom_query_open(&store.db, &all, 1, INT64_MIN, INT64_MAX);

    do {
        rc = prom_query_run(query, read_row, &len);
    } while (rc == PROM_AGAIN);

    prom_query_close(query);
    qsort(lines, n_lines, sizeof(char *), order);
}


/* All that is in the store, lines sorted, each with a newline behind. */

static inline void
holds(const char *want, const char *what)
{
    char    got[HELD / 8];
    size_t  i, len;

    read_back();
    len = 0;
    got[0] = '\0';

    for (i = 0; i < n_lines && len < sizeof(got); i++) {
        len += (size_t) snprintf(got + len, sizeof(got) - len, "%s\n",
                                 lines[i]);
    }

    tap_is_str(got, strlen(got), want, "%s: the store", what);
}


/* 1.0: up{job="..."}, left open for samples. */

static inline void
up(const char *job)
{
    enc_open(&enc, 1);
    enc_label(&enc, "__name__", "up");
    enc_label(&enc, "job", job);
}


static inline void
sample_bits(int64_t time, uint64_t bits)
{
    enc_open(&enc, 2);
    enc_bits(&enc, 1, bits);
    enc_int(&enc, 2, time);
    enc_close(&enc);
}


static inline void
up_at(const char *job, int64_t offset, double value)
{
    up(job);
    enc_sample(&enc, T0 + offset, value);
    enc_close(&enc);
}


/* 2.0: symbols "", __name__, up, job, a, b, c. */

static inline void
symbols(void)
{
    static const char  *const names[] = {
        "", "__name__", "up", "job", "a", "b", "c"
    };
    unsigned  i;

    for (i = 0; i < 7; i++) {
        enc_str(&enc, 4, names[i]);
    }
}


/* up{job="a"}, "b", "c" for 4, 5, 6. */

static inline void
up2(unsigned job)
{
    enc_open(&enc, 5);
    enc_raw(&enc, "0a 03 01 02 03");
    enc_int(&enc, 1, job);
}


static inline void
up2_at(unsigned job, int64_t offset, double value)
{
    up2(job);
    enc_sample(&enc, T0 + offset, value);
    enc_close(&enc);
}


/* Before the first test, and after the last; false: bail out. */

static inline bool
begin(void)
{
    char        error[256];
    prom_msg_t  msg;

    prom_arena_init(&arena, 1 << 16);
    prom_msg_init(&msg, error, sizeof(error));

    if (prom_selector_parse(&all, prom_str("{__name__!=\"\"}"), &arena, &msg)
        != PROM_OK)
    {
        printf("Bail out! %s\n", error);
        return false;
    }

    fresh(0);

    return true;
}


static inline int
end(void)
{
    fresh(0);
    store_close(&store);
    prom_selector_destroy(&all);
    prom_arena_free(&arena);
    enc_free(&enc);

    return tap_done();
}


#endif /* _WRITE_H_INCLUDED_ */
