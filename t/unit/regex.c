
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Patterns: verdicts and refusals as Go gives them (data/regex.txt), what they
 * are reduced to, that each reduction decides what the engine decides, and the
 * bounds.
 */


#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "labels/prom_re2_pcre.h"
#include "labels/prom_re2_reduce.h"
#include "labels/prom_regex.h"
#include "labels/prom_regex_pcre.h"
#include "tap.h"


#define ARENA     (16 * 1024 * 1024)
#define MESSAGE   2048
#define LINE      8192
#define SUBJECTS  40


typedef struct {
    prom_arena_t   arena;
    prom_msg_t     msg;
    prom_regex_t  *regex;
    prom_regex_t  *pcre;                /* the same without shortcuts */
    int            rc;
    char           text[MESSAGE];
} regex_t;


static const char  *kinds[] = {
    "SET", "PREFIX", "SUFFIX", "CONTAINS", "ANY", "PCRE"
};


static prom_str_t
str_of(const char *text)
{
    prom_str_t  str;

    str.data = (const uint8_t *) text;
    str.len = strlen(text);

    return str;
}


static void
open_regex(regex_t *re, prom_str_t pattern)
{
    char        text[MESSAGE];
    prom_msg_t  msg;

    memset(re, 0, sizeof(regex_t));
    prom_arena_init(&re->arena, ARENA);
    prom_msg_init(&re->msg, re->text, MESSAGE);
    prom_msg_init(&msg, text, MESSAGE);

    re->rc = prom_regex_compile(&re->regex, pattern, &re->arena, &re->msg);

    if (re->rc == PROM_OK
        && prom_regex_compile_pcre(&re->pcre, pattern, &re->arena, &msg)
           != PROM_OK)
    {
        re->pcre = NULL;
    }
}


static void
close_regex(regex_t *re)
{
    if (re->regex != NULL) {
        prom_regex_destroy(re->regex);
    }

    if (re->pcre != NULL) {
        prom_regex_destroy(re->pcre);
    }

    prom_arena_free(&re->arena);
}


/* Decodes %XX in place and goes to what follows the tab. */

static prom_str_t
take_field(char **next)
{
    char       *p, hex[3];
    uint8_t    *out;
    prom_str_t  str;

    p = *next;
    str.data = (uint8_t *) p;
    out = (uint8_t *) p;

    for ( /* void */ ; *p != '\0' && *p != '\t' && *p != '\n'; p++) {

        if (*p != '%') {
            *out++ = *p;
            continue;
        }

        memcpy(hex, p + 1, 2);
        hex[2] = '\0';
        *out++ = strtoul(hex, NULL, 16);
        p += 2;
    }

    *next = (*p == '\0') ? p : p + 1;
    str.len = out - str.data;

    return str;
}


/* One row for the pattern that is open; false where it is not as it says. */

static bool
check_row(const regex_t *re, char *p)
{
    int         got, plain, want;
    bool        refused;
    prom_str_t  subject, verdict;

    refused = (memcmp(p, "!\t", 2) == 0);
    subject = take_field(&p);
    verdict = take_field(&p);

    if (refused) {

        if (re->rc == PROM_ERROR && strlen(re->text) == verdict.len
            && memcmp(re->text, verdict.data, verdict.len) == 0)
        {
            return true;
        }

        tap_diag_bytes(" got", re->text, strlen(re->text));
        tap_diag_bytes("want", verdict.data, verdict.len);

        return false;
    }

    want = (verdict.data[0] == '1');
    got = -1;
    plain = -1;

    if (re->rc == PROM_OK) {
        got = prom_regex_test(re->regex, subject);
        plain = (re->pcre != NULL) ? prom_regex_test(re->pcre, subject) : want;
    }

    if (got == want && plain == want
        && (subject.len > 0 || re->regex->matches_empty == want))
    {
        return true;
    }

    tap_diag_bytes("value", subject.data, subject.len);
    printf("# %s, got %d, without shortcut %d, want %d\n", re->text, got,
           plain, want);

    return false;
}


