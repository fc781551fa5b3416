
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Remote write 2.0: io.prometheus.write.v2.Request.
 */


#include "prom_proto.h"
#include "prom_prw.h"
#include "prom_prw_parts.h"


#define PROM_PRW2_SYMBOLS     4
#define PROM_PRW2_TIMESERIES  5

#define PROM_PRW2_REFS_SHOWN  16


static int
prom_prw2_error(prom_msg_t *msg, const char *what)
{
    prom_msg_add(msg, "cannot decode the body as "
                      "io.prometheus.write.v2.Request: bad %s", what);

    return PROM_ERROR;
}


int
prom_prw2_open(prom_prw2_t *reader, prom_str_t body, prom_msg_t *msg)
{
    prom_str_t     *symbol;
    prom_field_t    field;
    const uint8_t  *pos, *end;

    pos = body.data;
    end = pos + body.len;

    reader->pos = pos;
    reader->end = end;
    reader->symbols.n = 0;

    while (pos < end) {

        if (!prom_proto_field(&pos, end, &field)) {
            return prom_prw2_error(msg, "Request");
        }

        if (field.number != PROM_PRW2_SYMBOLS) {
            if (!prom_proto_skip(&pos, end, field.wire)) {
                return prom_prw2_error(msg, "Request");
            }

            continue;
        }

        if (reader->symbols.n == PROM_PRW_SYMBOLS) {
            return PROM_LIMIT;
        }

        if (!prom_vec_reserve(&reader->symbols, 1, sizeof(prom_str_t))) {
            return PROM_NOMEM;
        }

        symbol = (prom_str_t *) reader->symbols.data + reader->symbols.n++;

        if (field.wire != PROM_WIRE_BYTES
            || !prom_proto_bytes(&pos, end, symbol))
        {
            return prom_prw2_error(msg, "Request");
        }
    }

    return PROM_OK;
}


#define PROM_PRW2_HIGH  UINT64_C(0x8080808080808080)


/* A reference of up to five bytes in the low bits; of more, the low 32 bits. */

static inline uint32_t
prom_prw2_long_ref(uint64_t v)
{
    return (uint32_t) ((v & 0x7f)
                       | (v >> 1 & UINT64_C(0x7f) << 7)
                       | (v >> 2 & UINT64_C(0x7f) << 14)
                       | (v >> 3 & UINT64_C(0x7f) << 21)
                       | (v >> 4 & UINT64_C(0x7f) << 28));
}


/*
 * Packed references, eight bytes at a time: a byte without its high bit ends
 * one, and where they end is known for all of a word at once.
 */
static uint32_t *
prom_prw2_words(const uint8_t **pos, const uint8_t *end, uint32_t *refs)
{
    bool            few;
    unsigned        from, to;
    uint64_t        word, more, ends, v;
    const uint8_t  *p;

    for (p = *pos; end - p >= 8; p += from / 8) {
        memcpy(&word, p, 8);

#if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
        word = __builtin_bswap64(word);
#endif

        from = 0;
        more = word & PROM_PRW2_HIGH;
        ends = ~word & PROM_PRW2_HIGH;

        if (ends == 0) {
            break;
        }

        /* none of more than two bytes: so it is below 16384 symbols */

        few = (more & more >> 8) == 0;

        for ( /* void */ ; ends != 0; ends &= ends - 1) {
            to = (unsigned) __builtin_ctzll(ends) + 1;
            v = word << (64 - to) >> (64 - to + from);

            *refs++ = prom_likely(few)
                      ? (uint32_t) ((v & 0x7f) | (v >> 1 & 0x3f80))
                      : prom_prw2_long_ref(v);
            from = to;
        }
    }

    *pos = p;

    return refs;
}


/* References, packed or not; those of a message add up. */

