
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <snappy-c.h>

#include "remote_write_v1.pb-c.h"
#include "remote_write_v2.pb-c.h"

#include "push_encode.h"
#include "push_mem.h"


typedef Prometheus__WriteRequest               push_v1_request_t;
typedef Prometheus__TimeSeries                 push_v1_series_t;
typedef Prometheus__Label                      push_v1_label_t;
typedef Prometheus__Sample                     push_v1_sample_t;
typedef Prometheus__MetricMetadata             push_v1_metadata_t;

typedef Io__Prometheus__Write__V2__Request     push_v2_request_t;
typedef Io__Prometheus__Write__V2__TimeSeries  push_v2_series_t;
typedef Io__Prometheus__Write__V2__Sample      push_v2_sample_t;
typedef Io__Prometheus__Write__V2__Metadata    push_v2_metadata_t;


/*
 * protobuf-c wants an array of pointers to messages: all messages of a kind
 * lie in one array, and all pointers to them in another.
 */

typedef struct {
    push_v1_series_t     *series;
    push_v1_series_t    **series_ptrs;
    push_v1_label_t      *labels;
    push_v1_label_t     **label_ptrs;
    push_v1_sample_t     *samples;
    push_v1_sample_t    **sample_ptrs;
    push_v1_metadata_t   *metadata;
    push_v1_metadata_t  **metadata_ptrs;
} push_v1_room_t;


typedef struct {
    push_table_t          symbols;
    char                **symbol_ptrs;
    uint32_t             *refs;
    push_v2_series_t     *series;
    push_v2_series_t    **series_ptrs;
    push_v2_sample_t     *samples;
    push_v2_sample_t    **sample_ptrs;
    push_v2_metadata_t   *metadata;
} push_v2_room_t;


static int push_encode_v1(push_body_t *body, const push_batch_t *batch,
    const push_encode_conf_t *conf);
static void push_v1_series(push_v1_room_t *room, const push_batch_t *batch,
    bool stale);
static void push_v1_metadata(push_v1_room_t *room, const push_batch_t *batch);
static int push_encode_v2(push_body_t *body, const push_batch_t *batch,
    const push_encode_conf_t *conf);
static void push_v2_series(push_v2_room_t *room, const push_batch_t *batch,
    const push_encode_conf_t *conf);
static void push_v2_metadata(push_v2_room_t *room, push_v2_metadata_t *m,
    const push_family_t *family);
static uint32_t push_v2_symbol(push_v2_room_t *room, const char *text);
static double push_encode_value(const push_sample_t *sample, bool stale);
static int push_encode_pack(push_body_t *body,
    const ProtobufCMessage *request);


int
push_encode(push_body_t *body, const push_batch_t *batch,
    const push_encode_conf_t *conf)
{
    memset(body, 0, sizeof(push_body_t));

    if (conf->version == PUSH_V2) {
        return push_encode_v2(body, batch, conf);
    }

    return push_encode_v1(body, batch, conf);
}


void
push_body_free(push_body_t *body)
{
    free(body->data);
    memset(body, 0, sizeof(push_body_t));
}


static int
push_encode_v1(push_body_t *body, const push_batch_t *batch,
    const push_encode_conf_t *conf)
{
    int                rc;
    push_v1_room_t     room;
    push_v1_request_t  request = PROMETHEUS__WRITE_REQUEST__INIT;

    room.series = push_alloc(batch->ngroups, sizeof(push_v1_series_t));
    room.series_ptrs = push_alloc(batch->ngroups, sizeof(void *));
    room.labels = push_alloc(batch->nlabels, sizeof(push_v1_label_t));
    room.label_ptrs = push_alloc(batch->nlabels, sizeof(void *));
    room.samples = push_alloc(batch->nsamples, sizeof(push_v1_sample_t));
    room.sample_ptrs = push_alloc(batch->nsamples, sizeof(void *));
    room.metadata = push_alloc(batch->nfamilies, sizeof(push_v1_metadata_t));
    room.metadata_ptrs = push_alloc(batch->nfamilies, sizeof(void *));

    push_v1_series(&room, batch, conf->stale);

    request.timeseries = room.series_ptrs;
    request.n_timeseries = batch->ngroups;

    if (conf->metadata) {
        push_v1_metadata(&room, batch);

        request.metadata = room.metadata_ptrs;
        request.n_metadata = batch->nfamilies;
    }

    rc = push_encode_pack(body, &request.base);

    free(room.series);
    free(room.series_ptrs);
    free(room.labels);
    free(room.label_ptrs);
    free(room.samples);
    free(room.sample_ptrs);
    free(room.metadata);
    free(room.metadata_ptrs);

    return rc;
}


