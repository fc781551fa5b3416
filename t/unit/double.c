
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Numbers as text.  Random doubles are judged by the C library alone: the text
 * reads back, no text with a digit less does, and it is the closest one of its
 * length.  PROM_DOUBLE_ROUNDS says how many (the long form: 100000000).
 */


#include <math.h>
#include <stdlib.h>

#include "base/prom_double.h"
#include "tap.h"


#define ROUNDS  1000000


typedef struct {
    char  digits[32];
    int   n;
    int   exponent;             /* of the first digit */
} decimal_t;


static uint64_t  seed = 88172645463325252u;


static uint64_t
rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return seed;
}


static uint64_t
bits_of(double value)
{
    uint64_t  bits;

    memcpy(&bits, &value, sizeof(bits));

    return bits;
}


static double
value_of(uint64_t bits)
{
    double  value;

    memcpy(&value, &bits, sizeof(value));

    return value;
}


/* The text in `text', or false where more was written than there is room. */

static bool
write_text(uint64_t bits, char *text)
{
    size_t   i, len;
    uint8_t  buf[PROM_DOUBLE_LEN + 8];

    memset(buf, 0xa5, sizeof(buf));

    len = prom_double_write(buf, bits) - buf;

    for (i = PROM_DOUBLE_LEN; i < sizeof(buf); i++) {
        if (buf[i] != 0xa5) {
            return false;
        }
    }

    memcpy(text, buf, len);
    text[len] = '\0';

    return true;
}


static void
parse(const char *text, decimal_t *d)
{
    int   point;
    bool  dot;

    d->n = 0;
    point = 0;
    dot = false;

    for ( /* void */ ; *text != '\0' && *text != 'e'; text++) {
        if (*text == '.') {
            dot = true;

        } else if (*text >= '0' && *text <= '9') {
            if (d->n > 0 || *text != '0') {
                d->digits[d->n++] = *text;
                point += !dot;

            } else {
                point -= dot;
            }
        }
    }

    while (d->n > 1 && d->digits[d->n - 1] == '0') {
        d->n--;
    }

    d->digits[d->n] = '\0';
    d->exponent = point - 1 + (*text == 'e' ? atoi(text + 1) : 0);
}


/* The sheet's rules, one after the other. */

static void
format(const decimal_t *d, bool negative, char *text)
{
    int  i;

    if (negative) {
        *text++ = '-';
    }

    if (d->exponent < -4 || d->exponent >= 6) {
        *text++ = d->digits[0];

        if (d->n > 1) {
            *text++ = '.';
            text = stpcpy(text, d->digits + 1);
        }

        sprintf(text, "e%c%02d", d->exponent < 0 ? '-' : '+',
                abs(d->exponent));
        return;
    }

    if (d->exponent < 0) {
        text = stpcpy(text, "0.");

        for (i = -1; i > d->exponent; i--) {
            *text++ = '0';
        }

        strcpy(text, d->digits);
        return;
    }

    for (i = 0; i <= d->exponent || i < d->n; i++) {
        if (i == d->exponent + 1) {
            *text++ = '.';
        }

        *text++ = i < d->n ? d->digits[i] : '0';
    }

    *text = '\0';
}


static bool
reads_back(const char *digits, int exponent, double value)
{
    char  text[64];

    snprintf(text, sizeof(text), "%se%d", digits,
             exponent + 1 - (int) strlen(digits));

    return strtod(text, NULL) == value;
}


static const char *
judge(uint64_t bits)
{
    int        i;
    char       text[64], want[64];
    double     value;
    decimal_t  d, closest;

    if (!write_text(bits, text)) {
        return "wrote past PROM_DOUBLE_LEN";
    }

    if (bits_of(strtod(text, NULL)) != bits) {
        return "does not read back";
    }

    parse(text, &d);
    format(&d, bits >> 63, want);

    if (strcmp(text, want) != 0) {
        return "has the wrong form";
    }

    value = fabs(value_of(bits));

    snprintf(want, sizeof(want), "%.*e", d.n - 1, value);
    parse(want, &closest);

    if ((strcmp(closest.digits, d.digits) != 0
         || closest.exponent != d.exponent)
        && strtod(want, NULL) == value)
    {
        return "is not the closest of its length";
    }

    if (d.n == 1) {
        return NULL;
    }

    d.digits[d.n - 1] = '\0';

    if (reads_back(d.digits, d.exponent, value)) {
        return "is not the shortest, less the last digit";
    }

    for (i = d.n - 2; i >= 0; i--) {
        if (d.digits[i] != '9') {
            d.digits[i]++;
            break;
        }

        d.digits[i] = '0';
    }

    if (i < 0) {
        d.digits[0] = '1';
        d.exponent++;
    }

    if (reads_back(d.digits, d.exponent, value)) {
        return "is not the shortest, last digit rounded up";
    }

    return NULL;
}


