
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Accept, as prometheus/common reads it.  This is neither RFC 9110 nor meant
 * to be: types and parameters are compared byte by byte, quotes are part of a
 * value, wildcards choose nothing and q=0 refuses nothing.
 */


#include <stdlib.h>

#include "prom_expose.h"


/* Entries of a header past these are not looked at. */

#define PROM_ACCEPT_MAX   64

#define PROM_ACCEPT_QLEN  32


typedef struct {
    double  q;
    bool    any_type;
    bool    any_subtype;
    bool    text;               /* text/plain of a version that we speak */
    int     escape;             /* -1: says nothing that is known */
} prom_accept_t;


static bool prom_accept_parse(prom_accept_t *accept, prom_str_t part);
static bool prom_accept_type(prom_accept_t *accept, prom_str_t type);
static void prom_accept_param(prom_accept_t *accept, prom_str_t param,
    bool *version);
static double prom_accept_q(prom_str_t text);
static int prom_accept_escape(prom_str_t text);
static void prom_accept_sort(prom_accept_t *accept, size_t n);
static bool prom_accept_before(const prom_accept_t *a, const prom_accept_t *b);
static prom_str_t prom_accept_split(prom_str_t *rest, uint8_t c);
static prom_str_t prom_accept_trim(prom_str_t str);


static const prom_str_t  prom_escape_names[] = {
    [PROM_ESCAPE_UNDERSCORES] = { (const uint8_t *) "underscores", 11 },
    [PROM_ESCAPE_ALLOW_UTF8] = { (const uint8_t *) "allow-utf-8", 11 },
    [PROM_ESCAPE_DOTS] = { (const uint8_t *) "dots", 4 },
    [PROM_ESCAPE_VALUES] = { (const uint8_t *) "values", 6 }
};


prom_str_t
prom_expose_content_type(prom_escape_e escape)
{
#define PROM_TEXT  "text/plain; version=0.0.4; charset=utf-8; escaping="

    switch (escape) {

    case PROM_ESCAPE_ALLOW_UTF8:
        return prom_str(PROM_TEXT "allow-utf-8");

    case PROM_ESCAPE_DOTS:
        return prom_str(PROM_TEXT "dots");

    case PROM_ESCAPE_VALUES:
        return prom_str(PROM_TEXT "values");

    default: /* PROM_ESCAPE_UNDERSCORES */
        return prom_str(PROM_TEXT "underscores");
    }

#undef PROM_TEXT
}


/* A scheme sticks from entries that were passed over, not from later ones. */

prom_escape_e
prom_expose_negotiate(prom_str_t accept)
{
    size_t         i, n;
    prom_str_t     part;
    prom_escape_e  escape;
    prom_accept_t  entries[PROM_ACCEPT_MAX];

    n = 0;

    while (accept.len > 0 && n < PROM_ACCEPT_MAX) {
        part = prom_accept_split(&accept, ',');

        if (prom_accept_parse(&entries[n], prom_accept_trim(part))) {
            n++;
        }
    }

    prom_accept_sort(entries, n);

    escape = PROM_ESCAPE_UNDERSCORES;

    for (i = 0; i < n; i++) {

        if (entries[i].escape >= 0) {
            escape = entries[i].escape;
        }

        if (entries[i].text) {
            break;
        }
    }

    return escape;
}


static bool
prom_accept_parse(prom_accept_t *accept, prom_str_t part)
{
    bool        version;
    prom_str_t  type;

    accept->q = 1;
    accept->escape = -1;

    type = prom_accept_split(&part, ';');

    if (!prom_accept_type(accept, type)) {
        return false;
    }

    version = true;

    while (part.len > 0) {
        prom_accept_param(accept, prom_accept_split(&part, ';'), &version);
    }

    accept->text = accept->text && version;

    return true;
}


/* type/subtype, or a lone asterisk for both. */

