
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * prom-push: text -> data (push_text) -> batches (push_batch) -> bodies
 * (push_encode) -> requests (push_send) -> verdicts (push_report).
 */


#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "push_batch.h"
#include "push_mem.h"
#include "push_options.h"
#include "push_print.h"
#include "push_report.h"
#include "push_text.h"


#define PUSH_EXIT_OK       0
#define PUSH_EXIT_REFUSED  1
#define PUSH_EXIT_USAGE    2
#define PUSH_EXIT_FAILED   3


static int push_run(push_data_t *data, const push_options_t *options);
static int push_read(push_data_t *data, const push_options_t *options);
static int push_read_file(push_data_t *data, const push_options_t *options,
    const char *file);
static char *push_read_all(FILE *in, size_t *len);
static int push_send_all(push_batch_t *batch, const push_options_t *options);
static int push_send_batches(push_sender_t *sender, push_batch_t *batch,
    const push_options_t *options);
static int push_show_all(push_batch_t *batch, const push_options_t *options);
static int push_dump(const push_batch_t *batch, const push_body_t *body,
    const char *file);
static int push_write_file(const push_body_t *body, const char *file);
static int push_encode_batch(push_body_t *body, const push_batch_t *batch,
    const push_options_t *options);
static int push_system_error(const char *what, const char *file);


int
main(int argc, char **argv)
{
    int             rc;
    push_data_t     data;
    push_options_t  options;

    memset(&data, 0, sizeof(push_data_t));

    switch (push_options_parse(&options, argc, argv)) {

    case PUSH_OPTIONS_OK:
        rc = push_run(&data, &options);
        break;

    case PUSH_OPTIONS_DONE:
        rc = PUSH_EXIT_OK;
        break;

    default:
        rc = PUSH_EXIT_USAGE;
    }

    push_data_free(&data);
    push_options_free(&options);

    if (fflush(stdout) != 0 && rc == PUSH_EXIT_OK) {
        return push_system_error("write", "standard output");
    }

    return rc;
}


static int
push_run(push_data_t *data, const push_options_t *options)
{
    int            rc;
    push_batch_t  *batch;

    rc = push_read(data, options);
    if (rc != PUSH_EXIT_OK) {
        return rc;
    }

    batch = push_batch_create(data, options->batch);

    if (options->dry_run || options->dump != NULL) {
        rc = push_show_all(batch, options);

    } else {
        rc = push_send_all(batch, options);
    }

    push_batch_free(batch);

    return rc;
}


static int
push_read(push_data_t *data, const push_options_t *options)
{
    int     rc;
    size_t  i;

    data->override = options->override;

    for (i = 0; i < options->nlabels; i++) {
        push_data_add_extra(data, options->labels[i].name,
                            options->labels[i].value);
    }

    if (options->nfiles == 0) {
        rc = push_read_file(data, options, "-");
        if (rc != PUSH_EXIT_OK) {
            return rc;
        }
    }

    for (i = 0; i < options->nfiles; i++) {
        rc = push_read_file(data, options, options->files[i]);
        if (rc != PUSH_EXIT_OK) {
            return rc;
        }
    }

    push_data_finish(data);

    return PUSH_EXIT_OK;
}


static int
push_read_file(push_data_t *data, const push_options_t *options,
    const char *file)
{
    int      rc;
    char    *text, error[PUSH_TEXT_ERROR_LEN];
    FILE    *in;
    size_t   len;

    if (strcmp(file, "-") == 0) {
        in = stdin;
        file = "stdin";

    } else {
        in = fopen(file, "rb");
        if (in == NULL) {
            return push_system_error("open", file);
        }
    }

    text = push_read_all(in, &len);

    rc = (text == NULL) ? push_system_error("read", file) : PUSH_EXIT_OK;

    if (in != stdin) {
        fclose(in);
    }

    if (text != NULL
        && push_text_parse(data, file, text, len, options->now, error) != 0)
    {
        fprintf(stderr, "%s\n", error);
        rc = PUSH_EXIT_USAGE;
    }

    free(text);

    return rc;
}


/* NULL: errno says why; else a NUL follows the text */

