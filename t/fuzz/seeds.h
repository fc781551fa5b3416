
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * What fuzzers start from: pieces of real bodies, and random messages, both
 * written by protobuf-c.
 */


#ifndef _SEEDS_H_INCLUDED_
#define _SEEDS_H_INCLUDED_


#include "mutate.h"
#include "remote_write_v1.pb-c.h"
#include "remote_write_v2.pb-c.h"
#include "wire/prom_snappy.h"


#define SEEDS         24                /* of each version */
#define SEEDS_SERIES  3                 /* in a piece of a real body */
#define SEEDS_NOW     INT64_C(1795292500000)    /* just after the real ones */


static enc_t  seeds[3][SEEDS];          /* by version */


static inline const ProtobufCMessageDescriptor *
seeds_descriptor(int version)
{
    return version == 1 ? &prometheus__write_request__descriptor
                        : &io__prometheus__write__v2__request__descriptor;
}


static inline void *
seeds_alloc(size_t size)
{
    void  *p;

    p = calloc(1, size > 0 ? size : 1);

    if (p == NULL) {
        abort();
    }

    return p;
}


static inline void
seeds_pack(enc_t *out, const void *message)
{
    size_t    len;
    uint8_t  *buf;

    len = protobuf_c_message_get_packed_size(message);
    buf = seeds_alloc(len);

    enc_start(out);
    enc_bytes(out, buf, protobuf_c_message_pack(message, buf));
    free(buf);
}


static inline void *
seeds_real(int version, const char *name)
{
    void        *message;
    enc_t        file;
    char         path[64], text[256];
    prom_msg_t   msg;
    prom_vec_t   raw;

    memset(&file, 0, sizeof(file));
    memset(&raw, 0, sizeof(raw));
    prom_msg_init(&msg, text, sizeof(text));

    snprintf(path, sizeof(path), "t/data/prw/%s.snappy", name);
    enc_file(&file, path);

    if (prom_snappy_decode((prom_str_t) { file.data, file.len }, 1 << 20,
                           &raw, &msg) != PROM_OK)
    {
        abort();
    }

    message = protobuf_c_message_unpack(seeds_descriptor(version), NULL,
                                        raw.n, raw.data);

    if (message == NULL) {
        abort();
    }

    enc_free(&file);
    prom_vec_free(&raw);

    return message;
}


/* A few series in a row, `piece' of `pieces'. */

static inline void
seeds_cut_v1(enc_t *out, const Prometheus__WriteRequest *real,
    const Prometheus__WriteRequest *metadata, unsigned piece, unsigned pieces)
{
    Prometheus__WriteRequest  cut;

    prometheus__write_request__init(&cut);

    cut.n_timeseries = SEEDS_SERIES;
    cut.timeseries = real->timeseries
                     + real->n_timeseries * piece / pieces;

    if (piece % 4 == 0) {
        cut.n_metadata = 2;
        cut.metadata = metadata->metadata
                       + metadata->n_metadata * piece / pieces;
    }

    seeds_pack(out, &cut);
}


/* The symbol in the table of the piece. */

static inline uint32_t
seeds_symbol(Io__Prometheus__Write__V2__Request *cut,
    const Io__Prometheus__Write__V2__Request *real, uint32_t ref)
{
    size_t  i;

    for (i = 0; i < cut->n_symbols; i++) {
        if (strcmp(cut->symbols[i], real->symbols[ref]) == 0) {
            return (uint32_t) i;
        }
    }

    cut->symbols[cut->n_symbols] = real->symbols[ref];

    return (uint32_t) cut->n_symbols++;
}


/* Changes the references of what it takes: pieces must not overlap. */

static inline void
seeds_cut_v2(enc_t *out, Io__Prometheus__Write__V2__Request *real,
    unsigned piece, unsigned pieces)
{
    size_t                                 i, j, k;
    Io__Prometheus__Write__V2__Request     cut;
    Io__Prometheus__Write__V2__Exemplar   *exemplar;
    Io__Prometheus__Write__V2__TimeSeries *series;

    io__prometheus__write__v2__request__init(&cut);

    cut.symbols = seeds_alloc(real->n_symbols * sizeof(char *));
    cut.n_timeseries = SEEDS_SERIES;
    cut.timeseries = real->timeseries
                     + real->n_timeseries * piece / pieces;

    (void) seeds_symbol(&cut, real, 0);

    for (i = 0; i < cut.n_timeseries; i++) {
        series = cut.timeseries[i];

        for (j = 0; j < series->n_labels_refs; j++) {
            series->labels_refs[j] = seeds_symbol(&cut, real,
                                                  series->labels_refs[j]);
        }

        for (j = 0; j < series->n_exemplars; j++) {
            exemplar = series->exemplars[j];

            for (k = 0; k < exemplar->n_labels_refs; k++) {
                exemplar->labels_refs[k] =
                        seeds_symbol(&cut, real, exemplar->labels_refs[k]);
            }
        }

        if (series->metadata != NULL) {
            series->metadata->help_ref =
                        seeds_symbol(&cut, real, series->metadata->help_ref);
            series->metadata->unit_ref =
                        seeds_symbol(&cut, real, series->metadata->unit_ref);
        }
    }

    seeds_pack(out, &cut);
    free(cut.symbols);
}


