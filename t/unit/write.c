
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * What the write path does with a request: which series a sample belongs to,
 * which samples are taken, what is answered.
 */


#include "write.h"


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
    if (!begin()) {
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
    test_report();
    test_real();

    return end();
}
