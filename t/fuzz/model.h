
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * What the write path has to answer, and what the store then holds, said as
 * simply as possible: sets of labels as text, their newest samples, the rules
 * of prom_batch.h and prom_labels.h one after the other.
 *
 * It reads bodies with the reader of src/wire, which is fuzzed by itself.
 */


#ifndef _MODEL_H_INCLUDED_
#define _MODEL_H_INCLUDED_


#include "base/prom_utf8.h"
#include "encode.h"
#include "path/prom_write.h"
#include "tsdb/prom_batch.h"
#include "wire/prom_prw.h"


#define MODEL_SERIES  65536
#define MODEL_SLOTS   (4 * MODEL_SERIES)
#define MODEL_LABELS  4096


typedef struct {
    char          *set;                 /* name, NUL, value, NUL, ... */
    size_t         len;
    prom_sample_t  newest;
    prom_sample_t  pending;             /* of the request that is judged */
    bool           stored;              /* it has a sample */
    bool           has_pending;
} model_series_t;


typedef struct {
    model_series_t   *series;
    size_t            n;
    uint32_t         *slots;            /* series + 1, by hash */
    int64_t           newest;           /* INT64_MIN: none */
    int64_t           retention;
    uint64_t          samples;          /* ever stored */
    uint64_t          live;             /* series that are stored */

    prom_vec_t        wire;             /* prom_sample_t of a body */
    prom_prw2_t       prw2;
    prom_label_t     *labels;
    uint32_t         *touched;          /* series of this request */
    size_t            n_touched;
} model_t;


typedef struct {
    uint32_t  status;
    uint64_t  samples;                  /* v2: written */
    uint64_t  skipped;
    bool      decoded;                  /* past snappy */
} model_answer_t;


static inline void
model_clear(model_t *model)
{
    size_t  i;

    for (i = 0; i < model->n; i++) {
        free(model->series[i].set);
    }

    memset(model->slots, 0, MODEL_SLOTS * sizeof(uint32_t));
    model->n = 0;
    model->newest = INT64_MIN;
    model->samples = 0;
    model->live = 0;
}


static inline void
model_init(model_t *model, int64_t retention)
{
    memset(model, 0, sizeof(model_t));

    model->series = calloc(MODEL_SERIES, sizeof(model_series_t));
    model->slots = calloc(MODEL_SLOTS, sizeof(uint32_t));
    model->labels = calloc(MODEL_LABELS, sizeof(prom_label_t));
    model->touched = calloc(MODEL_SERIES, sizeof(uint32_t));
    model->retention = retention;

    if (model->series == NULL || model->slots == NULL
        || model->labels == NULL || model->touched == NULL)
    {
        abort();
    }

    model_clear(model);
}


static inline void
model_free(model_t *model)
{
    model_clear(model);
    free(model->series);
    free(model->slots);
    free(model->labels);
    free(model->touched);
    prom_vec_free(&model->wire);
    prom_prw2_close(&model->prw2);
}


static inline int
model_order(const void *a, const void *b)
{
    return prom_str_cmp(((const prom_label_t *) a)->name,
                        ((const prom_label_t *) b)->name);
}


static inline size_t
model_varint(size_t value)
{
    return value < 0x80 ? 1 : value < 0x4000 ? 2 : 3;
}


/* What retention takes. */

static inline void
model_sweep(model_t *model, int64_t now)
{
    size_t           i;
    model_series_t  *series;

    for (i = 0; i < model->n; i++) {
        series = model->series + i;

        if (series->stored && series->newest.time < now - model->retention) {
            series->stored = false;
            model->live--;
        }
    }
}


/*
 * The set of labels in `set', which it writes anew; PROM_ERROR, PROM_LIMIT as
 * prom_labels_canonical().
 */
