
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The write path against a model of it (model.h): mutated bodies of both
 * versions into a small store.  The status, the counts, how many series and
 * samples the store has are compared after each, what the store holds and its
 * invariants now and then.  A store is filled for a while, then another one
 * begins at the same address.
 *
 * FUZZ_ROUNDS, FUZZ_SEED.
 */


#include <sys/mman.h>
#include <sys/resource.h>

#include <snappy-c.h>

#include "model.h"
#include "mutate.h"
#include "path/prom_federate.h"
#include "seeds.h"
#include "tap.h"
#include "tsdb/prom_query.h"


#define ROUNDS       60000
#define STORE_SIZE   PROM_TSDB_MIN_SIZE
#define RETENTION    1000000            /* ms, of rounds of a second */
#define STORE_ROUNDS 4000               /* in one store */
#define FULL         100                /* answers of 503 by one store */
#define SWEEP_ROUNDS 50
#define LOOK_ROUNDS  1000               /* between two looks at all of it */
#define SHOWN        5
#define RSS_MAX      (1024L * 1024)     /* KiB, sanitizers hold back much */


typedef struct {
    unsigned long  rounds;
    unsigned long  statuses[3];         /* 204, 400, 503 */
    unsigned long  partial;             /* 2.0: 400, and something was kept */
    unsigned long  skipped;             /* 1.0: 204, and something was not */
    unsigned long  samples;
    unsigned long  series;
    unsigned long  looks;
    unsigned long  failed;
} summary_t;


static const prom_write_conf_t  conf = {
    { 40, 128, 9000 }, 48 * 1024, 64 << 20
};

static summary_t    summary;
static model_t      model;
static prom_tsdb_t  db;
static void        *memory;

static prom_selector_t  all;            /* matches every series */
static prom_arena_t     arena;

static const char  *why;
static char         why_text[256];


__attribute__((format(printf, 1, 2)))
static void
differs(const char *fmt, ...)
{
    va_list  args;

    if (why == NULL) {
        va_start(args, fmt);
        vsnprintf(why_text, sizeof(why_text), fmt, args);
        va_end(args);
        why = why_text;
    }
}


/* An empty store where the last one was, of another secret. */

