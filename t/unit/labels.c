
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Canonical keys: what they look like, what is refused and in which words.
 */


#include <stdlib.h>

#include "labels/prom_labels.h"
#include "tap.h"


#define MANY  (PROM_LABELS_MAX + 1)


static const prom_label_limits_t  wide = { PROM_LABELS_MAX, 1 << 20, 1 << 20 };

static prom_label_t  set[MANY];
static size_t        n_set;

static uint8_t       key[PROM_KEY_MAX];
static size_t        key_len;

static char          text[8192];
static prom_msg_t    msg;

static uint32_t      seed = 1;


static uint32_t
rnd(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;

    return (uint32_t) (((uint64_t) seed * n) >> 32);
}


static void
add_len(const char *name, size_t name_len, const char *value,
    size_t value_len)
{
    set[n_set].name = (prom_str_t) { (const uint8_t *) name, name_len };
    set[n_set].value = (prom_str_t) { (const uint8_t *) value, value_len };
    n_set++;
}


/* Pairs of name and value, up to a NULL. */

static void
fill(const char *const *pairs)
{
    n_set = 0;

    for ( /* void */ ; *pairs != NULL; pairs += 2) {
        add_len(pairs[0], strlen(pairs[0]), pairs[1], strlen(pairs[1]));
    }
}


static int
canonical(const prom_label_limits_t *limits)
{
    prom_msg_init(&msg, text, sizeof(text));
    memset(key, 0xee, sizeof(key));
    key_len = 0;

    return prom_labels_canonical(set, n_set, limits, key, &key_len, &msg);
}


static const char *
printed(void)
{
    prom_msg_init(&msg, text, sizeof(text));
    prom_labels_print(&msg, (prom_str_t) { key, key_len });

    return text;
}


static void
accepts(const char *const *pairs, const char *want)
{
    fill(pairs);

    if (!tap_is_int(canonical(&wide), PROM_OK, "accepted: %s", want)) {
        printf("# %s\n", text);
        return;
    }

    printed();
    tap_is_str(text, msg.len, want, "prints %s", want);
}


static void
refuses(const char *const *pairs, const prom_label_limits_t *limits,
    int rc, const char *want)
{
    fill(pairs);
    tap_is_int(canonical(limits), rc, "refused");
    tap_is_str(text, msg.len, want, "says %s", want);
}


#define ACCEPTS(want, ...)                                                    \
    accepts((const char *const []) { __VA_ARGS__, NULL }, want)
#define REFUSES(want, ...)                                                    \
    refuses((const char *const []) { __VA_ARGS__, NULL }, &wide,           \
            PROM_ERROR, want)
#define EXCEEDS(limits, want, ...)                                            \
    refuses((const char *const []) { __VA_ARGS__, NULL }, limits,          \
            PROM_LIMIT, want)


static void
test_bytes(void)
{
    char  value[200], want[256], *p;

    fill((const char *const []) { "b", "c", "__name__", "up", NULL });
    canonical(&wide);
    tap_is_str(key, key_len,
               "\x0a\x0e\x0a\x08__name__\x12\x02up\x0a\x06\x0a\x01"
               "b\x12\x01" "c", "the bytes of a key");

    memset(value, 'v', sizeof(value));
    n_set = 0;
    add_len("__name__", 8, "up", 2);
    add_len("b", 1, value, 127);
    canonical(&wide);

    p = stpcpy(want, "\x0a\x0e\x0a\x08__name__\x12\x02up\x0a\x84\x01\x0a\x01"
                     "b\x12\x7f");
    memset(p, 'v', 127);
    p[127] = '\0';
    tap_is_str(key, key_len, want, "a value of 127 bytes, a label of 132");

    n_set = 0;
    add_len("__name__", 8, "up", 2);
    add_len("b", 1, value, 128);
    canonical(&wide);

    p = stpcpy(want, "\x0a\x0e\x0a\x08__name__\x12\x02up\x0a\x86\x01\x0a\x01"
                     "b\x12\x80\x01");
    memset(p, 'v', 128);
    p[128] = '\0';
    tap_is_str(key, key_len, want, "a value of 128 bytes");
}


