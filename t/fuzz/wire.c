
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The reader of remote write against protobuf-c: what both take must be the
 * same, and what only one takes must be known.
 *
 * Known differences, which normalize() finds and takes away; what is left
 * must then be the same for both:
 *
 *   only we take
 *     a group that is unknown                    NORMAL_GROUP
 *     a tag in more than 5 bytes                 NORMAL_LONG_TAG
 *     a length in more than 5 bytes              NORMAL_LONG_LENGTH
 *     fields newer than 3.4.0 (and the one that went away with them) with
 *     another wire type than theirs, for we do not know them:
 *     created_timestamp, start_timestamp         NORMAL_NEW_FIELD
 *   only protobuf-c takes
 *     field number 0 in two bytes or more, and
 *     those of 2^31 and more                     NORMAL_NUMBER
 *   both take, with different results
 *     metadata of 2.0 twice: we merge the parts as Prometheus does, protobuf-c
 *     forgets numbers of the former              NORMAL_TWICE
 *     a NUL in a string ends it for protobuf-c
 *
 * FUZZ_ROUNDS, FUZZ_SEED.
 */


#include "mutate.h"
#include "seeds.h"
#include "tap.h"
#include "wire/prom_prw.h"


#define NORMAL_GROUP        0x01
#define NORMAL_LONG_TAG     0x02
#define NORMAL_LONG_LENGTH  0x04
#define NORMAL_NEW_FIELD    0x08
#define NORMAL_NUMBER       0x10
#define NORMAL_TWICE        0x20

#define NORMAL_OURS         (NORMAL_GROUP | NORMAL_LONG_TAG                   \
                             | NORMAL_LONG_LENGTH | NORMAL_NEW_FIELD)

#define ROUNDS              100000
#define LABELS              4096
#define SHOWN               5           /* failures that are printed */


typedef struct {
    unsigned long  rounds;
    unsigned long  both;                /* take it */
    unsigned long  neither;
    unsigned long  ours;                /* alone take it */
    unsigned long  theirs;
    unsigned long  by[6];               /* differences, by bit */
    unsigned long  failed;
} summary_t;


static summary_t     summary;

static char          text[1024];
static prom_label_t  labels[LABELS];
static prom_vec_t    samples;
static prom_prw2_t   reader2;


static bool
same_str(prom_str_t ours, const char *theirs)
{
    size_t  len;

    len = strlen(theirs);

    if (ours.len > 0 && memchr(ours.data, '\0', ours.len) != NULL) {
        ours.len = strlen((const char *) ours.data);
    }

    return ours.len == len && (len == 0 || memcmp(ours.data, theirs, len) == 0);
}


static bool
same_sample(const prom_prw_series_t *series, size_t i, double value,
    int64_t time)
{
    uint64_t              bits;
    const prom_sample_t  *sample;

    memcpy(&bits, &value, 8);
    sample = (const prom_sample_t *) samples.data + series->first + i;

    return sample->value == bits && sample->time == time;
}


/* NULL or what differs. */

static const char *
compare_v1(const prom_prw_series_t *series, size_t n,
    const Prometheus__TimeSeries *theirs)
{
    size_t          i;
    fuzz_field_t    field;
    const uint8_t  *pos, *end;

    if (n != theirs->n_labels) {
        return "number of labels";
    }

    for (i = 0; i < n; i++) {
        if (!same_str(labels[i].name, theirs->labels[i]->name)
            || !same_str(labels[i].value, theirs->labels[i]->value))
        {
            return "label";
        }
    }

    if (series->samples != theirs->n_samples) {
        return "number of samples";
    }

    for (i = 0; i < theirs->n_samples; i++) {
        if (!same_sample(series, i, theirs->samples[i]->value,
                         theirs->samples[i]->timestamp))
        {
            return "sample";
        }
    }

    if (series->exemplars != theirs->n_exemplars
        || series->histograms != theirs->n_histograms)
    {
        return "exemplars or histograms";
    }

    if (series->run.len == 0) {
        return NULL;
    }

    /* a run is the beginning and has all labels */

    pos = series->message.data + series->run.len;
    end = series->message.data + series->message.len;

    if (series->run.data != series->message.data || pos > end) {
        return "place of the run";
    }

    while (pos < end) {
        if (!fuzz_field(&pos, end, &field) || field.number == 1) {
            return "labels behind the run";
        }
    }

    return NULL;
}