static void
new_store(void)
{
    size_t    i;
    uint8_t   secret[32];

    if (memory != NULL) {
        munmap(memory, STORE_SIZE);
    }

    memory = mmap(memory, STORE_SIZE, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    for (i = 0; i < sizeof(secret); i++) {
        secret[i] = (uint8_t) fuzz_random();
    }

    if (memory == MAP_FAILED
        || prom_tsdb_format(memory, STORE_SIZE, secret) != PROM_OK)
    {
        printf("Bail out! no store\n");
        exit(2);
    }

    memset(&db, 0, sizeof(db));
    prom_tsdb_attach(&db, memory);
    db.retention = RETENTION;

    model_clear(&model);
}


typedef struct {
    enc_t           set;
    size_t          rows;
    uint64_t        before;             /* of the previous metric name */
} look_t;


/* Under a lock: what is needed was allocated before. */

static bool
look_at_row(void *ctx, const prom_row_t *row)
{
    look_t          *look;
    prom_label_t     label;
    const uint8_t   *pos;
    model_series_t  *series;

    look = ctx;
    pos = row->key.data;

    enc_start(&look->set);

    while (prom_labels_next(&pos, row->key.data + row->key.len, &label)) {
        enc_bytes(&look->set, label.name.data, label.name.len);
        enc_bytes(&look->set, "", 1);
        enc_bytes(&look->set, label.value.data, label.value.len);
        enc_bytes(&look->set, "", 1);
    }

    series = model_find(&model, &look->set, false);
    look->rows++;

    if (series == NULL || !series->stored) {
        differs("the store has a series that it should not");

    } else if (series->newest.time != row->sample.time
               || series->newest.value != row->sample.value)
    {
        differs("the newest sample of a series is %" PRId64 " %016" PRIx64
                ", not %" PRId64 " %016" PRIx64, row->sample.time,
                row->sample.value, series->newest.time, series->newest.value);
    }

    return true;
}


static void
look(void)
{
    int            rc;
    char           text[512];
    size_t         i, rows;
    look_t         look;
    prom_msg_t     msg;
    prom_query_t  *query;

    memset(&look, 0, sizeof(look));

    query = prom_query_open(&db, &all, 1, INT64_MIN, INT64_MAX);

    do {
        rc = prom_query_run(query, look_at_row, &look);
    } while (rc == PROM_AGAIN);

    prom_query_close(query);

    rows = 0;

    for (i = 0; i < model.n; i++) {
        rows += model.series[i].stored
                && model.series[i].newest.value != PROM_STALE_NAN;
    }

    if (rc != PROM_OK || rows != look.rows) {
        differs("%zu series are read, not %zu", look.rows, rows);
    }

    prom_msg_init(&msg, text, sizeof(text));

    if (prom_tsdb_verify(&db, &msg) != PROM_OK) {
        differs("prom_tsdb_verify(): %s", text);
    }

    summary.looks++;
    enc_free(&look.set);
}


static void
sweep(int64_t now)
{
    uint32_t  cursor;

    cursor = 0;

    do {
        prom_tsdb_sweep(&db, now, &cursor, 1000);
    } while (cursor != 0);

    model_sweep(&model, now);
}


/* A text that was not there before. */

static void
renew(char **text)
{
    static unsigned  n;

    free(*text);
    *text = seeds_alloc(512);
    snprintf(*text, 512, "value-%u-%0*u", n, 200 + n % 200, 0);
    n++;
}


static void
shift_v1(Prometheus__WriteRequest *request, int64_t by, bool fresh)
{
    size_t                   i, j;
    Prometheus__TimeSeries  *series;

    for (i = 0; i < request->n_timeseries; i++) {
        series = request->timeseries[i];

        for (j = 0; j < series->n_samples; j++) {
            series->samples[j]->timestamp =
                (int64_t) ((uint64_t) series->samples[j]->timestamp
                           + (uint64_t) by);
        }

        if (fresh && series->n_labels > 1) {
            j = series->n_labels - 1;

            if (series->labels[j]->value[0] != '\0') {
                renew(&series->labels[j]->value);
            }
        }
    }
}


static void
shift_v2(Io__Prometheus__Write__V2__Request *request, int64_t by, bool fresh)
{
    size_t                                  i, j;
    uint32_t                                ref;
    Io__Prometheus__Write__V2__TimeSeries  *series;

    for (i = 0; i < request->n_timeseries; i++) {
        series = request->timeseries[i];

        for (j = 0; j < series->n_samples; j++) {
            series->samples[j]->timestamp =
                (int64_t) ((uint64_t) series->samples[j]->timestamp
                           + (uint64_t) by);
        }

        if (fresh && series->n_labels_refs > 3) {
            ref = series->labels_refs[series->n_labels_refs - 1];

            if (ref > 0 && ref < request->n_symbols) {
                renew(&request->symbols[ref]);
            }
        }
    }
}


/* The samples of a body, later by some time, maybe of new series. */

static void
shift(enc_t *buf, int version, int64_t by, bool fresh)
{
    void  *message;

    message = protobuf_c_message_unpack(seeds_descriptor(version), NULL,
                                        buf->len, buf->data);
    if (message == NULL) {
        return;
    }

    if (version == PROM_WRITE_V1) {
        shift_v1(message, by, fresh);

    } else {
        shift_v2(message, by, fresh);
    }

    seeds_pack(buf, message);
    protobuf_c_message_free_unpacked(message, NULL);
}


/* Only now and then broken: what lies inside is to be reached. */

static void
compress(enc_t *out, const enc_t *body)
{
    size_t  len;

    enc_start(out);
    len = snappy_max_compressed_length(body->len);

    if (out->room < len + 1) {
        free(out->data);
        out->room = 2 * len + 1;
        out->data = seeds_alloc(out->room);
    }

    if (snappy_compress((const char *) (body->len ? body->data : out->data),
                        body->len, (char *) out->data, &len) != SNAPPY_OK)
    {
        abort();
    }

    out->len = len;

    if (fuzz_rnd(20) == 0) {
        fuzz_blind(out, body);
    }
}


/* What the model says of a compressed body. */

static int
expect(int version, const enc_t *packed, int64_t now, model_answer_t *answer)
{
    int       rc;
    size_t    len;
    uint8_t  *body;

    memset(answer, 0, sizeof(model_answer_t));
    answer->status = 400;

    if (snappy_uncompressed_length((const char *) packed->data, packed->len,
                                   &len) != SNAPPY_OK
        || len > conf.max_decoded)
    {
        return PROM_OK;
    }

    rc = PROM_OK;
    body = seeds_alloc(len);

    if (snappy_uncompress((const char *) packed->data, packed->len,
                          (char *) body, &len) == SNAPPY_OK)
    {
        answer->decoded = true;
        rc = model_write(&model, version, &conf, (prom_str_t) { body, len },
                         now, answer);
    }

    free(body);

    return rc;
}


static void
compare(int version, const prom_write_result_t *result,
    const model_answer_t *answer, const prom_tsdb_stats_t *before)
{
    prom_tsdb_stats_t  stats;

    prom_tsdb_stats(&db, &stats);

    if (result->status != answer->status) {
        differs("status %u, not %u: %.*s", result->status, answer->status,
                (int) result->text.len, (const char *) result->text.data);
        return;
    }

    if (result->status == 204 && result->skipped == 0
        ? result->text.len != 0
        : (result->text.len < 2
           || result->text.data[result->text.len - 1] != '\n'))
    {
        differs("a text of %zu bytes with status %u", result->text.len,
                result->status);
    }

    if (stats.series != model.live) {
        differs("%lu series, not %lu", (unsigned long) stats.series,
                (unsigned long) model.live);
    }

    if (stats.samples != model.samples) {
        differs("%lu samples, not %lu", (unsigned long) stats.samples,
                (unsigned long) model.samples);
    }

    if (result->counted != (version == PROM_WRITE_V2 && answer->decoded)) {
        differs("counted is %d", result->counted);
    }

    if (version == PROM_WRITE_V2 && result->samples != answer->samples) {
        differs("%lu samples written, not %lu",
                (unsigned long) result->samples,
                (unsigned long) answer->samples);
    }

    if (result->status == 204 && result->skipped != answer->skipped) {
        differs("%lu series skipped, not %lu",
                (unsigned long) result->skipped,
                (unsigned long) answer->skipped);
    }

    summary.partial += result->status == 400 && stats.samples
                                                > before->samples;
    summary.skipped += result->status == 204 && result->skipped > 0;
}


/*
 * The store is full: nothing is kept.  False: it is not full at all.
 */
static bool
is_full(const prom_tsdb_stats_t *before)
{
    prom_tsdb_stats_t  stats;

    prom_tsdb_stats(&db, &stats);

    if (stats.series != before->series || stats.samples != before->samples) {
        differs("something of a request was kept that got 503");
    }

    return stats.pages_free < stats.pages / 16;
}


/* One request; false: this store has done its duty. */

static bool
run(int version, const enc_t *packed, int64_t now)
{
    uint8_t                   *copy;
    prom_write_t              *write;
    model_answer_t             answer;
    prom_tsdb_stats_t          before;
    const prom_write_result_t *result;

    copy = seeds_alloc(packed->len);

    if (packed->len > 0) {
        memcpy(copy, packed->data, packed->len);
    }

    prom_tsdb_stats(&db, &before);

    write = prom_write_open(&db, &conf, version);
    prom_write_start(write, (prom_str_t) { copy, packed->len }, now);
    free(copy);

    while (prom_write_run(write) == PROM_AGAIN) {
        /* void */
    }

    result = prom_write_result(write);
    summary.rounds++;

    switch (result->status) {

    case 503:
        summary.statuses[2]++;

        if (!is_full(&before)) {
            differs("503: %.*s", (int) result->text.len,
                    (const char *) result->text.data);
        }

        prom_write_close(write);
        return true;

    case 400:
        summary.statuses[1]++;
        break;

    case 204:
        summary.statuses[0]++;
        break;

    default:
        differs("status %u", result->status);
    }

    if (expect(version, packed, now, &answer) == PROM_LIMIT) {
        prom_write_close(write);
        return false;
    }

    compare(version, result, &answer, &before);
    prom_write_close(write);

    return true;
}


static void
show(const enc_t *packed, int version)
{
    size_t  i;

    if (summary.failed++ < SHOWN) {
        tap_ok(false, "v%d: round %lu: %s", version, summary.rounds, why);
        printf("# ");

        for (i = 0; i < packed->len && i < 2000; i++) {
            printf("%02x", packed->data[i]);
        }

        printf("\n");
    }

    why = NULL;
}


static void
fuzz(unsigned long rounds)
{
    int            version;
    bool           more;
    enc_t          buf, other, packed;
    int64_t        later;
    unsigned long  i, begun, full, refused;

    memset(&buf, 0, sizeof(buf));
    memset(&other, 0, sizeof(other));
    memset(&packed, 0, sizeof(packed));

    new_store();
    begun = 0;
    full = 0;
    refused = 0;

    for (i = 0; i < rounds; i++) {
        version = 1 + (int) fuzz_rnd(2);
        later = (int64_t) (i - begun) * 1000;

        seeds_start(&buf, version);

        if (fuzz_rnd(4)) {
            shift(&buf, version, later, begun % 2 && fuzz_rnd(8));
        }

        if (fuzz_rnd(3)) {
            fuzz_mutate(&buf, seeds_descriptor(version), &other);
        }

        if (i % 64 == 0) {
            enc_start(&other);
            enc_bytes(&other, buf.data, buf.len);
        }

        compress(&packed, &buf);
        more = run(version, &packed, SEEDS_NOW + later);

        if (begun % 2 == 0 && fuzz_rnd(SWEEP_ROUNDS) == 0) {
            sweep(SEEDS_NOW + later);
        }

        /* a full store has to go on with the series that it has */

        full += summary.statuses[2] > refused;
        refused = summary.statuses[2];
        more = more && full < FULL;

        if (i % LOOK_ROUNDS == LOOK_ROUNDS - 1 || !more) {
            look();
        }

        if (why != NULL) {
            show(&packed, version);
            more = false;
        }

        if (!more || i - begun == STORE_ROUNDS) {
            summary.samples += model.samples;
            summary.series += model.live;
            new_store();
            begun = i + 1;
            full = 0;
        }
    }

    enc_free(&buf);
    enc_free(&other);
    enc_free(&packed);
}


int
main(void)
{
    char           text[256];
    prom_msg_t     msg;
    unsigned long  rounds;
    struct rusage  usage;

    setvbuf(stdout, NULL, _IOLBF, 0);
    fuzz_state = fuzz_option("FUZZ_SEED", 1);
    rounds = fuzz_option("FUZZ_ROUNDS", ROUNDS);

    prom_arena_init(&arena, 1 << 16);
    prom_msg_init(&msg, text, sizeof(text));

    if (prom_selector_parse(&all, prom_str("{__name__!=\"\"}"), &arena, &msg)
        != PROM_OK)
    {
        printf("Bail out! %s\n", text);
        return 2;
    }

    seeds_load();
    model_init(&model, RETENTION);
    fuzz(rounds);

    tap_is_int((int64_t) summary.failed, 0,
               "%lu requests: answers and the store are as the model has them",
               summary.rounds);

    getrusage(RUSAGE_SELF, &usage);
    tap_ok(usage.ru_maxrss < RSS_MAX, "%ld MiB of memory at most",
           usage.ru_maxrss / 1024);

    printf("# 204: %lu, 400: %lu, 503: %lu; of 2.0 in part: %lu, of 1.0 "
           "without some series: %lu\n# %lu samples of %lu series stored, "
           "all of the store compared %lu times\n",
           summary.statuses[0], summary.statuses[1], summary.statuses[2],
           summary.partial, summary.skipped, summary.samples, summary.series,
           summary.looks);

    if (rounds >= ROUNDS) {
        tap_ok(summary.statuses[0] > rounds / 10
               && summary.statuses[1] > rounds / 10
               && summary.partial > rounds / 100
               && summary.skipped > rounds / 1000
               && summary.statuses[2] > 0,
               "all kinds of answers were given");
    }

    prom_selector_destroy(&all);
    prom_arena_free(&arena);
    model_free(&model);
    seeds_free();
    munmap(memory, STORE_SIZE);

    return tap_done();
}
