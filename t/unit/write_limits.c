
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * What a request may cost, and what becomes of it when that is too much: limits,
 * odd bodies, many samples, slices, restarts, a full store.
 */


#include "write.h"


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


/*
 * Two requests of version 2.0 take turns, as slices of an event loop do, and
 * the same index is another symbol in each.  What one leaves behind must not
 * be taken for the other's, neither now nor by who comes later.
 */

#define TURNS  50000

static void
turns(unsigned first, int64_t time)
{
    unsigned  i;
    char      id[32];

    enc_str(&enc, 4, "__name__");
    enc_str(&enc, 4, "many");
    enc_str(&enc, 4, "id");

    for (i = 0; i < TURNS; i++) {
        snprintf(id, sizeof(id), "%u", first + i);
        enc_str(&enc, 4, id);
        enc_open(&enc, 5);
        enc_raw(&enc, "0a 03 00 01 02");
        enc_int(&enc, 1, i + 3);
        enc_sample(&enc, time, first + i);
        enc_close(&enc);
    }
}


static void
both(int64_t time)
{
    unsigned  i, n;
    char      id[32];

    enc_str(&enc, 4, "__name__");
    enc_str(&enc, 4, "many");
    enc_str(&enc, 4, "id");

    for (i = 0; i < 2 * TURNS - 2; i++) {
        n = i % 2 ? TURNS + i / 2 + 1 : i / 2;
        snprintf(id, sizeof(id), "%u", n);
        enc_str(&enc, 4, id);
        enc_open(&enc, 5);
        enc_raw(&enc, "0a 03 00 01 02");
        enc_int(&enc, 1, i + 3);
        enc_sample(&enc, time, n);
        enc_close(&enc);
    }
}


static void
test_interleaved(void)
{
    int            slices;
    unsigned       i, id, value, bad;
    prom_str_t     body;
    prom_write_t  *write;

    fresh(128 << 20);

    for (i = 0; i < 3; i++) {
        turns(0, T0 + i);
        put(2);
        turns(TURNS, T0 + i);
        put(2);
    }

    turns(0, T0 + 10);
    body = packed(&enc);
    write = prom_write_open(&store.db, &conf, PROM_WRITE_V2);
    prom_write_start(write, body, now);
    enc_start(&enc);

    for (slices = 0; prom_write_run(write) == PROM_AGAIN; slices++) {
        turns(TURNS, T0 + 10 + slices);
        put(2);
    }

    tap_ok(slices > 0, "interleaved: the first was left %d times", slices);
    finish(write);
    answers(204, "", "interleaved: the first");

    both(T0 + 1000);
    put(2);
    answers(204, "", "interleaved: who comes later");

    read_back();
    bad = n_lines == 0;

    for (i = 0; i < n_lines; i++) {
        if (sscanf(lines[i], "{__name__=\"many\", id=\"%u\"} %u@", &id,
                   &value) != 2
            || id != value)
        {
            bad++;
        }
    }

    tap_is_int(bad, 0, "interleaved: each series has its own values");
    tap_is_int(stats().series, 2 * TURNS, "interleaved: and none is new");
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


int
main(void)
{
    if (!begin()) {
        return 2;
    }

    test_limits();
    test_many_labels();
    test_expanded();
    test_bodies();
    test_crowds();
    test_many();
    test_slices();
    test_interleaved();
    test_anew();
    test_full();
    test_memory_of_v2();
    test_another_store();

    return end();
}
