
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * XOR chunks: the bytes that Prometheus 3.5.3 makes of the same samples, the
 * bytes that a plain encoder of our own makes, bit by bit, and what is read
 * back, from whole chunks, cut ones and broken ones.
 */


#include <stdlib.h>

#include "tap.h"
#include "tsdb/prom_xor.h"


#define T0         INT64_C(1795284060000)
#define STALE      UINT64_C(0x7ff0000000000002)
#define ONE        UINT64_C(0x3ff0000000000000)

#define SAMPLES    240
#define CHUNK      (16 + SAMPLES * PROM_XOR_SAMPLE)
#define ROUNDS     3000


typedef struct {
    int64_t    time;
    uint64_t   value;
} sample_t;


typedef struct {
    uint8_t    data[CHUNK];
    size_t     bytes;
    prom_xor_t xor;
} chunk_t;


/* The plain encoder: bits are counted from the most significant. */

typedef struct {
    uint8_t    data[CHUNK];
    size_t     bits;
} plain_t;


static sample_t  samples[SAMPLES];
static chunk_t   chunk;
static plain_t   plain;

static uint64_t  seed = 1;


static uint64_t
rnd(void)
{
    uint64_t  z;

    seed += UINT64_C(0x9e3779b97f4a7c15);

    z = seed;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);

    return z ^ (z >> 31);
}


static void
plain_put(uint64_t value, unsigned n)
{
    while (n-- > 0) {
        if (value >> n & 1) {
            plain.data[plain.bits / 8] |= (uint8_t) (0x80 >> plain.bits % 8);
        }

        plain.bits++;
    }
}


static void
plain_varint(uint64_t value)
{
    for ( /* void */ ; value >= 0x80; value >>= 7) {
        plain_put((value & 0x7f) | 0x80, 8);
    }

    plain_put(value, 8);
}


static void
plain_dod(int64_t dod)
{
    unsigned  i;

    static const struct {
        unsigned  width;
        unsigned  prefix;
        unsigned  prefix_bits;
    } forms[] = { { 14, 2, 2 }, { 17, 6, 3 }, { 20, 14, 4 } };

    if (dod == 0) {
        plain_put(0, 1);
        return;
    }

    for (i = 0; i < 3; i++) {
        if (dod > -(INT64_C(1) << (forms[i].width - 1))
            && dod <= INT64_C(1) << (forms[i].width - 1))
        {
            plain_put(forms[i].prefix, forms[i].prefix_bits);
            plain_put((uint64_t) dod, forms[i].width);
            return;
        }
    }

    plain_put(15, 4);
    plain_put((uint64_t) dod, 64);
}


static void
plain_encode(const sample_t *sample, unsigned n)
{
    bool      window;
    int64_t   delta, before;
    unsigned  i, lead, trail, old_lead, old_trail;
    uint64_t  x;

    memset(&plain, 0, sizeof(plain));
    plain_put(n, 16);

    window = false;
    old_lead = 0;
    old_trail = 0;
    before = 0;

    for (i = 0; i < n; i++) {

        if (i == 0) {
            plain_varint(sample[0].time >= 0
                         ? (uint64_t) sample[0].time * 2
                         : ~((uint64_t) sample[0].time * 2));
            plain_put(sample[0].value, 64);
            continue;
        }

        delta = sample[i].time - sample[i - 1].time;

        if (i == 1) {
            plain_varint((uint64_t) delta);

        } else {
            plain_dod(delta - before);
        }

        before = delta;
        x = sample[i].value ^ sample[i - 1].value;

        if (x == 0) {
            plain_put(0, 1);
            continue;
        }

        for (lead = 0; lead < 31 && (x >> (63 - lead) & 1) == 0; lead++) {
            /* void */
        }

        for (trail = 0; (x >> trail & 1) == 0; trail++) {
            /* void */
        }

        if (window && lead >= old_lead && trail >= old_trail) {
            plain_put(2, 2);
            plain_put(x >> old_trail, 64 - old_lead - old_trail);
            continue;
        }

        window = true;
        old_lead = lead;
        old_trail = trail;

        plain_put(3, 2);
        plain_put(lead, 5);
        plain_put((64 - lead - trail) % 64, 6);
        plain_put(x >> trail, 64 - lead - trail);
    }
}


/*
 * As the store does it: beside the chunk, in a buffer that holds junk but for
 * the byte that is shared.
 */
