
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "push_report.h"


static push_verdict_e push_report_judge(push_version_e version, uint64_t sent,
    const push_reply_t *reply, uint64_t *stored);
static void push_report_problem(const push_totals_t *totals,
    push_version_e version, uint64_t refused, uint64_t sent,
    const push_reply_t *reply);
static void push_report_text(const push_reply_t *reply);


push_verdict_e
push_report(push_totals_t *totals, push_version_e version, uint64_t sent,
    const push_reply_t *reply)
{
    uint64_t        stored;
    push_verdict_e  verdict;

    stored = 0;
    verdict = push_report_judge(version, sent, reply, &stored);

    totals->requests++;
    totals->stored += stored;

    if (verdict == PUSH_STORED) {
        return verdict;
    }

    if (verdict == PUSH_REFUSED) {
        totals->refused += sent - stored;

    } else {
        totals->failed += sent;
    }

    push_report_problem(totals, version, sent - stored, sent, reply);

    return verdict;
}


void
push_report_totals(const push_totals_t *totals)
{
    printf("%zu request%s: %" PRIu64 " sample%s stored, %" PRIu64 " refused, %"
           PRIu64 " failed\n", totals->requests,
           totals->requests == 1 ? "" : "s", totals->stored,
           totals->stored == 1 ? "" : "s", totals->refused, totals->failed);
}


/*
 * Version 2 believes numbers only: a server that knows version 1 alone may
 * take the body for an empty message and be content with it.
 */

static push_verdict_e
push_report_judge(push_version_e version, uint64_t sent,
    const push_reply_t *reply, uint64_t *stored)
{
    if (reply->status == 0
        || (reply->status >= 500 && reply->status < 600))
    {
        return PUSH_FAILED;
    }

    if (version == PUSH_V2) {
        *stored = (reply->written < sent) ? reply->written : sent;

        return (reply->status < 300 && *stored == sent) ? PUSH_STORED
                                                        : PUSH_REFUSED;
    }

    if (reply->status < 300) {
        *stored = sent;
        return PUSH_STORED;
    }

    return PUSH_REFUSED;
}


static void
push_report_problem(const push_totals_t *totals, push_version_e version,
    uint64_t refused, uint64_t sent, const push_reply_t *reply)
{
    fprintf(stderr, "prom-push: request %zu: ", totals->requests);

    if (reply->status == 0) {
        fprintf(stderr, "not answered: ");
        push_report_text(reply);
        return;
    }

    fprintf(stderr, "status %ld, %" PRIu64 " of %" PRIu64 " sample%s not "
            "stored", reply->status, refused, sent, sent == 1 ? "" : "s");

    if (reply->text_len != 0) {
        fprintf(stderr, ": ");
        push_report_text(reply);

    } else {
        fprintf(stderr, "\n");
    }

    if (version == PUSH_V2 && reply->status < 300 && !reply->counted) {
        fprintf(stderr, "prom-push: the answer has no "
                "X-Prometheus-Remote-Write-Samples-Written: the server does "
                "not speak version 2 of remote write\n");
    }
}


/* without what could command a terminal, and with one LF at the end */

static void
push_report_text(const push_reply_t *reply)
{
    size_t         i, len;
    unsigned char  c;

    len = reply->text_len;

    while (len != 0
           && (reply->text[len - 1] == '\n' || reply->text[len - 1] == '\r'))
    {
        len--;
    }

    for (i = 0; i < len; i++) {
        c = reply->text[i];

        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) {
            c = '?';
        }

        fputc(c, stderr);
    }

    fputc('\n', stderr);
}
