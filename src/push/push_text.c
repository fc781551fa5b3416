
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "push_mem.h"
#include "push_text.h"


/* the one NaN that a Prometheus sends for NaN in a text */
#define PUSH_NAN_BITS  0x7ff8000000000001


typedef struct {
    push_data_t   *data;
    const char    *name;
    size_t         line;
    int64_t        now;
    char          *error;

    const char    *pos;                 /* in the current line */
    const char    *end;                 /* its LF or the NUL of the text */

    /* of the current line */
    push_label_t  *labels;
    size_t         nlabels;
    size_t         labels_cap;

    /*
     * The strings of the current line, decoded.  A string is never longer
     * than its text and its NUL takes the place of what ends it, but at the
     * end of the line: so len + 1 bytes hold them all.
     */
    char          *room;
    char          *last;
    size_t         room_size;
} push_text_t;


typedef struct {
    const char    *word;
    push_type_e    type;
} push_type_name_t;


static int push_text_line(push_text_t *t);
static int push_text_sample(push_text_t *t);
static int push_text_labels(push_text_t *t);
static int push_text_label(push_text_t *t);
static int push_text_add_label(push_text_t *t, const char *name,
    const char *value);
static int push_text_comment(push_text_t *t);
static int push_text_type(push_text_t *t, const char *family);
static const char *push_text_word(push_text_t *t, const char *what,
    bool metric);
static const char *push_text_quoted(push_text_t *t, const char *what);
static const char *push_text_help(push_text_t *t);
static int push_text_unescape(push_text_t *t, const char *what);
static const char *push_text_string(push_text_t *t, const char *start,
    const char *what);