static int
prom_prw2_refs(prom_prw2_t *reader, const uint8_t **pos, const uint8_t *end,
    uint32_t wire)
{
    uint32_t       *refs;
    uint64_t        ref;
    prom_str_t      bytes;
    const uint8_t  *p;

    bytes.len = 1;

    if (wire != PROM_WIRE_VARINT
        && (wire != PROM_WIRE_BYTES || !prom_proto_bytes(pos, end, &bytes)))
    {
        return PROM_ERROR;
    }

    /* a reference takes at least a byte */

    if (!prom_vec_reserve(&reader->refs, bytes.len, sizeof(uint32_t))) {
        return PROM_NOMEM;
    }

    refs = (uint32_t *) reader->refs.data + reader->refs.n;

    if (wire == PROM_WIRE_VARINT) {

        if (!prom_proto_varint(pos, end, &ref)) {
            return PROM_ERROR;
        }

        *refs = (uint32_t) ref;
        reader->refs.n++;

        return PROM_OK;
    }

    p = bytes.data;
    end = p + bytes.len;

    while (p < end) {
        refs = prom_prw2_words(&p, end, refs);

        if (p < end) {
            if (!prom_proto_varint(&p, end, &ref)) {
                return PROM_ERROR;
            }

            *refs++ = (uint32_t) ref;
        }
    }

    reader->refs.n = (size_t) (refs - (uint32_t *) reader->refs.data);

    return PROM_OK;
}


static bool
prom_prw2_metadata(prom_str_t message, prom_prw_series_t *series)
{
    uint64_t        value;
    prom_field_t    field;
    const uint8_t  *pos, *end;

    pos = message.data;
    end = pos + message.len;

    while (pos < end) {

        if (!prom_proto_field(&pos, end, &field)) {
            return false;
        }

        if (field.number != 1 && field.number != 3 && field.number != 4) {
            if (!prom_proto_skip(&pos, end, field.wire)) {
                return false;
            }

            continue;
        }

        if (field.wire != PROM_WIRE_VARINT
            || !prom_proto_varint(&pos, end, &value))
        {
            return false;
        }

        if (field.number == 3) {
            series->help = (uint32_t) value;

        } else if (field.number == 4) {
            series->unit = (uint32_t) value;
        }
    }

    series->metadata = true;

    return true;
}


static int
prom_prw2_part(prom_prw_series_t *series, uint32_t number, prom_str_t bytes,
    prom_vec_t *samples, prom_msg_t *msg)
{
    int  rc;

    switch (number) {

    case 2:
        rc = prom_prw_add_sample(samples, bytes);
        series->samples += (rc == PROM_OK);
        return rc == PROM_ERROR ? prom_prw2_error(msg, "Sample") : rc;

    case 3:
        series->histograms++;
        return prom_prw_well_formed(bytes, &prom_prw_histogram)
               ? PROM_OK : prom_prw2_error(msg, "Histogram");

    case 4:

        /* its references are not looked up: exemplars are not kept */

        series->exemplars++;
        return prom_prw_well_formed(bytes, &prom_prw2_exemplar)
               ? PROM_OK : prom_prw2_error(msg, "Exemplar");

    default:
        return prom_prw2_metadata(bytes, series)
               ? PROM_OK : prom_prw2_error(msg, "Metadata");
    }
}


static int
prom_prw2_series(prom_prw2_t *reader, prom_prw_series_t *series,
    prom_vec_t *samples, prom_msg_t *msg)
{
    int             rc;
    prom_str_t      bytes;
    prom_field_t    field;
    const uint8_t  *pos, *end;

    pos = series->message.data;
    end = pos + series->message.len;

    while (pos < end) {

        if (!prom_proto_field(&pos, end, &field)) {
            return prom_prw2_error(msg, "TimeSeries");
        }

        if (field.number == 1) {
            rc = prom_prw2_refs(reader, &pos, end, field.wire);

            if (rc == PROM_ERROR) {
                return prom_prw2_error(msg, "labels_refs");
            }

        } else if (field.number > 5) {
            rc = prom_proto_skip(&pos, end, field.wire)
                 ? PROM_OK : prom_prw2_error(msg, "TimeSeries");

        } else if (field.wire != PROM_WIRE_BYTES
                   || !prom_proto_bytes(&pos, end, &bytes))
        {
            rc = prom_prw2_error(msg, "TimeSeries");

        } else {
            rc = prom_prw2_part(series, field.number, bytes, samples, msg);
        }

        if (prom_unlikely(rc != PROM_OK)) {
            return rc;
        }
    }

    return 1;
}


