
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include <stdlib.h>
#include <string.h>

#include "push_data.h"
#include "push_mem.h"


#define push_bit(type)  (1u << (type))


typedef struct {
    const char  *suffix;
    unsigned     types;                 /* bits of the types that use it */
} push_suffix_t;


static size_t push_data_labels(push_data_t *data, const push_label_t *labels,
    size_t nlabels);
static const char *push_data_check(const push_label_t *labels, size_t n,
    const char **which);
static size_t push_data_drop_empty(push_label_t *labels, size_t n);
static size_t push_data_key(push_data_t *data, size_t nlabels);
static uint32_t push_data_series(push_data_t *data, size_t nlabels);
static uint32_t push_data_find_family(push_data_t *data, const char *name);
static int push_label_cmp(const void *one, const void *two);


/*
 * Series of these names belong to the family without the suffix: those of
 * the text format, then those of OpenMetrics.
 */

static const push_suffix_t  push_suffixes[] = {
    { "_bucket",  push_bit(PUSH_HISTOGRAM)|push_bit(PUSH_GAUGEHISTOGRAM) },
    { "_sum",     push_bit(PUSH_HISTOGRAM)|push_bit(PUSH_SUMMARY) },
    { "_count",   push_bit(PUSH_HISTOGRAM)|push_bit(PUSH_SUMMARY) },
    { "_gsum",    push_bit(PUSH_GAUGEHISTOGRAM) },
    { "_gcount",  push_bit(PUSH_GAUGEHISTOGRAM) },
    { "_total",   push_bit(PUSH_COUNTER) },
    { "_created", push_bit(PUSH_COUNTER)|push_bit(PUSH_HISTOGRAM)
                  |push_bit(PUSH_SUMMARY) },
    { "_info",    push_bit(PUSH_INFO) },
    { NULL, 0 }
};


void
push_data_add_extra(push_data_t *data, const char *name, const char *value)
{
    push_label_t  *label;

    data->extra = push_grow(data->extra, data->nextra, &data->extra_cap,
                            sizeof(push_label_t));

    label = &data->extra[data->nextra++];

    label->name = name;
    label->value = value;
}


const char *
push_data_add_sample(push_data_t *data, const push_label_t *labels,
    size_t nlabels, double value, int64_t timestamp, const char **which)
{
    size_t          n;
    const char     *what;
    push_sample_t  *sample;

    n = push_data_labels(data, labels, nlabels);

    what = push_data_check(data->work, n, which);
    if (what != NULL) {
        return what;
    }

    n = push_data_drop_empty(data->work, n);

    data->samples = push_grow(data->samples, data->nsamples,
                              &data->samples_cap, sizeof(push_sample_t));

    sample = &data->samples[data->nsamples++];

    sample->series = push_data_series(data, n);
    sample->timestamp = timestamp;
    memcpy(&sample->value, &value, sizeof(double));

    return NULL;
}


push_family_t *
push_data_family(push_data_t *data, const char *name)
{
    size_t          n;
    uint32_t        i;
    push_family_t  *family;

    n = push_data_nfamilies(data);
    i = push_table_add(&data->family_table, name, strlen(name));

    if (i == n) {
        data->families = push_grow(data->families, n, &data->families_cap,
                                   sizeof(push_family_t));

        family = &data->families[i];

        memset(family, 0, sizeof(push_family_t));
        family->name = data->family_table.keys[i].data;
    }

    return &data->families[i];
}


void
push_data_set(char **to, const char *text)
{
    size_t  len;

    free(*to);

    len = strlen(text);
    *to = push_alloc(len + 1, 1);
    memcpy(*to, text, len);
}


void
push_data_finish(push_data_t *data)
{
    size_t  i;

    for (i = 0; i < push_data_nseries(data); i++) {
        data->series[i].family = push_data_find_family(data,
                                         push_series_name(&data->series[i]));
    }
}


const char *
push_series_name(const push_series_t *series)
{
    size_t  i;

    for (i = 0; i < series->nlabels; i++) {
        if (strcmp(series->labels[i].name, "__name__") == 0) {
            return series->labels[i].value;
        }
    }

    return "";
}


void
push_data_free(push_data_t *data)
{
    size_t  i;

    for (i = 0; i < push_data_nseries(data); i++) {
        free(data->series[i].labels);
    }

    for (i = 0; i < push_data_nfamilies(data); i++) {
        free(data->families[i].help);
        free(data->families[i].unit);
    }

    push_table_free(&data->series_table);
    push_table_free(&data->family_table);

    free(data->series);
    free(data->families);
    free(data->samples);
    free(data->extra);
    free(data->work);
    free(data->key);

    memset(data, 0, sizeof(push_data_t));
}


