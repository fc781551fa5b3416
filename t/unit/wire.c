
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The wire, rule by rule.  A body is decoded from memory of exactly its size
 * and printed; what is printed is compared.  A series of version 1 prints as
 *
 *     a=1 b=2; 1.5@1000 2@2000; e0 h0; run
 *
 * with "apart" for labels that do not lie in one run, and one of version 2 as
 *
 *     0 1 2 3; 1.5@1000; e0 h0; help 4 unit 5
 *
 * Its references are followed by what prom_prw2_check() says against them.
 */


#include "base/prom_msg.h"
#include "encode.h"
#include "tap.h"
#include "wire/prom_proto.h"
#include "wire/prom_prw.h"
#include "wire/prom_snappy.h"


#define V1_ERROR  "cannot decode the body as prometheus.WriteRequest: bad "
#define V2_ERROR  "cannot decode the body as io.prometheus.write.v2.Request: "\
                  "bad "

#define MANY      (1 << 16)


typedef struct {
    uint64_t  symbols;
    uint64_t  series;
    uint64_t  samples;
    uint64_t  exemplars;
    uint64_t  histograms;
    uint64_t  labels;
    uint64_t  metadata;
    uint64_t  runs;
} counts_t;


static enc_t       enc;
static counts_t    counts;
static unsigned    overruns;            /* runs beyond their message */

static char        out[MANY];
static size_t      out_len;

static char        text[1024];
static prom_msg_t  msg;


__attribute__((format(printf, 1, 2)))
static void
print(const char *fmt, ...)
{
    int      n;
    va_list  args;

    va_start(args, fmt);
    n = vsnprintf(out + out_len, sizeof(out) - out_len, fmt, args);
    va_end(args);

    out_len = prom_min(out_len + (size_t) n, sizeof(out) - 1);
}


static void
print_samples(const prom_prw_series_t *series, const prom_vec_t *samples)
{
    double                value;
    size_t                i;
    const prom_sample_t  *sample;

    for (i = 0; i < series->samples; i++) {
        sample = (const prom_sample_t *) samples->data + series->first + i;
        memcpy(&value, &sample->value, 8);

        if (value != value) {
            print(" %016" PRIx64 "@%" PRId64, sample->value, sample->time);

        } else {
            print(" %.17g@%" PRId64, value, sample->time);
        }
    }

    print("; e%u h%u; ", series->exemplars, series->histograms);
}


static void
count_series(const prom_prw_series_t *series)
{
    counts.series++;
    counts.samples += series->samples;
    counts.exemplars += series->exemplars;
    counts.histograms += series->histograms;
}


/*
 * false where a label cannot be decoded.  One that does not fit is found out,
 * and what does fit does.
 */
static bool
print_labels(const prom_prw_series_t *series)
{
    int            rc;
    size_t         i, n, max;
    prom_label_t  *labels;

    max = 0;

    do {
        labels = malloc(max * sizeof(prom_label_t));
        rc = prom_prw1_labels(series->message, labels, max, &n, &msg);

        if (rc == PROM_LIMIT) {
            free(labels);
            max++;
        }

    } while (rc == PROM_LIMIT && max <= series->message.len);

    if (rc == PROM_OK && n != max) {
        print("%zu labels, but %zu fit", n, max);
    }

    counts.labels += n;

    for (i = 0; i < n && rc == PROM_OK; i++) {
        print("%s%.*s=%.*s", i == 0 ? "" : " ",
              (int) labels[i].name.len, (const char *) labels[i].name.data,
              (int) labels[i].value.len, (const char *) labels[i].value.data);
    }

    free(labels);

    return rc == PROM_OK;
}


static void
decode_v1(prom_str_t body)
{
    int                rc;
    prom_vec_t         samples;
    prom_prw1_t        reader;
    prom_prw_series_t  series;

    memset(&samples, 0, sizeof(samples));
    prom_prw1_open(&reader, body);

    while ((rc = prom_prw1_next(&reader, &series, &samples, &msg)) == 1) {
        count_series(&series);
        counts.runs += series.run.len > 0;
        overruns += series.run.len > series.message.len;

        print("%s", out_len == 0 ? "" : " / ");

        if (!print_labels(&series)) {
            rc = PROM_ERROR;
            break;
        }

        print(";");
        print_samples(&series, &samples);
        print(series.run.len > 0 ? "run" : "apart");
    }

    if (rc == PROM_ERROR) {
        out_len = 0;
        print("%s", text);
    }

    counts.metadata = reader.metadata;
    prom_vec_free(&samples);
}


static void
decode_v2(prom_str_t body)
{
    int                rc;
    bool               good;
    size_t             i;
    prom_vec_t         samples;
    prom_prw2_t        reader;
    prom_prw_series_t  series;

    memset(&samples, 0, sizeof(samples));
    memset(&reader, 0, sizeof(reader));

    rc = prom_prw2_open(&reader, body, &msg);

    while (rc >= 0
           && (rc = prom_prw2_next(&reader, &series, &samples, &msg)) == 1)
    {
        count_series(&series);
        counts.labels += reader.refs.n / 2;
        counts.metadata += series.metadata;

        print("%s", out_len == 0 ? "" : " / ");

        for (i = 0; i < reader.refs.n; i++) {
            print("%s%u", i == 0 ? "" : " ",
                  ((const uint32_t *) reader.refs.data)[i]);
        }

        good = prom_prw2_is_good(&reader, &series);

        if (prom_prw2_check(&reader, &series, &msg) != PROM_OK) {
            print(" !%s", text);
            prom_msg_init(&msg, text, sizeof(text));
            good = !good;
        }

        if (!good) {
            print(" two answers");
        }

        print(";");
        print_samples(&series, &samples);

        if (series.metadata) {
            print("help %u unit %u", series.help, series.unit);
        }
    }

    if (rc == PROM_ERROR) {
        out_len = 0;
        print("%s", text);
    }

    counts.symbols = reader.symbols.n;
    prom_prw2_close(&reader);
    prom_vec_free(&samples);
}


/* From memory of its own, so that no byte beyond goes unnoticed. */

static void
decode(int version, const uint8_t *data, size_t len)
{
    uint8_t  *copy;

    copy = malloc(len);

    if (len > 0) {
        memcpy(copy, data, len);
    }

    out[0] = '\0';
    out_len = 0;
    memset(&counts, 0, sizeof(counts));
    prom_msg_init(&msg, text, sizeof(text));

    if (version == 1) {
        decode_v1((prom_str_t) { copy, len });

    } else {
        decode_v2((prom_str_t) { copy, len });
    }

    free(copy);
}


