
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Selectors: which of a set of series they select, and the messages with which
 * they are refused.  Both are as Prometheus 3 answered.
 */


#include <stdlib.h>

#include "labels/prom_labels.h"
#include "labels/prom_selector.h"
#include "tap.h"


#define ARENA    (4 * 1024 * 1024)
#define MESSAGE  2048
#define LABELS   6


typedef struct {
    const char    *id;
    prom_label_t   labels[LABELS];
} series_t;


/* As raw strings of C, so that lengths are known. */

#define L(name, value)  { { (const uint8_t *) name, sizeof(name) - 1 },       \
                          { (const uint8_t *) value, sizeof(value) - 1 } }


static const series_t  all[] = {
    { "F1", { L("__name__", "foo"), L("a", "1"), L("instance", "T"),
              L("job", "x") } },
    { "F2", { L("__name__", "foo"), L("a", "2"), L("instance", "T"),
              L("job", "t") } },
    { "F3", { L("__name__", "foo"), L("a", "3"), L("instance", "own"),
              L("job", "t") } },
    { "F4", { L("__name__", "foo"), L("b", "b1"), L("instance", "T"),
              L("job", "t") } },
    { "F5", { L("__name__", "foo"), L("b", "b2"), L("instance", "T"),
              L("job", "t") } },
    { "F6", { L("__name__", "foo"), L("instance", "T"), L("job", "t") } },
    { "G", { L("__name__", "foobar"), L("instance", "T"), L("job", "t"),
             L("zz", "multi\nline") } },
    { "C", { L("__name__", "bar:baz_total"), L("a", "1"), L("instance", "T"),
             L("job", "t") } },
    { "B", { L("Abc", "u"), L("__name__", "Bar"), L("instance", "T"),
             L("job", "t"), L("zone", "z1") } },
    { "S", { L("__name__", "sum"), L("instance", "T"), L("job", "t") } },
    { "L", { L("__name__", "lv"), L("instance", "T"), L("job", "t"),
             L("v", "caf\xc3\xa9") } },
    { "L0", { L("__name__", "lv"), L("instance", "T"), L("job", "t") } },
    { "Q", { L("__name__", "lv"), L("instance", "T"), L("job", "t"),
             L("v", "quo\"te") } },
    { "K", { L("__name__", "lv"), L("instance", "T"), L("job", "t"),
             L("v", "back\\slash") } },
    { "D1", { L("__name__", "my.name"), L("a.b", "x"), L("c", "y"),
              L("instance", "T"), L("job", "t") } },
    { "D2", { L("__name__", "my.name"), L("instance", "T"), L("job", "t") } },
    { "P", { L("__name__", "plain"), L("dot.ted", "q"), L("instance", "T"),
             L("job", "t") } },
    { "H", { L("__name__", "\xe8\x8a\xb1\xe7\x81\xab"), L("instance", "T"),
             L("job", "t") } }
};


#define F    "F1 F2 F3 F4 F5 F6"
#define ALL  F " G C B S L L0 Q K D1 D2 P H"


typedef struct {
    const char  *selectors[16];
    const char  *matches;
} accepted_t;