static int push_text_value(push_text_t *t, double *value);
static int push_text_timestamp(push_text_t *t, int64_t *timestamp);
static bool push_text_is_number(push_text_t *t, size_t len);
static size_t push_text_token(push_text_t *t);
static void push_text_blanks(push_text_t *t);
static int push_text_error(push_text_t *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


static const push_type_name_t  push_type_names[] = {
    { "counter", PUSH_COUNTER },
    { "gauge", PUSH_GAUGE },
    { "histogram", PUSH_HISTOGRAM },
    { "summary", PUSH_SUMMARY },
    { "untyped", PUSH_UNKNOWN },
    { "unknown", PUSH_UNKNOWN },
    { "gaugehistogram", PUSH_GAUGEHISTOGRAM },
    { "info", PUSH_INFO },
    { "stateset", PUSH_STATESET },
    { NULL, 0 }
};


int
push_text_parse(push_data_t *data, const char *name, const char *text,
    size_t len, int64_t now, char *error)
{
    int          rc;
    size_t       n;
    push_text_t  t;
    const char  *end;

    memset(&t, 0, sizeof(push_text_t));

    t.data = data;
    t.name = name;
    t.now = now;
    t.error = error;

    rc = 0;
    end = text + len;

    while (text < end && rc == 0) {
        t.line++;
        t.pos = text;
        t.end = memchr(text, '\n', end - text);

        if (t.end == NULL) {
            t.end = end;
        }

        text = t.end + 1;
        n = t.end - t.pos;

        while (n + 1 > t.room_size) {
            t.room = push_grow(t.room, t.room_size, &t.room_size, 1);
        }

        t.last = t.room;
        t.nlabels = 0;

        rc = push_text_line(&t);
    }

    free(t.room);
    free(t.labels);

    return rc;
}


static int
push_text_line(push_text_t *t)
{
    if (memchr(t->pos, '\0', t->end - t->pos) != NULL) {
        return push_text_error(t, "NUL byte");
    }

    push_text_blanks(t);

    if (t->pos == t->end) {
        return 0;
    }

    if (*t->pos == '#') {
        return push_text_comment(t);
    }

    return push_text_sample(t);
}


static int
push_text_sample(push_text_t *t)
{
    double       value;
    int64_t      timestamp;
    const char  *name, *what, *which;

    if (*t->pos != '{') {
        name = push_text_word(t, "metric name", true);

        if (name == NULL || push_text_add_label(t, "__name__", name) != 0) {
            return -1;
        }
    }

    push_text_blanks(t);

    if (*t->pos == '{' && push_text_labels(t) != 0) {
        return -1;
    }

    value = 0;
    timestamp = t->now;

    if (push_text_value(t, &value) != 0
        || push_text_timestamp(t, &timestamp) != 0)
    {
        return -1;
    }

    which = NULL;

    what = push_data_add_sample(t->data, t->labels, t->nlabels, value,
                                timestamp, &which);
    if (what == NULL) {
        return 0;
    }

    if (which != NULL) {
        return push_text_error(t, "%s \"%s\"", what, which);
    }

    return push_text_error(t, "%s", what);
}


static int
push_text_labels(push_text_t *t)
{
    t->pos++;

    for ( ;; ) {
        push_text_blanks(t);

        if (*t->pos == '}') {
            break;
        }

        if (push_text_label(t) != 0) {
            return -1;
        }

        push_text_blanks(t);

        if (*t->pos == '}') {
            break;
        }

        if (*t->pos != ',') {
            return push_text_error(t, "expected \",\" or \"}\" after a label");
        }

        t->pos++;
    }

    t->pos++;

    return 0;
}


static int
push_text_label(push_text_t *t)
{
    bool         quoted;
    const char  *name, *value;

    quoted = (*t->pos == '"');

    name = quoted ? push_text_quoted(t, "label name")
                  : push_text_word(t, "label name", false);
    if (name == NULL) {
        return -1;
    }

    push_text_blanks(t);

    if (*t->pos != '=') {

        if (quoted && t->nlabels == 0) {
            return push_text_add_label(t, "__name__", name);
        }

        return push_text_error(t, "expected \"=\" after label name \"%s\"",
                               name);
    }

    t->pos++;
    push_text_blanks(t);

    if (*t->pos != '"') {
        return push_text_error(t, "the value of label \"%s\" is not quoted",
                               name);
    }

    value = push_text_quoted(t, "label value");
    if (value == NULL) {
        return -1;
    }

    return push_text_add_label(t, name, value);
}


static int
push_text_add_label(push_text_t *t, const char *name, const char *value)
{
    size_t         i;
    push_label_t  *label;

    for (i = 0; i < t->nlabels; i++) {
        if (strcmp(t->labels[i].name, name) == 0) {
            return push_text_error(t, "duplicate label \"%s\"", name);
        }
    }

    t->labels = push_grow(t->labels, t->nlabels, &t->labels_cap,
                          sizeof(push_label_t));

    label = &t->labels[t->nlabels++];

    label->name = name;
    label->value = value;

    return 0;
}


/* "# HELP", "# TYPE" and "# UNIT"; anything else is a comment */

static int
push_text_comment(push_text_t *t)
{
    size_t          len;
    const char     *keyword, *name, *text;
    push_family_t  *family;

    t->pos++;
    push_text_blanks(t);

    len = push_text_token(t);
    keyword = t->pos;
    t->pos += len;

    push_text_blanks(t);

    if (len != 4 || t->pos == t->end
        || (memcmp(keyword, "HELP", 4) != 0 && memcmp(keyword, "TYPE", 4) != 0
            && memcmp(keyword, "UNIT", 4) != 0))
    {
        return 0;
    }

    name = (*t->pos == '"') ? push_text_quoted(t, "metric name")
                            : push_text_word(t, "metric name", true);
    if (name == NULL) {
        return -1;
    }

    if (t->pos < t->end && *t->pos != ' ' && *t->pos != '\t') {
        return push_text_error(t, "bad character after metric name \"%s\"",
                               name);
    }

    push_text_blanks(t);

    if (keyword[0] == 'T') {
        return push_text_type(t, name);
    }

    text = push_text_help(t);
    if (text == NULL) {
        return -1;
    }

    family = push_data_family(t->data, name);
    push_data_set(keyword[0] == 'H' ? &family->help : &family->unit, text);

    return 0;
}


static int
push_text_type(push_text_t *t, const char *name)
{
    size_t                   len;
    push_family_t           *family;
    const push_type_name_t  *type;

    len = push_text_token(t);

    for (type = push_type_names; type->word != NULL; type++) {
        if (strlen(type->word) == len && memcmp(type->word, t->pos, len) == 0)
        {
            break;
        }
    }

    if (type->word == NULL) {
        return push_text_error(t, "unknown type \"%.*s\" of metric \"%s\"",
                               (int) len, t->pos, name);
    }

    t->pos += len;
    push_text_blanks(t);

    if (t->pos != t->end) {
        return push_text_error(t, "text after the type of metric \"%s\"",
                               name);
    }

    family = push_data_family(t->data, name);

    if (family->typed && family->type != type->type) {
        return push_text_error(t, "metric \"%s\" already has another type",
                               name);
    }

    family->typed = true;
    family->type = type->type;

    return 0;
}


/* a name without quotes */

static const char *
push_text_word(push_text_t *t, const char *what, bool metric)
{
    char         c;
    char        *start;
    const char  *first;

    first = t->pos;
    start = t->last;

    for ( ;; ) {
        c = *t->pos;

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'
            || c == ':' || (c >= '0' && c <= '9' && t->pos > first))
        {
            *t->last++ = c;
            t->pos++;
            continue;
        }

        break;
    }

    if (t->pos == first) {

        if (t->pos == t->end) {
            push_text_error(t, "expected a %s", what);

        } else {
            push_text_error(t, "bad first character of a %s", what);
        }

        return NULL;
    }

    if (metric && t->pos < t->end && strchr("{ \t", *t->pos) == NULL) {
        push_text_error(t, "bad character in a %s", what);
        return NULL;
    }

    return push_text_string(t, start, what);
}