static void
push_v1_series(push_v1_room_t *room, const push_batch_t *batch, bool stale)
{
    size_t               i, j, nlabels, nsamples;
    push_v1_label_t     *label;
    push_v1_sample_t    *sample;
    push_v1_series_t    *series;
    const push_group_t  *group;

    nlabels = 0;
    nsamples = 0;

    for (i = 0; i < batch->ngroups; i++) {
        group = &batch->groups[i];

        series = &room->series[i];
        room->series_ptrs[i] = series;

        prometheus__time_series__init(series);

        series->labels = &room->label_ptrs[nlabels];
        series->n_labels = group->series->nlabels;
        series->samples = &room->sample_ptrs[nsamples];
        series->n_samples = group->n;

        for (j = 0; j < group->series->nlabels; j++) {
            label = &room->labels[nlabels];
            room->label_ptrs[nlabels++] = label;

            prometheus__label__init(label);

            label->name = (char *) group->series->labels[j].name;
            label->value = (char *) group->series->labels[j].value;
        }

        for (j = 0; j < group->n; j++) {
            sample = &room->samples[nsamples];
            room->sample_ptrs[nsamples++] = sample;

            prometheus__sample__init(sample);

            sample->value = push_encode_value(&group->samples[j], stale);
            sample->timestamp = group->samples[j].timestamp;
        }
    }
}


static void
push_v1_metadata(push_v1_room_t *room, const push_batch_t *batch)
{
    size_t                i;
    push_v1_metadata_t   *m;
    const push_family_t  *family;

    for (i = 0; i < batch->nfamilies; i++) {
        family = batch->families[i];

        m = &room->metadata[i];
        room->metadata_ptrs[i] = m;

        prometheus__metric_metadata__init(m);

        m->type = (Prometheus__MetricMetadata__MetricType) family->type;
        m->metric_family_name = (char *) family->name;

        if (family->help != NULL) {
            m->help = family->help;
        }

        if (family->unit != NULL) {
            m->unit = family->unit;
        }
    }
}


static int
push_encode_v2(push_body_t *body, const push_batch_t *batch,
    const push_encode_conf_t *conf)
{
    int                rc;
    size_t             i;
    push_v2_room_t     room;
    push_v2_request_t  request = IO__PROMETHEUS__WRITE__V2__REQUEST__INIT;

    memset(&room.symbols, 0, sizeof(push_table_t));

    room.refs = push_alloc(batch->nlabels, 2 * sizeof(uint32_t));
    room.series = push_alloc(batch->ngroups, sizeof(push_v2_series_t));
    room.series_ptrs = push_alloc(batch->ngroups, sizeof(void *));
    room.samples = push_alloc(batch->nsamples, sizeof(push_v2_sample_t));
    room.sample_ptrs = push_alloc(batch->nsamples, sizeof(void *));
    room.metadata = push_alloc(batch->ngroups, sizeof(push_v2_metadata_t));

    (void) push_v2_symbol(&room, "");

    push_v2_series(&room, batch, conf);

    room.symbol_ptrs = push_alloc(room.symbols.n, sizeof(char *));

    for (i = 0; i < room.symbols.n; i++) {
        room.symbol_ptrs[i] = room.symbols.keys[i].data;
    }

    request.symbols = room.symbol_ptrs;
    request.n_symbols = room.symbols.n;
    request.timeseries = room.series_ptrs;
    request.n_timeseries = batch->ngroups;

    rc = push_encode_pack(body, &request.base);

    push_table_free(&room.symbols);

    free(room.symbol_ptrs);
    free(room.refs);
    free(room.series);
    free(room.series_ptrs);
    free(room.samples);
    free(room.sample_ptrs);
    free(room.metadata);

    return rc;
}