static const accepted_t  accepted[] = {

    /* names, spaces and comments */

    { { "foo", "foo{}", " foo ", "foo#", "# c\nfoo", "foo # c", "#\r\tfoo",
        "foo\n\t\r {\r\n} # { \xff", "foo{#\n}" }, F },
    { { "foo{a=\"1\",}", "foo{a='1'}", "foo{a=`1`}",
        "foo { a = \"1\" , job = \"x\" }", "foo{a=\"1\" # c\n}",
        "foo{a#x\r=#y\n\"1\"}", "foo{a=\"1\",#\n}" }, "F1" },

    /* an absent label is an empty one */

    { { "foo{a=\"\"}", "foo{a=~\"\"}", "foo{a!~\".+\"}", "foo{a=~\"^$\"}",
        "foo{a=~\"()\"}" }, "F4 F5 F6" },
    { { "foo{a!=\"\"}", "foo{a=~\".+\"}", "foo{a!~\"\"}" }, "F1 F2 F3" },
    { { "foo{nope=\"\"}", "foo{nope!=\"x\"}", "foo{a=~\".*\"}",
        "foo{a=~\".?\"}", "foo{nope!~\"x|y\"}", "foo{nope=~\"(?m)^$\"}" }, F },
    { { "foo{nope!=\"\"}", "foo{a!~\".*\"}", "foo{a=\"1\",a=\"2\"}",
        "foo{__name__=\"bar\"}", "{}", " { } " }, "" },
    { { "foo{a=~\"1|\"}", "foo{a=~\"|1\"}", "foo{a=~\"(|1)\"}" },
      "F1 F4 F5 F6" },
    { { "foo{a=~\"1|2\",a!=\"2\"}", "foo{a=~\"^1$\"}",
        "foo{a=~\"\\\\Q1\\\\E\"}", "foo{a=~\"(?i:1)\"}",
        "foo{a=~`\\Q1\\E`}" }, "F1" },
    { { "foo{a=~\"^1|2$\"}", "foo{a=~\"[12]\"}", "foo{a!~\"3|\"}",
        "foo{a=~\"\\\\d\",instance!~\"o.*\"}" }, "F1 F2" },
    { { "{a=\"\"}" }, "F4 F5 F6 G B S L L0 Q K D1 D2 P H" },
    { { "{a=~\".*\"}", "{a!=\"x\"}", "{instance!=\"\"}",
        "{__name__!=\"\"}" }, ALL },

    /* the name is a label */

    { { "{__name__=~\"foo.*\"}", "{__name__=~\"foo|foobar\"}" }, F " G" },
    { { "bar:baz_total", "{__name__=~\"bar:.*\"}",
        "{__name__=~\".*:.*\"}" }, "C" },
    { { "sum", "sum{}" }, "S" },
    { { "SUM", "::a", ":", "_", "foo{on=\"1\"}", "foo{bool=\"1\",inf=\"2\"}",
        "by", "and{a=\"1\"}", "Offset", "start", "atan", "infx", "nan1" },
      "" },
    { { "quantile", "limit_ratio", "unless", "or", "end", "without",
        "group", "smoothed", "step", "count_values", "avg", "max" }, "" },
    { { "{zone=\"z1\"}", "{Abc=\"u\"}" }, "B" },
    { { "{zone=\"ie\"}" }, "" },

    /* strings and lines */

    { { "foobar{zz=\"multi\\nline\"}", "foobar{zz=`multi\nline`}",
        "foobar{zz=~\"multi\\\\sline\"}", "foobar{zz=~\"multi.line\"}",
        "foobar{zz=~\"(?m)multi$\\\\n^line\"}", "{zz='multi\\012line'}",
        "{zz='multi\\x0aline'}", "{zz='multi\\u000aline'}",
        "{zz='multi\\U0000000aline'}" }, "G" },
    { { "foobar{zz=~\"(?-s)multi.line\"}", "foobar{zz=~\"multi\"}",
        "foobar{zz=~\"multi$.line\"}" }, "" },
    { { "lv{v=\"caf\\u00e9\"}", "lv{v=\"caf\\xc3\\xa9\"}",
        "lv{v=~\"caf.\"}", "lv{v=~\"(?i)CAF\xc3\x89\"}",
        "lv{v=~\"caf\\\\x{e9}\"}", "lv{v=\"caf\\303\\251\"}",
        "lv{v=\"caf\xc3\xa9\"}", "lv{v=\"caf\\U000000E9\"}" }, "L" },
    { { "lv{v=\"quo\\\"te\"}", "lv{v='quo\"te'}", "lv{v=`quo\"te`}",
        "lv{v='quo\\042te'}" }, "Q" },
    { { "lv{v=\"back\\\\slash\"}", "lv{v=`back\\slash`}",
        "lv{v=~`back\\\\slash`}" }, "K" },
    { { "lv{v!=\"\\a\\b\\f\\n\\r\\t\\v\\\\\"}", "lv{v!='\t\r\\''}" },
      "L L0 Q K" },
    { { "lv{v=\"caf\xc3\xa9 \"}", "lv{v=\"caf\\xc3\"}" }, "" },

    /* quoted names */

    { { "{\"foo\",\"a\"=\"1\"}", "{a=\"1\",\"foo\"}", "{'foo',a=\"1\"}",
        "{`foo`,`a`=`1`}", "foo{\"foo\",a=\"1\"}", "{\"foo\",'a'=~'1'}" },
      "F1" },
    { { "foo{\"foo\"}", "{\"foo\"}" }, F },
    { { "{\"my.name\"}", "{\"my.name\",}", "{__name__=\"my.name\"}",
        "{\"my\\x2ename\"}", "{ 'my.name' #\n , }" }, "D1 D2" },
    { { "{\"my.name\",\"a.b\"=~\"x|y\"}", "{\"a.b\"=\"x\"}" }, "D1" },
    { { "plain{\"dot.ted\"=\"q\"}" }, "P" },
    { { "{\"\xe8\x8a\xb1\xe7\x81\xab\"}", "{\"\\u82b1\\u706b\"}" }, "H" },
    { { "{\"foo\",\"foobar\"}", "{\"\"}", "foo{\"\\xff\"=\"1\"}",
        "foo{a=\"\\xff\"}", "foo{a=~\"\\xff|\\xfe\"}" }, "" },

    /* a label without a name is absent, whatever the series has */

    { { "foo{\"\"=\"\"}", "foo{\"\"=~\".*\"}", "foo{\"\"!=\"x\"}" }, F },
    { { "foo{\"\"!=\"\"}", "foo{\"\"=\"foo\"}", "foo{\"\"=~\".+\"}" }, "" }
};


