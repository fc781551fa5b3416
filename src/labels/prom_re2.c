
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The parser of RE2 patterns, in the dialect of Go's regexp/syntax.
 *
 * It does not recurse: open groups are a list.  Of a group it keeps the items
 * of the alternative at hand, to the last of which a repetition applies, and
 * the alternatives that are complete.
 */


#include "prom_re2_parser.h"
#include "../base/prom_utf8.h"


#define PROM_RE2_FRAGMENT  256          /* bytes of a pattern in a message */


typedef struct {
    prom_re2_node_t  *first;
    prom_re2_node_t  *last;
} prom_re2_list_t;


struct prom_re2_group_s {
    prom_re2_group_t  *parent;
    unsigned           flags;           /* of the time before it */
    bool               capture;
    prom_re2_list_t    items;
    prom_re2_list_t    alternatives;
};


static int prom_re2_item(prom_re2_parser_t *parser, const uint8_t **repeat);
static int prom_re2_push(prom_re2_parser_t *parser, prom_re2_e op);
static int prom_re2_push_literal(prom_re2_parser_t *parser, uint32_t c);
static int prom_re2_push_class(prom_re2_parser_t *parser,
    int (*handler)(prom_re2_parser_t *parser, prom_re2_node_t *node));
static int prom_re2_backslash(prom_re2_parser_t *parser);
static int prom_re2_quoted(prom_re2_parser_t *parser);
static int prom_re2_question(prom_re2_parser_t *parser);
static int prom_re2_named(prom_re2_parser_t *parser, size_t skip);
static int prom_re2_counts(prom_re2_parser_t *parser, const uint8_t **repeat);
static const uint8_t *prom_re2_number(const uint8_t *p, const uint8_t *end,
    int *number);
static int prom_re2_repeated(prom_re2_parser_t *parser, int min, int max,
    const uint8_t *before, const uint8_t **repeat);
static int prom_re2_open(prom_re2_parser_t *parser, bool capture);
static int prom_re2_bar(prom_re2_parser_t *parser);
static int prom_re2_close(prom_re2_parser_t *parser);
static int prom_re2_joined(prom_re2_parser_t *parser, prom_re2_list_t *list,
    prom_re2_e op, prom_re2_node_t **node);
static int prom_re2_too_deep(prom_re2_parser_t *parser);


int
prom_re2_parse(prom_re2_node_t **root, prom_str_t pattern, prom_arena_t *arena,
    prom_msg_t *msg)
{
    int                 rc, height;
    const uint8_t      *before, *repeat, *last;
    prom_re2_group_t    top;
    prom_re2_parser_t   parser;

    if (pattern.len > PROM_RE2_LEN) {
        return prom_re2_error(msg, "expression too large", pattern.data,
                              pattern.data + pattern.len);
    }

    memset(&top, 0, sizeof(prom_re2_group_t));
    memset(&parser, 0, sizeof(prom_re2_parser_t));

    parser.start = pattern.data;
    parser.p = pattern.data;
    parser.end = pattern.data + pattern.len;
    parser.arena = arena;
    parser.msg = msg;
    parser.group = &top;
    parser.flags = PROM_RE2_DOTALL;

    last = NULL;

    while (parser.p < parser.end) {
        before = parser.p;
        repeat = last;

        rc = prom_re2_item(&parser, &repeat);
        if (rc != PROM_OK) {
            return rc;
        }

        last = (repeat == before) ? before : NULL;
    }

    if (parser.group != &top) {
        return prom_re2_error(msg, "missing closing )", parser.start,
                              parser.end);
    }

    rc = prom_re2_bar(&parser);
    if (rc != PROM_OK) {
        return rc;
    }

    rc = prom_re2_joined(&parser, &top.alternatives, PROM_RE2_ALTERNATE,
                         root);
    if (rc != PROM_OK) {
        return rc;
    }

    /* the anchors that are put around it make one level more */

    height = (*root)->height + ((*root)->op != PROM_RE2_CONCAT);

    if (height > PROM_RE2_HEIGHT) {
        return prom_re2_too_deep(&parser);
    }

    return PROM_OK;
}


/*
 * One item of the pattern.  *repeat is where the repetition before it began, if
 * the item before was one, and is set to where this one began, if it is one.
 */