static void
is_text(uint64_t bits, const char *want)
{
    char  text[64];

    if (!tap_ok(write_text(bits, text), "room for %s", want)) {
        return;
    }

    tap_is_str(text, strlen(text), want, "%016" PRIx64 " is %s", bits, want);
}


static void
test_table(void)
{
    size_t  i;

    static const struct {
        double       value;
        const char  *text;
    } table[] = {
        { 0.0, "0" }, { -0.0, "0" }, { 1.0, "1" }, { -1.0, "-1" },
        { 100000, "100000" }, { 999999, "999999" }, { -999999, "-999999" },
        { 1000000, "1e+06" }, { 1234567, "1.234567e+06" },
        { 12345678.9, "1.23456789e+07" }, { 123456.7, "123456.7" },
        { 999999.5, "999999.5" }, { 1e21, "1e+21" }, { 0.0001, "0.0001" },
        { 0.00001, "1e-05" }, { 0.000123, "0.000123" }, { 1e-7, "1e-07" },
        { 1e100, "1e+100" }, { 5e-324, "5e-324" },
        { 0.1 + 0.2, "0.30000000000000004" },
        { 1.7976931348623157e308, "1.7976931348623157e+308" },
        { 16777216, "1.6777216e+07" },
        { 9007199254740993, "9.007199254740992e+15" },
        { 33.333333333333336, "33.333333333333336" },
        { 5.684341886080802e-14, "5.684341886080802e-14" },
        { 299792458, "2.99792458e+08" }, { -1234567, "-1.234567e+06" },
        { 0.1, "0.1" }, { 0.5, "0.5" }, { 10, "10" }, { 42.25, "42.25" },
        { 1e22, "1e+22" }, { 1e23, "1e+23" }, { 9.5367431640625e-07,
        "9.5367431640625e-07" }, { 2.2250738585072014e-308,
        "2.2250738585072014e-308" }, { 2.225073858507201e-308,
        "2.225073858507201e-308" }, { 1e-323, "1e-323" },
        { 1.5e-323, "1.5e-323" }, { 123456789012345680.0,
        "1.2345678901234568e+17" }, { -2.2250738585072014e-308,
        "-2.2250738585072014e-308" }, { -0.00012345678901234567,
        "-0.00012345678901234567" }, { 0.99999999999999989,
        "0.9999999999999999" }, { 999999.99999999988, "999999.9999999999" },
        { 9007199254740991, "9.007199254740991e+15" },
        { 1700000000.123, "1.700000000123e+09" }
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        is_text(bits_of(table[i].value), table[i].text);
    }
}


static void
test_special(void)
{
    is_text(0x7ff0000000000000, "+Inf");
    is_text(0xfff0000000000000, "-Inf");
    is_text(0x7ff8000000000001, "NaN");
    is_text(0x7ff0000000000002, "NaN");
    is_text(0xfff8000000000000, "NaN");
    is_text(0x7fffffffffffffff, "NaN");
}


/*
 * All powers of two.  For 46 of them the closest text of the least length is
 * out of the interval, which is what a loop over "%.*e" trips over.
 */

static void
test_powers_of_two(void)
{
    int          i, digits, trapped;
    char         text[64], loop[64];
    double       value;
    decimal_t    d, longer;
    const char  *reason, *first;

    first = NULL;
    trapped = 0;

    for (i = -1074; i < 1024; i++) {
        value = ldexp(1, i);
        reason = judge(bits_of(value));

        if (reason != NULL && first == NULL) {
            printf("# 2^%d %s\n", i, reason);
            first = reason;
        }

        for (digits = 0; digits < 17; digits++) {
            snprintf(loop, sizeof(loop), "%.*e", digits, value);

            if (strtod(loop, NULL) == value) {
                break;
            }
        }

        write_text(bits_of(value), text);
        parse(text, &d);
        parse(loop, &longer);
        trapped += (longer.n > d.n);
    }

    tap_ok(first == NULL, "powers of two");
    tap_is_int(trapped, 46, "powers of two that a loop makes longer");

    is_text(bits_of(ldexp(1, -44)), "5.684341886080802e-14");
    is_text(bits_of(ldexp(1, -24)), "5.960464477539063e-08");
    is_text(bits_of(ldexp(1, 89)), "6.189700196426902e+26");
}