static const struct {
    const char  *selector;
    const char  *message;
} refused[] = {
    { "foo{a=\"1\"", "1:10: parse error: unexpected end of input inside "
                     "braces" },
    { "foo{,}", "1:5: parse error: unexpected \",\" in label matching, "
                "expected identifier or \"}\"" },
    { "foo{a=\"1\" job=\"x\"}", "1:11: parse error: unexpected identifier "
                                "\"job\" in label matching, expected \",\" or "
                                "\"}\"" },
    { "foo{a=b}", "1:7: parse error: unexpected identifier \"b\" in label "
                  "matching, expected string" },
    { "foo{a}", "1:6: parse error: unexpected \"}\" in label matching, "
                "expected label matching operator" },
    { "foo{a:b=\"c\"}", "1:6: parse error: unexpected character inside "
                        "braces: ':'" },
    { "foo[5m]", "1:4: parse error: unexpected \"[\"" },
    { "foo offset 5m", "1:5: parse error: unexpected <offset>" },
    { "(foo)", "1:1: parse error: unexpected \"(\"" },
    { "-foo", "1:1: parse error: unexpected <op:->" },
    { "foo.bar", "1:4: parse error: unexpected character: '.'" },
    { "foo#x\nbar", "2:1: parse error: unexpected identifier \"bar\"" },
    { "on", "1:1: parse error: unexpected <on>" },
    { "inf", "1:1: parse error: unexpected number \"inf\"" },
    { "\"foo\"", "1:1: parse error: unexpected string \"\\\"foo\\\"\"" },
    { "lv{v=\"\\q\"}", "1:6: parse error: unknown escape sequence U+0071 "
                       "'q'" },
    { "lv{v=\"\\'\"}", "1:6: parse error: unknown escape sequence U+0027 "
                       "'''" },
    { "lv{v=\"\\uD800\"}", "1:6: parse error: escape sequence is an invalid "
                           "Unicode code point" },
    { "lv{v=\"\\400\"}", "1:6: parse error: escape sequence is an invalid "
                         "Unicode code point" },
    { "lv{v=\"\xef\xbf\xbd\"}", "1:6: parse error: invalid UTF-8 rune" },
    { "foo{a=~\"(\"}", "1:5: parse error: error parsing regexp: missing "
                       "closing ): `(`" },
    { "foo{a=~\"a{1001}\"}", "1:5: parse error: error parsing regexp: invalid "
                             "repeat count: `{1001}`" },
    { "foo{a=~\"(?=x)\"}", "1:5: parse error: error parsing regexp: invalid "
                           "or unsupported Perl syntax: `(?=`" },
    { "foo{a=~\"a**\"}", "1:5: parse error: error parsing regexp: invalid "
                         "nested repetition operator: `**`" },
    { "foo{a=~\"\\\\Z\"}", "1:5: parse error: error parsing regexp: invalid "
                           "escape sequence: `\\Z`" },
    { "", "unknown position: parse error: unexpected end of input" },

    /* where a message points to */

    { "  ", "1:3: parse error: unexpected end of input" },
    { "#c\n", "2:1: parse error: unexpected end of input" },
    { "foo{\n\n  a=~\"\xc3\xa9[\",b=1}", "3:3: parse error: error parsing "
                                         "regexp: missing closing ]: `[`" },
    { "foo{b=\"\xc3\xa9\",c}", "1:13: parse error: unexpected \"}\" in label "
                               "matching, expected label matching operator" },
    { "foo)", "1:5: parse error: unexpected right parenthesis ')'" },
    { "foo{a=~\"\\\\1\",b=~\"(\"}", "1:5: parse error: error parsing regexp: "
                                    "invalid escape sequence: `\\1`" },
    { "foo{a=~\"(\",b=}", "1:5: parse error: error parsing regexp: missing "
                          "closing ): `(`" },

    /* after and instead of a selector */

    { "foo bar", "1:5: parse error: unexpected identifier \"bar\"" },
    { "foo a:b", "1:5: parse error: unexpected metric identifier \"a:b\"" },
    { "foo{}{}", "1:6: parse error: unexpected \"{\"" },
    { "foo{}}", "1:6: parse error: unexpected character: '}'" },
    { "foo,", "1:4: parse error: unexpected \",\"" },
    { "foo=1", "1:4: parse error: unexpected \"=\"" },
    { "foo == 1", "1:5: parse error: unexpected <op:==>" },
    { "foo != 1", "1:5: parse error: unexpected <op:!=>" },
    { "foo >= 1", "1:5: parse error: unexpected <op:>=>" },
    { "foo =~ 1", "1:5: parse error: unexpected character after '=': '~'" },
    { "foo !~ 1", "1:5: parse error: unexpected character after '!': '~'" },
    { "foo!", "1:4: parse error: unexpected character after '!': "
              "'\xef\xbf\xbd'" },
    { "foo]", "1:4: parse error: unexpected right bracket ']'" },
    { "foo;", "1:4: parse error: unexpected character: ';'" },
    { "foo\xff", "1:4: parse error: unexpected character: '\xef\xbf\xbd'" },
    { "foo\v", "1:4: parse error: unexpected character: '\\v'" },
    { "foo\xc2\xa0", "1:4: parse error: unexpected character: '\\u00a0'" },
    { "\xc3\xa9", "1:1: parse error: unexpected character: '\xc3\xa9'" },
    { "$'", "1:1: parse error: unexpected character: '$'" },
    { "foo and bar", "1:5: parse error: unexpected <op:and>" },
    { "foo SUM", "1:5: parse error: unexpected <aggr:SUM>" },
    { "foo start", "1:5: parse error: unexpected \"start\"" },
    { "ATAN2", "1:1: parse error: unexpected <op:ATAN2>" },
    { "Bool", "1:1: parse error: unexpected <Bool>" },
    { "ignoring", "1:1: parse error: unexpected <ignoring>" },
    { "group_left", "1:1: parse error: unexpected <group_left>" },
    { "group_right{}", "1:1: parse error: unexpected <group_right>" },
    { "NaN", "1:1: parse error: unexpected number \"NaN\"" },
    { "1foo", "1:1: parse error: bad number or duration syntax: \"1\"" },
    { "5mo", "1:1: parse error: bad number or duration syntax: \"5mo\"" },
    { "1h3", "1:1: parse error: bad number or duration syntax: \"1h3\"" },
    { "1.e", "1:1: parse error: bad number or duration syntax: \"1.e\"" },
    { "1_", "1:1: parse error: bad number or duration syntax: \"1_\"" },
    { "foo 12", "1:5: parse error: unexpected number \"12\"" },
    { "foo 0x1F", "1:5: parse error: unexpected number \"0x1F\"" },
    { "foo .5e-3", "1:5: parse error: unexpected number \".5e-3\"" },
    { "foo 1h30m", "1:5: parse error: unexpected duration \"1h30m\"" },
    { "foo 123456789012", "1:5: parse error: unexpected number "
                          "\"1234567890\"..." },
    { "\"0123456789\"", "1:1: parse error: unexpected string "
                        "\"\\\"012345678\"..." },
    { "\"12345678\"", "1:1: parse error: unexpected string "
                      "\"\\\"12345678\\\"\"" },

    /* inside of braces */

    { "{", "1:2: parse error: unexpected end of input inside braces" },
    { "{a", "1:3: parse error: unexpected end of input inside braces" },
    { "{a=", "1:4: parse error: unexpected end of input inside braces" },
    { "{#}", "1:4: parse error: unexpected end of input inside braces" },
    { "{a=\"1\",,}", "1:8: parse error: unexpected \",\" in label matching, "
                     "expected identifier or \"}\"" },
    { "{=\"x\"}", "1:2: parse error: unexpected \"=\" in label matching, "
                  "expected identifier or \"}\"" },
    { "{!=\"x\"}", "1:2: parse error: unexpected <op:!=> in label matching, "
                   "expected identifier or \"}\"" },
    { "{a==\"x\"}", "1:4: parse error: unexpected \"=\" in label matching, "
                    "expected string" },
    { "{a= ~\"x\"}", "1:5: parse error: unexpected character inside braces: "
                     "'~'" },
    { "{a!\"x\"}", "1:3: parse error: unexpected character after '!' inside "
                   "braces: '\"'" },
    { "{a!'x'}", "1:3: parse error: unexpected character after '!' inside "
                 "braces: '\\''" },
    { "{a=~~\"x\"}", "1:5: parse error: unexpected character inside braces: "
                     "'~'" },
    { "{{}}", "1:2: parse error: unexpected left brace '{'" },
    { "{a=1}", "1:4: parse error: unexpected character inside braces: '1'" },
    { "{1a=\"1\"}", "1:2: parse error: unexpected character inside braces: "
                    "'1'" },
    { "{a.b=\"1\"}", "1:3: parse error: unexpected character inside braces: "
                     "'.'" },
    { "{\"a\" \"b\"}", "1:6: parse error: unexpected string \"\\\"b\\\"\" in "
                       "label matching, expected \",\" or \"}\"" },
    { "{\"a\" b=\"c\"}", "1:6: parse error: unexpected identifier \"b\" in "
                         "label matching, expected \",\" or \"}\"" },
    { "{\"a\"=b}", "1:6: parse error: unexpected identifier \"b\" in label "
                   "matching, expected string" },
    { "{\"a\" !}", "1:6: parse error: unexpected character after '!' inside "
                   "braces: '}'" },
    { "{a \"b\"}", "1:4: parse error: unexpected string \"\\\"b\\\"\" in "
                   "label matching, expected label matching operator" },
    { "{a=\"1\" =}", "1:8: parse error: unexpected \"=\" in label matching, "
                     "expected \",\" or \"}\"" },
    { "{on=sum}", "1:5: parse error: unexpected identifier \"sum\" in label "
                  "matching, expected string" },

    /* strings */

    { "{a=\"1}", "1:4: parse error: unterminated quoted string" },
    { "{a=\"1\n\"}", "1:4: parse error: unterminated quoted string" },
    { "{a='1\"}", "1:4: parse error: unterminated quoted string" },
    { "{a=`1}", "1:4: parse error: unterminated raw string" },
    { "{a=\"\xff\"}", "1:4: parse error: invalid UTF-8 rune" },
    { "{a=`\xc3`}", "1:4: parse error: invalid UTF-8 rune" },
    { "{\"\xff\"=\"a\"}", "1:2: parse error: invalid UTF-8 rune" },
    { "{a=\"\\", "1:4: parse error: escape sequence not terminated" },
    { "{a=\"\\x4", "1:4: parse error: escape sequence not terminated" },
    { "{a=\"\\x4\"}", "1:4: parse error: illegal character U+0022 '\"' in "
                      "escape sequence" },
    { "{a=\"\\18\"}", "1:4: parse error: illegal character U+0038 '8' in "
                      "escape sequence" },
    { "{a=\"\\u00g0\"}", "1:4: parse error: illegal character U+0067 'g' in "
                         "escape sequence" },
    { "{a=\"\\1\n1\"}", "1:4: parse error: illegal character U+000A in escape "
                        "sequence" },
    { "{a=\"\\8\"}", "1:4: parse error: unknown escape sequence U+0038 '8'" },
    { "{a='\\\"'}", "1:4: parse error: unknown escape sequence U+0022 '\"'" },
    { "{a=\"\\`\"}", "1:4: parse error: unknown escape sequence U+0060 '`'" },
    { "{a=\"\\d\"}", "1:4: parse error: unknown escape sequence U+0064 'd'" },
    { "{a=\"\\\xc3\xa9\"}", "1:4: parse error: unknown escape sequence U+00E9 "
                            "'\xc3\xa9'" },
    { "{a=\"\\U00110000\"}", "1:4: parse error: escape sequence is an invalid "
                             "Unicode code point" },

    /* patterns */

    { "{a=~\"\\xff.\"}", "1:2: parse error: error parsing regexp: invalid "
                         "UTF-8: `\xef\xbf\xbd.`" },
    { "{a!~\"1)|(2\"}", "1:2: parse error: error parsing regexp: unexpected "
                        "): `1)|(2`" },
    { "{\"a\"=~\"*\"}", "1:2: parse error: error parsing regexp: missing "
                        "argument to repetition operator: `*`" },
    { "{a=~\"\\\\\"}", "1:2: parse error: error parsing regexp: trailing "
                       "backslash at end of expression: ``" }
};