static void
test_accepted(void)
{
    ACCEPTS("{__name__=\"x\", b=\"c\"}", "b", "c", "__name__", "x");
    ACCEPTS("{A=\"1\", __name__=\"x\", a=\"2\", \"\xc3\xa9\"=\"3\"}",
            "\xc3\xa9", "3", "a", "2", "A", "1", "__name__", "x");
    ACCEPTS("{__name__=\"x\"}", "__name__", "x", "gone", "", "a", "");
    ACCEPTS("{__name__=\"my.name\", a=\"1\", \"a b\"=\"2\", \"a:b\"=\"3\", "
            "aa=\"4\"}", "__name__", "my.name", "a:b", "3", "a b", "2",
            "a", "1", "aa", "4");
    ACCEPTS("{__name__=\"x\", l=\"q\\\"b\\\\n\\n\"}", "__name__", "x",
            "l", "q\"b\\n\n");
    ACCEPTS("{\"9\"=\"d\", __name__=\"\\n\"}", "__name__", "\n", "9", "d");
    ACCEPTS("{__name__=\"\xf0\x9f\x98\x80\"}", "__name__",
            "\xf0\x9f\x98\x80");
}


static void
test_refused(void)
{
    n_set = 0;
    tap_is_int(canonical(&wide), PROM_ERROR, "no labels");
    tap_is_str(text, msg.len, "invalid metric name or labels, got {}",
               "no labels");

    REFUSES("invalid metric name or labels, got {a=\"1\", b=\"2\"}",
            "b", "2", "a", "1");
    REFUSES("invalid metric name or labels, got {__name__=\"\", a=\"1\"}",
            "__name__", "", "a", "1");
    REFUSES("invalid metric name or labels, got {\"\"=\"v\", __name__=\"x\"}",
            "__name__", "x", "", "v");
    REFUSES("invalid metric name or labels, got {\"\"=\"\", __name__=\"x\"}",
            "__name__", "x", "", "");
    REFUSES("invalid metric name or labels, got {__name__=\"x\\xff\"}",
            "__name__", "x\xff");
    REFUSES("invalid metric name or labels, got "
            "{__name__=\"x\", a=\"\\xed\\xa0\\x80\"}",
            "__name__", "x", "a", "\xed\xa0\x80");
    REFUSES("invalid metric name or labels, got "
            "{__name__=\"x\", \"a\\xc3\"=\"\"}",
            "__name__", "x", "a\xc3", "");
    REFUSES("invalid metric name or labels, got "
            "{__name__=\"\", __name__=\"x\"}",
            "__name__", "", "__name__", "x");
    REFUSES("invalid labels for series, labels "
            "{__name__=\"x\", a=\"1\", a=\"2\"}, duplicated label a",
            "a", "1", "__name__", "x", "a", "2");
    REFUSES("invalid labels for series, labels "
            "{__name__=\"x\", a=\"1\", a=\"1\"}, duplicated label a",
            "a", "1", "a", "1", "__name__", "x");
    REFUSES("invalid labels for series, labels "
            "{__name__=\"x\", a=\"1\", a=\"\"}, duplicated label a",
            "a", "1", "__name__", "x", "a", "");
    REFUSES("invalid labels for series, labels "
            "{__name__=\"x\", __name__=\"y\"}, duplicated label __name__",
            "__name__", "x", "__name__", "y");
}


static void
test_limits(void)
{
    prom_label_limits_t  limits;

    limits = (prom_label_limits_t) { 2, 8, 3 };

    fill((const char *const []) { "__name__", "abc", "b", "c", "d", "", NULL });
    tap_is_int(canonical(&limits), PROM_OK, "at the limits");

    EXCEEDS(&limits, "number of labels 3 exceeds the limit of 2 for series "
            "{__name__=\"x\", b=\"1\", c=\"2\"}",
            "b", "1", "__name__", "x", "c", "2");
    EXCEEDS(&limits, "label name length 9 exceeds the limit of 8 in label "
            "\"nine_long\" for series {__name__=\"x\", nine_long=\"1\"}",
            "__name__", "x", "nine_long", "1");
    EXCEEDS(&limits, "label value length 4 exceeds the limit of 3 in label "
            "\"b\" for series {__name__=\"x\", b=\"1234\"}",
            "__name__", "x", "b", "1234");
}


