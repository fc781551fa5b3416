
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

static void
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


static prom_tsdb_stats_t
stats(void)
{
    prom_tsdb_stats_t  s;

    prom_tsdb_stats(&store.db, &s);

    return s;
}


static prom_str_t
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

static void
take(prom_write_t *write)
{
    result = *prom_write_result(write);

    snprintf(text, sizeof(text), "%.*s", (int) result.text.len,
             (const char *) result.text.data);
    result.text.data = (const uint8_t *) text;

    prom_write_close(write);
}


static void
finish(prom_write_t *write)
{
    while (prom_write_run(write) == PROM_AGAIN) {
        /* void */
    }

    take(write);
}


static void
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

static void
put(int version)
{
    deliver(version, packed(&enc));
    enc_start(&enc);
}


static bool
answers(uint32_t status, const char *want, const char *what)
{
    tap_is_int(result.status, status, "%s: status", what);

    return tap_is_str(text, result.text.len, want, "%s: text", what);
}


static bool
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


static int
order(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}


static void
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

static void
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

static void
up(const char *job)
{
    enc_open(&enc, 1);
    enc_label(&enc, "__name__", "up");
    enc_label(&enc, "job", job);
}


static void
sample_bits(int64_t time, uint64_t bits)
{
    enc_open(&enc, 2);
    enc_bits(&enc, 1, bits);
    enc_int(&enc, 2, time);
    enc_close(&enc);
}


static void
up_at(const char *job, int64_t offset, double value)
{
    up(job);
    enc_sample(&enc, T0 + offset, value);
    enc_close(&enc);
}


/* 2.0: symbols "", __name__, up, job, a, b, c. */

static void
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

static void
up2(unsigned job)
{
    enc_open(&enc, 5);
    enc_raw(&enc, "0a 03 01 02 03");
    enc_int(&enc, 1, job);
}


static void
up2_at(unsigned job, int64_t offset, double value)
{
    up2(job);
    enc_sample(&enc, T0 + offset, value);
    enc_close(&enc);
}


static void
test_v1(void)
{
    fresh(0);

    up_at("a", 0, 1.5);
    up_at("b", 1, -2);
    put(1);
    answers(204, "", "v1");
    tap_ok(!result.counted && result.skipped == 0 && result.unstored == 0,
           "v1: nothing is counted");
    holds("{__name__=\"up\", job=\"a\"} 1.5@+0\n"
          "{__name__=\"up\", job=\"b\"} -2@+1\n", "v1");
    tap_is_int(stats().samples, 2, "v1: two samples");

    up("a");
    enc_sample(&enc, T0 + 1000, 2);
    enc_sample(&enc, T0 + 2000, 3);
    enc_close(&enc);
    put(1);
    answers(204, "", "two samples of a series");
    holds("{__name__=\"up\", job=\"a\"} 3@+2000\n"
          "{__name__=\"up\", job=\"b\"} -2@+1\n", "two samples of a series");

    put(1);
    answers(204, "", "an empty request");

    enc_raw(&enc, "1a 06 08 01 12 02 75 70");
    put(1);
    answers(204, "", "metadata only");

    up("exemplar");
    enc_raw(&enc, "1a 00 1a 00 22 00");
    enc_close(&enc);
    put(1);
    answers(204, "", "exemplars and histograms alone");
    tap_is_int(result.unstored, 3, "are counted as not stored");
    tap_is_int(stats().series, 2, "and make no series");

    up("nothing");
    enc_close(&enc);
    put(1);
    answers(204, "", "a series without samples");
    tap_is_int(stats().series, 2, "is not made");
}


static void
test_all_or_nothing(void)
{
    unsigned           i;
    prom_tsdb_stats_t  before, after;

    static const struct {
        int64_t      offset;
        double       value;
        uint32_t     status;
        const char  *text;
    } all_of[] = {
        { 600001, 1, 400, "out of bounds: timestamp is too far in the future: "
          "timestamp 1700000600001 for series "
          "{__name__=\"up\", job=\"old\"}\n" },
        { -3600001, 1, 400, "out of bounds: timestamp 1699996399999 "
          "for series {__name__=\"up\", job=\"old\"}\n" },
        { -1, 1, 400, "out of order sample: timestamp 1699999999999 for "
          "series {__name__=\"up\", job=\"old\"}\n" },
        { 0, 8, 400, "duplicate sample for timestamp 1700000000000; overrides "
          "not allowed: existing 7, new value 8 for series "
          "{__name__=\"up\", job=\"old\"}\n" },
        { 0, 7, 204, "" }
    };

    fresh(0);
    up_at("old", 0, 7);
    put(1);

    for (i = 0; i < sizeof(all_of) / sizeof(all_of[0]); i++) {
        before = stats();

        up_at("new", 0, 1);
        up_at("newer", 0, 1);
        up_at("old", all_of[i].offset, all_of[i].value);
        up_at("newest", 0, 1);
        put(1);

        answers(all_of[i].status, all_of[i].text, "a bad sample in the middle");
        after = stats();

        if (all_of[i].status == 400) {
            tap_ok(after.series == before.series
                   && after.samples == before.samples,
                   "nothing of the request is there");
        }
    }

    holds("{__name__=\"up\", job=\"new\"} 1@+0\n"
          "{__name__=\"up\", job=\"newer\"} 1@+0\n"
          "{__name__=\"up\", job=\"newest\"} 1@+0\n"
          "{__name__=\"up\", job=\"old\"} 7@+0\n", "the last was good");
    tap_is_int(stats().samples, 4, "the same sample is stored once");

    before = stats();
    up_at("x", 0, 1);
    up_at("y", 0, 1);
    enc_raw(&enc, "0a 01 0a");
    put(1);
    answers(400, "cannot decode the body as prometheus.WriteRequest: "
            "bad TimeSeries\n", "broken behind good series");
    tap_is_int(stats().series, before.series, "nothing is kept");

    up_at("x", 0, 1);
    enc_raw(&enc, "0a 06 0a 04 08 01 0a 00");
    put(1);
    answers(400, "cannot decode the body as prometheus.WriteRequest: "
            "bad Label\n", "a broken label of a series without samples");
    tap_is_int(stats().series, before.series, "nothing is kept");
}