static prom_str_t
value_of(const series_t *series, prom_str_t name)
{
    size_t      i;
    prom_str_t  none;

    for (i = 0; i < LABELS; i++) {

        if (series->labels[i].name.len > 0
            && prom_str_eq(series->labels[i].name, name))
        {
            return series->labels[i].value;
        }
    }

    none.data = NULL;
    none.len = 0;

    return none;
}


static bool
selects(const prom_selector_t *selector, const series_t *series)
{
    size_t                 i;
    prom_str_t             value;
    const prom_matcher_t  *matcher;

    for (i = 0; i < selector->n; i++) {
        matcher = &selector->matchers[i];
        value = value_of(series, matcher->name);

        if (prom_matcher_test(matcher, value) != 1) {
            return false;
        }

        if (value.len == 0 && !matcher->matches_empty) {
            return false;
        }
    }

    return selector->n > 0;
}


static void
test_accepted(const char *text, const char *want)
{
    int              rc;
    char             got[256], message[MESSAGE];
    size_t           i;
    prom_msg_t       msg;
    prom_str_t       str;
    prom_arena_t     arena;
    prom_selector_t  selector;

    prom_arena_init(&arena, ARENA);
    prom_msg_init(&msg, message, MESSAGE);

    str.data = (const uint8_t *) text;
    str.len = strlen(text);
    got[0] = '\0';

    rc = prom_selector_parse(&selector, str, &arena, &msg);

    if (rc != PROM_OK) {
        tap_is_str(message, msg.len, "", "%s is taken", text);
        prom_arena_free(&arena);
        return;
    }

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {

        if (selects(&selector, &all[i])) {
            strcat(got, got[0] != '\0' ? " " : "");
            strcat(got, all[i].id);
        }
    }

    tap_is_str(got, strlen(got), want, "%s", text);

    prom_selector_destroy(&selector);
    prom_arena_free(&arena);
}