static void
append(int64_t time, uint64_t value)
{
    size_t    at, len;
    uint8_t  *out;

    out = malloc(PROM_XOR_SAMPLE);
    memset(out, 0xee, PROM_XOR_SAMPLE);

    at = chunk.xor.samples ? chunk.xor.bits / 8 : PROM_XOR_HEADER;
    out[0] = chunk.xor.bits % 8 ? chunk.data[at] : 0;

    len = prom_xor_append(&chunk.xor, time, value, out);

    memcpy(chunk.data + at, out, len);
    chunk.bytes = at + len;

    free(out);
}


static void
encode(const sample_t *sample, unsigned n)
{
    unsigned  i;

    memset(&chunk, 0, sizeof(chunk));
    memset(chunk.data, 0xee, sizeof(chunk.data));

    for (i = 0; i < n; i++) {
        append(sample[i].time, sample[i].value);
    }

    prom_xor_set_count(chunk.data, chunk.xor.samples);
}


/* How many of n samples are read, and right, from memory of that size. */

static int
decode(const uint8_t *data, size_t bytes, const sample_t *sample, unsigned n)
{
    int                read;
    uint8_t           *copy;
    prom_xor_reader_t  reader;

    copy = malloc(bytes);

    if (bytes > 0) {
        memcpy(copy, data, bytes);
    }

    prom_xor_read(&reader, copy, bytes, n);

    for (read = 0; prom_xor_next(&reader); read++) {

        if (sample != NULL
            && ((unsigned) read >= n
                || reader.time != sample[read].time
                || reader.value != sample[read].value))
        {
            read = -1;
            break;
        }
    }

    if (read >= 0 && prom_xor_next(&reader) && read == (int) n) {
        read = -2;
    }

    free(copy);

    return read;
}


static void
is_hex(const char *want, const char *name)
{
    char    text[2 * CHUNK + 1];
    size_t  i;

    for (i = 0; i < chunk.bytes; i++) {
        sprintf(text + 2 * i, "%02x", chunk.data[i]);
    }

    tap_is_str(text, 2 * chunk.bytes, want, "%s", name);
    tap_is_int((chunk.xor.bits + 7) / 8, chunk.bytes,
               "%s: bits are counted", name);
    tap_is_int(decode(chunk.data, chunk.bytes, samples, chunk.xor.samples),
               chunk.xor.samples, "%s: read back", name);
}


static unsigned
set(const int64_t *offsets, const uint64_t *values, unsigned n)
{
    unsigned  i;

    for (i = 0; i < n; i++) {
        samples[i].time = T0 + offsets[i];
        samples[i].value = values[i];
    }

    return n;
}


/* Value 1.0, a first delta and deltas of deltas. */

static unsigned
set_dods(int64_t delta, const int64_t *dods, unsigned n)
{
    unsigned  i;

    samples[0].time = T0;
    samples[1].time = T0 + delta;

    for (i = 0; i < n; i++) {
        delta += dods[i];
        samples[i + 2].time = samples[i + 1].time + delta;
    }

    for (i = 0; i < n + 2; i++) {
        samples[i].value = ONE;
    }

    return n + 2;
}


static void
test_vectors(void)
{
    static const int64_t  steps[] = { 0, 15000, 30000 };
    static const int64_t  skewed[] = { 0, 15000, 30001 };

    static const uint64_t  ones[] = { ONE, ONE };
    static const uint64_t  one_two_three[] = {
        ONE, UINT64_C(0x4000000000000000), UINT64_C(0x4008000000000000)
    };
    static const uint64_t  goes_stale[] = {
        UINT64_C(0x401e000000000000), UINT64_C(0x401e000000000000), STALE
    };
    static const uint64_t  clamped[] = {
        ONE, UINT64_C(0x3ff0000000100000), UINT64_C(0xbff0000000000001)
    };
    static const int64_t  ms[] = { 0, 1, 2 };

    static const int64_t  dods[] = {
        0, 8192, -8191, 8193, -8192, 65536, -65535, 65537, -65536
    };
    static const int64_t  more[] = {
        524288, -524287, 524289, -524288, 1000000, -999990
    };

    encode(samples, set(steps, ones, 1));
    is_hex("0001c09da6f4bf683ff0000000000000", "one sample");

    encode(samples, set(steps, ones, 2));
    is_hex("0002c09da6f4bf683ff0000000000000987500", "two samples");

    encode(samples, set(steps, one_two_three, 3));
    is_hex("0003c09da6f4bf683ff00000000000009875c25fff6c06", "three samples");

    encode(samples, set(skewed, goes_stale, 3));
    is_hex("0003c09da6f4bf68401e00000000000098754000e2f7fee0000000000020",
           "a stale marker");

    encode(samples, set(ms, clamped, 3));
    is_hex("0003c09da6f4bf683ff000000000000001fe680058008000000000100001",
           "leading zeros are no more than 31, a window of 64 bits");

    encode(samples, set_dods(600000, dods, 9));
    is_hex("000bc09da6f4bf683ff0000000000000c0cf2414000a00161000b78001a0000d00"
           "01708000bbc00000", "deltas of deltas of 14 to 20 bits");

    encode(samples, set_dods(10, more, 6));
    is_hex("0008c09da6f4bf683ff00000000000000a7400003a00005e00000000001000"
           "02ffffffffffff800007800000000007a1203fffffffffffc2f728",
           "deltas of deltas of 20 and 64 bits");
}


