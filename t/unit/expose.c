
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Series as text: every line is made in memory of exactly its size and in all
 * smaller ones, from a key that ends where its memory ends, by both ways
 * where the key is plain.
 */


#include <stdlib.h>

#include "expose/prom_expose.h"
#include "tap.h"


#define MANY  40


typedef struct {
    prom_label_t   labels[MANY];
    size_t         n;
} set_t;


static const prom_label_limits_t  wide = { PROM_LABELS_MAX, 1 << 20, 1 << 20 };

static const prom_label_t   no_instance[] = {
    { { (const uint8_t *) "instance", 8 }, { (const uint8_t *) "", 0 } }
};

static const prom_expose_t  bare = { PROM_ESCAPE_UNDERSCORES, NULL, 0 };

static uint64_t  seed = 1;


static uint32_t
rnd(uint32_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;

    return (uint32_t) ((seed >> 33) % n);
}


static uint64_t
bits_of(double value)
{
    uint64_t  bits;

    memcpy(&bits, &value, sizeof(bits));

    return bits;
}


static void
fill(set_t *set, const char *const *pairs)
{
    set->n = 0;

    for ( /* void */ ; *pairs != NULL; pairs += 2) {
        set->labels[set->n].name =
            (prom_str_t) { (const uint8_t *) pairs[0], strlen(pairs[0]) };
        set->labels[set->n].value =
            (prom_str_t) { (const uint8_t *) pairs[1], strlen(pairs[1]) };
        set->n++;
    }
}


/* A key in memory of its own size, sorted labels remain in the set. */

static prom_str_t
key_of(set_t *set)
{
    char        text[512];
    size_t      len;
    uint8_t    *copy;
    prom_msg_t  msg;

    static uint8_t  key[PROM_KEY_MAX];

    prom_msg_init(&msg, text, sizeof(text));

    if (prom_labels_canonical(set->labels, set->n, &wide, key, &len, &msg)
        != PROM_OK)
    {
        printf("Bail out! %s\n", text);
        exit(2);
    }

    copy = malloc(len);
    memcpy(copy, key, len);

    return (prom_str_t) { copy, len };
}


typedef struct {
    const prom_expose_t  *expose;
    prom_str_t            name;         /* a family where there is no key */
    prom_str_t            key;
    bool                  plain;
    uint64_t              value;
    int64_t               timestamp;
} line_t;


/* The line in memory of `size' bytes; length, or -1 where it does not fit. */

static int64_t
line_make(const line_t *line, uint8_t *to, size_t size)
{
    uint8_t  *buf, *p;

    buf = malloc(size + (size == 0));

    if (line->key.len == 0) {
        p = prom_expose_family(line->expose, line->name, buf, buf + size);

    } else {
        p = prom_expose_sample(line->expose, line->key, line->plain,
                               line->value, line->timestamp, buf, buf + size);
    }

    if (p != NULL) {
        memcpy(to, buf, p - buf);
    }

    free(buf);

    return (p != NULL) ? p - buf : -1;
}


/* What is wrong with the line, or NULL. */

static const char *
line_judge(const line_t *line, const char *want)
{
    size_t   size, len;
    int64_t  got;

    static uint8_t  to[1 << 16];

    len = strlen(want);

    for (size = 0; size <= sizeof(to); size++) {

        if (size == len + 600) {
            size = sizeof(to);
        }

        got = line_make(line, to, size);

        if (size < len && got != -1) {
            return "does not say that there is no room";
        }

        if (size >= len && got == -1) {
            return "says there is no room where there is";
        }

        if (got != -1
            && ((size_t) got != len || memcmp(to, want, len) != 0))
        {
            tap_diag_bytes(" got", to, got);
            tap_diag_bytes("want", want, len);
            return "is another";
        }
    }

    return NULL;
}


static void
is_line(const line_t *line, const char *want)
{
    const char  *reason;

    reason = line_judge(line, want);
    tap_ok(reason == NULL, "%s%s%s", want, reason ? " " : "",
           reason ? reason : "");
}