static void
test_refused(const char *text, const char *want)
{
    int              rc;
    char             message[MESSAGE];
    prom_msg_t       msg;
    prom_str_t       str;
    prom_arena_t     arena;
    prom_selector_t  selector;

    prom_arena_init(&arena, ARENA);
    prom_msg_init(&msg, message, MESSAGE);

    str.data = (const uint8_t *) text;
    str.len = strlen(text);

    rc = prom_selector_parse(&selector, str, &arena, &msg);

    tap_is_int(rc, PROM_ERROR, "refused: %s", text);
    tap_is_str(message, msg.len, want, "%s", want);

    if (rc == PROM_OK) {
        prom_selector_destroy(&selector);
    }

    prom_arena_free(&arena);
}


static void
test_bytes(void)
{
    char             message[MESSAGE];
    prom_msg_t       msg;
    prom_arena_t     arena;
    prom_selector_t  selector;

    prom_arena_init(&arena, ARENA);
    prom_msg_init(&msg, message, MESSAGE);

    tap_is_int(prom_selector_parse(&selector, prom_str("a{b=\"x\0y\",c=`\0`}"),
                                   &arena, &msg),
               PROM_OK, "a NUL in a string");
    tap_ok(selector.n == 3
           && prom_str_eq(selector.matchers[1].value, prom_str("x\0y"))
           && prom_str_eq(selector.matchers[2].value, prom_str("\0")),
           "stays in the value");
    prom_selector_destroy(&selector);

    tap_is_int(prom_selector_parse(&selector, prom_str("a\0"), &arena, &msg),
               PROM_ERROR, "a NUL after a name");
    tap_is_str(message, msg.len, "1:2: parse error: unexpected character: "
               "'\\x00'", "is no end");

    prom_arena_free(&arena);
}