static const char *
push_text_quoted(push_text_t *t, const char *what)
{
    char  *start;

    start = t->last;
    t->pos++;

    while (t->pos < t->end && *t->pos != '"') {

        if (*t->pos == '\\') {
            if (push_text_unescape(t, what) != 0) {
                return NULL;
            }

            continue;
        }

        *t->last++ = *t->pos++;
    }

    if (t->pos == t->end) {
        push_text_error(t, "the quote of a %s is not closed", what);
        return NULL;
    }

    t->pos++;

    return push_text_string(t, start, what);
}


/* to the end of the line */

static const char *
push_text_help(push_text_t *t)
{
    char  *start;

    start = t->last;

    while (t->pos < t->end) {

        if (*t->pos == '\\') {
            if (push_text_unescape(t, "text of metadata") != 0) {
                return NULL;
            }

            continue;
        }

        *t->last++ = *t->pos++;
    }

    return push_text_string(t, start, "text of metadata");
}


static int
push_text_unescape(push_text_t *t, const char *what)
{
    char  c;

    c = t->pos[1];

    switch (c) {

    case 'n':
        *t->last++ = '\n';
        break;

    case '\\':
    case '"':
        *t->last++ = c;
        break;

    default:
        return push_text_error(t, "unknown escape in a %s, the format has "
                               "\\\\, \\\" and \\n", what);
    }

    t->pos += 2;

    return 0;
}


/* ends the string that began at "start" */

static const char *
push_text_string(push_text_t *t, const char *start, const char *what)
{
    if (!push_utf8_valid(start, t->last - start)) {
        push_text_error(t, "a %s is not valid UTF-8", what);
        return NULL;
    }

    *t->last++ = '\0';

    return start;
}


static int
push_text_value(push_text_t *t, double *value)
{
    char            *end;
    double           v;
    size_t           len;
    const uint64_t   nan = PUSH_NAN_BITS;

    push_text_blanks(t);

    len = push_text_token(t);
    if (len == 0) {
        return push_text_error(t, "no value");
    }

    errno = 0;
    v = strtod(t->pos, &end);

    if (end != t->pos + len || !push_text_is_number(t, len)) {
        return push_text_error(t, "bad value \"%.*s\"", (int) len, t->pos);
    }

    if (errno == ERANGE && isinf(v)) {
        return push_text_error(t, "value \"%.*s\" is out of range", (int) len,
                               t->pos);
    }

    if (isnan(v)) {
        memcpy(&v, &nan, sizeof(double));
    }

    *value = v;
    t->pos = end;

    return 0;
}


static int
push_text_timestamp(push_text_t *t, int64_t *timestamp)
{
    char    *end;
    size_t   len;

    push_text_blanks(t);

    len = push_text_token(t);
    if (len == 0) {
        return 0;
    }

    errno = 0;
    *timestamp = strtoll(t->pos, &end, 10);

    if (end != t->pos + len || errno != 0 || !push_text_is_number(t, len)) {
        return push_text_error(t, "bad timestamp \"%.*s\"", (int) len, t->pos);
    }

    t->pos = end;
    push_text_blanks(t);

    if (t->pos != t->end) {
        return push_text_error(t, "text after the timestamp");
    }

    return 0;
}


/* strtod() and strtoll() also take leading space, and strtod() "nan(...)" */

static bool
push_text_is_number(push_text_t *t, size_t len)
{
    return (unsigned char) *t->pos > ' ' && memchr(t->pos, '(', len) == NULL;
}


/* the bytes up to the next blank */

static size_t
push_text_token(push_text_t *t)
{
    const char  *p;

    for (p = t->pos; p < t->end && *p != ' ' && *p != '\t'; p++) {
        /* void */
    }

    return p - t->pos;
}


static void
push_text_blanks(push_text_t *t)
{
    while (*t->pos == ' ' || *t->pos == '\t') {
        t->pos++;
    }
}


static int
push_text_error(push_text_t *t, const char *fmt, ...)
{
    int      n;
    va_list  args;

    n = snprintf(t->error, PUSH_TEXT_ERROR_LEN, "%s:%zu: ", t->name, t->line);

    if (n > 0 && n < PUSH_TEXT_ERROR_LEN) {
        va_start(args, fmt);
        vsnprintf(t->error + n, PUSH_TEXT_ERROR_LEN - n, fmt, args);
        va_end(args);
    }

    return -1;
}