static void
test_bounds(void)
{
    fresh(0);

    up_at("a", -100000000, 1);
    put(1);
    answers(204, "", "an empty store takes any age");

    up_at("b", 600000, 1);
    put(1);
    answers(204, "", "ten minutes ahead");

    up_at("c", 600000 - 3600000, 1);
    put(1);
    answers(204, "", "an hour behind the newest");

    up_at("d", 600000 - 3600001, 1);
    put(1);
    tap_is_int(result.status, 400, "and a millisecond");

    store.db.retention = 1000;
    up_at("d", 600000 - 1001, 1);
    put(1);
    tap_is_int(result.status, 400, "a short retention is the bound");
    up_at("d", 600000 - 1000, 1);
    put(1);
    tap_is_int(result.status, 204, "exactly");

    fresh(0);
    up("min");
    enc_sample(&enc, INT64_MIN, 5);
    enc_close(&enc);
    put(1);

    if (result.status == 204) {
        tap_is_int(stats().samples, 1,
                   "what was acknowledged is stored: the least time");
    } else {
        tap_is_int(result.status, 400, "the least time is refused");
        tap_is_int(stats().series, 0, "and leaves no series");
    }
}


static void
test_inside_v1(void)
{
    unsigned  i;

    static const struct {
        const char  *name;
        int64_t      offsets[3];
        double       values[3];
        uint32_t     status;
        const char  *text;
    } pairs[] = {
        { "in order", { 1, 2, 3 }, { 1, 2, 3 }, 204, "" },
        { "the same twice", { 1, 1, 1 }, { 1, 1, 1 }, 204, "" },
        { "other values", { 1, 1, 1 }, { 1, 1, 2 }, 400,
          "duplicate sample for timestamp 1700000000001; overrides not "
          "allowed: existing 1, new value 2" },
        { "out of order", { 2, 3, 1 }, { 1, 1, 1 }, 400,
          "out of order sample: timestamp 1700000000001" },
        { "back by one", { 1, 3, 2 }, { 1, 1, 1 }, 400,
          "out of order sample: timestamp 1700000000002" }
    };

    fresh(0);
    up_at("other", 0, 0);
    put(1);

    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        unsigned  k, apart;
        char      job[16], want[256];

        for (apart = 0; apart < 3; apart++) {
            snprintf(job, sizeof(job), "%u-%u", i, apart);

            /* in one TimeSeries, in several, in several with one between */

            for (k = 0; k < 3; k++) {
                if (k == 0 || apart > 0) {
                    up(job);
                }

                enc_sample(&enc, T0 + pairs[i].offsets[k],
                           pairs[i].values[k]);

                if (k == 2 || apart > 0) {
                    enc_close(&enc);
                }

                if (apart == 2) {
                    up_at("other", i * 10 + k, i * 10 + k);
                }
            }

            put(1);
            want[0] = '\0';

            if (pairs[i].status != 204) {
                snprintf(want, sizeof(want), "%s for series {__name__=\"up\", "
                         "job=\"%s\"}\n", pairs[i].text, job);
            }

            answers(pairs[i].status, want, pairs[i].name);
        }
    }

    tap_is_int(stats().series, 1 + 2 * 3, "the good ones made series");
}


static void
test_inside_v2(void)
{
    fresh(0);
    symbols();

    up2_at(4, 10, 1);
    up2_at(4, 10, 2);
    up2_at(5, 10, 1);
    up2_at(4, 5, 3);
    up2_at(4, 10, 1);
    up2_at(4, 20, 4);
    put(2);

    answers(400, "duplicate sample for timestamp 1700000000010; overrides not "
            "allowed: existing 1, new value 2 for series {__name__=\"up\", "
            "job=\"a\"}\nout of order sample: timestamp 1700000000005 for "
            "series {__name__=\"up\", job=\"a\"}\n",
            "conflicts inside a request");
    tap_ok(result.counted, "it is counted");
    tap_is_int(result.samples, 4, "what was written, with the same twice");
    tap_is_int(stats().samples, 3, "what was stored");
    holds("{__name__=\"up\", job=\"a\"} 4@+20\n"
          "{__name__=\"up\", job=\"b\"} 1@+10\n", "conflicts");
}


