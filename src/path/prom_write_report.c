
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "../base/prom_double.h"
#include "../tsdb/prom_batch.h"
#include "prom_write_report.h"


void
prom_write_report_init(prom_write_report_t *report)
{
    prom_msg_init(&report->msg, report->text, PROM_REPORT_SIZE);
    prom_msg_init(&report->whole, report->whole_text,
                  sizeof(report->whole_text) - 1);
    report->lines = 0;
    report->hidden = 0;
    report->start = 0;
}


void
prom_write_report_line(prom_write_report_t *report)
{
    if (report->msg.cut) {
        report->hidden++;
        report->lines++;
        return;
    }

    report->start = report->msg.len;

    if (report->lines++ > 0) {
        prom_msg_add(&report->msg, "\n");
    }
}


void
prom_write_report_drop_line(prom_write_report_t *report)
{
    report->lines--;

    if (report->hidden > 0) {
        report->hidden--;
        return;
    }

    report->msg.len = report->start;
    report->msg.data[report->start] = '\0';
    report->msg.cut = false;
}


bool
prom_write_report_is_full(const prom_write_report_t *report)
{
    return report->msg.cut;
}


static void
prom_report_value(prom_msg_t *msg, uint64_t value)
{
    uint8_t  text[PROM_DOUBLE_LEN];

    if (value == UINT64_C(0x8000000000000000)) {

        /* what differs from 0 must not look the same */

        prom_msg_add(msg, "-0");
        return;
    }

    prom_msg_add_str(msg, (prom_str_t) {
                              text, prom_double_write(text, value) - text },
                     PROM_DOUBLE_LEN);
}


void
prom_write_report_verdict(prom_write_report_t *report, uint8_t verdict,
    const prom_sample_t *sample, const uint64_t *replaced)
{
    long long    time;
    prom_msg_t  *msg;

    msg = &report->msg;
    time = sample->time;

    switch (verdict) {

    case PROM_SAMPLE_FUTURE:
        prom_msg_add(msg, "out of bounds: timestamp is too far in the future:"
                          " timestamp %lld", time);
        break;

    case PROM_SAMPLE_OUT_OF_BOUNDS:
        prom_msg_add(msg, "out of bounds: timestamp %lld", time);
        break;

    case PROM_SAMPLE_OUT_OF_ORDER:
        prom_msg_add(msg, "out of order sample: timestamp %lld", time);
        break;

    default:
        prom_msg_add(msg, "duplicate sample for timestamp %lld; overrides not "
                          "allowed", time);

        if (replaced != NULL) {
            prom_msg_add(msg, ": existing ");
            prom_report_value(msg, *replaced);
            prom_msg_add(msg, ", new value ");
            prom_report_value(msg, sample->value);
        }
    }

    prom_msg_add(msg, " for series ");
}


prom_str_t
prom_write_report_text(prom_write_report_t *report)
{
    char        *p;
    prom_msg_t  *msg;

    msg = report->whole.len > 0 ? &report->whole : &report->msg;

    if (msg == &report->msg && msg->cut) {

        /* the room beyond PROM_REPORT_SIZE is for this */

        msg->cap = sizeof(report->text);
        msg->cut = false;
        prom_msg_add(msg, " ...");

        if (report->hidden > 0) {
            prom_msg_add(msg, "\n%zu more", report->hidden);
        }
    }

    p = msg->data + msg->len;

    if (msg->len == 0 || p[-1] != '\n') {
        *p = '\n';
        msg->len++;
    }

    return (prom_str_t) { (uint8_t *) msg->data, msg->len };
}