/*
 * The metadata message is there even when it says nothing: so does
 * Prometheus.
 */

static void
push_v2_series(push_v2_room_t *room, const push_batch_t *batch,
    const push_encode_conf_t *conf)
{
    size_t               i, j, nrefs, nsamples;
    push_v2_sample_t    *sample;
    push_v2_series_t    *series;
    const push_group_t  *group;
    const push_label_t  *label;

    nrefs = 0;
    nsamples = 0;

    for (i = 0; i < batch->ngroups; i++) {
        group = &batch->groups[i];

        series = &room->series[i];
        room->series_ptrs[i] = series;

        io__prometheus__write__v2__time_series__init(series);

        series->labels_refs = &room->refs[nrefs];
        series->n_labels_refs = 2 * group->series->nlabels;
        series->samples = &room->sample_ptrs[nsamples];
        series->n_samples = group->n;
        series->metadata = &room->metadata[i];

        for (j = 0; j < group->series->nlabels; j++) {
            label = &group->series->labels[j];

            room->refs[nrefs++] = push_v2_symbol(room, label->name);
            room->refs[nrefs++] = push_v2_symbol(room, label->value);
        }

        for (j = 0; j < group->n; j++) {
            sample = &room->samples[nsamples];
            room->sample_ptrs[nsamples++] = sample;

            io__prometheus__write__v2__sample__init(sample);

            sample->value = push_encode_value(&group->samples[j], conf->stale);
            sample->timestamp = group->samples[j].timestamp;
        }

        io__prometheus__write__v2__metadata__init(series->metadata);

        if (conf->metadata && group->series->family != PUSH_TABLE_NONE) {
            push_v2_metadata(room, series->metadata,
                         &batch->data->families[group->series->family]);
        }
    }
}


static void
push_v2_metadata(push_v2_room_t *room, push_v2_metadata_t *m,
    const push_family_t *family)
{
    m->type = (Io__Prometheus__Write__V2__Metadata__MetricType) family->type;

    if (family->help != NULL) {
        m->help_ref = push_v2_symbol(room, family->help);
    }

    if (family->unit != NULL) {
        m->unit_ref = push_v2_symbol(room, family->unit);
    }
}


static uint32_t
push_v2_symbol(push_v2_room_t *room, const char *text)
{
    return push_table_add(&room->symbols, text, strlen(text));
}


static double
push_encode_value(const push_sample_t *sample, bool stale)
{
    double          value;
    const uint64_t  bits = PUSH_STALE_BITS;

    memcpy(&value, stale ? (const void *) &bits
                         : (const void *) &sample->value, sizeof(double));

    return value;
}


static int
push_encode_pack(push_body_t *body, const ProtobufCMessage *request)
{
    uint8_t  *packed;

    body->decoded_len = protobuf_c_message_get_packed_size(request);

    if (body->decoded_len > UINT32_MAX) {
        return -1;
    }

    packed = push_alloc(body->decoded_len, 1);
    protobuf_c_message_pack(request, packed);

    body->len = snappy_max_compressed_length(body->decoded_len);
    body->data = push_alloc(body->len, 1);

    /* fails only for a buffer that is too small */

    (void) snappy_compress((char *) packed, body->decoded_len, body->data,
                           &body->len);

    free(packed);

    return 0;
}