static void
test_v2(void)
{
    fresh(0);

    put(2);
    answers(204, "", "v2: an empty request");
    tap_ok(result.counted && result.samples == 0 && result.histograms == 0
           && result.exemplars == 0, "is counted");

    symbols();
    up2_at(4, 0, 1);
    up2_at(5, 0, 2);
    put(2);
    answers(204, "", "v2");
    tap_ok(result.counted && result.samples == 2, "two samples are written");

    symbols();
    up2_at(4, 0, 1);
    up2_at(5, 0, 3);
    up2_at(6, 0, 9);
    up2_at(4, 700000, 1);
    put(2);
    answers(400, "duplicate sample for timestamp 1700000000000; overrides not "
            "allowed: existing 2, new value 3 for series {__name__=\"up\", "
            "job=\"b\"}\nout of bounds: timestamp is too far in the future: "
            "timestamp 1700000700000 for series {__name__=\"up\", "
            "job=\"a\"}\n", "v2: in part");
    tap_is_int(result.samples, 2, "the good ones");
    holds("{__name__=\"up\", job=\"a\"} 1@+0\n"
          "{__name__=\"up\", job=\"b\"} 2@+0\n"
          "{__name__=\"up\", job=\"c\"} 9@+0\n", "v2: in part");

    fresh(0);
    symbols();
    up2_at(4, 0, 1);
    enc_raw(&enc, "2a 08 0a 02 01 63 12 02 10 01");
    enc_raw(&enc, "2a 07 0a 01 01 12 02 10 01");
    enc_raw(&enc, "2a 0c 0a 02 01 02 12 02 10 01 2a 02 20 07");
    up2_at(5, 700000, 1);
    up2(6);
    enc_sample(&enc, T0, 3);
    enc_raw(&enc, "1a 00 1a 00");
    enc_close(&enc);
    up2(6);
    enc_raw(&enc, "22 00");
    enc_close(&enc);
    put(2);
    answers(400,
            "parsing labels for series [1 99]: labelRefs 1 (name) = 99 (value) "
            "outside of symbols table (size 7)\n"
            "parsing labels for series [1]: invalid labelRefs length 1\n"
            "parsing metadata for series [1 2]: metadata unit_ref 7 outside of "
            "symbols table (size 7)\n"
            "native histograms are not stored: 2 for series "
            "{__name__=\"up\", job=\"c\"}\n"
            "exemplars are not stored: 1 for series "
            "{__name__=\"up\", job=\"c\"}\n"
            "out of bounds: timestamp is too far in the future: timestamp "
            "1700000700000 for series {__name__=\"up\", job=\"b\"}\n",
            "v2: a line for each");
    tap_is_int(result.samples, 2, "the good ones");
    tap_is_int(stats().series, 2, "no series of the bad");

    fresh(0);
    symbols();
    up2_at(4, 0, 1);
    enc_raw(&enc, "2a 01 0a");
    put(2);
    answers(400, "cannot decode the body as io.prometheus.write.v2.Request: "
            "bad labels_refs\n", "v2: broken behind a good series");
    tap_ok(result.counted && result.samples == 0, "counted as nothing");
    tap_is_int(stats().series, 0, "nothing is kept");

    symbols();
    up2(4);
    enc_raw(&enc, "2a 00");
    enc_close(&enc);
    put(2);
    answers(204, "", "v2: metadata only");

    enc_raw(&enc, "2a 00");
    put(2);
    answers(204, "", "v2: no symbols, no references");

    enc_raw(&enc, "2a 02 12 00");
    put(2);
    answers(400, "invalid metric name or labels, got {}\n",
            "v2: a sample without labels");
}


static void
test_identity(void)
{
    fresh(0);

    enc_open(&enc, 1);
    enc_label(&enc, "job", "a");
    enc_label(&enc, "__name__", "up");
    enc_label(&enc, "zone", "");
    enc_sample(&enc, T0, 1);
    enc_close(&enc);
    put(1);
    answers(204, "", "unsorted, an empty value");

    up_at("a", 1, 2);
    put(1);

    enc_open(&enc, 1);
    enc_sample(&enc, T0 + 2, 3);
    enc_label(&enc, "zone", "");
    enc_label(&enc, "job", "a");
    enc_label(&enc, "__name__", "up");
    enc_close(&enc);
    put(1);

    symbols();
    up2_at(4, 3, 4);
    enc_open(&enc, 5);
    enc_raw(&enc, "0a 06 03 04 05 00 01 02");
    enc_sample(&enc, T0 + 4, 5);
    enc_close(&enc);
    put(2);
    answers(204, "", "unsorted references");

    holds("{__name__=\"up\", job=\"a\"} 5@+4\n", "one series, five ways");
    tap_is_int(stats().samples, 5, "five samples of it");

    /* the same in one request */

    enc_open(&enc, 1);
    enc_label(&enc, "job", "b");
    enc_label(&enc, "__name__", "up");
    enc_sample(&enc, T0, 1);
    enc_close(&enc);
    up_at("b", 1, 2);
    enc_open(&enc, 1);
    enc_label(&enc, "__name__", "up");
    enc_label(&enc, "empty", "");
    enc_label(&enc, "job", "b");
    enc_sample(&enc, T0 + 2, 3);
    enc_close(&enc);
    put(1);
    answers(204, "", "one series, three ways in a request");
    holds("{__name__=\"up\", job=\"a\"} 5@+4\n"
          "{__name__=\"up\", job=\"b\"} 3@+2\n", "three ways");
}