static bool
refused(void)
{
    return strncmp(out, "cannot decode", 13) == 0;
}


/* What was encoded since enc_start() prints as `want'. */

__attribute__((format(printf, 3, 4)))
static void
is(int version, const char *want, const char *fmt, ...)
{
    char     name[256];
    va_list  args;

    va_start(args, fmt);
    vsnprintf(name, sizeof(name), fmt, args);
    va_end(args);

    decode(version, enc.data, enc.len);
    tap_is_str(out, out_len, want, "v%d: %s", version, name);
    enc_start(&enc);
}


static void
test_v1(void)
{
    enc_start(&enc);
    is(1, "", "nothing");

    enc_open(&enc, 1);
    enc_close(&enc);
    is(1, ";; e0 h0; apart", "an empty TimeSeries");

    enc_open(&enc, 1);
    enc_label(&enc, "__name__", "up");
    enc_label(&enc, "job", "a");
    enc_sample(&enc, 1000, 1.5);
    enc_sample(&enc, 2000, -2);
    enc_close(&enc);
    enc_open(&enc, 1);
    enc_label(&enc, "__name__", "down");
    enc_sample(&enc, 3000, 0);
    enc_close(&enc);
    is(1, "__name__=up job=a; 1.5@1000 -2@2000; e0 h0; run / "
          "__name__=down; 0@3000; e0 h0; run", "two series");

    enc_open(&enc, 1);
    enc_sample(&enc, 1000, 1);
    enc_label(&enc, "a", "1");
    enc_label(&enc, "b", "2");
    enc_close(&enc);
    is(1, "a=1 b=2; 1@1000; e0 h0; apart", "labels behind the samples");

    enc_open(&enc, 1);
    enc_label(&enc, "a", "1");
    enc_sample(&enc, 1000, 1);
    enc_label(&enc, "b", "2");
    enc_sample(&enc, 2000, 2);
    enc_close(&enc);
    is(1, "a=1 b=2; 1@1000 2@2000; e0 h0; apart",
       "labels before and behind the samples are no run");

    enc_open(&enc, 1);
    enc_label(&enc, "a", "1");
    enc_int(&enc, 100, 7);
    enc_label(&enc, "b", "2");
    enc_close(&enc);
    is(1, "a=1 b=2;; e0 h0; apart", "an unknown field among the labels");

    enc_open(&enc, 1);
    enc_label(&enc, "a", "1");
    enc_open(&enc, 1);
    enc_str(&enc, 2, "second");
    enc_str(&enc, 1, "b");
    enc_close(&enc);
    enc_raw(&enc, "0a 00");
    enc_sample(&enc, 5, 5);
    enc_close(&enc);
    is(1, "a=1 b=second =; 5@5; e0 h0; run",
       "a value before its name, an empty Label");

    enc_open(&enc, 1);
    enc_label(&enc, "a", "1");
    enc_raw(&enc, "0a 00");
    enc_close(&enc);
    decode(1, enc.data, enc.len);
    tap_ok(strncmp(out, "a=1 =;; e0 h0; ", 15) == 0,
           "v1: an empty Label at the very end");
    enc_start(&enc);

    enc_open(&enc, 1);
    enc_open(&enc, 1);
    enc_str(&enc, 1, "a");
    enc_str(&enc, 1, "b");
    enc_str(&enc, 2, "1");
    enc_str(&enc, 2, "2");
    enc_close(&enc);
    enc_open(&enc, 2);
    enc_double(&enc, 1, 1);
    enc_int(&enc, 2, 1);
    enc_int(&enc, 2, 2);
    enc_double(&enc, 1, 2);
    enc_close(&enc);
    enc_close(&enc);
    is(1, "b=2; 2@2; e0 h0; run", "the last of a field wins");

    enc_open(&enc, 1);
    enc_open(&enc, 1);
    enc_str(&enc, 1, "a");
    enc_raw(&enc, "12 00");
    enc_close(&enc);
    enc_close(&enc);
    is(1, "a=;; e0 h0; run", "an empty value");

    enc_open(&enc, 3);
    enc_raw(&enc, "08 01 12 02 75 70 22 01 68 2a 01 75");
    enc_close(&enc);
    enc_open(&enc, 1);
    enc_label(&enc, "a", "1");
    enc_close(&enc);
    enc_raw(&enc, "1a 00");
    decode(1, enc.data, enc.len);
    tap_is_int(counts.metadata, 2, "v1: metadata is counted");
    tap_is_int(counts.series, 1, "v1: and stands between the series");
    enc_start(&enc);
}


static void
test_runs(void)
{
    char               name[20000];
    unsigned           i;
    prom_vec_t         samples;
    prom_prw1_t        reader;
    prom_prw_series_t  series;

    static const size_t  sizes[] = { 1, 117, 118, 119, 120, 121, 122, 123,
                                     124, 125, 126, 16371, 16372, 16373,
                                     16374, 16375, 16376, 16377, 16378,
                                     16379, 16380, 16381, 16382 };

    static const char  *const cut[] = {
        "0a", "0a 80", "0a 80 80", "0a 01", "0a 80 01", "0a 04 0a 01 61",
        "0a 03 0a 01 61 0a", "0a 03 0a 01 61 0a 80", "0a 03 0a 01 61 0a 01"
    };

    memset(&samples, 0, sizeof(samples));

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {

        memset(name, 'x', sizes[i]);
        name[sizes[i]] = '\0';

        enc_start(&enc);
        enc_open(&enc, 1);
        enc_label(&enc, "a", name);
        enc_label(&enc, "b", "2");
        enc_sample(&enc, 1, 1);
        enc_close(&enc);

        prom_msg_init(&msg, text, sizeof(text));
        prom_prw1_open(&reader, (prom_str_t) { enc.data, enc.len });

        tap_ok(prom_prw1_next(&reader, &series, &samples, &msg) == 1
               && (series.run.len == 0
                   || (series.run.data == series.message.data
                       && series.run.len == series.message.len - 13)),
               "v1: a run of labels, one of %zu bytes: all or none",
               sizes[i]);

        if (sizes[i] < 16000) {
            tap_ok(series.run.len > 0, "v1: it is seen");
        }
    }

    prom_vec_free(&samples);
    enc_start(&enc);

    /* a length may take more bytes than it needs */

    enc_open(&enc, 1);
    enc_raw(&enc, "0a 86 00 0a 01 61 12 01 31");
    enc_raw(&enc, "0a 86 80 00 0a 01 62 12 01 32");
    enc_raw(&enc, "0a 86 80 80 80 80 80 80 80 80 00 0a 01 63 12 01 33");
    enc_close(&enc);
    decode(1, enc.data, enc.len);
    tap_ok(strncmp(out, "a=1 b=2 c=3;", 12) == 0,
           "v1: lengths in more bytes than needed: %s", out);

    enc_start(&enc);
    enc_open(&enc, 1);
    enc_raw(&enc, "8a 00 06 0a 01 61 12 01 31");
    enc_raw(&enc, "8a 80 80 00 06 8a 00 01 62 92 00 01 32");
    enc_close(&enc);
    decode(1, enc.data, enc.len);
    tap_ok(refused(), "v1: a Label cut short by its own length");
    enc_start(&enc);

    for (i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
        enc_open(&enc, 1);
        enc_raw(&enc, cut[i]);
        enc_close(&enc);
        decode(1, enc.data, enc.len);
        tap_ok(refused(), "v1: a run that ends in %s", cut[i]);
        enc_start(&enc);
    }

    enc_open(&enc, 1);
    enc_raw(&enc, "8a 00 06 0a 01 61 12 01 31");
    enc_raw(&enc, "8a 80 80 00 08 8a 00 01 62 92 00 01 32");
    enc_close(&enc);
    is(1, "a=1 b=2;; e0 h0; apart", "tags in more bytes than needed");
}


