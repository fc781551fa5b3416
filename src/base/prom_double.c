
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Shortest digits after Raffaello Giulietti's "The Schubfach way to render
 * doubles".  A double c * 2^q owns the numbers between the middles to its two
 * neighbors.  With 10^k not above the width of that interval there is at least
 * one multiple of 10^k in it and at most one of 10^(k+1).  That one is taken
 * if it is there, else the multiple of 10^k that is closest to the double.
 * The interval is scaled by 4 * 10^-k, its bounds are rounded down to whole
 * numbers, and the lowest bit is set where there was a fraction: a number
 * like that compares with even ones as the exact one would.
 *
 * A whole double below 2^53 is written by its own digits: a number between it
 * and its middles that has fewer of them does not exist.
 */


#include <endian.h>

#include "prom_double.h"


#define PROM_DOUBLE_DIGITS  17

#define PROM_POW10_MIN      -292

#define PROM_E8             100000000u
#define PROM_E16            10000000000000000u

#define PROM_ASCII_0        0x3030303030303030u


typedef unsigned __int128  prom_uint128_t;

typedef struct {
    uint64_t  hi;
    uint64_t  lo;
} prom_pow10_t;


/* Up to 17 digits d.ddd...; the least of them may be zeros. */

typedef struct {
    uint64_t  digits;           /* 10^16 or more */
    int       exponent;         /* of the first digit */
} prom_decimal_t;


static inline prom_decimal_t prom_decimal_integer(uint64_t n);
static inline prom_decimal_t prom_decimal_double(uint64_t fraction,
    uint32_t exponent);
static inline uint64_t prom_decimal_shorten(uint64_t c, int q, int k,
    uint64_t below, uint64_t above);
static inline uint8_t *prom_decimal_write(uint8_t *p, prom_decimal_t d);
static inline uint8_t *prom_exponent_write(uint8_t *p, int exponent);
static inline uint64_t prom_eight_digits(uint32_t n);
static inline uint8_t *prom_uint32_write(uint8_t *p, uint32_t n);
static inline void prom_put64(uint8_t *p, uint64_t n);


static const prom_pow10_t  prom_pow10[] = {
#include "prom_pow10.inc"
};

static const uint64_t  prom_pow10_small[] = {
    1u, 10u, 100u, 1000u, 10000u, 100000u, 1000000u, 10000000u, 100000000u,
    1000000000u, 10000000000u, 100000000000u, 1000000000000u,
    10000000000000u, 100000000000000u, 1000000000000000u, PROM_E16
};


uint8_t *
prom_double_write(uint8_t *p, uint64_t bits)
{
    uint32_t        exponent, shift;
    uint64_t        fraction, n;
    prom_decimal_t  decimal;

    fraction = bits & 0xfffffffffffff;
    exponent = (bits >> 52) & 0x7ff;

    if ((bits << 1) == 0) {
        *p = '0';
        return p + 1;
    }

    *p = '-';

    if (exponent == 0x7ff) {
        if (fraction != 0) {
            memcpy(p, "NaN", 3);
            return p + 3;
        }

        memcpy(p, (bits >> 63) ? "-Inf" : "+Inf", 4);
        return p + 4;
    }

    p += bits >> 63;

    if (exponent - 1023 <= 52) {
        n = fraction | (uint64_t) 1 << 52;
        shift = 1075 - exponent;

        if ((n & (((uint64_t) 1 << shift) - 1)) == 0) {
            n >>= shift;

            if (n < 1000000) {
                return prom_uint32_write(p, n);
            }

            decimal = prom_decimal_integer(n);

            return prom_decimal_write(p, decimal);
        }
    }

    decimal = prom_decimal_double(fraction, exponent);

    return prom_decimal_write(p, decimal);
}