/*
 * Reads a body with our reader and compares; false: refused.  Theirs may be
 * NULL.
 */
static bool
read_v1(prom_str_t body, const Prometheus__WriteRequest *theirs,
    const char **differs)
{
    int                rc;
    size_t             i, n;
    prom_msg_t         msg;
    prom_prw1_t        reader;
    prom_prw_series_t  series;

    prom_msg_init(&msg, text, sizeof(text));
    prom_prw1_open(&reader, body);
    samples.n = 0;

    for (i = 0;
         (rc = prom_prw1_next(&reader, &series, &samples, &msg)) == 1;
         i++)
    {
        rc = prom_prw1_labels(series.message, labels, LABELS, &n, &msg);

        if (rc != PROM_OK) {
            break;
        }

        if (theirs == NULL || *differs != NULL) {
            continue;
        }

        *differs = i < theirs->n_timeseries
                   ? compare_v1(&series, n, theirs->timeseries[i])
                   : "too many series";
    }

    if (rc == 0 && theirs != NULL && *differs == NULL
        && (i != theirs->n_timeseries
            || reader.metadata != theirs->n_metadata))
    {
        *differs = "number of series or metadata";
    }

    return rc == 0;
}


static const char *
compare_v2(const prom_prw_series_t *series,
    const Io__Prometheus__Write__V2__TimeSeries *theirs, bool metadata)
{
    size_t           i;
    const uint32_t  *refs;

    refs = reader2.refs.data;

    if (reader2.refs.n != theirs->n_labels_refs
        || (theirs->n_labels_refs != 0
            && memcmp(refs, theirs->labels_refs,
                      theirs->n_labels_refs * sizeof(uint32_t)) != 0))
    {
        return "references";
    }

    if (series->samples != theirs->n_samples) {
        return "number of samples";
    }

    for (i = 0; i < theirs->n_samples; i++) {
        if (!same_sample(series, i, theirs->samples[i]->value,
                         theirs->samples[i]->timestamp))
        {
            return "sample";
        }
    }

    if (series->exemplars != theirs->n_exemplars
        || series->histograms != theirs->n_histograms)
    {
        return "exemplars or histograms";
    }

    if (series->metadata != (theirs->metadata != NULL)) {
        return "presence of metadata";
    }

    if (series->metadata && metadata
        && (series->help != theirs->metadata->help_ref
            || series->unit != theirs->metadata->unit_ref))
    {
        return "metadata";
    }

    return NULL;
}


static const char *
compare_symbols(const Io__Prometheus__Write__V2__Request *theirs)
{
    size_t             i;
    const prom_str_t  *symbols;

    symbols = reader2.symbols.data;

    if (reader2.symbols.n != theirs->n_symbols) {
        return "number of symbols";
    }

    for (i = 0; i < theirs->n_symbols; i++) {
        if (!same_str(symbols[i], theirs->symbols[i])) {
            return "symbol";
        }
    }

    return NULL;
}


/* What prom_prw2_check() says is what the references are. */

static bool
check_refs(const prom_prw_series_t *series)
{
    bool             good;
    size_t           i, n;
    prom_msg_t       msg;
    const uint32_t  *refs;

    refs = reader2.refs.data;
    n = reader2.symbols.n;
    good = reader2.refs.n % 2 == 0
           && (series->help < n || series->help == 0)
           && (series->unit < n || series->unit == 0);

    for (i = 0; i < reader2.refs.n; i++) {
        good = good && refs[i] < n;
    }

    prom_msg_init(&msg, text, sizeof(text));

    return good == (prom_prw2_check(&reader2, series, &msg) == PROM_OK)
           && good == (msg.len == 0)
           && good == prom_prw2_is_good(&reader2, series);
}