static void
is_sample_at(const prom_expose_t *expose, const char *const *pairs,
    uint64_t value, int64_t timestamp, const char *want)
{
    set_t   set;
    line_t  line;

    fill(&set, pairs);
    line.expose = expose;
    line.key = key_of(&set);
    line.value = value;
    line.timestamp = timestamp;
    line.plain = prom_labels_plain(line.key);

    if (line.plain) {
        is_line(&line, want);
    }

    line.plain = false;
    is_line(&line, want);

    free((void *) line.key.data);
}


#define is_sample(expose, want, ...)                                          \
    is_sample_at(expose, (const char *const []) { __VA_ARGS__, NULL },        \
                 bits_of(1), 1000, want)


static void
is_family(prom_escape_e escape, const char *name, const char *want)
{
    line_t         line;
    prom_expose_t  expose;

    expose = bare;
    expose.escape = escape;

    memset(&line, 0, sizeof(line));
    line.expose = &expose;
    line.name = (prom_str_t) { (const uint8_t *) name, strlen(name) };

    is_line(&line, want);
}


static void
test_lines(void)
{
    is_sample(&bare, "up 1 1000\n", "__name__", "up");
    is_sample(&bare, "up{a=\"1\"} 1 1000\n", "__name__", "up", "a", "1");
    is_sample(&bare, "x{l1=\"v1\",l2=\"v2\"} 1 1000\n",
              "__name__", "x", "l2", "v2", "l1", "v1");
    is_sample(&bare, "a:b{Abc=\"u\",_c=\"d\",zone=\"z1\"} 1 1000\n",
              "__name__", "a:b", "zone", "z1", "Abc", "u", "_c", "d");
    is_sample(&bare, "y{Abc=\"u\"} 1 1000\n", "__name__", "y", "Abc", "u");
    is_sample(&bare, "x{a=\"0123456789abcdef0123456789abcdef"
              "0123456789abcdef\",b=\"0123456789abcdef012345678\"} 1 1000\n",
              "__name__", "x", "a", "0123456789abcdef0123456789abcdef"
              "0123456789abcdef", "b", "0123456789abcdef012345678");
    is_sample(&bare, "a_metric_of_a_long_name_0123456789_0123456789_012345678"
              "9_0123456789_0123456789_0123456789_0123456789_0123456789_01234"
              "56789_0123456789{a=\"b\"} 1 1000\n", "__name__",
              "a_metric_of_a_long_name_0123456789_0123456789_0123456789_01234"
              "56789_0123456789_0123456789_0123456789_0123456789_0123456789_0"
              "123456789", "a", "b");
}


static void
test_values(void)
{
    size_t      i;
    static const char *const  up[] = { "__name__", "up", NULL };

    static const struct {
        uint64_t     bits;
        int64_t      timestamp;
        const char  *text;
    } table[] = {
        { 0, 0, "up 0 0\n" },
        { 0x8000000000000000, -1, "up 0 -1\n" },
        { 0x7ff8000000000001, 1, "up NaN 1\n" },
        { 0x7ff0000000000000, 1, "up +Inf 1\n" },
        { 0xfff0000000000000, INT64_MAX, "up -Inf 9223372036854775807\n" },
        { 0x8010000000000000, INT64_MIN,
          "up -2.2250738585072014e-308 -9223372036854775808\n" },
        { 0x412e848000000000, 1700000000123, "up 1e+06 1700000000123\n" }
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        is_sample_at(&bare, up, table[i].bits, table[i].timestamp,
                     table[i].text);
    }
}


static void
test_label_values(void)
{
    is_sample(&bare, "lv{v=\"quo\\\"te\"} 1 1000\n",
              "__name__", "lv", "v", "quo\"te");
    is_sample(&bare, "lv{v=\"back\\\\slash\"} 1 1000\n",
              "__name__", "lv", "v", "back\\slash");
    is_sample(&bare, "lv{v=\"multi\\nline\"} 1 1000\n",
              "__name__", "lv", "v", "multi\nline");
    is_sample(&bare, "lv{v=\"\t\r caf\xc3\xa9 {},=#\"} 1 1000\n",
              "__name__", "lv", "v", "\t\r caf\xc3\xa9 {},=#");
    is_sample(&bare, "lv{v=\"\\\"\\\"\\\\\\n\\\"1234567890123\\\"\"} 1 1000\n",
              "__name__", "lv", "v", "\"\"\\\n\"1234567890123\"");
    is_sample(&bare, "lv{v=\"0123456789abcde\\n\",w=\"#\x0b]\x01!\"} 1 1000\n",
              "__name__", "lv", "v", "0123456789abcde\n", "w",
              "#\x0b]\x01!");
}