static bool
same_as_plain(unsigned n)
{
    plain_encode(samples, n);

    return chunk.bytes == (plain.bits + 7) / 8
           && chunk.xor.bits == plain.bits
           && memcmp(chunk.data, plain.data, chunk.bytes) == 0;
}


/* Every dod around every bound, at every position in a byte. */

static void
test_dods(void)
{
    bool      good;
    int64_t   dods[8], at;
    unsigned  i, bound, shift, n;

    static const int64_t  bounds[] = {
        0, 1, 8191, 8192, 65535, 65536, 524287, 524288, 1 << 24, 1 << 30
    };

    good = true;

    for (bound = 0; bound < sizeof(bounds) / sizeof(bounds[0]); bound++) {
        for (i = 0; i < 6; i++) {
            at = i < 3 ? bounds[bound] + i - 1 : -bounds[bound] + i - 4;

            for (shift = 0; shift < 8; shift++) {

                /* two bits for each dod of 0 */

                memset(dods, 0, sizeof(dods));
                n = shift / 2;
                dods[n++] = at;
                dods[n++] = -at;

                n = set_dods(at < 0 ? 1 - 2 * at : 1, dods, n);

                if (shift % 2) {
                    samples[n - 1].value ^= 1;
                    samples[0].value ^= 1 << shift;
                }

                encode(samples, n);

                good = good && same_as_plain(n)
                       && decode(chunk.data, chunk.bytes, samples, n)
                          == (int) n;
            }
        }
    }

    tap_ok(good, "deltas of deltas around all bounds");
}


static uint64_t
any_value(uint64_t before)
{
    unsigned  shift;

    static const uint64_t  values[] = {
        0, UINT64_C(0x8000000000000000), ONE, STALE,
        UINT64_C(0x7ff8000000000001), UINT64_C(0xfff8000000000000),
        UINT64_C(0x7ff0000000000000), UINT64_C(0xfff0000000000000),
        UINT64_C(0x7fefffffffffffff), 1, UINT64_MAX, UINT64_MAX - 1,
        UINT64_C(0x00000000ffffffff), UINT64_C(0xffffffff00000000),
        UINT64_C(0x0000000080000000), UINT64_C(0x0000000100000000)
    };

    shift = rnd() % 64;

    switch (rnd() % 5) {

    case 0:
        return before;

    case 1:
        return values[rnd() % (sizeof(values) / sizeof(values[0]))];

    case 2:
        return before ^ UINT64_C(1) << shift;

    case 3:
        return before ^ rnd() >> shift;

    default:
        return before ^ rnd() << shift;
    }
}


static int64_t
any_delta(int64_t before)
{
    unsigned  shift;

    shift = 33 + rnd() % 31;

    switch (rnd() % 4) {

    case 0:
        return before;

    case 1:
        return 1 + (int64_t) (rnd() >> shift) % PROM_XOR_DELTA_MAX;

    case 2:
        return before < PROM_XOR_DELTA_MAX - 10000
               ? before + (int64_t) (rnd() % 9000) : 1;

    default:
        return rnd() % 2 ? PROM_XOR_DELTA_MAX : 1;
    }
}


