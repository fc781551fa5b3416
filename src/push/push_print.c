
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "push_print.h"


static void push_print_family(FILE *out, const push_family_t *family);
static void push_print_text(FILE *out, const char *keyword, const char *name,
    const char *text);
static void push_print_group(FILE *out, const push_group_t *group, bool stale);
static void push_print_labels(FILE *out, const push_series_t *series);
static void push_print_name(FILE *out, const char *name);
static void push_print_escaped(FILE *out, const char *text, bool quotes);
static void push_print_value(FILE *out, double value);
static bool push_print_bare(const char *name);


static const char  *push_print_types[] = {
    "untyped",
    "counter",
    "gauge",
    "histogram",
    "gaugehistogram",
    "summary",
    "info",
    "stateset"
};


void
push_print(FILE *out, const push_batch_t *batch,
    const push_encode_conf_t *conf, const push_body_t *body)
{
    size_t  i;

    fprintf(out, "# request %zu: remote write %d, %zu series, %zu samples, "
            "%zu bytes, %zu compressed\n", batch->number,
            (int) conf->version, batch->ngroups, batch->nsamples,
            body->decoded_len, body->len);

    for (i = 0; i < batch->nfamilies && conf->metadata; i++) {
        push_print_family(out, batch->families[i]);
    }

    for (i = 0; i < batch->ngroups; i++) {
        push_print_group(out, &batch->groups[i], conf->stale);
    }
}


static void
push_print_family(FILE *out, const push_family_t *family)
{
    if (family->help != NULL) {
        push_print_text(out, "HELP", family->name, family->help);
    }

    push_print_text(out, "TYPE", family->name, push_print_types[family->type]);

    if (family->unit != NULL) {
        push_print_text(out, "UNIT", family->name, family->unit);
    }
}


static void
push_print_text(FILE *out, const char *keyword, const char *name,
    const char *text)
{
    fprintf(out, "# %s ", keyword);

    push_print_name(out, name);
    fputc(' ', out);
    push_print_escaped(out, text, false);
    fputc('\n', out);
}


static void
push_print_group(FILE *out, const push_group_t *group, bool stale)
{
    size_t  i;

    for (i = 0; i < group->n; i++) {
        push_print_labels(out, group->series);

        if (stale) {
            fprintf(out, " StaleNaN");

        } else {
            push_print_value(out, group->samples[i].value);
        }

        fprintf(out, " %" PRId64 "\n", group->samples[i].timestamp);
    }
}


static void
push_print_labels(FILE *out, const push_series_t *series)
{
    size_t               i;
    const char          *name, *sep;
    const push_label_t  *label;

    name = push_series_name(series);
    sep = "{";

    if (push_print_bare(name)) {
        fputs(name, out);

    } else {
        fputs(sep, out);
        push_print_name(out, name);
        sep = ",";
    }

    for (i = 0; i < series->nlabels; i++) {
        label = &series->labels[i];

        if (strcmp(label->name, "__name__") == 0) {
            continue;
        }

        fputs(sep, out);
        push_print_name(out, label->name);
        fputs("=\"", out);
        push_print_escaped(out, label->value, true);
        fputc('"', out);

        sep = ",";
    }

    if (sep[0] == ',') {
        fputc('}', out);
    }
}


static void
push_print_name(FILE *out, const char *name)
{
    if (push_print_bare(name)) {
        fputs(name, out);
        return;
    }

    fputc('"', out);
    push_print_escaped(out, name, true);
    fputc('"', out);
}


static void
push_print_escaped(FILE *out, const char *text, bool quotes)
{
    for ( /* void */ ; *text != '\0'; text++) {

        switch (*text) {

        case '\n':
            fputs("\\n", out);
            break;

        case '\\':
            fputs("\\\\", out);
            break;

        case '"':
            fputs(quotes ? "\\\"" : "\"", out);
            break;

        default:
            fputc(*text, out);
        }
    }
}


/* few digits where they are enough to read the same number back */

static void
push_print_value(FILE *out, double value)
{
    int   digits;
    char  text[32];

    if (isnan(value)) {
        fputs(" NaN", out);
        return;
    }

    if (isinf(value)) {
        fputs(value > 0 ? " +Inf" : " -Inf", out);
        return;
    }

    for (digits = 15; digits < 18; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);

        if (strtod(text, NULL) == value) {
            break;
        }
    }

    fprintf(out, " %s", text);
}


/* a colon is legal in a metric name and harmless in a label name */

static bool
push_print_bare(const char *name)
{
    const char  *p;

    for (p = name; *p != '\0'; p++) {
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
              || *p == '_' || *p == ':'
              || (*p >= '0' && *p <= '9' && p > name)))
        {
            return false;
        }
    }

    return p > name;
}