static void
test_powers_of_ten(void)
{
    int          i, j;
    char         text[16];
    uint64_t     bits;
    const char  *reason, *first;

    first = NULL;

    for (i = -323; i <= 308; i++) {
        snprintf(text, sizeof(text), "1e%d", i);
        bits = bits_of(strtod(text, NULL));

        for (j = -3; j <= 3; j++) {
            reason = (int64_t) bits + j > 0 ? judge(bits + j) : NULL;

            if (reason != NULL && first == NULL) {
                printf("# %s%+d %s\n", text, j, reason);
                first = reason;
            }
        }
    }

    tap_ok(first == NULL, "powers of ten and what is beside them");
}


static uint64_t
any_bits(void)
{
    return rnd();
}


static uint64_t
any_subnormal(void)
{
    return (rnd() & 0xfffffffffffff) >> rnd() % 52;
}


static uint64_t
any_power_of_two(void)
{
    return bits_of(ldexp(1, (int) (rnd() % 2046) - 1022)) + rnd() % 33 - 16;
}


static uint64_t
any_integer(void)
{
    return bits_of((double) (int64_t) (rnd() >> rnd() % 64));
}


static uint64_t
any_decimal(void)
{
    static const double  tens[] = { 1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e9 };

    return bits_of((double) (int64_t) (rnd() >> (11 + rnd() % 52))
                   / tens[rnd() % 8]);
}


static uint64_t
any_plain(void)
{
    return bits_of(ldexp((double) (rnd() >> 11), (int) (rnd() % 34) - 67));
}


static void
test_random(const char *what, uint64_t (*any)(void), uint64_t rounds)
{
    char         text[64];
    uint64_t     i, bits, failed;
    const char  *reason;

    failed = 0;

    for (i = 0; i < rounds; i++) {
        bits = any();

        if ((bits << 1) == 0 || (bits >> 52 & 0x7ff) == 0x7ff) {
            continue;
        }

        reason = judge(bits);

        if (reason != NULL && failed++ < 10) {
            write_text(bits, text);
            printf("# %016" PRIx64 " %s %s\n", bits, text, reason);
        }
    }

    tap_is_int(failed, 0, "%" PRIu64 " random doubles: %s", rounds, what);
}


static void
is_integer(int64_t value)
{
    size_t   len;
    char     want[32];
    uint8_t  buf[PROM_INT64_LEN + 1];

    buf[PROM_INT64_LEN] = 0xa5;
    len = prom_int64_write(buf, value) - buf;
    snprintf(want, sizeof(want), "%" PRId64, value);

    tap_is_str(buf, len, want, "integer %s", want);
    tap_ok(buf[PROM_INT64_LEN] == 0xa5, "integer %s keeps to its room", want);
}


static void
test_integers(void)
{
    bool      ok;
    char      want[32];
    size_t    i, len;
    int64_t   value, power;
    uint8_t   buf[PROM_INT64_LEN];

    is_integer(0);
    is_integer(INT64_MAX);
    is_integer(INT64_MIN);
    is_integer(1700000000000);

    for (i = 0, power = 1; i < 18; i++) {
        power *= 10;
        is_integer(power - 1);
        is_integer(power);
        is_integer(-power);
        is_integer(1 - power);
    }

    ok = true;

    for (i = 0; i < 1000000; i++) {
        value = (int64_t) rnd() >> rnd() % 64;
        len = prom_int64_write(buf, value) - buf;
        snprintf(want, sizeof(want), "%" PRId64, value);
        ok = ok && strlen(want) == len && memcmp(buf, want, len) == 0;
    }

    tap_ok(ok, "random integers");
}


int
main(void)
{
    uint64_t     rounds;
    const char  *env;

    env = getenv("PROM_DOUBLE_ROUNDS");
    rounds = (env != NULL) ? strtoull(env, NULL, 10) : ROUNDS;

    test_table();
    test_special();
    test_powers_of_two();
    test_powers_of_ten();

    test_random("any bits", any_bits, rounds / 2);
    test_random("subnormal", any_subnormal, rounds / 20);
    test_random("beside powers of two", any_power_of_two, rounds / 20);
    test_random("whole", any_integer, rounds / 10);
    test_random("short decimals", any_decimal, rounds / 10);
    test_random("written plain", any_plain, rounds / 5);

    test_integers();

    return tap_done();
}