static unsigned
set_random(void)
{
    int64_t   delta;
    uint64_t  value;
    unsigned  i, n;

    static const int64_t  starts[] = {
        T0, 0, -1, 1, 63, 64, -64, -65, INT64_MIN, INT64_MIN + 1,
        INT64_MAX - SAMPLES * (int64_t) PROM_XOR_DELTA_MAX
    };

    n = 1 + (unsigned) (rnd() % SAMPLES);
    delta = 15000;
    value = ONE;

    samples[0].time = starts[rnd() % (sizeof(starts) / sizeof(starts[0]))];
    samples[0].value = any_value(0);

    for (i = 1; i < n; i++) {
        delta = any_delta(delta);
        value = any_value(samples[i - 1].value);
        samples[i].time = samples[i - 1].time + delta;
        samples[i].value = value;
    }

    return n;
}


static void
test_random(void)
{
    unsigned  i, n, plain_bad, bad;

    plain_bad = 0;
    bad = 0;

    for (i = 0; i < ROUNDS; i++) {
        n = set_random();
        encode(samples, n);

        plain_bad += !same_as_plain(n);
        bad += decode(chunk.data, chunk.bytes, samples, n) != (int) n;
    }

    tap_is_int(plain_bad, 0, "%u random chunks: the bytes", ROUNDS);
    tap_is_int(bad, 0, "%u random chunks: read back", ROUNDS);
}


static void
test_limits(void)
{
    samples[0].time = INT64_MAX;
    samples[0].value = 0;
    encode(samples, 1);
    tap_is_int(decode(chunk.data, chunk.bytes, samples, 1), 1,
               "the greatest time");

    samples[0].time = INT64_MIN;
    encode(samples, 1);
    tap_is_int(decode(chunk.data, chunk.bytes, samples, 1), 1,
               "the least time");
    tap_is_int(chunk.bytes, 2 + 10 + 8, "it takes ten bytes");

    tap_is_int(decode(chunk.data, chunk.bytes, samples, 0), 0,
               "no samples, no matter what the header says");

    samples[0].time = T0;
    samples[1].time = T0 + PROM_XOR_DELTA_MAX;
    samples[2].time = samples[1].time + 1;
    samples[3].time = samples[2].time + PROM_XOR_DELTA_MAX;
    samples[1].value = samples[2].value = samples[3].value = 0;
    encode(samples, 4);
    tap_ok(same_as_plain(4)
           && decode(chunk.data, chunk.bytes, samples, 4) == 4,
           "the greatest and the least step in turns");

    prom_xor_set_count(chunk.data, 65535);
    tap_ok(chunk.data[0] == 0xff && chunk.data[1] == 0xff, "65535 samples");
    prom_xor_set_count(chunk.data, 258);
    tap_ok(chunk.data[0] == 1 && chunk.data[1] == 2, "258 samples");
}


/* What is there is right, and nothing beyond is touched. */

static void
test_cut(void)
{
    int       read, before;
    size_t    len;
    unsigned  i, n, bad;

    bad = 0;

    for (i = 0; i < 60; i++) {
        n = set_random();
        encode(samples, n);
        before = 0;

        for (len = 0; len <= chunk.bytes; len++) {
            read = decode(chunk.data, len, samples, n);
            bad += read < before || read > (int) n;
            before = read;
        }

        bad += before != (int) n;

        /* more samples claimed than there are */

        bad += decode(chunk.data, chunk.bytes, NULL, n + 1000) > (int) n + 8;
    }

    tap_is_int(bad, 0, "chunks cut at every byte");
}


static void
test_broken(void)
{
    int       read;
    unsigned  i, k, n, bad;

    bad = 0;

    for (i = 0; i < ROUNDS; i++) {
        n = set_random();
        encode(samples, n);

        for (k = 0; k < 4; k++) {
            chunk.data[rnd() % chunk.bytes] ^= (uint8_t) (1 << rnd() % 8);
        }

        read = decode(chunk.data, chunk.bytes, NULL, n);
        bad += read < 0 || read > (int) n;

        for (k = 0; k < chunk.bytes; k++) {
            chunk.data[k] = (uint8_t) rnd();
        }

        read = decode(chunk.data, chunk.bytes, NULL, 65535);
        bad += read < 0;
    }

    tap_is_int(bad, 0, "%u broken chunks", ROUNDS);
}


int
main(void)
{
    test_vectors();
    test_dods();
    test_random();
    test_limits();
    test_cut();
    test_broken();

    return tap_done();
}