/*
 * A series that begins as the one that came next the last time, but is another
 * one: more labels right behind the known ones, behind the sample, or in an
 * odd form.
 */
static void
test_expected(void)
{
    unsigned  i;

    fresh(0);

    for (i = 0; i < 3; i++) {
        up_at("a", i, 1);
        up_at("b", i, 2);
        put(1);
    }

    up_at("a", 10, 1);
    up("b");
    enc_label(&enc, "zone", "z");
    enc_sample(&enc, T0 + 10, 3);
    enc_close(&enc);
    put(1);
    answers(204, "", "a label more");

    for (i = 11; i < 13; i++) {
        up_at("a", i, 1);
        up_at("b", i, 2);
        put(1);
    }

    up_at("a", 20, 1);
    up("b");
    enc_sample(&enc, T0 + 20, 4);
    enc_label(&enc, "zone", "y");
    enc_close(&enc);
    put(1);
    answers(204, "", "a label behind the sample");

    up_at("a", 21, 1);
    up_at("b", 21, 2);
    put(1);

    up_at("a", 22, 1);
    up("b");
    enc_raw(&enc, "8a 00 0b 0a 04 7a 6f 6e 65 12 03 78 78 78");
    enc_sample(&enc, T0 + 22, 5);
    enc_close(&enc);
    put(1);
    answers(204, "", "a label with a long tag");

    holds("{__name__=\"up\", job=\"a\"} 1@+22\n"
          "{__name__=\"up\", job=\"b\", zone=\"xxx\"} 5@+22\n"
          "{__name__=\"up\", job=\"b\", zone=\"y\"} 4@+20\n"
          "{__name__=\"up\", job=\"b\", zone=\"z\"} 3@+10\n"
          "{__name__=\"up\", job=\"b\"} 2@+21\n",
          "series that begin alike");
}


static void
test_values(void)
{
    unsigned  i;
    char      want[64];

    static const uint64_t  values[] = {
        UINT64_C(0x7ff8000000000001), UINT64_C(0x7ff0000000000001),
        UINT64_C(0xfff8000000000000), UINT64_MAX
    };

    fresh(0);

    for (i = 0; i < 4; i++) {
        up("nan");
        sample_bits(T0 + i, values[i]);
        enc_close(&enc);
        put(1);

        snprintf(want, sizeof(want), "{__name__=\"up\", job=\"nan\"} "
                 "%016" PRIx64 "@+%u\n", values[i], i);
        holds(want, "a NaN, bit for bit");
    }

    up("nan");
    sample_bits(T0 + 10, STALE);
    enc_close(&enc);
    put(1);
    answers(204, "", "a stale marker");
    holds("", "a stale marker hides the series");

    up("nan");
    sample_bits(T0 + 10, STALE);
    enc_close(&enc);
    put(1);
    answers(204, "", "the same marker again");

    up("nan");
    sample_bits(T0 + 10, values[0]);
    enc_close(&enc);
    put(1);
    tap_is_int(result.status, 400, "another NaN at its time");

    up_at("zero", 0, 0.0);
    up_at("zero", 0, -0.0);
    put(1);
    answers(400, "duplicate sample for timestamp 1700000000000; overrides not "
            "allowed: existing 0, new value -0 for series {__name__=\"up\", "
            "job=\"zero\"}\n", "0 and -0 differ");

    up("inf");
    sample_bits(T0, UINT64_C(0xfff0000000000000));
    enc_close(&enc);
    put(1);
    holds("{__name__=\"up\", job=\"inf\"} -inf@+0\n", "-Inf");
}


static void
test_bad_labels(void)
{
    unsigned  i, k;
    char      want[512];

    static const struct {
        const char  *name;
        const char  *labels[6];
        const char  *text;
    } bad[] = {
        { "no labels", { NULL }, "invalid metric name or labels, got {}" },
        { "no metric name", { "a", "1", NULL },
          "invalid metric name or labels, got {a=\"1\"}" },
        { "an empty metric name", { "__name__", "", "a", "1", NULL },
          "invalid metric name or labels, got {__name__=\"\", a=\"1\"}" },
        { "an empty label name", { "__name__", "x", "", "1", NULL },
          "invalid metric name or labels, got {\"\"=\"1\", __name__=\"x\"}" },
        { "a value that is not UTF-8", { "__name__", "x", "a", "\xff", NULL },
          "invalid metric name or labels, got "
          "{__name__=\"x\", a=\"\\xff\"}" },
        { "a name that is not UTF-8", { "__name__", "x", "\xc0", "1", NULL },
          "invalid metric name or labels, got "
          "{__name__=\"x\", \"\\xc0\"=\"1\"}" },
        { "a name twice", { "__name__", "x", "a", "1", "a", "2" },
          "invalid labels for series, labels "
          "{__name__=\"x\", a=\"1\", a=\"2\"}, duplicated label a" },
        { "a name twice, without values", { "a", "", "a", "", "__name__",
          "x" }, "invalid labels for series, labels "
          "{__name__=\"x\", a=\"\", a=\"\"}, duplicated label a" }
    };

    fresh(0);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(want, sizeof(want), "%s\n", bad[i].text);

        enc_open(&enc, 1);

        for (k = 0; k < 6 && bad[i].labels[k] != NULL; k += 2) {
            enc_label(&enc, bad[i].labels[k], bad[i].labels[k + 1]);
        }

        enc_sample(&enc, T0, 1);
        enc_close(&enc);
        deliver(1, packed(&enc));
        answers(400, want, bad[i].name);

        up_at("good", i, i);
        put(1);
        tap_is_int(result.status, 204, "v1: %s beside a good one", bad[i].name);
        tap_is_int(result.skipped, 1, "v1: is skipped");
        tap_is_str(text, strlen(text), want, "v1: and said why");

        for (k = 0; k < 6 && bad[i].labels[k] != NULL; k++) {
            enc_str(&enc, 4, bad[i].labels[k]);
        }

        enc_str(&enc, 4, "__name__");
        enc_str(&enc, 4, "up");
        enc_open(&enc, 5);
        enc_field(&enc, 1, "\0\1\2\3\4\5", k);
        enc_sample(&enc, T0, 1);
        enc_close(&enc);
        enc_open(&enc, 5);
        enc_int(&enc, 1, k);
        enc_int(&enc, 1, k + 1);
        enc_sample(&enc, T0 + i, 1);
        enc_close(&enc);
        put(2);
        answers(400, want, bad[i].name);
        tap_is_int(result.samples, 1, "v2: the other one is written");
    }

    tap_is_int(stats().series, 2, "no bad one made a series");
}