static void
is_metric(const char *name, const char *underscores, const char *dots,
    const char *values)
{
    size_t         i;
    char           want[256], line[256];
    prom_expose_t  expose;

    const struct {
        prom_escape_e  escape;
        const char    *text;
    } table[] = {
        { PROM_ESCAPE_UNDERSCORES, underscores },
        { PROM_ESCAPE_DOTS, dots },
        { PROM_ESCAPE_VALUES, values }
    };

    for (i = 0; i < 3; i++) {
        expose = bare;
        expose.escape = table[i].escape;

        snprintf(want, sizeof(want), "%s 1 1000\n", table[i].text);
        is_sample(&expose, want, "__name__", name);

        snprintf(want, sizeof(want), "# TYPE %s untyped\n", table[i].text);
        is_family(expose.escape, name, want);
    }

    expose.escape = PROM_ESCAPE_ALLOW_UTF8;

    if (strcmp(name, underscores) == 0) {
        snprintf(want, sizeof(want), "%s 1 1000\n", name);
        snprintf(line, sizeof(line), "# TYPE %s untyped\n", name);

    } else {
        snprintf(want, sizeof(want), "{\"%s\"} 1 1000\n", name);
        snprintf(line, sizeof(line), "# TYPE \"%s\" untyped\n", name);
    }

    is_sample(&expose, want, "__name__", name);
    is_family(expose.escape, name, line);
}


static void
is_label(const char *name, const char *underscores, const char *dots,
    const char *values)
{
    size_t         i;
    char           want[256];
    prom_expose_t  expose;

    const struct {
        prom_escape_e  escape;
        const char    *text;
    } table[] = {
        { PROM_ESCAPE_UNDERSCORES, underscores },
        { PROM_ESCAPE_DOTS, dots },
        { PROM_ESCAPE_VALUES, values }
    };

    for (i = 0; i < 3; i++) {
        expose = bare;
        expose.escape = table[i].escape;

        snprintf(want, sizeof(want), "x{%s=\"v\"} 1 1000\n", table[i].text);
        is_sample(&expose, want, "__name__", "x", name, "v");
    }
}


static void
is_name(const char *name, const char *underscores, const char *dots,
    const char *values)
{
    is_metric(name, underscores, dots, values);
    is_label(name, underscores, dots, values);
}


static void
test_names(void)
{
    prom_expose_t  expose;

    is_name("my.name", "my_name", "my_dot_name", "U__my_2e_name");
    is_name("a.b", "a_b", "a_dot_b", "U__a_2e_b");
    is_name("foo_bar.baz", "foo_bar_baz", "foo__bar_dot_baz",
            "U__foo__bar_2e_baz");
    is_name("1digit", "_digit", "__digit", "U___31_digit");
    is_name("\xe8\x8a\xb1\xe7\x81\xab", "__", "____", "U___82b1__706b_");
    is_name("sp ace", "sp_ace", "sp__ace", "U__sp_20_ace");
    is_name("under_score", "under_score", "under_score", "under_score");
    is_metric("a:b", "a:b", "a:b", "a:b");
    is_metric("a1:\xc3\xa9", "a1:_", "a1:__", "U__a1:_e9_");
    is_label("a:b", "a_b", "a__b", "U__a_3a_b");
    is_label("a1:\xc3\xa9", "a1__", "a1____", "U__a1_3a__e9_");
    is_name("\xf0\x9f\x98\x80z", "_z", "__z", "U___1f600_z");
    is_name("\xf4\x8f\xbf\xbf", "_", "__", "U___10ffff_");
    is_name("\x01", "_", "__", "U___1_");

    expose = bare;
    expose.escape = PROM_ESCAPE_ALLOW_UTF8;

    is_sample(&expose, "{\"my.name\",\"a.b\"=\"x\",c=\"y\"} 1 1000\n",
              "__name__", "my.name", "a.b", "x", "c", "y");
    is_sample(&expose, "plain{\"dot.ted\"=\"q\"} 1 1000\n",
              "__name__", "plain", "dot.ted", "q");
    is_sample(&expose, "plain{\"a:b\"=\"c\"} 1 1000\n",
              "__name__", "plain", "a:b", "c");
    is_sample(&expose, "{\"q\\\"b\\\\n\\nz\",\"\\\"\"=\"\\\\\"} 1 1000\n",
              "__name__", "q\"b\\n\nz", "\"", "\\");
    is_family(PROM_ESCAPE_ALLOW_UTF8, "q\"b\\n\nz",
              "# TYPE \"q\\\"b\\\\n\\nz\" untyped\n");
    is_family(PROM_ESCAPE_UNDERSCORES, "q\"b\\n\nz",
              "# TYPE q_b_n_z untyped\n");
}