static void
test_key_max(void)
{
    int          rc;
    char         want[256];
    size_t       head, len;
    static char  value[PROM_KEY_MAX];

    memset(value, 'v', sizeof(value));

    /* the name takes 16 bytes, the other label 1 + 2 + 1 + 1 + 1 + 1 + 2 */

    head = 16 + 9;

    for (len = PROM_KEY_MAX - head - 2; len <= PROM_KEY_MAX - head; len++) {
        n_set = 0;
        add_len("l", 1, value, len);
        add_len("__name__", 8, "up", 2);
        rc = canonical(&wide);

        tap_ok(rc == PROM_OK && key_len == head + len,
               "a key of %zu bytes", head + len);
        tap_ok(prom_labels_get((prom_str_t) { key, key_len },
                               prom_str("l")).len == len, "read back");
    }

    n_set = 0;
    add_len("l", 1, value, len);
    add_len("__name__", 8, "up", 2);
    tap_is_int(canonical(&wide), PROM_LIMIT, "a key of a byte more");

    snprintf(want, sizeof(want), "size of all labels together, %d bytes "
             "encoded, exceeds the limit of %d for series {__name__=",
             PROM_KEY_MAX + 1, PROM_KEY_MAX);
    tap_ok(strncmp(text, want, strlen(want)) == 0, "says so: %.110s", text);
}


/* Random names in random order: any order gives the same, sorted key. */

static int
by_name(const void *a, const void *b)
{
    return prom_str_cmp(((const prom_label_t *) a)->name,
                        ((const prom_label_t *) b)->name);
}


static bool
same_as_set(const prom_label_t *want, size_t n)
{
    size_t          i;
    prom_label_t    label;
    const uint8_t  *pos;

    pos = key;

    for (i = 0; prom_labels_next(&pos, key + key_len, &label); i++) {
        if (i == n || !prom_str_eq(label.name, want[i].name)
            || !prom_str_eq(label.value, want[i].value))
        {
            return false;
        }
    }

    return i == n;
}


static void
shuffle(size_t n)
{
    size_t        i, j;
    prom_label_t  swap;

    for (i = n - 1; i > 0; i--) {
        j = rnd(i + 1);
        swap = set[i];
        set[i] = set[j];
        set[j] = swap;
    }
}


static void
test_order(size_t n)
{
    bool          ok;
    size_t        i, round;
    prom_label_t  want[PROM_LABELS_MAX];

    static char  names[PROM_LABELS_MAX][24];

    n_set = 0;
    add_len("__name__", 8, "up", 2);

    for (i = 1; i < n; i++) {
        snprintf(names[i], sizeof(names[i]), "%c%zx", (char) ('A' + rnd(58)),
                 i);
        add_len(names[i], strlen(names[i]), "v", 1);
    }

    memcpy(want, set, n * sizeof(prom_label_t));
    qsort(want, n, sizeof(prom_label_t), by_name);

    ok = true;

    for (round = 0; round < 20; round++) {
        if (round > 0) {
            shuffle(n);
        }

        ok = ok && canonical(&wide) == PROM_OK && same_as_set(want, n);
    }

    for (i = 0; i < n; i++) {
        set[i] = want[n - 1 - i];
    }

    ok = ok && canonical(&wide) == PROM_OK && same_as_set(want, n);

    tap_ok(ok, "%zu labels in any order", n);

    if (n < 3) {
        return;
    }

    shuffle(n);
    i = rnd(n);
    set[i].name = set[(i + 1) % n].name;
    set[i].value = prom_str("w");

    tap_ok(canonical(&wide) == PROM_ERROR
           && (strncmp(text, "invalid", 7) == 0), "a double among %zu", n);
}


static void
test_many(void)
{
    size_t  i;

    static char  names[MANY][24];

    n_set = 0;

    for (i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof(names[i]), "n%zu", i);
        add_len(names[i], strlen(names[i]), "", 0);
    }

    set[0].name = prom_str("__name__");
    set[0].value = prom_str("up");

    n_set = PROM_LABELS_MAX;
    tap_is_int(canonical(&wide), PROM_OK, "1024 labels, most without value");
    tap_is_int(key_len, 16, "only the name is kept");

    n_set = MANY;
    tap_is_int(canonical(&wide), PROM_LIMIT, "1025 labels");
    tap_is_str(text, msg.len, "series has 1025 labels, the limit is 1024",
               "says so");
}


/* Equal names stay in the order they came in, so messages say what was sent. */