static void
test_samples(int version)
{
    unsigned     i;
    const char  *end;

    static const struct {
        const char  *hex;
        const char  *want;
        const char  *name;
    } all[] = {
        { "", "0@0", "an empty Sample" },
        { "09 00 00 00 00 00 00 f0 3f", "1@0", "no time" },
        { "10 e8 07", "0@1000", "no value" },
        { "10 e8 07 09 00 00 00 00 00 00 f0 3f", "1@1000", "time first" },
        { "09 00 00 00 00 00 00 f0 3f 10 ff ff ff ff ff ff ff ff ff 01",
          "1@-1", "a negative time" },
        { "09 00 00 00 00 00 00 f0 3f 10 80 80 80 80 80 80 80 80 80 01",
          "1@-9223372036854775808", "the least time" },
        { "09 00 00 00 00 00 00 f0 3f 10 ff ff ff ff ff ff ff ff 7f",
          "1@9223372036854775807", "the greatest time" },
        { "09 00 00 00 00 00 00 f0 3f 10 ff ff ff ff ff ff ff ff ff 7f",
          "1@-1", "bits of a varint past the 64th are dropped" },
        { "09 00 00 00 00 00 00 f0 3f 10 85 80 80 80 80 80 80 80 80 00",
          "1@5", "a time in 10 bytes" },
        { "09 02 00 00 00 00 00 f0 7f 10 01",
          "7ff0000000000002@1", "the stale marker" },
        { "09 01 00 00 00 00 00 f8 7f 10 01", "7ff8000000000001@1", "NaN" },
        { "09 01 00 00 00 00 00 f0 ff 10 01",
          "fff0000000000001@1", "a signaling NaN" },
        { "09 00 00 00 00 00 00 00 80 10 01", "-0@1", "-0" },
        { "09 00 00 00 00 00 00 f0 3f 10 01 10 02", "1@2", "two times" },
        { "09 00 00 00 00 00 00 f0 3f 10 01 09 00 00 00 00 00 00 00 40",
          "2@1", "two values" },
        { "09 00 00 00 00 00 00 f0 3f 18 05", "1@0",
          "a start time in the place of the time" },
        { "89 00 00 00 00 00 00 00 f0 3f 90 80 00 05", "1@5", "long tags" },
        { "18 05 09 00 00 00 00 00 00 f0 3f 10 01", "1@1", "a start time" },
        { "09 00 00 00 00 00 00 f0 3f 10 01 18 05", "1@1",
          "a start time at the end" }
    };

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {

        enc_open(&enc, version == 1 ? 1 : 5);
        enc_open(&enc, 2);
        enc_raw(&enc, all[i].hex);
        enc_close(&enc);
        enc_close(&enc);

        decode(version, enc.data, enc.len);
        end = strchr(out, '@');
        end = end != NULL ? strchr(end, ';') : NULL;

        if (end == NULL || strncmp(out, "; ", 2) != 0) {
            tap_is_str(out, out_len, all[i].want, "v%d: %s", version,
                       all[i].name);

        } else {
            tap_is_str(out + 2, (size_t) (end - out) - 2, all[i].want,
                       "v%d: %s", version, all[i].name);
        }

        enc_start(&enc);
    }
}


static void
test_v2(void)
{
    enc_start(&enc);
    is(2, "", "nothing");

    enc_open(&enc, 5);
    enc_close(&enc);
    is(2, ";; e0 h0; ", "an empty TimeSeries");

    enc_raw(&enc, "22 00");
    enc_str(&enc, 4, "__name__");
    enc_str(&enc, 4, "up");
    enc_open(&enc, 5);
    enc_raw(&enc, "0a 02 01 02");
    enc_sample(&enc, 1000, 1.5);
    enc_raw(&enc, "2a 00");
    enc_close(&enc);
    enc_open(&enc, 5);
    enc_raw(&enc, "0a 02 02 01");
    enc_sample(&enc, 2000, 2);
    enc_sample(&enc, 3000, 3);
    enc_close(&enc);
    is(2, "1 2; 1.5@1000; e0 h0; help 0 unit 0 / 2 1; 2@2000 3@3000; e0 h0; ",
       "two series");

    enc_open(&enc, 5);
    enc_raw(&enc, "0a 02 00 01");
    enc_sample(&enc, 1, 1);
    enc_close(&enc);
    enc_str(&enc, 4, "__name__");
    enc_open(&enc, 5);
    enc_raw(&enc, "0a 02 01 00");
    enc_close(&enc);
    enc_str(&enc, 4, "up");
    is(2, "0 1; 1@1; e0 h0;  / 1 0;; e0 h0; ",
       "symbols behind what refers to them");

    enc_str(&enc, 4, "");
    enc_str(&enc, 4, "");
    enc_str(&enc, 4, "x");
    enc_str(&enc, 4, "x");
    decode(2, enc.data, enc.len);
    tap_is_int(counts.symbols, 4, "v2: symbols twice are symbols");

    enc_open(&enc, 5);
    enc_raw(&enc, "0a 02 00 01 08 02 0a 00 08 03 0a 02 00 01 2a 00");
    enc_close(&enc);
    is(2, "0 1 2 3 0 1;; e0 h0; help 0 unit 0",
       "references packed, one by one and mixed add up");

    enc_raw(&enc, "22 00 22 00");
    enc_open(&enc, 5);
    enc_raw(&enc, "2a 00 12 00 08 00 22 00 0a 01 01 1a 00 30 01 12 00");
    enc_close(&enc);
    is(2, "0 1; 0@0 0@0; e1 h1; help 0 unit 0", "fields in any order");

    enc_raw(&enc, "22 00 22 00 22 00 22 00");
    enc_open(&enc, 5);
    enc_raw(&enc, "2a 04 18 02 20 03 2a 02 18 01 2a 02 08 01");
    enc_close(&enc);
    is(2, ";; e0 h0; help 1 unit 3", "parts of metadata merge");

    enc_raw(&enc, "22 00");
    enc_open(&enc, 5);
    enc_raw(&enc, "0a 06 80 80 80 80 10 00");
    enc_raw(&enc, "08 80 80 80 80 80 80 80 80 80 01");
    enc_raw(&enc, "0a 0a 80 80 80 80 80 80 80 80 80 00");
    enc_close(&enc);
    is(2, "0 0 0 0;; e0 h0; ", "references keep their low 32 bits");

    enc_open(&enc, 5);
    enc_raw(&enc, "0a 02 00 80 08 00");
    enc_close(&enc);
    is(2, V2_ERROR "labels_refs", "a varint ends with the packed field");
}