static void
test_external(void)
{
    set_t          set;
    prom_expose_t  expose;

    expose = bare;
    expose.external = no_instance;
    expose.n_external = 1;

    is_sample(&expose, "up{instance=\"\"} 1 1000\n", "__name__", "up");
    is_sample(&expose, "up{job=\"t\",instance=\"\"} 1 1000\n",
              "__name__", "up", "job", "t");
    is_sample(&expose, "up{instance=\"T\",job=\"t\"} 1 1000\n",
              "__name__", "up", "job", "t", "instance", "T");

    fill(&set, (const char *const []) { "Alpha", "ext", "instance", "",
                                        "zone", "ie", NULL });
    expose.external = set.labels;
    expose.n_external = set.n;

    is_sample(&expose, "foo{a=\"1\",job=\"t\",Alpha=\"ext\",instance=\"\","
              "zone=\"ie\"} 1 1000\n",
              "__name__", "foo", "a", "1", "job", "t");
    is_sample(&expose, "foo{instance=\"T\",job=\"t\",Alpha=\"ext\","
              "zone=\"ie\"} 1 1000\n",
              "__name__", "foo", "job", "t", "instance", "T");
    is_sample(&expose, "Bar{Abc=\"u\",zone=\"z1\",Alpha=\"ext\","
              "instance=\"\"} 1 1000\n",
              "__name__", "Bar", "Abc", "u", "zone", "z1");
    is_sample(&expose, "foo{Alpha=\"A\",instance=\"I\",zone=\"Z\"} 1 1000\n",
              "__name__", "foo", "Alpha", "A", "instance", "I", "zone", "Z");
    is_sample(&expose, "foo{Alpha=\"ext\",instance=\"\",zone=\"ie\"}"
              " 1 1000\n", "__name__", "foo");

    fill(&set, (const char *const []) { "cluster", "eu-1", "instance", "host",
                                        NULL });
    expose.external = set.labels;
    expose.n_external = set.n;

    is_sample(&expose, "foo{cluster=\"eu-1\",instance=\"host\"} 1 1000\n",
              "__name__", "foo");

    fill(&set, (const char *const []) { "a.b", "q\"\\\n", "instance", "",
                                        NULL });
    expose.external = set.labels;
    expose.n_external = set.n;

    is_sample(&expose, "foo{a_b=\"q\\\"\\\\\\n\",instance=\"\"} 1 1000\n",
              "__name__", "foo");
    is_sample(&expose, "foo{a_b=\"x\",instance=\"\"} 1 1000\n",
              "__name__", "foo", "a.b", "x");
    is_sample(&expose, "foo{a_b=\"x\",instance=\"\"} 1 1000\n",
              "__name__", "foo", "a_b", "x");
    is_sample(&expose, "foo{a_b=\"y\",c=\"=\\\",d=\\\\\",instance=\"\"}"
              " 1 1000\n", "__name__", "foo", "a b", "x", "a_b", "y", "c", "=\",d=\\");
    is_sample(&expose, "foo{a_b=\"x=\\\",\",instance=\"\"} 1 1000\n",
              "__name__", "foo", "a b", "x=\",", "a-b", "y");

    expose.escape = PROM_ESCAPE_VALUES;
    is_sample(&expose, "foo{U__a_2e_b=\"q\\\"\\\\\\n\",instance=\"\"}"
              " 1 1000\n", "__name__", "foo");

    expose.escape = PROM_ESCAPE_ALLOW_UTF8;
    is_sample(&expose, "foo{\"a.b\"=\"q\\\"\\\\\\n\",instance=\"\"}"
              " 1 1000\n", "__name__", "foo");
    is_sample(&expose, "{\"f.o\",\"a.b\"=\"q\\\"\\\\\\n\",instance=\"\"}"
              " 1 1000\n", "__name__", "f.o");
}