static void
test_stable(void)
{
    char    *p, want[1024];
    size_t   i;

    static char  values[70][8];

    p = stpcpy(want, "invalid labels for series, labels {__name__=\"up\"");
    n_set = 0;

    for (i = 0; i < 70; i++) {
        snprintf(values[i], sizeof(values[i]), "%d", (int) (i % 100));
        add_len("a", 1, values[i], strlen(values[i]));
        p += sprintf(p, ", a=\"%s\"", values[i]);
    }

    add_len("__name__", 8, "up", 2);
    strcpy(p, "}, duplicated label a");

    tap_is_int(canonical(&wide), PROM_ERROR, "a label 70 times");
    tap_is_str(text, msg.len, want, "says so in their order");
}


/* A set is refused as Prometheus does even when the message has no room. */

static void
test_short_message(void)
{
    size_t  cap;

    for (cap = 1; cap < 40; cap += 19) {
        fill((const char *const []) { "a", "1", NULL });
        prom_msg_init(&msg, text, cap);
        tap_ok(prom_labels_canonical(set, n_set, &wide, key, &key_len, &msg)
               == PROM_ERROR && msg.cut && strlen(text) < cap,
               "message of %zu bytes", cap);
    }
}


static void
test_get(void)
{
    prom_str_t  k;

    fill((const char *const []) { "b", "c", "__name__", "up", "bb", "d",
                                  NULL });
    canonical(&wide);
    k = (prom_str_t) { key, key_len };

    tap_ok(prom_str_eq(prom_labels_get(k, prom_str("__name__")),
                       prom_str("up")), "get __name__");
    tap_ok(prom_str_eq(prom_labels_get(k, prom_str("b")), prom_str("c")),
           "get b");
    tap_ok(prom_str_eq(prom_labels_get(k, prom_str("bb")), prom_str("d")),
           "get bb");
    tap_is_int(prom_labels_get(k, prom_str("a")).len, 0, "get what is absent");
    tap_is_int(prom_labels_get(k, prom_str("")).len, 0, "get no name");
}


static void
test_legacy(void)
{
    size_t      i;
    uint8_t     name[2];
    bool        ok, first, rest;
    prom_str_t  one, two;

    ok = true;
    one = (prom_str_t) { name, 1 };
    two = (prom_str_t) { name, 2 };

    for (i = 0; i < 256; i++) {
        first = i != 0 && strchr("abcdefghijklmnopqrstuvwxyz_:"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ", (int) i);
        rest = first || (i >= '0' && i <= '9');

        name[0] = (uint8_t) i;
        ok = ok && prom_labels_legacy_name(one) == first;
        name[0] = 'a';
        name[1] = (uint8_t) i;
        ok = ok && prom_labels_legacy_name(two) == rest;
    }

    tap_ok(ok, "which bytes a legacy name has");
    tap_ok(!prom_labels_legacy_name(prom_str("")), "an empty name is none");
}


static void
plain(bool want, const char *const *pairs, const char *what)
{
    fill(pairs);
    tap_ok(canonical(&wide) == PROM_OK
           && prom_labels_plain((prom_str_t) { key, key_len }) == want,
           "%s: %s", want ? "plain" : "not plain", what);
}


#define PLAIN(want, what, ...)                                                \
    plain(want, (const char *const []) { __VA_ARGS__, NULL }, what)


static void
test_plain(void)
{
    PLAIN(true, "usual", "__name__", "a:b", "l", "v");
    PLAIN(false, "colon in a label name", "__name__", "x", "l:m", "v");
    PLAIN(true, "odd bytes in a value", "__name__", "x", "l",
          "\t\r{},=#\xc3\xa9");
    PLAIN(false, "metric name", "__name__", "a.b");
    PLAIN(false, "digit first", "__name__", "1a");
    PLAIN(false, "label name", "__name__", "x", "l.m", "v");
    PLAIN(false, "quote", "__name__", "x", "l", "a\"b");
    PLAIN(false, "backslash", "__name__", "x", "l", "a\\b");
    PLAIN(false, "newline", "__name__", "x", "l", "\n");
    PLAIN(false, "the last value", "__name__", "x", "l", "v", "m", "\"");
}


int
main(void)
{
    size_t  i;

    static const size_t  sizes[] = { 1, 2, 11, 31, 32, 33, 63, 64, 65, 96,
                                     97, 500, 1000, 1023, 1024 };

    test_bytes();
    test_accepted();
    test_refused();
    test_limits();
    test_key_max();

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        test_order(sizes[i]);
    }

    test_many();
    test_stable();
    test_short_message();
    test_get();
    test_legacy();
    test_plain();

    return tap_done();
}