int
prom_prw2_next(prom_prw2_t *reader, prom_prw_series_t *series,
    prom_vec_t *samples, prom_msg_t *msg)
{
    prom_field_t  field;

    reader->refs.n = 0;

    while (reader->pos < reader->end) {

        if (!prom_proto_field(&reader->pos, reader->end, &field)) {
            return prom_prw2_error(msg, "Request");
        }

        if (field.number != PROM_PRW2_TIMESERIES) {
            if (!prom_proto_skip(&reader->pos, reader->end, field.wire)) {
                return prom_prw2_error(msg, "Request");
            }

            continue;
        }

        memset(series, 0, sizeof(prom_prw_series_t));
        series->first = (uint32_t) samples->n;

        if (field.wire != PROM_WIRE_BYTES
            || !prom_proto_bytes(&reader->pos, reader->end, &series->message))
        {
            return prom_prw2_error(msg, "Request");
        }

        return prom_prw2_series(reader, series, samples, msg);
    }

    return 0;
}


/* [1 2 3], as Go prints a slice; a long one is cut. */

static void
prom_prw2_print_refs(const prom_prw2_t *reader, prom_msg_t *msg)
{
    size_t           i;
    const uint32_t  *refs;

    refs = reader->refs.data;

    for (i = 0; i < prom_min(reader->refs.n, PROM_PRW2_REFS_SHOWN); i++) {
        prom_msg_add(msg, "%s%u", i == 0 ? "[" : " ", refs[i]);
    }

    prom_msg_add(msg, "%s%s", i == 0 ? "[" : "",
                 i < reader->refs.n ? " ...]" : "]");
}


static int
prom_prw2_check_metadata(const prom_prw2_t *reader,
    const prom_prw_series_t *series, prom_msg_t *msg)
{
    bool  help;

    help = series->help >= reader->symbols.n && series->help != 0;

    if (!help && (series->unit < reader->symbols.n || series->unit == 0)) {
        return PROM_OK;
    }

    prom_msg_add(msg, "parsing metadata for series ");
    prom_prw2_print_refs(reader, msg);
    prom_msg_add(msg, ": metadata %s %u outside of symbols table (size %zu)",
                 help ? "help_ref" : "unit_ref",
                 help ? series->help : series->unit, reader->symbols.n);

    return PROM_ERROR;
}


int
prom_prw2_check(const prom_prw2_t *reader, const prom_prw_series_t *series,
    prom_msg_t *msg)
{
    size_t           i, n;
    const uint32_t  *refs;

    refs = reader->refs.data;
    n = reader->refs.n;

    if (n % 2 != 0) {
        prom_msg_add(msg, "parsing labels for series ");
        prom_prw2_print_refs(reader, msg);
        prom_msg_add(msg, ": invalid labelRefs length %zu", n);
        return PROM_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (prom_unlikely(refs[i] >= reader->symbols.n)) {
            i -= i % 2;
            prom_msg_add(msg, "parsing labels for series ");
            prom_prw2_print_refs(reader, msg);
            prom_msg_add(msg, ": labelRefs %u (name) = %u (value) outside of "
                              "symbols table (size %zu)",
                         refs[i], refs[i + 1], reader->symbols.n);
            return PROM_ERROR;
        }
    }

    return prom_prw2_check_metadata(reader, series, msg);
}


void
prom_prw2_reread(prom_prw2_t *reader, prom_str_t message)
{
    prom_field_t    field;
    const uint8_t  *pos, *end;

    pos = message.data;
    end = pos + message.len;
    reader->refs.n = 0;

    while (pos < end && prom_proto_field(&pos, end, &field)) {

        if (field.number == 1) {
            (void) prom_prw2_refs(reader, &pos, end, field.wire);

        } else {
            (void) prom_proto_skip(&pos, end, field.wire);
        }
    }
}


void
prom_prw2_close(prom_prw2_t *reader)
{
    prom_vec_free(&reader->symbols);
    prom_vec_free(&reader->refs);
}