static void
test_many_external(void)
{
    char           names[80][8], want[4096], *p;
    size_t         i;
    prom_label_t   labels[80];
    prom_expose_t  expose;

    expose = bare;
    expose.external = labels;
    p = stpcpy(want, "foo{e05=\"own\"");

    for (i = 0; i < 80; i++) {
        snprintf(names[i], sizeof(names[i]), "e%02d", (int) (i % 100));
        labels[i].name = (prom_str_t) { (uint8_t *) names[i], 3 };
        labels[i].value = prom_str("v");

        if (i != 5) {
            p = stpcpy(stpcpy(stpcpy(p, ","), names[i]), "=\"v\"");
        }

        if (i + 1 == 64 || i + 1 == 65 || i + 1 == 80) {
            strcpy(p, "} 1 1000\n");
            expose.n_external = i + 1;
            is_sample(&expose, want, "__name__", "foo", "e05", "own");
        }
    }
}


/*
 * Random keys against a text that is put together here from the labels, not
 * from the key.
 */

static size_t
random_text(char *to, const char *alphabet, size_t len)
{
    size_t  i, n;

    n = strlen(alphabet);

    for (i = 0; i < len; i++) {
        to[i] = alphabet[rnd(n)];
    }

    to[len] = '\0';

    return len;
}


static void
random_set(set_t *set, char (*names)[24], char (*values)[256], bool plain)
{
    size_t  i, n, len;

    n = 1 + rnd(rnd(4) == 0 ? MANY : 12);
    set->n = 0;

    for (i = 0; i < n; i++) {

        /* the first letter and the index make a name unlike the others */

        len = random_text(names[i], i == 0 ? "abyzABYZ_:" : "abyzABYZ_",
                          1 + rnd(14));
        snprintf(names[i] + len, 5, "%d", (int) (i % 100));

        len = 1 + rnd(rnd(8) == 0 ? (rnd(4) == 0 ? 200 : 60) : 20);
        random_text(values[i], plain ? "abcXYZ019-/.: {},=#"
                                     : "abcXYZ019-/\\\"\n", len);

        if (i == 0) {
            strcpy(values[0], names[0]);
            strcpy(names[0], "__name__");
        }

        set->labels[i].name =
            (prom_str_t) { (uint8_t *) names[i], strlen(names[i]) };
        set->labels[i].value =
            (prom_str_t) { (uint8_t *) values[i], strlen(values[i]) };
        set->n++;
    }
}


static char *
naive_label(char *p, const prom_label_t *label)
{
    char    *brace;
    size_t   i;

    brace = p;
    *p++ = '{';
    memcpy(p, label->name.data, label->name.len);
    p = stpcpy(p + label->name.len, "=\"");

    for (i = 0; i < label->value.len; i++) {
        switch (label->value.data[i]) {
        case '"':
            p = stpcpy(p, "\\\"");
            break;
        case '\\':
            p = stpcpy(p, "\\\\");
            break;
        case '\n':
            p = stpcpy(p, "\\n");
            break;
        default:
            *p++ = (char) label->value.data[i];
        }
    }

    if (brace[-1] == '"') {
        *brace = ',';
    }

    return stpcpy(p, "\"");
}


/* Names are legacy ones, and none ends in a quote. */