/*
 * References of one to ten bytes, packed and alone, so that they begin and end
 * at every place of a word and of the message.
 */
static void
test_packed(void)
{
    bool               good;
    uint32_t           want[64];
    uint64_t           seed, value;
    unsigned           i, n, bytes, bad, round;
    prom_vec_t         samples;
    prom_prw2_t        reader;
    prom_prw_series_t  series;

    bad = 0;
    seed = 1;
    memset(&samples, 0, sizeof(samples));
    memset(&reader, 0, sizeof(reader));

    for (round = 0; round < 3000; round++) {
        enc_start(&enc);
        enc_open(&enc, 5);
        enc_open(&enc, 1);

        n = round % 64;

        for (i = 0; i < n; i++) {

            if (i == n / 2 && round % 3 == 0) {
                enc_close(&enc);
                enc_tag(&enc, 1, 0);
            }

            seed = seed * 6364136223846793005u + 1442695040888963407u;
            value = seed >> 10;
            bytes = round % 2 ? 1 + (unsigned) (seed >> 60) % 10 : 1;
            value &= bytes < 10 ? (UINT64_C(1) << 7 * bytes) - 1 : UINT64_MAX;
            want[i] = (uint32_t) value;

            while (bytes-- > 1) {
                enc_bytes(&enc, (uint8_t []) { value | 0x80 }, 1);
                value >>= 7;
            }

            enc_bytes(&enc, (uint8_t []) { value & 0x7f }, 1);

            if (i == n / 2 && round % 3 == 0) {
                enc_open(&enc, 1);
            }
        }

        enc_close(&enc);
        enc_close(&enc);

        prom_msg_init(&msg, text, sizeof(text));

        good = prom_prw2_open(&reader, (prom_str_t) { enc.data, enc.len },
                              &msg) == PROM_OK
               && prom_prw2_next(&reader, &series, &samples, &msg) == 1
               && reader.refs.n == n
               && (n == 0 || memcmp(reader.refs.data, want, n * 4) == 0);
        bad += !good;

        if (good) {
            prom_prw2_reread(&reader, series.message);
            bad += reader.refs.n != n
                   || (n > 0 && memcmp(reader.refs.data, want, n * 4) != 0);
        }
    }

    tap_is_int(bad, 0, "v2: references of one to ten bytes");

    prom_prw2_close(&reader);
    prom_vec_free(&samples);
    enc_start(&enc);
}


static void
test_checks(void)
{
    unsigned  i;

    static const struct {
        const char  *hex;
        const char  *want;
    } all[] = {
        { "0a 04 00 01 01 02", "0 1 1 2;; e0 h0; " },
        { "0a 02 01 03", "1 3 !parsing labels for series [1 3]: labelRefs 1 "
          "(name) = 3 (value) outside of symbols table (size 3);; e0 h0; " },
        { "0a 02 03 01", "3 1 !parsing labels for series [3 1]: labelRefs 3 "
          "(name) = 1 (value) outside of symbols table (size 3);; e0 h0; " },
        { "0a 05 00 01 01 e7 07", "0 1 1 999 !parsing labels for series "
          "[0 1 1 999]: labelRefs 1 (name) = 999 (value) outside of symbols "
          "table (size 3);; e0 h0; " },
        { "0a 06 00 ff ff ff ff 0f", "0 4294967295 !parsing labels for series "
          "[0 4294967295]: labelRefs 0 (name) = 4294967295 (value) outside of "
          "symbols table (size 3);; e0 h0; " },
        { "0a 03 01 02 63", "1 2 99 !parsing labels for series [1 2 99]: "
          "invalid labelRefs length 3;; e0 h0; " },
        { "08 02", "2 !parsing labels for series [2]: "
          "invalid labelRefs length 1;; e0 h0; " },
        { "0a 02 01 02 2a 02 20 03", "1 2 !parsing metadata for series [1 2]: "
          "metadata unit_ref 3 outside of symbols table (size 3);; e0 h0; "
          "help 0 unit 3" },
        { "0a 02 01 02 2a 03 18 e7 07", "1 2 !parsing metadata for series "
          "[1 2]: metadata help_ref 999 outside of symbols table (size 3);; "
          "e0 h0; help 999 unit 0" },
        { "0a 02 01 02 2a 02 18 03", "1 2 !parsing metadata for series [1 2]: "
          "metadata help_ref 3 outside of symbols table (size 3);; e0 h0; "
          "help 3 unit 0" },
        { "0a 02 01 02 2a 04 18 02 20 01", "1 2;; e0 h0; help 2 unit 1" },
        { "0a 14 00 01 00 01 00 01 00 01 00 01 00 01 00 01 00 01 00 01 00 03",
          "0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 3 !parsing labels for series "
          "[0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 ...]: labelRefs 0 (name) = 3 "
          "(value) outside of symbols table (size 3);; e0 h0; " }
    };

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        enc_raw(&enc, "22 00 22 01 61 22 01 62");
        enc_open(&enc, 5);
        enc_raw(&enc, all[i].hex);
        enc_close(&enc);
        is(2, all[i].want, "references %s", all[i].hex);
    }

    enc_open(&enc, 5);
    enc_raw(&enc, "2a 00");
    enc_close(&enc);
    is(2, ";; e0 h0; help 0 unit 0", "reference 0 without a symbol");

    enc_open(&enc, 5);
    enc_raw(&enc, "2a 02 20 01");
    enc_close(&enc);
    is(2, " !parsing metadata for series []: metadata unit_ref 1 outside of "
          "symbols table (size 0);; e0 h0; help 0 unit 1",
       "reference 1 without a symbol");
}