static void
test_limits(void)
{
    conf.labels = (prom_label_limits_t) { 3, 10, 20 };

    up_at("12345678901234567890", 0, 1);
    put(1);
    answers(204, "", "a value as long as may be");

    up_at("123456789012345678901", 0, 1);
    put(1);
    answers(400, "label value length 21 exceeds the limit of 20 in label "
            "\"job\" for series {__name__=\"up\", "
            "job=\"123456789012345678901\"}\n", "v1: a longer value");

    up_at("good", 0, 1);
    enc_open(&enc, 1);
    enc_label(&enc, "__name__", "up");
    enc_label(&enc, "a2345678901", "1");
    enc_sample(&enc, T0, 1);
    enc_close(&enc);
    up_at("good too", 0, 1);
    put(1);
    answers(400, "label name length 11 exceeds the limit of 10 in label "
            "\"a2345678901\" for series {__name__=\"up\", "
            "a2345678901=\"1\"}\n", "v1: a name that is too long");
    tap_is_int(stats().series, 1, "v1: nothing of the request is kept");

    enc_open(&enc, 1);
    enc_label(&enc, "__name__", "up");
    enc_label(&enc, "a", "1");
    enc_label(&enc, "b", "1");
    enc_label(&enc, "c", "");
    enc_label(&enc, "d", "");
    enc_sample(&enc, T0, 1);
    enc_close(&enc);
    put(1);
    answers(204, "", "empty values do not count");

    enc_open(&enc, 1);
    enc_label(&enc, "__name__", "up");
    enc_label(&enc, "a", "1");
    enc_label(&enc, "b", "1");
    enc_label(&enc, "c", "1");
    enc_sample(&enc, T0, 1);
    enc_close(&enc);
    put(1);
    answers(400, "number of labels 4 exceeds the limit of 3 for series "
            "{__name__=\"up\", a=\"1\", b=\"1\", c=\"1\"}\n",
            "v1: too many labels");

    symbols();
    enc_str(&enc, 4, "123456789012345678901");
    up2_at(4, 0, 1);
    up2_at(7, 0, 1);
    up2_at(5, 0, 1);
    put(2);
    answers(400, "label value length 21 exceeds the limit of 20 in label "
            "\"job\" for series {__name__=\"up\", "
            "job=\"123456789012345678901\"}\n", "v2: a longer value");
    tap_is_int(result.samples, 2, "v2: the others are written");
}


static void
test_many_labels(void)
{
    char      name[16];
    unsigned  i, n;

    for (n = PROM_LABELS_MAX; n <= PROM_LABELS_MAX + 1; n++) {
        fresh(0);
        conf.labels.labels = 5000;

        up_at("good", 0, 1);
        enc_open(&enc, 1);
        enc_label(&enc, "__name__", "x");

        for (i = 1; i < n; i++) {
            snprintf(name, sizeof(name), "%x", n - i);
            enc_label(&enc, name, "1");
        }

        enc_sample(&enc, T0, 1);
        enc_close(&enc);
        put(1);

        if (n == PROM_LABELS_MAX) {
            answers(204, "", "1024 labels, the last first");
            continue;
        }

        tap_is_int(result.status, 400, "1025 labels");
        tap_is_int(stats().series, 0, "nothing is kept");
    }
}


static double
seconds(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_MONOTONIC, &t);

    return t.tv_sec + t.tv_nsec / 1e9;
}


/* Few bytes that stand for very many. */