/* Rows of the same pattern stand side by side and make one test. */

static void
test_table(void)
{
    bool         ok;
    char        *p;
    FILE        *file;
    size_t       patterns;
    regex_t      re;
    prom_str_t   field;
    static char  line[LINE], name[LINE], pattern[LINE];

    file = fopen("t/unit/data/regex.txt", "r");

    if (!tap_ok(file != NULL, "data/regex.txt is there")) {
        return;
    }

    ok = true;
    patterns = 0;

    while (fgets(line, LINE, file) != NULL) {

        if (line[0] == '#') {
            continue;
        }

        p = strchr(line, '\t');
        *p = '\0';

        if (patterns == 0 || strcmp(line, name) != 0) {

            if (patterns > 0) {
                tap_ok(ok, "table: %s", name);
                close_regex(&re);
            }

            strcpy(name, line);
            strcpy(pattern, line);

            ok = true;
            patterns++;

            p = pattern;
            field = take_field(&p);
            open_regex(&re, field);
        }

        ok = check_row(&re, line + strlen(name) + 1) && ok;
    }

    tap_ok(ok, "table: %s", name);
    close_regex(&re);
    fclose(file);

    tap_ok(patterns > 300, "the table has %zu patterns", patterns);
}


static void
test_kinds(void)
{
    size_t   i, k;
    char     got[256];
    regex_t  re;

    static const struct {
        const char    *pattern;
        prom_regex_e   kind;
        const char    *text;            /* the set with bars, or the literal */
        size_t         min_rest;
    } rows[] = {
        { "", PROM_REGEX_SET, "", 0 },
        { "foo", PROM_REGEX_SET, "foo", 0 },
        { "^foo$", PROM_REGEX_SET, "foo", 0 },
        { "(foo)", PROM_REGEX_SET, "foo", 0 },
        { "c|a|b|a", PROM_REGEX_SET, "a|b|c", 0 },
        { "a||b", PROM_REGEX_SET, "|a|b", 0 },
        { "^b$|^a$", PROM_REGEX_SET, "a|b", 0 },
        { "foo(bar|baz)?", PROM_REGEX_SET, "foo|foobar|foobaz", 0 },
        { "[a-c]x|y", PROM_REGEX_SET, "ax|bx|cx|y", 0 },
        { "a{1,3}", PROM_REGEX_SET, "a|aa|aaa", 0 },
        { "(?i)k1", PROM_REGEX_SET, "K1|k1|\xe2\x84\xaa" "1", 0 },
        { "10\\.0\\.0\\.1:9090", PROM_REGEX_SET, "10.0.0.1:9090", 0 },
        { "a\\x{D800}|b", PROM_REGEX_SET, "b", 0 },
        { "foo.*", PROM_REGEX_PREFIX, "foo", 0 },
        { "^foo.+$", PROM_REGEX_PREFIX, "foo", 1 },
        { "foo..*", PROM_REGEX_PREFIX, "foo", 1 },
        { ".*foo", PROM_REGEX_SUFFIX, "foo", 0 },
        { "(?:.+)\\.foo", PROM_REGEX_SUFFIX, ".foo", 1 },
        { ".*foo.*", PROM_REGEX_CONTAINS, "foo", 0 },
        { ".*", PROM_REGEX_ANY, "", 0 },
        { "(.*)", PROM_REGEX_ANY, "", 0 },
        { "[\\s\\S]+", PROM_REGEX_ANY, "", 1 },
        { ".*.+", PROM_REGEX_ANY, "", 1 },
        { ".+.+", PROM_REGEX_PCRE, "", 0 },
        { "(?-s).*", PROM_REGEX_PCRE, "", 0 },
        { "(?-s)foo.*", PROM_REGEX_PCRE, "foo", 0 },
        { "foo.*bar", PROM_REGEX_PCRE, "foo", 0 },
        { "foo[0-9]+", PROM_REGEX_PCRE, "foo", 0 },
        { "foo[0-9]+|fox.*", PROM_REGEX_PCRE, "fo", 0 },
        { "(?i)foo.*", PROM_REGEX_PCRE, "", 0 },
        { ".+foo.*", PROM_REGEX_PCRE, "", 0 },
        { "[a-z]{2}", PROM_REGEX_PCRE, "", 0 },
        { "a$b", PROM_REGEX_PCRE, "a", 0 }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        open_regex(&re, str_of(rows[i].pattern));
        got[0] = '\0';

        if (re.rc == PROM_OK && re.regex->kind == PROM_REGEX_SET) {

            for (k = 0; k < re.regex->n; k++) {
                strcat(got, k > 0 ? "|" : "");
                strncat(got, (const char *) re.regex->set[k].data,
                        re.regex->set[k].len);
            }

        } else if (re.rc == PROM_OK && re.regex->literal.len > 0) {
            strncat(got, (const char *) re.regex->literal.data,
                    re.regex->literal.len);
        }

        tap_is_str(re.rc == PROM_OK ? kinds[re.regex->kind] : re.text,
                   strlen(re.rc == PROM_OK ? kinds[re.regex->kind] : re.text),
                   kinds[rows[i].kind], "kind of %s", rows[i].pattern);
        tap_is_str(got, strlen(got), rows[i].text, "strings of %s",
                   rows[i].pattern);

        if (re.rc == PROM_OK) {
            tap_is_int(re.regex->min_rest, rows[i].min_rest, "rest of %s",
                       rows[i].pattern);
        }

        close_regex(&re);
    }
}