/* A limit of the engine must not become the "yes" of a negated matcher. */

static void
test_limit(void)
{
    char             message[MESSAGE];
    prom_msg_t       msg;
    prom_str_t       value;
    prom_arena_t     arena;
    prom_selector_t  selector;

    prom_arena_init(&arena, ARENA);
    prom_msg_init(&msg, message, MESSAGE);

    prom_selector_parse(&selector,
                        prom_str("{a=~\"(a|aa)+b\",a!~\"(a|aa)+b\"}"),
                        &arena, &msg);

    value = prom_str("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab!");

    tap_is_int(prom_matcher_test(&selector.matchers[0], value), PROM_LIMIT,
               "=~ passes a limit on");
    tap_is_int(prom_matcher_test(&selector.matchers[1], value), PROM_LIMIT,
               "so does !~");

    prom_selector_destroy(&selector);
    prom_arena_free(&arena);
}


static void
test_memory(void)
{
    int              rc;
    bool             ok;
    char             message[MESSAGE];
    size_t           limit, done;
    prom_msg_t       msg;
    prom_arena_t     arena;
    prom_selector_t  selector;

    ok = true;
    done = 0;

    for (limit = 0; limit < 128 * 1024; limit += 256) {
        prom_arena_init(&arena, limit);
        prom_msg_init(&msg, message, MESSAGE);

        rc = prom_selector_parse(&selector,
                                 prom_str("foo{a=~\"x.y\",b=~\"[ab]+\","
                                          "c=\"1\",d!=\"\\u00e9\",e=\"\","
                                          "f!~\"(x+y)+\",\"g\"}"),
                                 &arena, &msg);

        if (rc == PROM_OK) {
            done++;
            ok = ok && selector.n == 8;
            prom_selector_destroy(&selector);

        } else {
            ok = ok && rc == PROM_NOMEM && done == 0 && selector.n == 0;
        }

        prom_arena_free(&arena);
    }

    tap_ok(ok && done > 0 && done < 512, "little memory");
}


int
main(void)
{
    size_t  i, k;

    for (i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {

        for (k = 0; k < 16 && accepted[i].selectors[k] != NULL; k++) {
            test_accepted(accepted[i].selectors[k], accepted[i].matches);
        }
    }

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        test_refused(refused[i].selector, refused[i].message);
    }

    test_bytes();
    test_limit();
    test_memory();

    return tap_done();
}
