
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The wire, rule by rule: series, samples, references, real bodies, and bodies
 * that end too soon.  Fields of every message are in fields.c.
 */


#include "wire.h"


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


int
main(void)
{
    test_v1();
    test_runs();
    test_samples(1);
    test_samples(2);
    test_v2();
    test_packed();
    test_checks();

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

    tap_is_int(overruns, 0, "no run of labels is longer than its series");

    enc_free(&enc);

    return tap_done();
}
