
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Bodies decoded from memory of exactly their size, and printed; what is
 * printed is compared.  A series of version 1 prints as
 *
 *     a=1 b=2; 1.5@1000 2@2000; e0 h0; run
 *
 * with "apart" for labels that do not lie in one run, and one of version 2 as
 *
 *     0 1 2 3; 1.5@1000; e0 h0; help 4 unit 5
 *
 * Its references are followed by what prom_prw2_check() says against them.
 */


#ifndef _WIRE_H_INCLUDED_
#define _WIRE_H_INCLUDED_


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
static inline void
print(const char *fmt, ...)
{
    int      n;
    va_list  args;

    va_start(args, fmt);
    n = vsnprintf(out + out_len, sizeof(out) - out_len, fmt, args);
    va_end(args);

    out_len = prom_min(out_len + (size_t) n, sizeof(out) - 1);
}


static inline void
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


static inline void
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
static inline bool
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


static inline void
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


static inline void
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

static inline void
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


static inline bool
refused(void)
{
    return strncmp(out, "cannot decode", 13) == 0;
}


/* What was encoded since enc_start() prints as `want'. */

__attribute__((format(printf, 3, 4)))
static inline void
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


#endif /* _WIRE_H_INCLUDED_ */
