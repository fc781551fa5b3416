
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Remote write 1.0: prometheus.WriteRequest.
 */


#include "prom_proto.h"
#include "prom_prw.h"
#include "prom_prw_parts.h"


#define PROM_PRW1_TIMESERIES  1
#define PROM_PRW1_METADATA    3


static int
prom_prw1_error(prom_msg_t *msg, const char *what)
{
    prom_msg_add(msg, "cannot decode the body as prometheus.WriteRequest: "
                      "bad %s", what);

    return PROM_ERROR;
}


void
prom_prw1_open(prom_prw1_t *reader, prom_str_t body)
{
    reader->pos = body.data;
    reader->end = body.data + body.len;
    reader->metadata = 0;
    reader->expected.len = 0;
}


static bool
prom_prw1_label(prom_str_t message, prom_label_t *label)
{
    prom_field_t    field;
    const uint8_t  *pos, *end;

    pos = message.data;
    end = pos + message.len;

    label->name = prom_str("");
    label->value = prom_str("");

    while (pos < end) {

        if (!prom_proto_field(&pos, end, &field)) {
            return false;
        }

        if (field.number > 2) {
            if (!prom_proto_skip(&pos, end, field.wire)) {
                return false;
            }

        } else if (field.wire != PROM_WIRE_BYTES
                   || !prom_proto_bytes(&pos, end, field.number == 1
                                                   ? &label->name
                                                   : &label->value))
        {
            return false;
        }
    }

    return true;
}


/*
 * The label fields as they come from a sender: hops from one to the next and
 * does not look inside.
 */
static inline const uint8_t *
prom_prw1_run(prom_prw_series_t *series, const uint8_t *pos,
    const uint8_t *end)
{
    size_t          len;
    const uint8_t  *start;

    start = pos;

    while (end - pos >= 3 && pos[0] == 0x0a) {

        if (prom_likely(pos[1] < 0x80)) {
            len = 2 + pos[1];

        } else if (pos[2] < 0x80) {
            len = 3 + ((pos[1] & 0x7f) | (size_t) pos[2] << 7);

        } else {
            break;
        }

        if (len > (size_t) (end - pos)) {
            break;
        }

        pos += len;
    }

    series->run.data = start;
    series->run.len = (size_t) (pos - start);

    return pos;
}


static int
prom_prw1_part(prom_prw_series_t *series, uint32_t number, prom_str_t bytes,
    prom_vec_t *samples, prom_msg_t *msg)
{
    int  rc;

    switch (number) {

    case 1:

        /* labels after something else: the run is not all of them */

        series->run.len = 0;
        series->expected = false;
        return PROM_OK;

    case 2:
        rc = prom_prw_add_sample(samples, bytes);
        series->samples += (rc == PROM_OK);
        return rc == PROM_ERROR ? prom_prw1_error(msg, "Sample") : rc;

    case 3:
        series->exemplars++;
        return prom_prw_well_formed(bytes, &prom_prw1_exemplar)
               ? PROM_OK : prom_prw1_error(msg, "Exemplar");

    default:
        series->histograms++;
        return prom_prw_well_formed(bytes, &prom_prw_histogram)
               ? PROM_OK : prom_prw1_error(msg, "Histogram");
    }
}


/* The run without a walk: the bytes are known, and no label follows them. */

static inline bool
prom_prw1_expected(const prom_prw1_t *reader, prom_prw_series_t *series)
{
    size_t  len;

    len = reader->expected.len;

    if (len == 0 || len >= series->message.len
        || series->message.data[len] == 0x0a
        || memcmp(series->message.data, reader->expected.data, len) != 0)
    {
        return false;
    }

    series->run = (prom_str_t) { series->message.data, len };
    series->expected = true;

    return true;
}


static int
prom_prw1_series(const prom_prw1_t *reader, prom_prw_series_t *series,
    prom_vec_t *samples, prom_msg_t *msg)
{
    int             rc;
    prom_str_t      bytes;
    prom_field_t    field;
    const uint8_t  *pos, *end;

    pos = series->message.data;
    end = pos + series->message.len;

    pos = prom_prw1_expected(reader, series)
          ? pos + series->run.len : prom_prw1_run(series, pos, end);

    while (pos < end) {

        if (!prom_proto_field(&pos, end, &field)) {
            return prom_prw1_error(msg, "TimeSeries");
        }

        if (field.number > 4) {
            if (!prom_proto_skip(&pos, end, field.wire)) {
                return prom_prw1_error(msg, "TimeSeries");
            }

            continue;
        }

        if (field.wire != PROM_WIRE_BYTES
            || !prom_proto_bytes(&pos, end, &bytes))
        {
            return prom_prw1_error(msg, "TimeSeries");
        }

        rc = prom_prw1_part(series, field.number, bytes, samples, msg);

        if (prom_unlikely(rc != PROM_OK)) {
            return rc;
        }
    }

    return 1;
}


int
prom_prw1_next(prom_prw1_t *reader, prom_prw_series_t *series,
    prom_vec_t *samples, prom_msg_t *msg)
{
    prom_str_t    bytes;
    prom_field_t  field;

    while (reader->pos < reader->end) {

        if (!prom_proto_field(&reader->pos, reader->end, &field)) {
            return prom_prw1_error(msg, "WriteRequest");
        }

        if (field.number != PROM_PRW1_TIMESERIES
            && field.number != PROM_PRW1_METADATA)
        {
            if (!prom_proto_skip(&reader->pos, reader->end, field.wire)) {
                return prom_prw1_error(msg, "WriteRequest");
            }

            continue;
        }

        if (field.wire != PROM_WIRE_BYTES
            || !prom_proto_bytes(&reader->pos, reader->end, &bytes))
        {
            return prom_prw1_error(msg, "WriteRequest");
        }

        if (field.number == PROM_PRW1_METADATA) {
            if (!prom_prw_well_formed(bytes, &prom_prw1_metadata)) {
                return prom_prw1_error(msg, "MetricMetadata");
            }

            reader->metadata++;
            continue;
        }

        memset(series, 0, sizeof(prom_prw_series_t));
        series->message = bytes;
        series->first = (uint32_t) samples->n;

        return prom_prw1_series(reader, series, samples, msg);
    }

    return 0;
}


int
prom_prw1_labels(prom_str_t message, prom_label_t *labels, size_t max,
    size_t *n, prom_msg_t *msg)
{
    prom_str_t      bytes;
    prom_field_t    field;
    const uint8_t  *pos, *end;

    pos = message.data;
    end = pos + message.len;
    *n = 0;

    while (pos < end) {

        if (!prom_proto_field(&pos, end, &field)) {
            return prom_prw1_error(msg, "TimeSeries");
        }

        if (field.number != 1) {
            if (!prom_proto_skip(&pos, end, field.wire)) {
                return prom_prw1_error(msg, "TimeSeries");
            }

            continue;
        }

        if (*n == max) {
            return PROM_LIMIT;
        }

        if (!prom_proto_bytes(&pos, end, &bytes)
            || !prom_prw1_label(bytes, labels + (*n)++))
        {
            return prom_prw1_error(msg, "Label");
        }
    }

    return PROM_OK;
}