static int
prom_re2_item(prom_re2_parser_t *parser, const uint8_t **repeat)
{
    int             rc;
    uint32_t        c;
    const uint8_t  *before;

    before = parser->p;

    switch (*before) {

    case '(':

        if (parser->end - before >= 2 && before[1] == '?') {
            return prom_re2_question(parser);
        }

        parser->p++;
        return prom_re2_open(parser, true);

    case '|':
        parser->p++;
        return prom_re2_bar(parser);

    case ')':
        parser->p++;
        return prom_re2_close(parser);

    case '^':
        parser->p++;
        return prom_re2_push(parser, (parser->flags & PROM_RE2_MULTILINE)
                                     ? PROM_RE2_BEGIN_LINE
                                     : PROM_RE2_BEGIN_TEXT);

    case '$':
        parser->p++;
        return prom_re2_push(parser, (parser->flags & PROM_RE2_MULTILINE)
                                     ? PROM_RE2_END_LINE
                                     : PROM_RE2_END_TEXT);

    case '.':
        return prom_re2_push_class(parser, prom_re2_dot);

    case '[':
        return prom_re2_push_class(parser, prom_re2_class);

    case '*':
        parser->p++;
        return prom_re2_repeated(parser, 0, -1, before, repeat);

    case '+':
        parser->p++;
        return prom_re2_repeated(parser, 1, -1, before, repeat);

    case '?':
        parser->p++;
        return prom_re2_repeated(parser, 0, 1, before, repeat);

    case '{':
        return prom_re2_counts(parser, repeat);

    case '\\':
        return prom_re2_backslash(parser);

    default:
        rc = prom_re2_rune(parser, &c);
        return (rc == PROM_OK) ? prom_re2_push_literal(parser, c) : rc;
    }
}


static void
prom_re2_append(prom_re2_list_t *list, prom_re2_node_t *node)
{
    if (list->last == NULL) {
        list->first = node;

    } else {
        list->last->next = node;
    }

    list->last = node;
}


static int
prom_re2_push(prom_re2_parser_t *parser, prom_re2_e op)
{
    prom_re2_node_t  *node;

    node = prom_re2_node(parser->arena, op);
    if (node == NULL) {
        return PROM_NOMEM;
    }

    prom_re2_append(&parser->group->items, node);

    return PROM_OK;
}


static int
prom_re2_push_literal(prom_re2_parser_t *parser, uint32_t c)
{
    int               rc;
    prom_re2_node_t  *node;

    rc = prom_re2_push(parser, PROM_RE2_LITERAL);
    if (rc != PROM_OK) {
        return rc;
    }

    node = parser->group->items.last;
    node->c = c;
    node->fold = (parser->flags & PROM_RE2_FOLD) && prom_re2_fold(c) != c;

    if (c >= 0xd800 && c <= 0xdfff) {
        node->op = PROM_RE2_NEVER;
    }

    return PROM_OK;
}


static int
prom_re2_push_class(prom_re2_parser_t *parser,
    int (*handler)(prom_re2_parser_t *parser, prom_re2_node_t *node))
{
    int  rc;

    rc = prom_re2_push(parser, PROM_RE2_CLASS);
    if (rc != PROM_OK) {
        return rc;
    }

    return handler(parser, parser->group->items.last);
}


static int
prom_re2_backslash(prom_re2_parser_t *parser)
{
    int             rc;
    uint32_t        c;
    const uint8_t  *p;

    p = parser->p;

    if (parser->end - p >= 2) {

        switch (p[1]) {

        case 'A':
            parser->p += 2;
            return prom_re2_push(parser, PROM_RE2_BEGIN_TEXT);

        case 'z':
            parser->p += 2;
            return prom_re2_push(parser, PROM_RE2_END_TEXT);

        case 'b':
            parser->p += 2;
            return prom_re2_push(parser, PROM_RE2_WORD);

        case 'B':
            parser->p += 2;
            return prom_re2_push(parser, PROM_RE2_NO_WORD);

        case 'Q':
            parser->p += 2;
            return prom_re2_quoted(parser);

        default:
            break;
        }
    }

    if (prom_re2_is_class_escape(parser)) {
        return prom_re2_push_class(parser, prom_re2_class_escape);
    }

    rc = prom_re2_escape(parser, &c);

    return (rc == PROM_OK) ? prom_re2_push_literal(parser, c) : rc;
}


/* \Q...\E, where the end of the pattern serves as \E. */

static int
prom_re2_quoted(prom_re2_parser_t *parser)
{
    int             rc;
    uint32_t        c;
    const uint8_t  *end, *stop;

    end = parser->end;
    stop = prom_re2_find(parser->p, end, '\\', 'E');

    if (stop != NULL) {
        parser->end = stop;
    }

    while (parser->p < parser->end) {

        rc = prom_re2_rune(parser, &c);

        if (rc == PROM_OK) {
            rc = prom_re2_push_literal(parser, c);
        }

        if (rc != PROM_OK) {
            return rc;
        }
    }

    parser->end = end;
    parser->p = (stop != NULL) ? stop + 2 : end;

    return PROM_OK;
}


/* (?flags) (?flags:...) (?P<name>...) (?<name>...) */