static inline prom_decimal_t
prom_decimal_integer(uint64_t n)
{
    uint32_t        len;
    prom_decimal_t  decimal;

    /* from bits to decimal digits: 1233 / 4096 is log10 of 2 and a little */

    len = ((64 - __builtin_clzll(n)) * 1233) >> 12;
    len += (n >= prom_pow10_small[len]);

    decimal.digits = n * prom_pow10_small[PROM_DOUBLE_DIGITS - len];
    decimal.exponent = len - 1;

    return decimal;
}


static inline prom_decimal_t
prom_decimal_double(uint64_t fraction, uint32_t exponent)
{
    int             k, q;
    uint64_t        c, digits;
    prom_decimal_t  decimal;

    c = fraction;
    q = -1074;

    if (prom_likely(exponent != 0)) {
        c |= (uint64_t) 1 << 52;
        q = (int) exponent - 1075;
    }

    if (prom_unlikely(fraction == 0 && exponent > 1)) {

        /* a power of two: the neighbor below is half as far away */

        k = (q * 1262611 - 524031) >> 22;
        digits = prom_decimal_shorten(c, q, k, 1, 2);

    } else {
        k = (q * 1262611) >> 22;
        digits = prom_decimal_shorten(c, q, k, 2, 2);
    }

    while (prom_unlikely(digits < PROM_E16 / 10)) {

        /* few digits, as only subnormals have */

        digits *= 10;
        k--;
    }

    if (digits < PROM_E16) {
        digits *= 10;
        k--;
    }

    decimal.digits = digits;
    decimal.exponent = k + PROM_DOUBLE_DIGITS - 1;

    return decimal;
}


/*
 * `below' and `above' are the distances to the middles, in quarters of 2^q.
 * The result is in units of 10^k.  prom_pow10.pl says why the fraction of the
 * scaled numbers is nothing when it is less than 2^-68.
 */

static inline uint64_t
prom_decimal_shorten(uint64_t c, int q, int k, uint64_t below, uint64_t above)
{
    int                  h;
    uint64_t             odd, low, mid, lower, upper, ten, one, rest;
    prom_uint128_t       sum, step;
    const prom_pow10_t  *g;

    g = &prom_pow10[-k - PROM_POW10_MIN];

    /* floor(log2(10^-k)): 1741647 / 2^19 is log2 of 10 */

    h = q + ((-k * 1741647) >> 19) + 1;

    /* 192 bits: sum and below it low, the point is between sum's halves */

#define prom_scale(m)                                                         \
    step = (prom_uint128_t) g->lo * ((m) << h);                               \
    low = (uint64_t) step;                                                    \
    sum = (prom_uint128_t) g->hi * ((m) << h) + (uint64_t) (step >> 64);      \
    mid = (uint64_t) sum

#define prom_whole()                                                          \
    ((uint64_t) (sum >> 64) | ((mid | low >> 60) != 0))

    prom_scale(4 * c - below);
    lower = prom_whole();

    prom_scale(4 * c + above);
    upper = prom_whole();

    prom_scale(4 * c);
    one = prom_whole();

#undef prom_scale
#undef prom_whole

    /* a middle itself reads back as the neighbor whose significand is even */

    odd = c & 1;
    lower += odd;
    upper -= odd;

    rest = one & 3;
    one >>= 2;
    ten = one / 10 * 10;

    if (lower <= 4 * ten) {
        return ten;
    }

    if (4 * ten + 40 <= upper) {
        return ten + 10;
    }

    /* only below a power of two the closest one may be out of the interval */

    if (lower > 4 * one) {
        return one + 1;
    }

    return one + (rest + (one & 1) > 2);
}