static bool
read_v2(prom_str_t body, const Io__Prometheus__Write__V2__Request *theirs,
    unsigned flags, const char **differs)
{
    int                rc;
    size_t             i;
    prom_msg_t         msg;
    prom_prw_series_t  series;

    prom_msg_init(&msg, text, sizeof(text));
    samples.n = 0;

    rc = prom_prw2_open(&reader2, body, &msg);

    if (rc == PROM_OK && theirs != NULL) {
        *differs = compare_symbols(theirs);
    }

    for (i = 0; rc >= 0; i++) {
        rc = prom_prw2_next(&reader2, &series, &samples, &msg);

        if (rc != 1) {
            break;
        }

        if (*differs == NULL && !check_refs(&series)) {
            *differs = "verdict on references";
        }

        if (theirs == NULL || *differs != NULL) {
            continue;
        }

        *differs = i < theirs->n_timeseries
                   ? compare_v2(&series, theirs->timeseries[i],
                                (flags & NORMAL_TWICE) == 0)
                   : "too many series";
    }

    if (rc == 0 && theirs != NULL && *differs == NULL
        && i != theirs->n_timeseries)
    {
        *differs = "number of series";
    }

    return rc == 0;
}


static bool
read_ours(int version, prom_str_t body, const void *theirs, unsigned flags,
    const char **differs)
{
    return version == 1 ? read_v1(body, theirs, differs)
                        : read_v2(body, theirs, flags, differs);
}


static bool
is_new(const ProtobufCFieldDescriptor *known, const fuzz_field_t *field)
{
    return known != NULL && field->wire != 0
           && (strcmp(known->name, "created_timestamp") == 0
               || strcmp(known->name, "start_timestamp") == 0);
}


/*
 * Writes a message without what is known to be different, as far as it can be
 * read; tells what there was.
 */
static unsigned
normalize(enc_t *out, const ProtobufCMessageDescriptor *desc,
    const uint8_t *pos, const uint8_t *end)
{
    bool                               seen;
    enc_t                              inner;
    unsigned                           flags;
    fuzz_field_t                       field;
    const uint8_t                     *payload;
    const ProtobufCMessageDescriptor  *message;

    flags = 0;
    seen = false;

    while (pos < end) {

        if (!fuzz_field(&pos, end, &field)) {
            enc_bytes(out, field.start, (size_t) (end - field.start));
            return flags;
        }

        if (field.wire == 3) {
            flags |= NORMAL_GROUP;
            continue;
        }

        if (field.number == 0 || field.number > INT32_MAX) {

            /* in one byte protobuf-c sees it, too */

            if (field.tag_len > 1) {
                flags |= NORMAL_NUMBER;
                continue;
            }
        }

        if (is_new(fuzz_descriptor(desc, field.number), &field)) {
            flags |= NORMAL_NEW_FIELD;
            continue;
        }

        flags |= field.tag_len > 5 ? NORMAL_LONG_TAG : 0;
        flags |= field.prefix_len > 5 ? NORMAL_LONG_LENGTH : 0;

        enc_tag(out, field.number, field.wire);
        message = fuzz_message(desc, &field);
        payload = field.payload;

        if (field.wire != 2) {
            enc_bytes(out, payload, (size_t) (field.end - payload));

        } else if (message == NULL) {
            enc_varint(out, (uint64_t) (field.end - payload));
            enc_bytes(out, payload, (size_t) (field.end - payload));

        } else {
            if (strcmp(message->short_name, "Metadata") == 0) {
                flags |= seen ? NORMAL_TWICE : 0;
                seen = true;
            }

            memset(&inner, 0, sizeof(inner));
            flags |= normalize(&inner, message, payload, field.end);
            enc_varint(out, inner.len);
            enc_bytes(out, inner.data, inner.len);
            enc_free(&inner);
        }
    }

    return flags;
}