static int
prom_re2_question(prom_re2_parser_t *parser)
{
    int             rc;
    bool            minus, seen;
    size_t          len;
    uint32_t        c;
    unsigned        flags, flag;
    const uint8_t  *start;

    start = parser->p;
    len = parser->end - start;

    if (len > 4 && start[2] == 'P' && start[3] == '<') {
        return prom_re2_named(parser, 4);
    }

    if (len > 3 && start[2] == '<') {
        return prom_re2_named(parser, 3);
    }

    parser->p += 2;
    flags = parser->flags;
    minus = false;
    seen = false;

    while (parser->p < parser->end) {

        rc = prom_re2_rune(parser, &c);
        if (rc != PROM_OK) {
            return rc;
        }

        switch (c) {

        case 'i':
            flag = PROM_RE2_FOLD;
            break;

        case 'm':
            flag = PROM_RE2_MULTILINE;
            break;

        case 's':
            flag = PROM_RE2_DOTALL;
            break;

        case 'U':
            flag = PROM_RE2_LAZY;
            break;

        case '-':

            if (minus) {
                goto invalid;
            }

            minus = true;
            seen = false;
            continue;

        case ':':
        case ')':

            if (minus && !seen) {
                goto invalid;
            }

            rc = (c == ':') ? prom_re2_open(parser, false) : PROM_OK;
            parser->flags = flags;

            return rc;

        default:
            goto invalid;
        }

        flags = minus ? flags & ~flag : flags | flag;
        seen = true;
    }

invalid:

    return prom_re2_error(parser->msg, "invalid or unsupported Perl syntax",
                          start, parser->p);
}