/*
 * Every message with what it has to know: number and wire type of its fields,
 * "*" behind those that may be packed, too.
 */

static const struct {
    int          version;
    uint8_t      path[4];
    const char  *known;
    const char  *name;
} places[] = {
    { 1, { 0 }, "1.2 3.2", "WriteRequest" },
    { 1, { 1, 0 }, "1.2 2.2 3.2 4.2", "TimeSeries" },
    { 1, { 1, 1, 0 }, "1.2 2.2", "Label" },
    { 1, { 1, 2, 0 }, "1.1 2.0", "Sample" },
    { 1, { 1, 3, 0 }, "1.2 2.1 3.0", "Exemplar" },
    { 1, { 1, 3, 1, 0 }, "1.2 2.2", "Exemplar's Label" },
    { 1, { 1, 4, 0 }, "1.0 2.1 3.1 4.0 5.1 6.0 7.1 8.2 9.0* 10.1* 11.2 12.0* "
      "13.1* 14.0 15.0 16.1*", "Histogram" },
    { 1, { 1, 4, 8, 0 }, "1.0 2.0", "BucketSpan" },
    { 1, { 1, 4, 11, 0 }, "1.0 2.0", "BucketSpan" },
    { 1, { 3, 0 }, "1.0 2.2 4.2 5.2", "MetricMetadata" },
    { 2, { 0 }, "4.2 5.2", "Request" },
    { 2, { 5, 0 }, "1.0* 2.2 3.2 4.2 5.2", "TimeSeries" },
    { 2, { 5, 2, 0 }, "1.1 2.0", "Sample" },
    { 2, { 5, 3, 0 }, "1.0 2.1 3.1 4.0 5.1 6.0 7.1 8.2 9.0* 10.1* 11.2 12.0* "
      "13.1* 14.0 15.0 16.1*", "Histogram" },
    { 2, { 5, 3, 8, 0 }, "1.0 2.0", "BucketSpan" },
    { 2, { 5, 3, 11, 0 }, "1.0 2.0", "BucketSpan" },
    { 2, { 5, 4, 0 }, "1.0* 2.1 3.0", "Exemplar" },
    { 2, { 5, 5, 0 }, "1.0 3.0 4.0", "Metadata" }
};


/* Bytes in a message, alone and behind and before something good. */

static void
judge(unsigned place, const char *hex, bool good, const char *name)
{
    unsigned        i, depth;
    const uint8_t  *path;

    static const char  *around[][2] = {
        { "", "" }, { "", "a0 06 00" }, { "a0 06 00", "" }
    };

    path = places[place].path;

    for (i = 0; i < 3; i++) {

        /* what lacks its end must not find it in what follows */

        if (i == 1 && !good) {
            continue;
        }

        enc_start(&enc);

        for (depth = 0; path[depth] != 0; depth++) {
            enc_open(&enc, path[depth]);
        }

        enc_raw(&enc, around[i][0]);
        enc_raw(&enc, hex);
        enc_raw(&enc, around[i][1]);

        while (depth-- > 0) {
            enc_close(&enc);
        }

        decode(places[place].version, enc.data, enc.len);

        if (refused() == good) {
            tap_ok(false, "v%d: %s: %s: %s %s %s: %s", places[place].version,
                   places[place].name, name, around[i][0], hex, around[i][1],
                   good ? out : "was taken");
            return;
        }
    }

    tap_ok(true, "v%d: %s: %s", places[place].version, places[place].name,
           name);
}


static void
test_unknown(unsigned place)
{
    unsigned  i;

    static const struct {
        bool         good;
        const char  *hex;
        const char  *name;
    } all[] = {
        { true, "", "nothing" },
        { true, "a0 06 05", "unknown varint" },
        { true, "a1 06 01 02 03 04 05 06 07 08", "unknown fixed64" },
        { true, "a2 06 03 ff ff ff", "unknown bytes" },
        { true, "a5 06 01 02 03 04", "unknown fixed32" },
        { true, "a3 06 a4 06", "empty unknown group" },
        { true, "a3 06 08 05 12 01 00 11 01 02 03 04 05 06 07 08 a4 06",
          "unknown group with fields" },
        { true, "a3 06 ab 06 1b 1c ac 06 a4 06", "groups in a group" },
        { true, "a3 06 ac 06", "end of another group" },
        { true, "a0 06 ff ff ff ff ff ff ff ff ff 01", "varint of 10 bytes" },
        { true, "a0 06 ff ff ff ff ff ff ff ff ff 7f",
          "varint of 10 bytes, too many bits" },
        { true, "a0 86 80 80 80 80 80 80 80 00 05", "tag of 10 bytes" },
        { true, "a0 86 80 80 80 04 05",
          "field number whose low 32 bits count" },
        { true, "a2 86 80 80 00 81 80 80 80 80 80 80 80 80 00 ff",
          "length of 10 bytes" },
        { true, "f8 ff ff ff 3f 05", "greatest field number" },

        { false, "00", "field number 0" },
        { false, "00 05", "field number 0, varint" },
        { false, "01 01 02 03 04 05 06 07 08", "field number 0, fixed64" },
        { false, "02 00", "field number 0, bytes" },
        { false, "03 04", "field number 0, group" },
        { false, "04", "field number 0, end of group" },
        { false, "05 01 02 03 04", "field number 0, fixed32" },
        { false, "80 00 05", "field number 0 in two bytes" },
        { false, "80 80 80 80 80 80 80 80 80 00 05", "and in ten" },
        { false, "80 80 80 80 80 01 05", "low 32 bits of a number are 0" },
        { false, "80 80 80 80 40 05", "negative field number" },
        { false, "f8 ff ff ff 7f 05", "field number -1" },
        { false, "a6 06", "wire type 6" },
        { false, "a6 06 00", "wire type 6 with a byte" },
        { false, "a7 06", "wire type 7" },
        { false, "a7 06 00", "wire type 7 with a byte" },
        { false, "a4 06", "stray end of group" },
        { false, "a3 06 a4 06 a4 06", "one end of group too many" },
        { false, "a3 06", "group without end" },
        { false, "a3 06 ab 06 ac 06", "outer group without end" },
        { false, "a3 06 a6 06 a4 06", "wire type 6 in a group" },
        { false, "a3 06 a2 06 7f a4 06", "bytes longer than their group" },
        { false, "a0 06 ff ff ff ff ff ff ff ff ff ff 01",
          "varint of 11 bytes" },
        { false, "a0 06 80 80 80 80 80 80 80 80 80 80 00",
          "zero in 11 bytes" },
        { false, "a0 86 80 80 80 80 80 80 80 80 00 05", "tag of 11 bytes" },
        { false, "a2 06 81 80 80 80 80 80 80 80 80 80 00 ff",
          "length of 11 bytes" },
        { false, "a2 06 ff ff ff ff ff ff ff ff ff 01", "length 2^64 - 1" },
        { false, "a2 06 ff ff ff ff ff ff ff ff 7f", "length 2^63 - 1" },
        { false, "a2 06 80 80 80 80 80 80 80 80 80 01", "length 2^63" },
        { false, "a2 06 80 80 80 80 10", "length 2^32" },
        { false, "a0", "half a tag" },
        { false, "a0 06", "no varint" },
        { false, "a0 06 80", "half a varint" },
        { false, "a1 06 01 02 03 04 05 06 07", "7 bytes of 8" },
        { false, "a5 06 01 02 03", "3 bytes of 4" },
        { false, "a2 06", "no length" },
        { false, "a2 06 80", "half a length" },
        { false, "a2 06 01", "no bytes" },
        { false, "a2 06 03 ff ff", "2 bytes of 3" }
    };

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        judge(place, all[i].hex, all[i].good, all[i].name);
    }
}