static inline int
model_canonical(prom_label_t *labels, size_t n,
    const prom_label_limits_t *limits, enc_t *set)
{
    bool    named;
    size_t  i, kept, len, size;

    if (n > PROM_LABELS_MAX) {
        return PROM_LIMIT;
    }

    if (n > 0) {
        qsort(labels, n, sizeof(prom_label_t), model_order);
    }

    named = false;

    for (i = 0; i < n; i++) {
        named = named || (prom_str_eq(labels[i].name, prom_str("__name__"))
                          && labels[i].value.len > 0);

        if (labels[i].name.len == 0
            || !prom_utf8_valid(labels[i].name.data, labels[i].name.len)
            || !prom_utf8_valid(labels[i].value.data, labels[i].value.len)
            || (i > 0 && prom_str_eq(labels[i].name, labels[i - 1].name)))
        {
            return PROM_ERROR;
        }
    }

    if (!named) {
        return PROM_ERROR;
    }

    enc_start(set);
    kept = 0;
    size = 0;

    for (i = 0; i < n; i++) {

        if (labels[i].value.len == 0) {
            continue;
        }

        if (labels[i].name.len > limits->name_len
            || labels[i].value.len > limits->value_len)
        {
            return PROM_LIMIT;
        }

        enc_bytes(set, labels[i].name.data, labels[i].name.len);
        enc_bytes(set, "", 1);
        enc_bytes(set, labels[i].value.data, labels[i].value.len);
        enc_bytes(set, "", 1);

        len = 2 + model_varint(labels[i].name.len) + labels[i].name.len
              + model_varint(labels[i].value.len) + labels[i].value.len;

        kept++;
        size += 1 + model_varint(len) + len;
    }

    return kept > limits->labels || size > PROM_KEY_MAX ? PROM_LIMIT : PROM_OK;
}


/* The series of a set, made where there is none; NULL: too many. */

static inline model_series_t *
model_find(model_t *model, const enc_t *set, bool make)
{
    size_t           i;
    uint64_t         hash;
    model_series_t  *series;

    hash = UINT64_C(14695981039346656037);

    for (i = 0; i < set->len; i++) {
        hash = (hash ^ set->data[i]) * UINT64_C(1099511628211);
    }

    for (i = hash % MODEL_SLOTS;
         model->slots[i] != 0;
         i = (i + 1) % MODEL_SLOTS)
    {
        series = model->series + model->slots[i] - 1;

        if (series->len == set->len
            && memcmp(series->set, set->data, set->len) == 0)
        {
            return series;
        }
    }

    if (!make || model->n == MODEL_SERIES) {
        return NULL;
    }

    series = model->series + model->n++;
    model->slots[i] = (uint32_t) model->n;

    memset(series, 0, sizeof(model_series_t));
    series->set = malloc(set->len);
    memcpy(series->set, set->data, set->len);
    series->len = set->len;

    return series;
}


/* One sample against the state and what came before it in the request. */

static inline bool
model_judge(model_t *model, model_series_t *series,
    const prom_sample_t *sample, int64_t now)
{
    bool                  any;
    const prom_sample_t  *newest;

    if (sample->time > now + PROM_BATCH_AHEAD) {
        return false;
    }

    if (model->newest != INT64_MIN
        && sample->time < model->newest
                          - prom_min(INT64_C(3600000), model->retention))
    {
        return false;
    }

    newest = series->has_pending ? &series->pending : &series->newest;
    any = series->has_pending || series->stored;

    if (any && sample->time <= newest->time) {
        return sample->time == newest->time && sample->value == newest->value;
    }

    if (!series->has_pending) {
        model->touched[model->n_touched++] =
                                      (uint32_t) (series - model->series);
    }

    series->pending = *sample;
    series->has_pending = true;
    model->samples++;

    return true;
}


static inline void
model_end(model_t *model, bool keep)
{
    size_t           i;
    model_series_t  *series;

    for (i = 0; i < model->n_touched; i++) {
        series = model->series + model->touched[i];

        if (keep) {
            model->live += !series->stored;
            series->stored = true;
            series->newest = series->pending;
            model->newest = prom_max(model->newest, series->newest.time);
        }

        series->has_pending = false;
    }

    model->n_touched = 0;
}


/* The labels of the series just read, in model->labels; their number. */