static void
count_flags(unsigned flags)
{
    unsigned  i;

    for (i = 0; i < 6; i++) {
        summary.by[i] += flags >> i & 1;
    }
}


/*
 * One of them refuses: the body without the known differences must be the
 * same for both, and what the one said of it as it was.
 */
static const char *
judge(int version, prom_str_t body, const void *theirs, bool ours)
{
    enc_t        normal;
    void        *again;
    unsigned     flags;
    prom_str_t   rest;
    const char  *differs;

    memset(&normal, 0, sizeof(normal));
    flags = normalize(&normal, seeds_descriptor(version), body.data,
                      body.data + body.len);
    rest = (prom_str_t) { normal.data, normal.len };
    differs = NULL;
    again = NULL;

    if (ours && (flags & NORMAL_OURS) == 0) {
        differs = "protobuf-c refuses";

    } else if (!ours && (flags & NORMAL_NUMBER) == 0) {
        differs = "we refuse";

    } else if (ours) {
        again = protobuf_c_message_unpack(seeds_descriptor(version), NULL,
                                          normal.len, normal.data);

        if (again == NULL) {
            differs = "protobuf-c refuses the rest";

        } else {
            (void) read_ours(version, body, again, flags, &differs);
        }

    } else if (!read_ours(version, rest, theirs, flags, &differs)) {
        differs = "we refuse the rest";
    }

    if (differs == NULL) {
        count_flags(flags & (ours ? NORMAL_OURS : NORMAL_NUMBER));
    }

    protobuf_c_message_free_unpacked(again, NULL);
    enc_free(&normal);

    return differs;
}


static const char *
check(int version, prom_str_t body)
{
    bool         ours;
    enc_t        normal;
    void        *theirs;
    unsigned     flags;
    const char  *differs;

    differs = NULL;
    theirs = protobuf_c_message_unpack(seeds_descriptor(version), NULL,
                                       body.len, body.data);
    ours = read_ours(version, body, theirs, 0, &differs);

    if (ours && theirs != NULL && differs != NULL) {
        memset(&normal, 0, sizeof(normal));
        flags = normalize(&normal, seeds_descriptor(version), body.data,
                          body.data + body.len);
        enc_free(&normal);

        if (flags & NORMAL_TWICE) {
            differs = NULL;
            (void) read_ours(version, body, theirs, flags, &differs);
            count_flags(NORMAL_TWICE);
        }

    } else if (ours != (theirs != NULL)) {
        differs = judge(version, body, theirs, ours);

    } else if (!ours) {
        differs = NULL;
    }

    summary.both += ours && theirs != NULL;
    summary.neither += !ours && theirs == NULL;
    summary.ours += ours && theirs == NULL;
    summary.theirs += !ours && theirs != NULL;

    protobuf_c_message_free_unpacked(theirs, NULL);

    return differs;
}


static void
run(int version, const enc_t *buf, const char *what)
{
    size_t       i;
    uint8_t     *copy;
    const char  *differs;

    copy = seeds_alloc(buf->len);

    if (buf->len > 0) {
        memcpy(copy, buf->data, buf->len);
    }

    differs = check(version, (prom_str_t) { copy, buf->len });
    summary.rounds++;

    if (differs != NULL && summary.failed++ < SHOWN) {
        tap_ok(false, "v%d: round %lu, %s: %s", version, summary.rounds, what,
               differs);
        printf("# ");

        for (i = 0; i < buf->len && i < 2000; i++) {
            printf("%02x", buf->data[i]);
        }

        printf("\n");
    }

    free(copy);
}


/* One of each known difference, and what only looks like one. */