static char *
push_read_all(FILE *in, size_t *len)
{
    char    *text;
    size_t   n, cap;

    text = NULL;
    cap = 0;
    *len = 0;

    do {
        text = push_grow(text, *len + 1, &cap, 1);

        n = fread(text + *len, 1, cap - *len - 1, in);
        *len += n;

    } while (n != 0);

    if (ferror(in)) {
        free(text);
        return NULL;
    }

    text[*len] = '\0';

    return text;
}


static int
push_send_all(push_batch_t *batch, const push_options_t *options)
{
    int             rc;
    push_sender_t  *sender;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        fprintf(stderr, "prom-push: cannot initialize libcurl\n");
        return PUSH_EXIT_USAGE;
    }

    sender = push_sender_create(&options->send);

    if (sender != NULL) {
        rc = push_send_batches(sender, batch, options);
        push_sender_free(sender);

    } else {
        rc = PUSH_EXIT_USAGE;
    }

    curl_global_cleanup();

    return rc;
}


static int
push_send_batches(push_sender_t *sender, push_batch_t *batch,
    const push_options_t *options)
{
    int              rc;
    push_body_t      body;
    push_reply_t    *reply;
    push_totals_t    totals;
    push_verdict_e   verdict;

    memset(&totals, 0, sizeof(push_totals_t));
    reply = push_alloc(1, sizeof(push_reply_t));

    rc = PUSH_EXIT_OK;
    verdict = PUSH_STORED;

    while (verdict != PUSH_FAILED && push_batch_next(batch)) {

        rc = push_encode_batch(&body, batch, options);
        if (rc != PUSH_EXIT_OK) {
            totals.failed += batch->nsamples;
            break;
        }

        push_send(sender, &body, reply);
        push_body_free(&body);

        verdict = push_report(&totals, options->send.version, batch->nsamples,
                              reply);
    }

    free(reply);

    totals.failed += push_batch_left(batch);

    if (!options->quiet) {
        push_report_totals(&totals);
    }

    if (rc != PUSH_EXIT_OK) {
        return rc;
    }

    if (totals.failed != 0) {
        return PUSH_EXIT_FAILED;
    }

    return totals.refused ? PUSH_EXIT_REFUSED : PUSH_EXIT_OK;
}


static int
push_show_all(push_batch_t *batch, const push_options_t *options)
{
    int          rc;
    push_body_t  body;

    rc = PUSH_EXIT_OK;

    while (rc == PUSH_EXIT_OK && push_batch_next(batch)) {

        rc = push_encode_batch(&body, batch, options);
        if (rc != PUSH_EXIT_OK) {
            break;
        }

        if (options->dump != NULL) {
            rc = push_dump(batch, &body, options->dump);

        } else {
            push_print(stdout, batch, &options->encode, &body);
        }

        push_body_free(&body);
    }

    return rc;
}


static int
push_dump(const push_batch_t *batch, const push_body_t *body, const char *file)
{
    int      rc;
    char    *name;
    size_t   size;

    if (batch->number == 1) {
        return push_write_file(body, file);
    }

    size = strlen(file) + sizeof(".18446744073709551615");

    name = push_alloc(size, 1);
    snprintf(name, size, "%s.%zu", file, batch->number);

    rc = push_write_file(body, name);

    free(name);

    return rc;
}


static int
push_write_file(const push_body_t *body, const char *file)
{
    FILE    *out;
    size_t   n;

    out = fopen(file, "wb");
    if (out == NULL) {
        return push_system_error("open", file);
    }

    n = fwrite(body->data, 1, body->len, out);

    if (fclose(out) != 0 || n != body->len) {
        return push_system_error("write", file);
    }

    return PUSH_EXIT_OK;
}


static int
push_encode_batch(push_body_t *body, const push_batch_t *batch,
    const push_options_t *options)
{
    if (push_encode(body, batch, &options->encode) == 0) {
        return PUSH_EXIT_OK;
    }

    fprintf(stderr, "prom-push: request %zu is too large, use a smaller "
            "--batch\n", batch->number);

    return PUSH_EXIT_USAGE;
}


static int
push_system_error(const char *what, const char *file)
{
    fprintf(stderr, "prom-push: cannot %s %s: %s\n", what, file,
            strerror(errno));

    return PUSH_EXIT_USAGE;
}