static void
test_text(void)
{
    size_t            i;
    prom_str_t        text;
    prom_arena_t      arena;
    prom_re2_node_t  *root;

    static const struct {
        const char  *pattern;
        const char  *text;
    } rows[] = {
        { "a{,2}", "a\\x{7b}\\x{2c}2\\x{7d}" },
        { "\\Q(*UTF)\\E", "\\x{28}\\x{2a}UTF\\x{29}" },
        { "(?P<n>a)(?:b)(c|d)", "ab(?:c|d)" },
        { "a*?b+?c??d{2,3}?", "a*b+c?d{2,3}" },
        { "(?:ab)*", "(?:ab)*" },
        { "(?i)a1", "(?i:a)1" },
        { "\\s", "[\\x{9}-\\x{a}\\x{c}-\\x{d}\\x{20}]" },
        { "\\v\\12", "\\x{b}\\x{a}" },
        { "\\D", "[^0-9]" },
        { "(?-s).", "[^\\x{a}]" },
        { ".", "." },
        { "(?m)^$", "(?m:^)(?m:$)" },
        { "^$", "\\A\\z" },
        { "^*a", "a" },
        { "\\x{D800}", "(?!)" },
        { "[^\\pL-]", "[^\\x{2d}\\p{L}]" }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        prom_arena_init(&arena, ARENA);

        if (tap_is_int(prom_re2_parse(&root, str_of(rows[i].pattern), &arena,
                                      NULL),
                       PROM_OK, "%s is parsed", rows[i].pattern))
        {
            prom_re2_emit(root, &arena, &text);
            tap_is_str(text.data, text.len, rows[i].text,
                       "what PCRE2 gets for %s", rows[i].pattern);
        }

        prom_arena_free(&arena);
    }
}


static uint32_t
chance(uint32_t n)
{
    static uint64_t  state = 88172645463325252;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;

    return (state >> 11) % n;
}


static void
add_some(char *text, const char *const *pieces, uint32_t n, uint32_t max)
{
    uint32_t  i;

    for (i = chance(max + 1); i > 0; i--) {
        strcat(text, pieces[chance(n)]);
    }
}


/* Patterns that mostly have a shortcut; the engine must say the same. */