static inline void
seeds_load(void)
{
    unsigned                             i;
    Prometheus__WriteRequest            *v1, *metadata;
    Io__Prometheus__Write__V2__Request  *v2, *later;

    metadata = seeds_real(1, "v1-001");
    v1 = seeds_real(1, "v1-004");
    v2 = seeds_real(2, "v2-002");
    later = seeds_real(2, "v2-004");

    for (i = 0; i < SEEDS; i++) {
        seeds_cut_v1(&seeds[1][i], v1, metadata, i, SEEDS);
        seeds_cut_v2(&seeds[2][i], i % 2 ? v2 : later, i, SEEDS);
    }

    protobuf_c_message_free_unpacked(&metadata->base, NULL);
    protobuf_c_message_free_unpacked(&v1->base, NULL);
    protobuf_c_message_free_unpacked(&v2->base, NULL);
    protobuf_c_message_free_unpacked(&later->base, NULL);
}


static inline void
seeds_free(void)
{
    unsigned  i;

    for (i = 0; i < SEEDS; i++) {
        enc_free(&seeds[1][i]);
        enc_free(&seeds[2][i]);
    }
}


static inline ProtobufCMessage *
    seeds_message(const ProtobufCMessageDescriptor *desc);


static inline size_t
seeds_size(ProtobufCType type)
{
    switch (type) {

    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);

    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;

    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_SINT32:
        return 4;

    default:
        abort();
    }
}


static inline char *
seeds_string(void)
{
    char    *text;
    size_t   len;

    static const char  *const texts[] = {
        "", "__name__", "up", "job", "instance", "a", "b", "z", "\xff",
        "a\"b\\c\n", "\xc3\xa9"
    };

    if (fuzz_rnd(16)) {
        return strdup(texts[fuzz_rnd(sizeof(texts) / sizeof(texts[0]))]);
    }

    len = fuzz_rnd(8) ? 110 + fuzz_rnd(30) : fuzz_rnd(20000);
    text = seeds_alloc(len + 1);
    memset(text, 'x', len);

    return text;
}


static inline void
seeds_value(const ProtobufCFieldDescriptor *field, void *member)
{
    int64_t   time;
    uint32_t  small;
    uint64_t  number;

    number = fuzz_number();

    switch (field->type) {

    case PROTOBUF_C_TYPE_STRING:
        *(char **) member = seeds_string();
        return;

    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **) member = seeds_message(field->descriptor);
        return;

    case PROTOBUF_C_TYPE_INT64:
        time = SEEDS_NOW + fuzz_rnd(10) * 1000 - 5000;

        if (fuzz_rnd(4) == 0) {
            memcpy(&time, &number, 8);
        }

        memcpy(member, &time, 8);
        return;

    default:
        small = fuzz_rnd(8) ? fuzz_rnd(10) : (uint32_t) number;

        if (seeds_size(field->type) == 4) {
            memcpy(member, &small, 4);

        } else {
            memcpy(member, &number, 8);
        }
    }
}


/* A random message of any type. */

static inline ProtobufCMessage *
seeds_message(const ProtobufCMessageDescriptor *desc)
{
    char                            *p, *array;
    size_t                           j, n;
    unsigned                         i;
    ProtobufCMessage                *message;
    const ProtobufCFieldDescriptor  *field;

    message = seeds_alloc(desc->sizeof_message);
    protobuf_c_message_init(desc, message);
    p = (char *) message;

    for (i = 0; i < desc->n_fields; i++) {
        field = desc->fields + i;

        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            n = fuzz_rnd(2) ? fuzz_rnd(3)
                : fuzz_rnd(field->type == PROTOBUF_C_TYPE_MESSAGE ? 4 : 12);

            if (field->type == PROTOBUF_C_TYPE_UINT32) {
                n += fuzz_rnd(16) ? n % 2 : 0;
            }

            array = seeds_alloc(n * seeds_size(field->type));

            for (j = 0; j < n; j++) {
                seeds_value(field, array + j * seeds_size(field->type));
            }

            memcpy(p + field->quantifier_offset, &n, sizeof(n));
            memcpy(p + field->offset, &array, sizeof(array));

        } else if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0) {

            if (fuzz_rnd(4)) {
                seeds_value(field, p + field->offset);
            }

        } else if (fuzz_rnd(2)
                   && *(uint32_t *) (p + field->quantifier_offset) == 0)
        {
            memcpy(p + field->quantifier_offset, &field->id, 4);
            seeds_value(field, p + field->offset);
        }
    }

    return message;
}


/* The start of a round: a piece of a real body or a random message. */

static inline void
seeds_start(enc_t *out, int version)
{
    const enc_t       *seed;
    ProtobufCMessage  *message;

    if (fuzz_rnd(3)) {
        seed = &seeds[version][fuzz_rnd(SEEDS)];
        enc_start(out);
        enc_bytes(out, seed->data, seed->len);
        return;
    }

    message = seeds_message(seeds_descriptor(version));
    seeds_pack(out, message);
    protobuf_c_message_free_unpacked(message, NULL);
}


#endif /* _SEEDS_H_INCLUDED_ */