static int
prom_re2_named(prom_re2_parser_t *parser, size_t skip)
{
    int             rc;
    const uint8_t  *p, *name, *stop;

    name = parser->p + skip;
    stop = memchr(parser->p, '>', parser->end - parser->p);

    if (stop == NULL) {
        rc = prom_re2_check_utf8(parser, parser->p, parser->end);
        stop = parser->end;
        goto invalid;
    }

    rc = prom_re2_check_utf8(parser, name, stop);

    for (p = name; p < stop; p++) {

        if (!((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z')
              || (*p >= 'A' && *p <= 'Z') || *p == '_'))
        {
            break;
        }
    }

    if (rc == PROM_OK && p == stop && p > name) {
        parser->p = stop + 1;
        return prom_re2_open(parser, true);
    }

    stop++;

invalid:

    if (rc != PROM_OK) {
        return rc;
    }

    return prom_re2_error(parser->msg, "invalid named capture", parser->p,
                          stop);
}


/* {n} {n,} {n,m}; whatever else begins with a brace is text. */

static int
prom_re2_counts(prom_re2_parser_t *parser, const uint8_t **repeat)
{
    int             min, max;
    const uint8_t  *p, *end, *before;

    before = parser->p;
    end = parser->end;

    p = prom_re2_number(before + 1, end, &min);
    max = min;

    if (p != NULL && p < end && *p == ',') {
        p++;

        if (p < end && *p == '}') {
            max = -1;

        } else {
            p = prom_re2_number(p, end, &max);
        }
    }

    if (p == NULL || p == end || *p != '}') {
        parser->p++;
        return prom_re2_push_literal(parser, '{');
    }

    parser->p = p + 1;

    if (min > PROM_RE2_COUNT || max > PROM_RE2_COUNT
        || (max >= 0 && min > max))
    {
        return prom_re2_error(parser->msg, "invalid repeat count", before,
                              parser->p);
    }

    return prom_re2_repeated(parser, min, max, before, repeat);
}


/* A number without leading zeros; large ones are only known to be large. */

static const uint8_t *
prom_re2_number(const uint8_t *p, const uint8_t *end, int *number)
{
    const uint8_t  *start;

    start = p;
    *number = 0;

    while (p < end && *p >= '0' && *p <= '9') {

        if (p == start + 1 && *start == '0') {
            return NULL;
        }

        *number = prom_min(*number * 10 + (*p - '0'), PROM_RE2_COUNT + 1);
        p++;
    }

    return (p > start) ? p : NULL;
}


static int
prom_re2_repeated(prom_re2_parser_t *parser, int min, int max,
    const uint8_t *before, const uint8_t **repeat)
{
    prom_re2_node_t  *node;

    if (parser->p < parser->end && *parser->p == '?') {
        parser->p++;
    }

    if (*repeat != NULL) {
        return prom_re2_error(parser->msg,
                              "invalid nested repetition operator", *repeat,
                              parser->p);
    }

    node = parser->group->items.last;

    if (node == NULL) {
        return prom_re2_error(parser->msg,
                              "missing argument to repetition operator",
                              before, parser->p);
    }

    /* nothing to multiply where there is no copy at all */

    if (max != 0 && node->copies * prom_max(min, max) > PROM_RE2_COUNT) {
        return prom_re2_error(parser->msg, "invalid repeat count", before,
                              parser->p);
    }

    *repeat = before;

    if (!prom_re2_repeat(parser->arena, node, min, max)) {
        return PROM_NOMEM;
    }

    return (node->height > PROM_RE2_HEIGHT) ? prom_re2_too_deep(parser)
                                            : PROM_OK;
}


static int
prom_re2_open(prom_re2_parser_t *parser, bool capture)
{
    prom_re2_group_t  *group;

    group = prom_arena_alloc(parser->arena, sizeof(prom_re2_group_t));
    if (group == NULL) {
        return PROM_NOMEM;
    }

    memset(group, 0, sizeof(prom_re2_group_t));
    group->parent = parser->group;
    group->flags = parser->flags;
    group->capture = capture;

    parser->group = group;

    return PROM_OK;
}


static int
prom_re2_bar(prom_re2_parser_t *parser)
{
    int                rc;
    prom_re2_node_t   *node;
    prom_re2_group_t  *group;

    group = parser->group;

    rc = prom_re2_joined(parser, &group->items, PROM_RE2_CONCAT, &node);
    if (rc != PROM_OK) {
        return rc;
    }

    memset(&group->items, 0, sizeof(prom_re2_list_t));
    prom_re2_append(&group->alternatives, node);

    return PROM_OK;
}


static int
prom_re2_close(prom_re2_parser_t *parser)
{
    int                rc;
    prom_re2_node_t   *node;
    prom_re2_group_t  *group;

    group = parser->group;

    if (group->parent == NULL) {
        return prom_re2_error(parser->msg, "unexpected )", parser->start,
                              parser->end);
    }

    rc = prom_re2_bar(parser);
    if (rc != PROM_OK) {
        return rc;
    }

    rc = prom_re2_joined(parser, &group->alternatives, PROM_RE2_ALTERNATE,
                         &node);
    if (rc != PROM_OK) {
        return rc;
    }

    node->height += group->capture;

    if (node->height > PROM_RE2_HEIGHT) {
        return prom_re2_too_deep(parser);
    }

    parser->flags = group->flags;
    parser->group = group->parent;
    prom_re2_append(&parser->group->items, node);

    return PROM_OK;
}


static int
prom_re2_joined(prom_re2_parser_t *parser, prom_re2_list_t *list,
    prom_re2_e op, prom_re2_node_t **node)
{
    *node = prom_re2_join(parser->arena, list->first, op);

    if (*node == NULL) {
        return PROM_NOMEM;
    }

    return ((*node)->height > PROM_RE2_HEIGHT) ? prom_re2_too_deep(parser)
                                               : PROM_OK;
}


static int
prom_re2_too_deep(prom_re2_parser_t *parser)
{
    return prom_re2_error(parser->msg, "expression nests too deeply",
                          parser->start, parser->end);
}


int
prom_re2_rune(prom_re2_parser_t *parser, uint32_t *c)
{
    size_t  size;

    *c = prom_utf8_decode(parser->p, parser->end - parser->p, &size);

    if (*c == PROM_UTF8_ERROR && size == 1) {
        return prom_re2_error(parser->msg, "invalid UTF-8", parser->p,
                              parser->end);
    }

    parser->p += size;

    return PROM_OK;
}


int
prom_re2_check_utf8(prom_re2_parser_t *parser, const uint8_t *p,
    const uint8_t *end)
{
    size_t  size;

    while (p < end) {

        if (prom_utf8_decode(p, end - p, &size) == PROM_UTF8_ERROR
            && size == 1)
        {
            return prom_re2_error(parser->msg, "invalid UTF-8", p, end);
        }

        p += size;
    }

    return PROM_OK;
}


int
prom_re2_error(prom_msg_t *msg, const char *what, const uint8_t *p,
    const uint8_t *end)
{
    size_t      size;
    prom_str_t  str;

    prom_msg_add(msg, "%s: `", what);

    str.data = p;
    str.len = end - p;

    if (str.len <= PROM_RE2_FRAGMENT && !prom_utf8_valid(p, str.len)) {

        for ( /* void */ ; p < end; p += size) {
            str.data = p;

            if (prom_utf8_decode(p, end - p, &size) == PROM_UTF8_ERROR) {
                str = prom_str("\xef\xbf\xbd");

            } else {
                str.len = size;
            }

            prom_msg_add_str(msg, str, str.len);
        }

    } else if (prom_utf8_valid(p, str.len)) {
        prom_msg_add_str(msg, str, PROM_RE2_FRAGMENT);
    }

    prom_msg_add(msg, "`");

    return PROM_ERROR;
}