static void
naive_line(char *p, const set_t *set, const prom_expose_t *expose)
{
    char    *start;
    size_t   i, j;

    start = p;

    for (i = 0; i < set->n; i++) {
        if (prom_str_eq(set->labels[i].name, prom_str("__name__"))) {
            memcpy(p, set->labels[i].value.data, set->labels[i].value.len);
            p += set->labels[i].value.len;
        }
    }

    for (i = 0; i < set->n; i++) {
        if (!prom_str_eq(set->labels[i].name, prom_str("__name__"))) {
            p = naive_label(p, &set->labels[i]);
        }
    }

    for (j = 0; j < expose->n_external; j++) {
        for (i = 0; i < set->n; i++) {
            if (prom_str_eq(set->labels[i].name, expose->external[j].name)) {
                break;
            }
        }

        if (i == set->n) {
            p = naive_label(p, &expose->external[j]);
        }
    }

    if (memchr(start, '{', p - start) != NULL) {
        *p++ = '}';
    }

    strcpy(p, " 1.5 1700000000000\n");
}


static void
test_random(bool plain, size_t rounds)
{
    char           want[1 << 15];
    set_t          set;
    size_t         i, j;
    line_t         line;
    prom_label_t   external[3];
    const char    *reason, *first;
    prom_expose_t  expose;

    static char  names[MANY][24], values[MANY][256];

    first = NULL;
    expose = bare;
    expose.external = external;

    line.expose = &expose;
    line.value = bits_of(1.5);
    line.timestamp = 1700000000000;

    for (i = 0; i < rounds && first == NULL; i++) {
        random_set(&set, names, values, plain);
        line.key = key_of(&set);

        if (plain && !prom_labels_plain(line.key)) {
            first = "is not plain";
        }

        /* some of the external labels are those of the series */

        expose.n_external = rnd(4);

        for (j = 0; j < expose.n_external; j++) {
            external[j] = set.labels[(i + j) % set.n];

            if (j >= set.n || rnd(2)) {
                external[j] = (prom_label_t) { prom_str("abcdefgh"),
                                               prom_str("") };
                external[j].name.len -= j;
            }
        }

        naive_line(want, &set, &expose);

        line.plain = prom_labels_plain(line.key);
        reason = line_judge(&line, want);
        line.plain = false;
        reason = reason ? reason : line_judge(&line, want);
        first = first ? first : reason;

        free((void *) line.key.data);
    }

    tap_ok(first == NULL, "%zu random keys%s%s%s", rounds,
           plain ? ", plain" : "", first ? ": the line " : "",
           first ? first : "");
}


#define PB  "application/vnd.google.protobuf;"                                \
            "proto=io.prometheus.client.MetricFamily"
#define OM  "application/openmetrics-text"


static void
negotiates(const char *accept, const char *want)
{
    char        text[128];
    prom_str_t  type;

    type = prom_expose_content_type(prom_expose_negotiate((prom_str_t) {
                                    (const uint8_t *) accept,
                                    strlen(accept) }));

    snprintf(text, sizeof(text),
             "text/plain; version=0.0.4; charset=utf-8; escaping=%s", want);
    tap_is_str(type.data, type.len, text, "%s: %s", accept, want);
}


/*
 * The sheet's rows; where Prometheus would answer protobuf, which we do not
 * speak, the scheme is the one that the walk ends with.
 */

