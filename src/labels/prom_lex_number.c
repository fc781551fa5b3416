
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Numbers and durations.  No selector contains one: they are read for the
 * message that refuses them, which quotes what was read up to where it went
 * wrong.
 */


#include "prom_lex_word.h"


typedef struct {
    prom_str_t   text;
    size_t       pos;
    const char  *digits;
    bool         dot;
    bool         exponent;
} prom_lex_number_t;


static bool prom_lex_scan(prom_lex_number_t *number);
static bool prom_lex_scan_part(prom_lex_number_t *number);
static bool prom_lex_scan_duration(prom_lex_number_t *number);


static inline bool
prom_lex_is(const prom_lex_number_t *number, const char *set)
{
    uint8_t  c;

    if (number->pos == number->text.len) {
        return false;
    }

    c = number->text.data[number->pos];

    return c != '\0' && strchr(set, c) != NULL;
}


static inline bool
prom_lex_accept(prom_lex_number_t *number, const char *set)
{
    bool  is;

    is = prom_lex_is(number, set);
    number->pos += is;

    return is;
}


static bool
prom_lex_is_word(const prom_lex_number_t *number)
{
    uint8_t  c;

    if (number->pos == number->text.len) {
        return false;
    }

    c = number->text.data[number->pos];

    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
           || (c >= 'A' && c <= 'Z') || c == '_';
}


prom_lex_e
prom_lex_number(prom_str_t text, size_t *pos)
{
    prom_lex_e         type;
    prom_lex_number_t  number;

    memset(&number, 0, sizeof(prom_lex_number_t));
    number.text = text;
    number.pos = *pos;

    if (prom_lex_scan(&number)) {
        type = PROM_LEX_NUMBER;

    } else if (prom_lex_scan_duration(&number)) {
        type = PROM_LEX_DURATION;

    } else {
        type = PROM_LEX_ERROR;
    }

    *pos = number.pos;

    return type;
}


static bool
prom_lex_scan(prom_lex_number_t *number)
{
    number->digits = "0123456789";

    if (prom_lex_accept(number, "0") && prom_lex_accept(number, "xX")) {
        prom_lex_accept(number, "_");
        number->digits = "0123456789abcdefABCDEF";
    }

    prom_lex_accept(number, ".");
    prom_lex_accept(number, number->digits);

    while (prom_lex_is(number, number->digits)
           || prom_lex_is(number, "._eE"))
    {
        if (!prom_lex_scan_part(number)) {
            return false;
        }
    }

    return !prom_lex_is_word(number);
}


static bool
prom_lex_scan_part(prom_lex_number_t *number)
{
    bool  hex;

    hex = strlen(number->digits) > 10;

    if (prom_lex_accept(number, ".")) {

        if (number->dot || prom_lex_accept(number, "_.") || hex) {
            return false;
        }

        number->dot = true;

    } else if (prom_lex_accept(number, "eE")) {

        if (number->exponent) {
            return false;
        }

        number->exponent = true;
        prom_lex_accept(number, "+-");

        return !prom_lex_accept(number, "._eE")
               && number->pos < number->text.len;

    } else if (prom_lex_accept(number, "_")) {
        return !prom_lex_accept(number, "._eE")
               && number->pos < number->text.len;

    } else {

        while (prom_lex_accept(number, number->digits)) { /* void */ }
    }

    return true;
}


/* What follows the digits: a unit, and more digits and units. */

static bool
prom_lex_scan_duration(prom_lex_number_t *number)
{
    if (!prom_lex_accept(number, "smhdwy")) {
        return false;
    }

    prom_lex_accept(number, "s");

    while (prom_lex_accept(number, "0123456789")) {

        while (prom_lex_accept(number, "0123456789")) { /* void */ }

        if (!prom_lex_accept(number, "smhdw")) {
            return false;
        }

        prom_lex_accept(number, "s");
    }

    if (prom_lex_is_word(number)) {
        number->pos++;
        return false;
    }

    return true;
}
