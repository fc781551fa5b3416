
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Escapes of RE2 patterns: those that stand for one character, and \p.
 */


#include "prom_re2_parser.h"


static int prom_re2_octal(prom_re2_parser_t *parser, uint32_t first);
static int prom_re2_hex(prom_re2_parser_t *parser, uint32_t *c);


static inline int
prom_re2_digit(uint32_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? (int) (c - 'a' + 10) : -1;
}


static inline bool
prom_re2_is_octal(const prom_re2_parser_t *parser)
{
    return parser->p < parser->end && *parser->p >= '0' && *parser->p <= '7';
}


int
prom_re2_escape(prom_re2_parser_t *parser, uint32_t *c)
{
    int             rc;
    const uint8_t  *start;

    start = parser->p++;

    if (parser->p == parser->end) {
        return prom_re2_error(parser->msg,
                              "trailing backslash at end of expression",
                              parser->p, parser->p);
    }

    rc = prom_re2_rune(parser, c);
    if (rc != PROM_OK) {
        return rc;
    }

    switch (*c) {

    case 'a':
        *c = '\a';
        return PROM_OK;

    case 'f':
        *c = '\f';
        return PROM_OK;

    case 'n':
        *c = '\n';
        return PROM_OK;

    case 'r':
        *c = '\r';
        return PROM_OK;

    case 't':
        *c = '\t';
        return PROM_OK;

    case 'v':
        *c = '\v';
        return PROM_OK;

    case 'x':
        rc = prom_re2_hex(parser, c);

        if (rc != PROM_AGAIN) {
            return rc;
        }

        break;

    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':

        /* one digit alone would be a reference to a capture */

        if (!prom_re2_is_octal(parser)) {
            break;
        }

        /* fall through */

    case '0':
        *c = prom_re2_octal(parser, *c - '0');
        return PROM_OK;

    default:

        if (*c < 0x80 && !(*c >= '0' && *c <= '9')
            && !((*c | 0x20) >= 'a' && (*c | 0x20) <= 'z'))
        {
            return PROM_OK;
        }

        break;
    }

    return prom_re2_error(parser->msg, "invalid escape sequence", start,
                          parser->p);
}


static int
prom_re2_octal(prom_re2_parser_t *parser, uint32_t first)
{
    int  i;

    for (i = 0; i < 2 && prom_re2_is_octal(parser); i++) {
        first = first * 8 + (*parser->p++ - '0');
    }

    return first;
}


/* After \x: two digits, or any number of them in braces.  PROM_AGAIN: bad. */

static int
prom_re2_hex(prom_re2_parser_t *parser, uint32_t *c)
{
    int       rc, n, digit;
    uint32_t  next;

    *c = 0;

    for (n = 0; parser->p < parser->end; n++) {

        rc = prom_re2_rune(parser, &next);
        if (rc != PROM_OK) {
            return rc;
        }

        if (n == 0 && next == '{') {
            break;
        }

        digit = prom_re2_digit(next);

        if (n == 1) {
            *c = *c * 16 + digit;
            return (digit < 0 || *c > 0xff) ? PROM_AGAIN : PROM_OK;
        }

        /* the second digit is taken off before the first one is judged */

        *c = (digit < 0) ? 0x1000 : (uint32_t) digit;
    }

    if (n != 0) {
        return PROM_AGAIN;
    }

    for (n = 0; parser->p < parser->end; n++) {

        rc = prom_re2_rune(parser, &next);
        if (rc != PROM_OK) {
            return rc;
        }

        if (next == '}') {
            return (n > 0) ? PROM_OK : PROM_AGAIN;
        }

        digit = prom_re2_digit(next);
        *c = *c * 16 + digit;

        if (digit < 0 || *c > PROM_RE2_MAX) {
            break;
        }
    }

    return PROM_AGAIN;
}


/* \pN \p{Name} \p{^Name} and the same with P; *any where all is meant. */

int
prom_re2_property(prom_re2_parser_t *parser, prom_re2_item_t *item, bool *any)
{
    int             rc;
    uint32_t        c;
    prom_str_t      name;
    const uint8_t  *start, *stop;

    start = parser->p;
    parser->p += 2;

    item->negated = (start[1] == 'P');
    item->extra = NULL;
    *any = false;

    name.data = parser->p;
    c = 0;

    if (parser->p < parser->end) {
        rc = prom_re2_rune(parser, &c);
        if (rc != PROM_OK) {
            return rc;
        }
    }

    stop = parser->p;

    if (c == '{') {
        name.data++;
        stop = memchr(name.data, '}', parser->end - name.data);

        rc = prom_re2_check_utf8(parser, name.data,
                                 stop != NULL ? stop : parser->end);
        if (rc != PROM_OK) {
            return rc;
        }

        if (stop == NULL) {
            return prom_re2_error(parser->msg, "invalid character class range",
                                  start, parser->end);
        }

        parser->p = stop + 1;
    }

    if (name.data < stop && *name.data == '^') {
        item->negated = !item->negated;
        name.data++;
    }

    name.len = stop - name.data;

    if (prom_str_eq(name, prom_str("Any"))) {
        *any = true;
        return PROM_OK;
    }

    item->prop = prom_re2_prop_find(name);

    if (item->prop == NULL) {
        return prom_re2_error(parser->msg, "invalid character class range",
                              start, parser->p);
    }

    return PROM_OK;
}