/* A field with each wire type there is: only its own is taken. */

static void
test_known(unsigned place)
{
    int          n;
    char         hex[64], name[64];
    unsigned     number, own, wire;
    const char  *known;

    static const char  *payload[] = {
        "05", "00 00 00 00 00 00 f0 3f", "00", NULL, NULL, "01 02 03 04"
    };

    for (known = places[place].known; *known != '\0'; known += n) {

        sscanf(known, "%u.%u%n", &number, &own, &n);

        for (wire = 0; wire <= 7; wire++) {

            if (number < 16) {
                snprintf(hex, sizeof(hex), "%02x ", number << 3 | wire);

            } else {
                snprintf(hex, sizeof(hex), "%02x %02x ",
                         (number << 3 & 0x7f) | 0x80 | wire, number >> 4);
            }

            if (wire <= 5 && payload[wire] != NULL) {
                strcat(hex, payload[wire]);

            } else if (wire == 3) {
                snprintf(hex + strlen(hex), 16, "%s", number < 16 ? "0c" : "");
            }

            snprintf(name, sizeof(name), "field %u with wire type %u", number,
                     wire);
            judge(place, hex, wire == own || (wire == 2 && known[n] == '*'),
                  name);
        }

        n += known[n] == '*';
        n += known[n] == ' ';
    }
}


static void
test_groups(void)
{
    unsigned  i, depth;

    for (depth = PROM_PROTO_DEPTH; depth <= PROM_PROTO_DEPTH + 1; depth++) {

        enc_start(&enc);

        for (i = 0; i < 2 * depth; i++) {
            enc_tag(&enc, 100, i < depth ? 3 : 4);
        }

        decode(1, enc.data, enc.len);
        tap_ok(refused() == (depth > PROM_PROTO_DEPTH),
               "groups in groups, %u deep", depth);
    }

    enc_start(&enc);
}


/* Numbers that the other version uses, or nobody does. */

static void
test_reserved(void)
{
    unsigned  i;

    static const struct {
        unsigned     place;
        const char  *hex;
    } all[] = {
        { 0, "10 05" }, { 0, "12 01 ff" }, { 0, "15 01 02 03 04" },
        { 0, "22 01 ff" }, { 0, "2a 02 ff ff" }, { 0, "20 05" },
        { 1, "2a 01 ff" }, { 1, "30 05" }, { 2, "18 05" },
        { 3, "18 05" }, { 6, "88 01 05" }, { 9, "18 05" }, { 9, "1a 01 ff" },
        { 10, "0a 02 ff ff" }, { 10, "08 05" }, { 10, "12 01 ff" },
        { 10, "1a 01 ff" }, { 10, "18 05" },
        { 11, "30 05" }, { 11, "3a 00" }, { 12, "18 05" },
        { 13, "88 01 05" }, { 17, "10 05" }, { 17, "12 01 ff" }
    };

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        judge(all[i].place, all[i].hex, true, all[i].hex);
    }
}