static inline uint8_t *
prom_decimal_write(uint8_t *p, prom_decimal_t decimal)
{
    int       x;
    size_t    len;
    uint32_t  first, middle;
    uint64_t  rest, hi, lo;

    first = decimal.digits / PROM_E16;
    rest = decimal.digits - first * PROM_E16;
    middle = rest / PROM_E8;

    hi = prom_eight_digits(middle);
    lo = prom_eight_digits(rest - (uint64_t) middle * PROM_E8);

    /* significant digits: zeros at the end are zero bytes at the top */

    if (lo != 0) {
        len = PROM_DOUBLE_DIGITS - __builtin_clzll(lo) / 8;

    } else {
        len = (hi != 0) ? 9 - __builtin_clzll(hi) / 8 : 1;
    }

    hi |= PROM_ASCII_0;
    lo |= PROM_ASCII_0;
    x = decimal.exponent;

    if (x < -4 || x >= 6) {
        p[0] = '0' + first;
        p[1] = '.';
        prom_put64(p + 2, hi);
        prom_put64(p + 10, lo);

        return prom_exponent_write(p + len + (len > 1), x);
    }

    if (x < 0) {
        memcpy(p, "0.000000", 8);
        p += 1 - x;
        p[0] = '0' + first;
        prom_put64(p + 1, hi);
        prom_put64(p + 9, lo);

        return p + len;
    }

    /* hi twice: its first x digits stay before the point */

    p[0] = '0' + first;
    prom_put64(p + 1, hi);
    p[x + 1] = '.';
    prom_put64(p + x + 2, hi >> 8 * x);
    prom_put64(p + 10, lo);

    return p + len + 1;
}


static inline uint8_t *
prom_exponent_write(uint8_t *p, int exponent)
{
    uint32_t  n, hundreds, tens;

    p[0] = 'e';
    p[1] = (exponent < 0) ? '-' : '+';

    n = (exponent < 0) ? -exponent : exponent;
    hundreds = n / 100;
    n -= hundreds * 100;
    tens = n / 10;

    p[2] = '0' + hundreds;
    p += 2 + (hundreds != 0);
    p[0] = '0' + tens;
    p[1] = '0' + n - tens * 10;

    return p + 2;
}


uint8_t *
prom_int64_write(uint8_t *p, int64_t value)
{
    uint32_t  hi;
    uint64_t  n;

    *p = '-';
    p += (value < 0);
    n = (value < 0) ? - (uint64_t) value : (uint64_t) value;

    if (n < PROM_E8) {
        return prom_uint32_write(p, n);
    }

    if (n >= PROM_E16) {
        hi = n / PROM_E16;
        n -= hi * PROM_E16;
        p = prom_uint32_write(p, hi);

        hi = n / PROM_E8;
        prom_put64(p, prom_eight_digits(hi) | PROM_ASCII_0);
        p += 8;

    } else {
        hi = n / PROM_E8;
        p = prom_uint32_write(p, hi);
    }

    n -= (uint64_t) hi * PROM_E8;
    prom_put64(p, prom_eight_digits(n) | PROM_ASCII_0);

    return p + 8;
}


/* Less than 10^8, without zeros in front; 8 bytes are written in any case. */

static inline uint8_t *
prom_uint32_write(uint8_t *p, uint32_t n)
{
    uint32_t  zeros;
    uint64_t  digits;

    digits = prom_eight_digits(n);
    zeros = __builtin_ctzll(digits | (uint64_t) 1 << 56) / 8;

    prom_put64(p, (digits | PROM_ASCII_0) >> 8 * zeros);

    return p + 8 - zeros;
}


/*
 * One digit in each byte, the first one in the lowest.  Halves the number
 * three times, all parts at once; the factors are reciprocals of 100 and 10
 * that are exact for what the lanes can hold.
 */

static inline uint64_t
prom_eight_digits(uint32_t n)
{
    uint64_t  hi, v;

    hi = n / 10000;
    v = hi | (uint64_t) (n - hi * 10000) << 32;

    hi = ((v * 10486) >> 20) & 0x0000007f0000007f;
    v = hi | (v - hi * 100) << 16;

    hi = ((v * 103) >> 10) & 0x000f000f000f000f;

    return hi | (v - hi * 10) << 8;
}


static inline void
prom_put64(uint8_t *p, uint64_t n)
{
    n = htole64(n);
    memcpy(p, &n, sizeof(n));
}