static void
test_shortcuts(void)
{
    int         got, want;
    bool        ok;
    char        pattern[512], value[128];
    size_t      i, k, seen[6];
    regex_t     re;
    prom_str_t  str;

    static const char *const  rests[] = {
        "", "", ".*", ".+", "..*", ".*.*", "(.*)", "(?:.*)+", ".{0,}", ".{1,}",
        "[\\s\\S]*", "(?-s:.*)", ".?", "."
    };
    static const char *const  texts[] = {
        "a", "b", "ab", "\xc3\xa9", "\\n", "\\.", "(a)", "(?:ab)", "a{2}",
        "\\Qa.\\E", "\\x{1f600}"
    };
    static const char *const  sets[] = {
        "a", "b", "(a|b)", "[ab]", "[^\\x00-`c-\\x{10ffff}]", "(?i:a)", "b?",
        "a{0,2}", "(a|)", "\xc3\xa9", "(?:b|ab)"
    };
    static const char *const  values[] = {
        "a", "b", "ab", "A", ".", "\n", "\xc3\xa9", "\xc3\xa8", "e", "aa",
        "\xf0\x9f\x98\x80"
    };

    memset(seen, 0, sizeof(seen));
    ok = true;

    for (i = 0; i < 3000; i++) {
        pattern[0] = '\0';
        strcat(pattern, chance(4) == 0 ? "^" : "");

        if (chance(3) == 0) {
            add_some(pattern, sets, 11, 3);
            strcat(pattern, chance(2) == 0 ? "|" : "");
            add_some(pattern, sets, 11, 3);

        } else {
            strcat(pattern, rests[chance(14)]);
            add_some(pattern, texts, 11, 3);
            strcat(pattern, rests[chance(14)]);
        }

        strcat(pattern, chance(4) == 0 ? "$" : "");

        open_regex(&re, str_of(pattern));

        if (re.rc != PROM_OK || re.pcre == NULL) {
            ok = false;
            printf("# %s: %s\n", pattern, re.text);
            close_regex(&re);
            continue;
        }

        seen[re.regex->kind]++;

        for (k = 0; k < SUBJECTS; k++) {
            value[0] = '\0';
            add_some(value, values, 11, 5);
            str = str_of(value);

            got = prom_regex_test(re.regex, str);
            want = prom_regex_test(re.pcre, str);

            if (got != want || (str.len == 0
                                && want != re.regex->matches_empty))
            {
                ok = false;
                printf("# %s is %s, got %d, want %d\n", pattern,
                       kinds[re.regex->kind], got, want);
                tap_diag_bytes("value", value, str.len);
            }
        }

        close_regex(&re);
    }

    tap_ok(ok, "shortcuts decide as the engine does");

    for (i = 0; i < 6; i++) {
        tap_ok(seen[i] > 50, "%s was tried %zu times", kinds[i], seen[i]);
    }
}


/* The pattern is given `levels' levels around, each of `before' and `after'. */

static prom_str_t
nest(const char *before, const char *inner, const char *after, size_t levels)
{
    char        *p;
    size_t       i;
    prom_str_t   str;
    static char  text[3 * PROM_RE2_LEN];

    p = text;

    for (i = 0; i < levels; i++) {
        p = stpcpy(p, before);
    }

    p = stpcpy(p, inner);

    for (i = 0; i < levels; i++) {
        p = stpcpy(p, after);
    }

    str.data = (uint8_t *) text;
    str.len = p - text;

    return str;
}