bool
push_utf8_valid(const char *p, size_t len)
{
    size_t          i, n;
    uint32_t        c;
    unsigned char   b;

    static const uint32_t  least[] = { 0, 0x80, 0x800, 0x10000 };

    while (len != 0) {
        b = *p;

        if (b < 0x80) {
            n = 0;
            c = b;

        } else if (b >= 0xc2 && b <= 0xdf) {
            n = 1;
            c = b & 0x1f;

        } else if (b >= 0xe0 && b <= 0xef) {
            n = 2;
            c = b & 0x0f;

        } else if (b >= 0xf0 && b <= 0xf4) {
            n = 3;
            c = b & 0x07;

        } else {
            return false;
        }

        if (n >= len) {
            return false;
        }

        for (i = 1; i <= n; i++) {
            if ((p[i] & 0xc0) != 0x80) {
                return false;
            }

            c = (c << 6) | (p[i] & 0x3f);
        }

        if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
            return false;
        }

        p += n + 1;
        len -= n + 1;
    }

    return true;
}


/* the given labels and the extra ones, sorted, in data->work */

static size_t
push_data_labels(push_data_t *data, const push_label_t *labels,
    size_t nlabels)
{
    size_t               i, j, n;
    const push_label_t  *extra;

    for (n = 0; n < nlabels; n++) {
        data->work = push_grow(data->work, n, &data->work_cap,
                               sizeof(push_label_t));
        data->work[n] = labels[n];
    }

    for (i = 0; i < data->nextra; i++) {
        extra = &data->extra[i];

        for (j = 0; j < nlabels; j++) {
            if (strcmp(labels[j].name, extra->name) == 0) {
                break;
            }
        }

        if (j < nlabels) {
            if (data->override) {
                data->work[j] = *extra;
            }

            continue;
        }

        data->work = push_grow(data->work, n, &data->work_cap,
                               sizeof(push_label_t));
        data->work[n++] = *extra;
    }

    if (n > 1) {
        qsort(data->work, n, sizeof(push_label_t), push_label_cmp);
    }

    return n;
}


static const char *
push_data_check(const push_label_t *labels, size_t n, const char **which)
{
    bool    named;
    size_t  i;

    named = false;

    for (i = 0; i < n; i++) {
        if (labels[i].name[0] == '\0') {
            return "empty label name";
        }

        if (i > 0 && strcmp(labels[i].name, labels[i - 1].name) == 0) {
            *which = labels[i].name;
            return "duplicate label";
        }

        if (strcmp(labels[i].name, "__name__") == 0
            && labels[i].value[0] != '\0')
        {
            named = true;
        }
    }

    return named ? NULL : "no metric name";
}


static size_t
push_data_drop_empty(push_label_t *labels, size_t n)
{
    size_t  i, kept;

    kept = 0;

    for (i = 0; i < n; i++) {
        if (labels[i].value[0] != '\0') {
            labels[kept++] = labels[i];
        }
    }

    return kept;
}


/* name NUL value NUL name NUL ... of data->work in data->key */

static size_t
push_data_key(push_data_t *data, size_t nlabels)
{
    size_t  i, len, name, value;

    len = 0;

    for (i = 0; i < nlabels; i++) {
        name = strlen(data->work[i].name) + 1;
        value = strlen(data->work[i].value) + 1;

        while (len + name + value > data->key_cap) {
            data->key = push_grow(data->key, data->key_cap, &data->key_cap, 1);
        }

        memcpy(data->key + len, data->work[i].name, name);
        memcpy(data->key + len + name, data->work[i].value, value);

        len += name + value;
    }

    return len;
}


static uint32_t
push_data_series(push_data_t *data, size_t nlabels)
{
    char           *p;
    size_t          i, len, n;
    uint32_t        id;
    push_series_t  *series;

    n = push_data_nseries(data);

    len = push_data_key(data, nlabels);
    id = push_table_add(&data->series_table, data->key, len);

    if (id < n) {
        return id;
    }

    data->series = push_grow(data->series, n, &data->series_cap,
                             sizeof(push_series_t));

    series = &data->series[id];

    series->labels = push_alloc(nlabels, sizeof(push_label_t));
    series->nlabels = nlabels;
    series->family = PUSH_TABLE_NONE;

    p = data->series_table.keys[id].data;

    for (i = 0; i < nlabels; i++) {
        series->labels[i].name = p;
        p += strlen(p) + 1;

        series->labels[i].value = p;
        p += strlen(p) + 1;
    }

    return id;
}


static uint32_t
push_data_find_family(push_data_t *data, const char *name)
{
    size_t                len, n;
    uint32_t              id;
    const push_suffix_t  *s;

    len = strlen(name);

    id = push_table_find(&data->family_table, name, len);
    if (id != PUSH_TABLE_NONE) {
        return id;
    }

    for (s = push_suffixes; s->suffix != NULL; s++) {
        n = strlen(s->suffix);

        if (len <= n || strcmp(name + len - n, s->suffix) != 0) {
            continue;
        }

        id = push_table_find(&data->family_table, name, len - n);

        if (id != PUSH_TABLE_NONE
            && (s->types & push_bit(data->families[id].type)) != 0)
        {
            return id;
        }
    }

    return PUSH_TABLE_NONE;
}


static int
push_label_cmp(const void *one, const void *two)
{
    const push_label_t  *a = one;
    const push_label_t  *b = two;

    return strcmp(a->name, b->name);
}