static inline int
model_labels(model_t *model, int version, const prom_prw_series_t *series,
    size_t *n)
{
    int                rc;
    char               text[256];
    size_t             i;
    prom_msg_t         msg;
    const uint32_t    *refs;
    const prom_str_t  *symbols;

    if (version == PROM_WRITE_V1) {
        prom_msg_init(&msg, text, sizeof(text));
        rc = prom_prw1_labels(series->message, model->labels, MODEL_LABELS, n,
                              &msg);
        return rc;
    }

    refs = model->prw2.refs.data;
    symbols = model->prw2.symbols.data;
    *n = model->prw2.refs.n / 2;

    if (*n > MODEL_LABELS) {
        return PROM_LIMIT;
    }

    for (i = 0; i < *n; i++) {
        model->labels[i].name = symbols[refs[2 * i]];
        model->labels[i].value = symbols[refs[2 * i + 1]];
    }

    return PROM_OK;
}


/*
 * What becomes of one series.  1.0: PROM_ERROR refuses the request; 2.0:
 * it counts as a line of the report.  PROM_LIMIT: more than the model holds.
 */
static inline int
model_series(model_t *model, int version, const prom_write_conf_t *conf,
    const prom_prw_series_t *series, int64_t now, enc_t *set,
    model_answer_t *answer, uint64_t *good)
{
    int                   rc;
    size_t                i, n;
    model_series_t       *known;
    const prom_sample_t  *sample;

    rc = model_labels(model, version, series, &n);

    if (rc == PROM_ERROR) {
        return rc;
    }

    if (series->samples == 0) {
        return PROM_OK;
    }

    if (rc == PROM_OK) {
        rc = model_canonical(model->labels, n, &conf->labels, set);
    }

    if (rc != PROM_OK) {
        answer->skipped += version == PROM_WRITE_V1;
        return version == PROM_WRITE_V1 && rc == PROM_ERROR ? PROM_OK
                                                            : PROM_ERROR;
    }

    known = model_find(model, set, true);

    if (known == NULL) {
        return PROM_LIMIT;
    }

    rc = PROM_OK;
    sample = (const prom_sample_t *) model->wire.data + series->first;

    for (i = 0; i < series->samples; i++) {
        if (model_judge(model, known, sample + i, now)) {
            (*good)++;

        } else {
            rc = PROM_ERROR;
        }
    }

    return rc;
}


/*
 * Judges a decompressed body, and keeps what is to be stored.  PROM_LIMIT when
 * the model is too small for it.
 */
static inline int
model_write(model_t *model, int version, const prom_write_conf_t *conf,
    prom_str_t body, int64_t now, model_answer_t *answer)
{
    int                rc, one;
    bool               bad;
    enc_t              set;
    char               text[1024];
    uint64_t           good, before, entries;
    prom_msg_t         msg;
    prom_prw1_t        prw1;
    prom_prw_series_t  series;

    memset(&set, 0, sizeof(set));
    prom_msg_init(&msg, text, sizeof(text));

    before = model->samples;
    good = 0;
    entries = 0;
    bad = false;
    model->wire.n = 0;

    prom_prw1_open(&prw1, body);
    rc = version == PROM_WRITE_V1
         ? PROM_OK : prom_prw2_open(&model->prw2, body, &msg);

    while (rc >= 0) {
        rc = version == PROM_WRITE_V1
             ? prom_prw1_next(&prw1, &series, &model->wire, &msg)
             : prom_prw2_next(&model->prw2, &series, &model->wire, &msg);

        if (rc != 1) {
            break;
        }

        if (version == PROM_WRITE_V2
            && prom_prw2_check(&model->prw2, &series, &msg) != PROM_OK)
        {
            bad = true;
            continue;
        }

        bad |= version == PROM_WRITE_V2
               && series.exemplars + series.histograms > 0;

        one = model_series(model, version, conf, &series, now, &set, answer,
                           &good);
        entries += series.samples > 0;

        if (one == PROM_LIMIT) {
            rc = PROM_LIMIT;
        }

        bad |= one == PROM_ERROR;
    }

    if (rc != 0 || (version == PROM_WRITE_V1
                    && (bad || (entries > 0 && entries == answer->skipped))))
    {
        model_end(model, false);
        model->samples = before;
        answer->status = 400;
        answer->skipped = rc == 0 && !bad ? answer->skipped : 0;

    } else {
        model_end(model, true);
        answer->status = bad ? 400 : 204;
        answer->samples = good;
    }

    enc_free(&set);

    return rc == PROM_LIMIT ? rc : PROM_OK;
}


#endif /* _MODEL_H_INCLUDED_ */