static void
test_expanded(void)
{
    char     *long_text;
    double    begin;
    size_t    size;
    unsigned  i;

    size = 8 << 20;
    long_text = malloc(size);
    memset(long_text, 'x', size);

    fresh(0);
    enc_str(&enc, 4, "__name__");
    enc_field(&enc, 4, long_text, size);
    enc_open(&enc, 5);
    enc_raw(&enc, "08 00 08 01");

    for (i = 0; i < 2 * 1000; i++) {
        enc_int(&enc, 1, 1);
    }

    enc_sample(&enc, T0, 1);
    enc_close(&enc);

    begin = seconds();
    put(2);
    tap_is_int(result.status, 400, "16 GiB of labels in 8 MiB");
    tap_ok(seconds() - begin < 2, "take %.3f s", seconds() - begin);
    tap_is_str(text, strlen(text), "the labels of the request, written out, "
               "pass prom_max_expanded_size\n", "and are refused");
    tap_ok(result.counted && result.samples == 0, "counted as nothing");

    /* what is not known yet is written out, here 256 times and more */

    for (i = 0; i < 2; i++) {
        unsigned  n;

        fresh(0);
        conf.labels.value_len = 1000;
        conf.max_expanded = i == 0 ? 200000 : 1200000;

        symbols();
        enc_field(&enc, 4, long_text, 1000);

        for (n = 0; n < 1000; n++) {
            up2_at(7, n, 1);
        }

        put(2);
        tap_is_int(result.status, i == 0 ? 400 : 204,
                   "a thousand times a thousand bytes, %zu allowed",
                   conf.max_expanded);
        tap_is_int(stats().samples, i == 0 ? 0 : 1000, "all or nothing");
    }

    free(long_text);
}


/* More samples or symbols than memory is given to, in a short body. */

static void
test_crowds(void)
{
    uint32_t  i;

    fresh(0);

    enc_start(&enc);
    enc_open(&enc, 1);
    enc_label(&enc, "__name__", "up");

    for (i = 0; i <= PROM_PRW_SAMPLES; i++) {
        enc_raw(&enc, "12 00");
    }

    enc_close(&enc);
    deliver(1, packed(&enc));
    answers(400, "the request has more than 1048576 samples\n",
            "a sample more than a request may have");

    enc_start(&enc);

    for (i = 0; i <= PROM_PRW_SYMBOLS; i++) {
        enc_raw(&enc, "22 00");
    }

    deliver(2, packed(&enc));
    answers(400, "the request has more than 1048576 symbols\n",
            "a symbol more than a request may have");
    tap_ok(result.counted && result.samples == 0, "none was written");
}


static void
test_bodies(void)
{
    uint8_t       *room;
    prom_str_t     body;
    prom_write_t  *write;
    int            version;

    fresh(0);

    for (version = 1; version <= 2; version++) {
        deliver(version, prom_str(""));
        answers(400, "snappy: corrupt input\n", "nothing at all");
        tap_ok(!result.counted, "is not counted");

        deliver(version, (prom_str_t) { (const uint8_t *) "", 1 });
        answers(204, "", "a block of length 0");
        tap_ok(result.counted == (version == 2), "is counted in v2");

        deliver(version, prom_str("\xff\xff\xff\xff\x0f\x08""abc"));
        answers(400, "snappy: the body decodes to 4294967295 bytes, "
                "prom_max_decoded_size is 33554432\n", "4 GiB");
    }

    up_at("a", 0, 1);
    conf.max_decoded = enc.len - 1;
    deliver(1, packed(&enc));
    tap_is_int(result.status, 400, "a byte more than allowed");
    conf.max_decoded = enc.len;

    body = packed(&enc);
    write = prom_write_open(&store.db, &conf, PROM_WRITE_V1);
    room = prom_write_room(write, body.len);
    memcpy(room, body.data, body.len);
    prom_write_start(write, (prom_str_t) { room, body.len }, now);
    finish(write);
    answers(204, "", "gathered in room of the path's");

    /* two at once, ended in the other order */

    enc_start(&enc);
    up_at("b", 0, 1);
    body = packed(&enc);
    write = prom_write_open(&store.db, &conf, PROM_WRITE_V1);
    prom_write_start(write, body, now);

    enc_start(&enc);
    up_at("b", 0, 2);
    put(1);
    answers(204, "", "the second is first");

    finish(write);
    tap_is_int(result.status, 400, "the first finds it there");
    holds("{__name__=\"up\", job=\"a\"} 1@+0\n"
          "{__name__=\"up\", job=\"b\"} 2@+0\n", "two at once");
}


static void
nth(int version, unsigned n, int64_t time)
{
    char  id[32];

    snprintf(id, sizeof(id), "%u", n);

    if (version == 1) {
        enc_open(&enc, 1);
        enc_label(&enc, "__name__", "many");
        enc_label(&enc, "id", id);
        enc_sample(&enc, time, n);
        enc_close(&enc);
        return;
    }

    enc_str(&enc, 4, id);
    enc_open(&enc, 5);
    enc_raw(&enc, "0a 03 00 01 02");
    enc_int(&enc, 1, n + 3);
    enc_sample(&enc, time, n);
    enc_close(&enc);
}


static void
many(int version, unsigned n, int64_t time)
{
    unsigned  i;

    if (version == 2) {
        enc_str(&enc, 4, "__name__");
        enc_str(&enc, 4, "many");
        enc_str(&enc, 4, "id");
    }

    for (i = 0; i < n; i++) {
        nth(version, i, time);
    }
}