static void
test_sizes(void)
{
    size_t   i;
    regex_t  re;

    static const struct {
        const char  *before;
        const char  *inner;
        const char  *after;
        size_t       levels;
        const char  *error;             /* its beginning, NULL where none */
    } rows[] = {
        { "(", "a", ")", 998, NULL },
        { "(", "a", ")", 999, "expression nests too deeply: `((" },
        { "(?:", "a", ")", 5000, NULL },
        { "(", "a", ")*b", 332, NULL },
        { "(", "a", ")*b", 400, "expression nests too deeply: `((" },
        { "(?:c|a", "a", ")b", 490, NULL },
        { "(", "a", "", 65535, "missing closing ): `((" },
        { "()", "", "", 32768, NULL },
        { "a", "", "", 65536, NULL },
        { "a", "", "", 65537, "expression too large: `aa" },
        { "a", ".", "", 65535, "expression too large: `aa" },
        { "[a-z]x.", "", "", 5000, "expression too large: `[a" },
        { "(?:(?:a.){100}x){", "", "1}", 1, NULL },
        { "(?i)\\p{Lu}", "", "", 400, "expression too large: `(?i)" },
        { "ab|", "c", "", 20000, NULL },
        { "\\.a|", "c", "", 10000, NULL },
        { "[ab]", "", "", 8, NULL },
        { "[ab]", "", "", 9, NULL }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        open_regex(&re, nest(rows[i].before, rows[i].inner, rows[i].after,
                             rows[i].levels));

        if (rows[i].error == NULL) {
            tap_is_int(re.rc, PROM_OK, "%zu times %s is taken",
                       rows[i].levels, rows[i].before);

        } else {
            tap_is_int(re.rc, PROM_ERROR, "%zu times %s is refused",
                       rows[i].levels, rows[i].before);
            tap_is_str(re.text, prom_min(strlen(re.text),
                                         strlen(rows[i].error)),
                       rows[i].error, "with these words");
        }

        close_regex(&re);
    }

    open_regex(&re, nest("[ab]", "", "", 8));
    tap_ok(re.regex->kind == PROM_REGEX_SET && re.regex->n == 256,
           "256 strings are a set");
    close_regex(&re);

    open_regex(&re, nest("[ab]", "", "", 9));
    tap_ok(re.regex->kind == PROM_REGEX_PCRE, "512 strings are not");
    close_regex(&re);

    open_regex(&re, nest("\\.a|", "c", "", 10000));
    tap_ok(re.regex->kind == PROM_REGEX_SET && re.regex->n == 2,
           "alternatives that are literals are a set, however many");
    close_regex(&re);
}


static void *
deep_compile(void *data)
{
    regex_t  *re;

    re = data;

    open_regex(re, nest("(?:c|a", "a", ")b", 490));

    return NULL;
}


/* Recursion over a pattern as deep as may be ends on a small stack. */

static void
test_stack(void)
{
    size_t           size;
    regex_t          re;
    pthread_t        thread;
    pthread_attr_t   attr;

#ifdef __SANITIZE_ADDRESS__
    size = 4 * 1024 * 1024;
#else
    size = 512 * 1024;
#endif

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, size);

    if (tap_ok(pthread_create(&thread, &attr, deep_compile, &re) == 0,
               "a thread with a small stack"))
    {
        pthread_join(thread, NULL);
        tap_is_int(re.rc, PROM_OK, "deep nesting is compiled in it");
        close_regex(&re);
    }

    pthread_attr_destroy(&attr);
}


static double
seconds(void)
{
    struct timespec  now;

    clock_gettime(CLOCK_MONOTONIC, &now);

    return now.tv_sec + now.tv_nsec / 1e9;
}