static bool
prom_accept_type(prom_accept_t *accept, prom_str_t rest)
{
    prom_str_t  type, subtype;

    type = prom_accept_trim(prom_accept_split(&rest, '/'));
    accept->any_type = prom_str_eq(type, prom_str("*"));

    if (rest.len == 0) {
        accept->any_subtype = true;
        accept->text = false;

        return accept->any_type;
    }

    subtype = prom_accept_trim(prom_accept_split(&rest, '/'));
    accept->any_subtype = prom_str_eq(subtype, prom_str("*"));
    accept->text = prom_str_eq(type, prom_str("text"))
                   && prom_str_eq(subtype, prom_str("plain"));

    return rest.len == 0;
}


/* Of a name that is given twice the last one counts. */

static void
prom_accept_param(prom_accept_t *accept, prom_str_t rest, bool *version)
{
    prom_str_t  name, value;

    name = prom_accept_trim(prom_accept_split(&rest, '='));

    if (rest.len == 0) {
        return;
    }

    value = prom_accept_split(&rest, '=');

    if (rest.len != 0) {
        return;
    }

    if (prom_str_eq(name, prom_str("q"))) {
        accept->q = prom_accept_q(value);
        return;
    }

    value = prom_accept_trim(value);

    if (prom_str_eq(name, prom_str("version"))) {
        *version = value.len == 0 || prom_str_eq(value, prom_str("0.0.4"));

    } else if (prom_str_eq(name, prom_str("escaping"))) {
        accept->escape = prom_accept_escape(value);
    }
}


/*
 * Zero where it is not a number; strtof() would skip white space before it.
 * Single precision, for that decides ties.
 */

static double
prom_accept_q(prom_str_t text)
{
    char   buf[PROM_ACCEPT_QLEN], *end;
    float  q;

    if (text.len == 0 || text.len >= sizeof(buf)
        || memchr("+-.0123456789iInN", text.data[0], 17) == NULL)
    {
        return 0;
    }

    memcpy(buf, text.data, text.len);
    buf[text.len] = '\0';

    q = strtof(buf, &end);

    return (end == buf + text.len) ? q : 0;
}


static int
prom_accept_escape(prom_str_t text)
{
    size_t  i;

    for (i = 0; i < sizeof(prom_escape_names) / sizeof(prom_str_t); i++) {
        if (prom_str_eq(text, prom_escape_names[i])) {
            return i;
        }
    }

    return -1;
}


/*
 * The relation is none that a sort may count on: a wildcard of a higher q and
 * a type of a lower one each come before the other.  What comes out depends on
 * the steps taken; these are the ones that Go takes for up to 12 entries.
 */

static void
prom_accept_sort(prom_accept_t *accept, size_t n)
{
    size_t         i, j;
    prom_accept_t  swap;

    for (i = 1; i < n; i++) {
        for (j = i; j > 0; j--) {

            if (!prom_accept_before(&accept[j], &accept[j - 1])) {
                break;
            }

            swap = accept[j];
            accept[j] = accept[j - 1];
            accept[j - 1] = swap;
        }
    }
}


static bool
prom_accept_before(const prom_accept_t *a, const prom_accept_t *b)
{
    return a->q > b->q
           || (!a->any_type && b->any_type)
           || (!a->any_subtype && b->any_subtype);
}


/* What is before the next `c', or all; `rest' becomes what is behind it. */

static prom_str_t
prom_accept_split(prom_str_t *rest, uint8_t c)
{
    prom_str_t      part;
    const uint8_t  *p;

    part = *rest;
    p = (part.len > 0) ? memchr(part.data, c, part.len) : NULL;

    if (p == NULL) {
        rest->len = 0;
        return part;
    }

    part.len = p - part.data;
    rest->data += part.len + 1;
    rest->len -= part.len + 1;

    return part;
}


static prom_str_t
prom_accept_trim(prom_str_t str)
{
    while (str.len > 0 && str.data[0] == ' ') {
        str.data++;
        str.len--;
    }

    while (str.len > 0 && str.data[str.len - 1] == ' ') {
        str.len--;
    }

    return str;
}