static void
known(void)
{
    enc_t      buf;
    unsigned   i, bit;
    summary_t  before;

    static const struct {
        int          version;
        unsigned     flag;
        const char  *hex;
    } all[] = {
        { 1, NORMAL_GROUP, "0a 04 12 02 33 34" },
        { 2, NORMAL_GROUP, "a3 06 0b 0c a4 06" },
        { 1, NORMAL_LONG_TAG, "8a 80 80 80 80 00 02 12 00" },
        { 2, NORMAL_LONG_TAG, "aa 80 80 80 80 80 80 80 80 00 02 12 00" },
        { 1, NORMAL_LONG_LENGTH, "0a 82 80 80 80 80 00 12 00" },
        { 2, NORMAL_LONG_LENGTH, "2a 82 80 80 80 80 80 80 80 80 00 12 00" },
        { 2, NORMAL_NEW_FIELD, "2a 02 32 00" },
        { 2, NORMAL_NEW_FIELD, "2a 05 12 03 1a 01 00" },
        { 2, NORMAL_NEW_FIELD, "2a 06 1a 04 8a 01 01 00" },
        { 1, NORMAL_NUMBER, "80 00 05" },
        { 2, NORMAL_NUMBER, "2a 06 80 80 80 80 40 05" },
        { 2, NORMAL_TWICE, "2a 08 2a 02 18 01 2a 02 20 02" },
        { 1, 0, "03" }, { 1, 0, "00 05" }, { 1, 0, "0b 0c" },
        { 1, 0, "8a 80 80 80 00 02 12 00" },
        { 1, 0, "0a 82 80 80 80 00 12 00" },
        { 1, 0, "0a 02 32 00" }, { 2, 0, "2a 02 30 05" },
        { 2, 0, "2a 08 2a 02 18 01 2a 02 18 02" }
    };

    memset(&buf, 0, sizeof(buf));

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        before = summary;

        enc_start(&buf);
        enc_raw(&buf, all[i].hex);
        run(all[i].version, &buf, "known");

        for (bit = 0; bit < 6; bit++) {
            if (summary.by[bit] - before.by[bit] != (all[i].flag >> bit & 1)) {
                break;
            }
        }

        tap_ok(bit == 6, "v%d: known: %s", all[i].version, all[i].hex);
    }

    enc_free(&buf);
}


static void
fuzz(unsigned long rounds)
{
    int            version;
    enc_t          buf, other;
    unsigned long  i;

    memset(&buf, 0, sizeof(buf));
    memset(&other, 0, sizeof(other));

    for (i = 0; i < rounds; i++) {
        version = 1 + (int) fuzz_rnd(2);

        seeds_start(&buf, version);

        if (i % 64 == 0) {
            run(version, &buf, "as it was made");
            seeds_start(&other, version);
            continue;
        }

        fuzz_mutate(&buf, seeds_descriptor(version), &other);
        run(fuzz_rnd(32) ? version : 3 - version, &buf, "mutated");
    }

    enc_free(&buf);
    enc_free(&other);
}


int
main(void)
{
    unsigned long  rounds;

    setvbuf(stdout, NULL, _IOLBF, 0);
    fuzz_state = fuzz_option("FUZZ_SEED", 1);

    rounds = fuzz_option("FUZZ_ROUNDS", ROUNDS);

    known();
    seeds_load();
    fuzz(rounds);

    tap_is_int((int64_t) summary.failed, 0, "%lu bodies: ours and "
               "protobuf-c's reading are the same, or differ as known",
               summary.rounds);

    printf("# taken by both: %lu, by none: %lu, by us alone: %lu, "
           "by protobuf-c alone: %lu\n",
           summary.both, summary.neither, summary.ours, summary.theirs);
    printf("# groups: %lu, long tags: %lu, long lengths: %lu, new fields: %lu, "
           "field numbers: %lu, metadata twice: %lu\n",
           summary.by[0], summary.by[1], summary.by[2], summary.by[3],
           summary.by[4], summary.by[5]);

    /* inputs of one kind only would prove nothing */

    if (rounds >= ROUNDS) {
        tap_ok(summary.both > rounds / 5, "both took a good part");
        tap_ok(summary.neither > rounds / 5, "both refused a good part");

    }

    prom_vec_free(&samples);
    prom_prw2_close(&reader2);
    seeds_free();

    return tap_done();
}