static void
test_work(void)
{
    int          rc;
    size_t       i;
    double       start, took;
    regex_t      re;
    prom_str_t   value;
    static char  text[200001];

    static const struct {
        const char  *before;
        const char  *inner;
        const char  *after;
        size_t       levels;
        size_t       len;               /* of a value of a's */
        const char  *end;               /* of the value */
        int          want;
    } rows[] = {
        { "", "(a+)+b", "", 0, 50, "c", 0 },
        { "", "(a|aa)+b", "", 0, 50, "b!", PROM_LIMIT },
        { "", "(a|aa)+b", "", 0, 50, "b", 1 },
        { "", "(a*b?)*c", "", 0, 40, "cx", PROM_LIMIT },
        { "", "(x+x+)+y|.*a.*a.*a.*a.*a.*b.", "", 0, 500, "bcc", PROM_LIMIT },
        { "", "(?:a|b)*c", "", 0, 16000, "c", 1 },
        { "", "(?:a|b)*c.", "", 0, 16000, "c", 0 },
        { "", "(?:a|b)*c", "", 0, 199990, "c", PROM_LIMIT },

        /* nested as deep as this they are not for the JIT compiler */

        { "(?:", "(a|aa)+b", ")?(?:x)?", 120, 50, "b!", PROM_LIMIT },
        { "(?:", "(a|aa)+b", ")?(?:x)?", 120, 50, "b", 1 },
        { "(?:", "[ab]+c", ")?(?:x)?", 120, 50, "cxx", 1 },
        { "(?:", "[ab]+c", ")?(?:x)?", 120, 50, "cy", 0 }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        open_regex(&re, nest(rows[i].before, rows[i].inner, rows[i].after,
                             rows[i].levels));

        if (!tap_is_int(re.rc, PROM_OK, "%s is taken", rows[i].inner)) {
            close_regex(&re);
            continue;
        }

        memset(text, 'a', rows[i].len);
        strcpy(text + rows[i].len, rows[i].end);
        value = str_of(text);

        start = seconds();
        rc = prom_regex_test(re.regex, value);
        took = seconds() - start;

        tap_is_int(rc, rows[i].want, "%s on %zu bytes", rows[i].inner,
                   value.len);
        tap_ok(took < 2, "and it takes %.3f s", took);

        close_regex(&re);
    }
}


/* With less and less memory: an answer or PROM_NOMEM, never half of one. */

static void
test_memory(void)
{
    bool           ok;
    char           text[MESSAGE];
    size_t         i, limit, done;
    prom_msg_t     msg;
    prom_arena_t   arena;
    prom_regex_t  *regex;

    static const char *const  patterns[] = {
        "a|b|c", "foo.*", "(?i)[k-z\\pL\\P{Lu}]+x", "([a-z]{2}|\\d+)*\\.x",
        "(?i)abcdef", "[ab]{8}", "(((((((((a)b)c)d)e)f)g)h)*)?"
    };

    for (i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        ok = true;
        done = 0;

        for (limit = 0; limit < 1024 * 1024; limit += 128 + limit / 64) {
            prom_arena_init(&arena, limit);
            prom_msg_init(&msg, text, MESSAGE);
            regex = NULL;

            switch (prom_regex_compile(&regex, str_of(patterns[i]), &arena,
                                       &msg))
            {
            case PROM_OK:
                done++;
                ok = ok && regex != NULL && arena.used <= limit;
                prom_regex_destroy(regex);
                break;

            case PROM_NOMEM:
                ok = ok && done == 0 && regex == NULL;
                break;

            default:
                ok = false;
            }

            prom_arena_free(&arena);
        }

        tap_ok(ok && done > 0, "little memory for %s", patterns[i]);
    }
}


static void
test_bytes(void)
{
    regex_t  re;

    open_regex(&re, prom_str("\xff|a"));
    tap_is_int(re.rc, PROM_OK, "literals need not be UTF-8");
    tap_is_int(prom_regex_test(re.regex, prom_str("\xff")), 1,
               "and then match bytes");
    close_regex(&re);

    open_regex(&re, prom_str("a.*b"));
    tap_is_int(prom_regex_test(re.regex, prom_str("a\xff" "b")), 0,
               "a value that is not UTF-8 does not match");
    tap_is_int(prom_regex_test(re.regex, prom_str("a\0b")), 1,
               "a value may hold a NUL");
    close_regex(&re);

    open_regex(&re, prom_str("a\0b."));
    tap_is_int(prom_regex_test(re.regex, prom_str("a\0bc")), 1,
               "a pattern too");
    close_regex(&re);
}


int
main(void)
{
    test_table();
    test_kinds();
    test_text();
    test_shortcuts();
    test_sizes();
    test_stack();
    test_work();
    test_memory();
    test_bytes();

    return tap_done();
}