static void
test_histograms(void)
{
    unsigned  i, j;

    static const struct {
        bool         good;
        const char  *hex;
        const char  *name;
    } all[] = {
        { true, "08 17 19 00 00 00 00 00 00 24 40 20 00 29 00 00 00 00 00 00 "
          "00 00 30 01 42 02 10 02 4a 02 02 02 5a 02 10 03 5a 04 08 04 10 02 "
          "62 05 02 04 02 06 02 70 01 78 e8 07", "an int histogram" },
        { true, "11 00 00 00 00 00 00 24 40 39 00 00 00 00 00 00 00 00 52 08 "
          "00 00 00 00 00 00 24 40 6a 10 00 00 00 00 00 00 24 40 00 00 00 00 "
          "00 00 24 40", "a float histogram" },
        { true, "82 01 10 00 00 00 00 00 00 24 40 00 00 00 00 00 00 24 40 "
          "20 69", "custom bounds" },
        { true, "81 01 00 00 00 00 00 00 24 40 82 01 00 81 01 00 00 00 00 00 "
          "00 24 40", "bounds packed and not" },
        { true, "11 00 00 00 00 00 00 24 40 08 05", "both counts" },
        { true, "42 00 5a 00 42 0a 08 ff ff ff ff ff ff ff ff 7f", "spans" },
        { true, "62 00 4a 00 52 00 6a 00", "nothing, packed" },
        { false, "62 01 80", "a delta cut short" },
        { false, "62 0b 80 80 80 80 80 80 80 80 80 80 00",
          "a delta of 11 bytes" },
        { true, "62 0a 80 80 80 80 80 80 80 80 80 01", "and of 10" },
        { false, "6a 07 00 00 00 00 00 00 24", "7 bytes of a count" },
        { false, "6a 09 00 00 00 00 00 00 24 40 00", "9 bytes of counts" },
        { false, "52 04 00 00 00 00", "half a count" },
        { false, "82 01 04 00 00 00 00", "half a bound" },
        { false, "42 01 08", "a span cut short" },
        { false, "5a 02 0a 00", "bytes in a span" },
        { false, "5a 02 00 00", "field number 0 in a span" }
    };

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        for (j = 0; j < sizeof(places) / sizeof(places[0]); j++) {
            if (strcmp(places[j].name, "Histogram") == 0) {
                judge(j, all[i].hex, all[i].good, all[i].name);
            }
        }
    }

    for (i = 1; i <= 2; i++) {
        enc_start(&enc);
        enc_open(&enc, i == 1 ? 1 : 5);
        enc_open(&enc, i == 1 ? 4 : 3);
        enc_raw(&enc, all[0].hex);
        enc_close(&enc);
        enc_raw(&enc, i == 1 ? "22 00 1a 00 1a 00 1a 00" :
                               "1a 00 22 00 22 00 22 00");
        enc_close(&enc);
        decode((int) i, enc.data, enc.len);
        tap_ok(counts.histograms == 2 && counts.exemplars == 3,
               "v%u: histograms and exemplars are told apart", i);
    }

    enc_start(&enc);
}


/* The text names the message that is broken. */

static void
test_messages(void)
{
    unsigned  i, depth;

    static const struct {
        int          version;
        uint8_t      path[4];
        const char  *want;
    } all[] = {
        { 1, { 0 }, V1_ERROR "WriteRequest" },
        { 1, { 1, 0 }, V1_ERROR "TimeSeries" },
        { 1, { 1, 1, 0 }, V1_ERROR "Label" },
        { 1, { 1, 2, 0 }, V1_ERROR "Sample" },
        { 1, { 1, 3, 0 }, V1_ERROR "Exemplar" },
        { 1, { 1, 4, 0 }, V1_ERROR "Histogram" },
        { 1, { 3, 0 }, V1_ERROR "MetricMetadata" },
        { 2, { 0 }, V2_ERROR "Request" },
        { 2, { 5, 0 }, V2_ERROR "TimeSeries" },
        { 2, { 5, 2, 0 }, V2_ERROR "Sample" },
        { 2, { 5, 3, 0 }, V2_ERROR "Histogram" },
        { 2, { 5, 4, 0 }, V2_ERROR "Exemplar" },
        { 2, { 5, 5, 0 }, V2_ERROR "Metadata" }
    };

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {

        for (depth = 0; all[i].path[depth] != 0; depth++) {
            enc_open(&enc, all[i].path[depth]);
        }

        enc_raw(&enc, "a7 06");

        while (depth-- > 0) {
            enc_close(&enc);
        }

        is(all[i].version, all[i].want, "%s", all[i].want);
    }
}


/*
 * A body cut anywhere is refused, except between two fields of the outermost
 * message.
 */

static void
test_truncation(int version)
{
    size_t    i, len, whole, bad;
    bool      ok;
    uint32_t  series;
    uint64_t  at[8];

    enc_start(&enc);
    whole = 0;
    at[whole++] = 0;

    if (version == 2) {
        enc_str(&enc, 4, "");
        at[whole++] = enc.len;
        enc_str(&enc, 4, "__name__");
        at[whole++] = enc.len;
    }

    for (series = 0; series < 2; series++) {
        enc_open(&enc, version == 1 ? 1 : 5);

        if (version == 1) {
            enc_label(&enc, "__name__", "up");
            enc_label(&enc, "job", "a");

        } else {
            enc_raw(&enc, "0a 02 01 00 08 01 08 00");
        }

        enc_sample(&enc, INT64_C(1795284060000), 1.5);
        enc_open(&enc, version == 1 ? 4 : 3);
        enc_raw(&enc, "08 17 19 00 00 00 00 00 00 24 40 5a 02 10 03 62 01 02");
        enc_close(&enc);
        enc_open(&enc, version == 1 ? 3 : 4);
        enc_raw(&enc, "11 00 00 00 00 00 00 24 40 18 e8 07");
        enc_close(&enc);

        if (version == 2) {
            enc_raw(&enc, "2a 06 08 01 18 00 20 01");
        }

        enc_raw(&enc, "a3 06 a0 06 01 a4 06");
        enc_close(&enc);
        at[whole++] = enc.len;
    }

    enc_raw(&enc, "1a 00");
    at[whole++] = enc.len;

    bad = 0;

    for (len = 0; len <= enc.len; len++) {
        decode(version, enc.data, len);
        ok = false;

        for (i = 0; i < whole; i++) {
            ok |= (at[i] == len);
        }

        bad += (refused() == ok);
    }

    tap_is_int(bad, 0, "v%d: %zu bytes cut everywhere", version, enc.len);
    enc_start(&enc);
}


static void
test_real(const char *name, int version, counts_t want)
{
    char        path[64];
    prom_vec_t  raw;
    size_t      i;

    memset(&raw, 0, sizeof(raw));
    prom_msg_init(&msg, text, sizeof(text));

    snprintf(path, sizeof(path), "t/data/prw/%s.snappy", name);
    enc_file(&enc, path);

    tap_is_int(prom_snappy_decode((prom_str_t) { enc.data, enc.len },
                                  1 << 20, &raw, &msg),
               PROM_OK, "%s decompresses", name);

    decode(version, raw.data, raw.n);
    tap_ok(!refused(), "%s decodes", name);
    tap_is_int(counts.symbols, want.symbols, "%s: symbols", name);
    tap_is_int(counts.series, want.series, "%s: series", name);
    tap_is_int(counts.samples, want.samples, "%s: samples", name);
    tap_is_int(counts.exemplars, want.exemplars, "%s: exemplars", name);
    tap_is_int(counts.histograms, want.histograms, "%s: histograms", name);
    tap_is_int(counts.metadata, want.metadata, "%s: metadata", name);
    tap_is_int(counts.runs, want.runs, "%s: runs of labels", name);
    tap_ok(strstr(out, " !") == NULL, "%s: all references are good", name);

    if (version == 1) {
        tap_is_int(counts.labels, want.labels, "%s: labels", name);
    }

    for (i = 0; i < enc.len; i += 1 + enc.len / 50) {
        if (prom_snappy_decode((prom_str_t) { enc.data, i }, 1 << 20, &raw,
                               &msg) == PROM_OK)
        {
            break;
        }
    }

    tap_ok(i >= enc.len, "%s: cut somewhere, it is refused", name);

    prom_vec_free(&raw);
    enc_start(&enc);
}