static void
test_many(void)
{
    int       version, again;
    size_t    i;
    unsigned  bad;

    for (version = 1; version <= 2; version++) {
        fresh(16 << 20);

        for (again = 0; again < 4; again++) {
            many(version, 700, T0 + again);
            put(version);
            answers(204, "", "700 series");
        }

        tap_is_int(stats().series, 700, "v%d: 700 series", version);
        tap_is_int(stats().samples, 2800, "v%d: 2800 samples", version);

        read_back();
        bad = n_lines != 700;

        for (i = 0; i < n_lines; i++) {
            unsigned  id, value, time;

            if (sscanf(lines[i], "{__name__=\"many\", id=\"%u\"} %u@+%u", &id,
                       &value, &time) != 3
                || id != value || time != 3)
            {
                bad++;
            }
        }

        tap_is_int(bad, 0, "v%d: each has its own value", version);
    }
}


/* Long requests: left in the middle, and disturbed by others. */

static void
test_slices(void)
{
    int            version, slices, refused;
    prom_str_t     body;
    prom_write_t  *write;

    for (version = 1; version <= 2; version++) {
        fresh(128 << 20);
        up_at("first", 0, 1);
        put(1);

        many(version, 30000, T0);
        body = packed(&enc);
        enc_start(&enc);

        write = prom_write_open(&store.db, &conf, version);
        prom_write_start(write, body, now);
        tap_is_int(prom_write_run(write), PROM_AGAIN, "30000 new series are "
                   "more than a slice");
        prom_write_close(write);
        tap_is_int(stats().series, 1, "v%d: closed in the middle", version);

        write = prom_write_open(&store.db, &conf, version);
        prom_write_start(write, body, now);

        refused = 0;

        for (slices = 0; prom_write_run(write) == PROM_AGAIN; slices++) {

            if (slices % 4 == 0 && slices < 40) {

                /* makes a series and removes it */

                symbols();
                up2_at(5, 700000, 1);
                put(2);
                refused += result.status == 400;
            }
        }

        take(write);
        tap_ok(refused > 0, "v%d: others came between", version);
        answers(204, "", "in spite of others");
        tap_is_int(stats().samples, 30001, "all is stored");
        tap_is_int(stats().series, 30001, "and nothing else is there");
    }
}


/*
 * The series that a request made before it had to begin anew are its own: when
 * it is refused they go.
 */
static void
test_anew(void)
{
    int            version;
    prom_write_t  *write;

    for (version = 1; version <= 2; version++) {
        fresh(128 << 20);
        up_at("b", 0, 1);
        put(1);

        many(version, 30000, version == 1 ? T0 : T0 + 700000);

        if (version == 1) {
            up_at("b", 0, 2);
        }

        write = prom_write_open(&store.db, &conf, version);
        prom_write_start(write, packed(&enc), now);
        tap_is_int(prom_write_run(write), PROM_AGAIN, "half of it");

        enc_start(&enc);
        symbols();
        up2_at(4, 700000, 1);
        put(2);

        finish(write);
        tap_is_int(result.status, 400, "v%d: refused in the end", version);
        tap_is_int(stats().series, 1, "v%d: nothing is left behind", version);
        tap_is_int(stats().samples, 1, "v%d: no sample either", version);
    }
}


static void
test_full(void)
{
    int                version;
    char               job[512];
    unsigned           n;
    prom_tsdb_stats_t  before, after;

    for (version = 1; version <= 2; version++) {
        fresh(0);

        up_at("a", 0, 1);
        put(1);

        for (n = 0; result.status == 204 && n < 100000; n++) {
            snprintf(job, sizeof(job), "%0*u", 400, n);
            up_at(job, 0, 1);
            put(1);
        }

        answers(503, "the store is full: no memory for new series\n",
                "the store is full");
        tap_ok(n > 1000, "after %u series", n);

        before = stats();

        if (version == 1) {
            up_at("a", 1000, 2);

            for (n = 0; n < 5000; n++) {
                snprintf(job, sizeof(job), "x%0*u", 400, n);
                up_at(job, 0, 1);
            }

        } else {
            symbols();
            up2_at(4, 1000, 2);

            for (n = 0; n < 5000; n++) {
                snprintf(job, sizeof(job), "x%0*u", 400, n);
                enc_str(&enc, 4, job);
                up2_at(7 + n, 0, 1);
            }
        }

        put(version);
        tap_is_int(result.status, 503, "v%d: one that is known, many new",
                   version);
        tap_is_int(result.samples, 0, "v%d: none is counted", version);
        after = stats();
        tap_ok(after.series == before.series
               && after.samples == before.samples, "v%d: nothing is kept",
               version);

        up_at("a", 1000, 2);
        put(1);
        answers(204, "", "the known one goes on");
    }

    fresh(0);
    store.db.max_series = 2;
    up_at("a", 0, 1);
    up_at("b", 0, 1);
    put(1);
    answers(204, "", "as many series as may be");
    up_at("a", 1, 1);
    up_at("c", 1, 1);
    put(1);
    answers(503, "the store has as many series as max_series allows\n",
            "one too many");
    holds("{__name__=\"up\", job=\"a\"} 1@+0\n"
          "{__name__=\"up\", job=\"b\"} 1@+0\n", "max_series");
}


/* What a process remembers of 2.0 senders must not outlive the series. */