static void
test_negotiate(void)
{
    char    text[4096], *p;
    size_t  i;

    negotiates("", "underscores");
    negotiates("*/*", "underscores");
    negotiates("text/html", "underscores");
    negotiates("text/plain;version=1.0.0;escaping=allow-utf-8", "allow-utf-8");
    negotiates(OM ";version=1.0.0", "underscores");
    negotiates(OM ";version=1.0.0;escaping=values,"
               "text/plain;version=0.0.4;q=0.5", "values");
    negotiates(OM ";version=1.0.0;escaping=values;q=0.2,"
               "text/plain;version=0.0.4;q=0.5", "underscores");
    negotiates("text/plain;escaping=bogus", "underscores");
    negotiates("text/plain;escaping=DOTS", "underscores");
    negotiates(PB ";encoding=delimited", "underscores");
    negotiates(PB ";encoding=delimited;q=0.1,text/plain;q=0.5",
               "underscores");
    negotiates(PB ";encoding=delimited;q=0", "underscores");
    negotiates(PB ";encoding=delimited;q=0.5,*/*;q=0.9", "underscores");
    negotiates("text/plain;q=0.5," PB ";encoding=delimited;escaping=dots;"
               "q=0.5", "underscores");
    negotiates(PB ";encoding=bogus", "underscores");
    negotiates("text/plain;q=abc;escaping=dots," PB ";encoding=delimited;"
               "q=0.1;escaping=values", "dots");
    negotiates("text/plain;escaping=dots;escaping=values", "values");
    negotiates("text/plain;escaping=dots;escaping=bogus", "underscores");
    negotiates("text/plain;version=\"0.0.4\";escaping=dots", "dots");
    negotiates("text/html;escaping=values;q=0.9,text/plain;q=0.5", "values");
    negotiates("text/plain;q=0.9,text/html;escaping=values;q=0.5",
               "underscores");

    /* what Prometheus 3 sends, without and with native histograms */

    negotiates(OM ";version=1.0.0;escaping=allow-utf-8;q=0.6,"
               OM ";version=0.0.1;q=0.5,"
               "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
               "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", "allow-utf-8");
    negotiates(PB ";encoding=delimited;q=0.6,"
               OM ";version=1.0.0;escaping=allow-utf-8;q=0.5,"
               OM ";version=0.0.1;q=0.4,"
               "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
               "text/plain;version=0.0.4;q=0.2,*/*;q=0.1", "allow-utf-8");

    /* the order */

    negotiates("a/b;q=0.1;escaping=dots,c/d;q=0.2;escaping=values", "dots");
    negotiates("a/b;escaping=dots,c/d;escaping=values", "values");
    negotiates("a/b;escaping=dots;q=0.5,c/d;escaping=values;q= 0.9", "values");
    negotiates("a/b;escaping=dots;q=0.5,c/d;escaping=values;q=2", "dots");
    negotiates("a/b;escaping=dots;q=0.5,c/d;escaping=values;Q=0.1", "dots");
    negotiates("*/*;escaping=dots,a/b;escaping=values;q=0.1", "dots");
    negotiates("*;escaping=dots,a/*;escaping=values;q=0.1", "dots");
    negotiates("*;escaping=dots,a;escaping=values;q=0.1", "dots");
    negotiates("a/*;escaping=dots,c/d;escaping=values;q=0.1", "dots");
    negotiates("a/b;q=5e-1;escaping=dots,c/d;q=0.4;escaping=values",
               "values");

    /* parts and parameters that do not count */

    negotiates("text/plain/x;escaping=dots", "underscores");
    negotiates("text;escaping=dots", "underscores");
    negotiates("/;escaping=dots,;,,", "underscores");
    negotiates("a/;escaping=dots", "underscores");
    negotiates("a/b/;escaping=dots", "dots");
    negotiates("text/plain;escaping=values=x", "underscores");
    negotiates("text/plain; escaping = values ;", "values");
    negotiates("  text / plain ;escaping=values,a/b;escaping=dots;q=0.1",
               "values");
    negotiates("TEXT/PLAIN;escaping=values;q=0.9,a/b;escaping=dots;q=0.1",
               "dots");
    negotiates("text/plain;escaping=\"values\"", "underscores");
    negotiates("text/plain;version=;escaping=values,a/b;escaping=dots;q=0.1",
               "values");
    negotiates("text/plain;version=2;escaping=values,a/b;escaping=dots;q=0.1",
               "dots");

    p = stpcpy(text, "text/plain;escaping=values;q=0.9");

    for (i = 0; i < 300; i++) {
        p = stpcpy(p, ",a/b;q=0.5");
    }

    negotiates(text, "values");
}


int
main(void)
{
    test_lines();
    test_values();
    test_label_values();
    test_names();
    test_external();
    test_many_external();
    test_random(true, 400);
    test_random(false, 200);
    test_negotiate();

    return tap_done();
}