static void
snappy(const char *hex, size_t max, const char *want, const char *name)
{
    int         rc;
    uint8_t    *copy;
    prom_vec_t  raw;

    enc_start(&enc);
    enc_raw(&enc, hex);

    copy = malloc(enc.len);

    if (enc.len > 0) {
        memcpy(copy, enc.data, enc.len);
    }

    memset(&raw, 0, sizeof(raw));
    prom_msg_init(&msg, text, sizeof(text));

    rc = prom_snappy_decode((prom_str_t) { copy, enc.len }, max, &raw, &msg);

    if (rc == PROM_OK) {
        tap_is_str(raw.data, raw.n, want, "snappy: %s", name);

    } else {
        tap_is_str(text, msg.len, want, "snappy: %s", name);
        tap_ok(rc == PROM_ERROR && raw.room <= 4096,
               "snappy: no memory is taken: %s", name);
    }

    free(copy);
    prom_vec_free(&raw);
    enc_start(&enc);
}


static void
test_snappy(void)
{
    static const char  bad[] = "snappy: corrupt input";

    snappy("03 08 61 62 63", 100, "abc", "a literal");
    snappy("0c 08 61 62 63 15 03", 100, "abcabcabcabc", "a copy");
    snappy("03 08 61 62 63", 3, "abc", "just the limit");
    snappy("00", 100, "", "a block of length 0");
    snappy("00", 0, "", "a block of length 0, limit 0");
    snappy("83 80 80 80 00 08 61 62 63", 100, "abc", "a long length");

    snappy("", 100, bad, "nothing");
    snappy("03", 100, bad, "a length only");
    snappy("00 08 61 62 63", 100, bad, "length 0 and more");
    snappy("02 08 61 62 63", 100, bad, "length too small");
    snappy("04 08 61 62 63", 100, bad, "length too great");
    snappy("03 08 61 62", 100, bad, "a literal cut short");
    snappy("03 08 61 62 63 00", 100, bad, "a literal too many, cut short");
    snappy("03 08 61 62 63 00 64", 100, bad, "a literal too many");
    snappy("07 08 61 62 63 01", 100, bad, "a copy cut short");
    snappy("07 08 61 62 63 01 00", 100, bad, "a copy of offset 0");
    snappy("07 08 61 62 63 01 04", 100, bad, "a copy from before the start");
    snappy("07 01 01", 100, bad, "a copy from nothing");
    snappy("80", 100, bad, "half a length");
    snappy("ff ff ff ff ff 0f", 100, bad, "a length of 6 bytes");
    snappy("ff ff ff ff 1f", 100, bad, "a length of 33 bits");
    snappy("ff 06 00 00 73 4e 61 50 70 59 01 07 00 00 5d 60 a4 c2 61 62 63",
           1000, bad, "the framed format");
    snappy("ff 06 00 00 73 4e 61 50 70 59 01 07 00 00 5d 60 a4 c2 61 62 63",
           SIZE_MAX, bad, "the framed format without limit");

    snappy("ff ff ff ff 0f 08 61 62 63", 100,
           "snappy: the body decodes to 4294967295 bytes, "
           "prom_max_decoded_size is 100", "4 GiB claimed");
    snappy("ff ff ff ff 0f 08 61 62 63", SIZE_MAX, bad,
           "4 GiB claimed without limit");
    snappy("80 80 80 10 08 61 62 63", 33554432, bad, "32 MiB claimed");
    snappy("81 80 80 10 08 61 62 63", 33554432,
           "snappy: the body decodes to 33554433 bytes, "
           "prom_max_decoded_size is 33554432", "a byte more");
    snappy("03 08 61 62 63", 2, "snappy: the body decodes to 3 bytes, "
           "prom_max_decoded_size is 2", "a byte more than the limit");
}


/* The most that snappy can make of its input is not taken for a lie. */

static void
test_snappy_ratio(void)
{
    size_t      i, len;
    prom_vec_t  raw;

    memset(&raw, 0, sizeof(raw));

    len = 1 + 64 * 1000;

    enc_start(&enc);
    enc_varint(&enc, len);
    enc_raw(&enc, "00 78");

    for (i = 0; i < 1000; i++) {
        enc_raw(&enc, "fe 01 00");
    }

    prom_msg_init(&msg, text, sizeof(text));
    tap_is_int(prom_snappy_decode((prom_str_t) { enc.data, enc.len }, len,
                                  &raw, &msg),
               PROM_OK, "snappy: %zu bytes from %zu", len, enc.len);
    tap_is_int(raw.n, len, "snappy: all of them");

    prom_vec_free(&raw);
    enc_start(&enc);
}


int
main(void)
{
    unsigned  place;

    test_v1();
    test_runs();
    test_samples(1);
    test_samples(2);
    test_v2();
    test_packed();
    test_checks();

    for (place = 0; place < sizeof(places) / sizeof(places[0]); place++) {
        test_unknown(place);
        test_known(place);
    }

    test_groups();
    test_reserved();
    test_histograms();
    test_messages();
    test_truncation(1);
    test_truncation(2);

    test_real("v1-001", 1, (counts_t) { .metadata = 261 });
    test_real("v1-004", 1, (counts_t) { .series = 1256, .samples = 1234,
                                        .exemplars = 12, .histograms = 10,
                                        .labels = 7490, .runs = 1256 });
    test_real("v2-002", 2, (counts_t) { .symbols = 797, .series = 1256,
                                        .samples = 1234, .exemplars = 12,
                                        .histograms = 10, .metadata = 1256 });
    test_real("v2-004", 2, (counts_t) { .symbols = 797, .series = 1256,
                                        .samples = 1234, .exemplars = 12,
                                        .histograms = 10, .metadata = 1256 });

    test_snappy();
    test_snappy_ratio();

    tap_is_int(overruns, 0, "no run of labels is longer than its series");

    enc_free(&enc);

    return tap_done();
}