static void
test_memory_of_v2(void)
{
    uint32_t  cursor;
    unsigned  i;

    fresh(0);
    store.db.retention = 60000;

    for (i = 0; i < 3; i++) {
        symbols();
        up2_at(4, i, 1);
        up2_at(5, i, 2);
        put(2);
    }

    cursor = 0;
    now += 100000;

    do {
        prom_tsdb_sweep(&store.db, now, &cursor, 100);
    } while (cursor != 0);

    tap_is_int(stats().series, 0, "the series are gone");

    /* their places are taken by others */

    up_at("x", 100000, 7);
    up_at("y", 100000, 8);
    put(1);

    symbols();
    up2_at(4, 100001, 3);
    up2_at(5, 100001, 4);
    put(2);
    answers(204, "", "the same symbols again");
    holds("{__name__=\"up\", job=\"a\"} 3@+100001\n"
          "{__name__=\"up\", job=\"b\"} 4@+100001\n"
          "{__name__=\"up\", job=\"x\"} 7@+100000\n"
          "{__name__=\"up\", job=\"y\"} 8@+100000\n", "new places");
}


/*
 * Another store at the address of the first, with other series in the same
 * places: happens when a single process reloads with another size.
 */
static void
test_another_store(void)
{
    void      *at;
    uint8_t    secret[32];
    unsigned   i, n, bad;

    bad = 0;

    for (n = 0; n < 50; n++) {
        fresh(0);

        for (i = 0; i < 3; i++) {
            symbols();
            up2_at(4, i, 1);
            up2_at(5, i, 2);
            put(2);
        }

        at = mmap(store.db.segment, store.size, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        memset(secret, (int) n, sizeof(secret));
        prom_tsdb_format(at, store.size, secret);

        up_at("a", 0, 1);
        up_at("x", 0, 7);
        put(1);

        symbols();
        up2_at(4, 1, 3);
        up2_at(5, 1, 4);
        put(2);

        read_back();

        bad += n_lines != 3
               || strcmp(lines[0], "{__name__=\"up\", job=\"a\"} 3@+1") != 0
               || strcmp(lines[1], "{__name__=\"up\", job=\"b\"} 4@+1") != 0
               || strcmp(lines[2], "{__name__=\"up\", job=\"x\"} 7@+0") != 0;
    }

    tap_is_int(bad, 0, "stores at the same address");
}


static void
test_report(void)
{
    unsigned  i;

    fresh(0);
    symbols();

    for (i = 0; i < 1000; i++) {
        up2_at(4, 700000, i);
    }

    put(2);
    tap_is_int(result.status, 400, "1000 bad samples");
    tap_ok(result.text.len > 1024 && result.text.len < 3000,
           "a text of %zu bytes", result.text.len);
    tap_ok(strstr(text, " more\n") == text + strlen(text) - 6,
           "that counts what it leaves out");
}


/* Bodies of a real Prometheus, at their time. */

static void
test_real(void)
{
    int  again;

    fresh(16 << 20);
    now = INT64_C(1795292500000);

    enc_file(&enc, "t/data/prw/v1-004.snappy");
    deliver(1, (prom_str_t) { enc.data, enc.len });
    answers(204, "", "v1-004");
    tap_is_int(result.unstored, 22, "exemplars and histograms");
    tap_is_int(stats().samples, 1234, "its samples");

    /* two samples of each series: the first of them comes too late now */

    deliver(1, (prom_str_t) { enc.data, enc.len });
    tap_is_int(result.status, 400, "v1-004 once more");
    tap_is_int(stats().samples, 1234, "no more samples");

    enc_file(&enc, "t/data/prw/v1-001.snappy");
    deliver(1, (prom_str_t) { enc.data, enc.len });
    answers(204, "", "v1-001");

    fresh(16 << 20);
    now = INT64_C(1795292500000);

    for (again = 0; again < 2; again++) {
        enc_file(&enc, "t/data/prw/v2-002.snappy");
        deliver(2, (prom_str_t) { enc.data, enc.len });
        tap_is_int(result.status, 400, "v2-002: not everything is stored");
        tap_is_int(result.samples, again == 0 ? 1234 : 617,
                   "v2-002: samples");
        tap_is_int(stats().samples, 1234, "v2-002: once");
    }

    again = (int) stats().series;
    enc_file(&enc, "t/data/prw/v2-004.snappy");
    deliver(2, (prom_str_t) { enc.data, enc.len });
    tap_is_int(result.samples, 1234, "v2-004: samples");
    tap_is_int(stats().samples, 2468, "v2-004: new ones");
    tap_is_int(stats().series, again, "v2-004: of the same series");
}


int
main(void)
{
    char        error[256];
    prom_msg_t  msg;

    prom_arena_init(&arena, 1 << 16);
    prom_msg_init(&msg, error, sizeof(error));

    if (prom_selector_parse(&all, prom_str("{__name__!=\"\"}"), &arena, &msg)
        != PROM_OK)
    {
        printf("Bail out! %s\n", error);
        return 2;
    }

    test_v1();
    test_all_or_nothing();
    test_bounds();
    test_inside_v1();
    test_inside_v2();
    test_v2();
    test_identity();
    test_expected();
    test_values();
    test_bad_labels();

    fresh(0);
    test_limits();
    test_many_labels();
    test_expanded();
    test_bodies();
    test_crowds();
    test_many();
    test_slices();
    test_anew();
    test_full();
    test_memory_of_v2();
    test_another_store();
    test_report();
    test_real();

    fresh(0);
    store_close(&store);
    prom_selector_destroy(&all);
    prom_arena_free(&arena);
    enc_free(&enc);

    return tap_done();
}
