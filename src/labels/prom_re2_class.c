
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Character classes: [...], the escapes that stand for one, and the dot.
 *
 * Folding is done here and with Go's rules, before a class is negated: groups
 * of ASCII (\w, [:alpha:]) and properties are folded by themselves, what is
 * written out is gathered in parser->raw and folded at the end.
 */


#include "prom_re2_parser.h"


#define PROM_RE2_SURROGATE_LO  0xd800u
#define PROM_RE2_SURROGATE_HI  0xdfffu


/* A named group of ASCII characters: pairs of first and last. */

typedef struct {
    const char  *name;
    const char  *pairs;
} prom_re2_ascii_t;


typedef struct {
    prom_re2_item_t  *v;
    size_t            n;
    size_t            cap;
} prom_re2_items_t;


static int prom_re2_class_item(prom_re2_parser_t *parser,
    prom_re2_items_t *items, const uint8_t *open);
static int prom_re2_posix(prom_re2_parser_t *parser, bool *done);
static int prom_re2_range(prom_re2_parser_t *parser, const uint8_t *open);
static int prom_re2_range_end(prom_re2_parser_t *parser, const uint8_t *open,
    uint32_t *c);
static int prom_re2_ascii(prom_re2_parser_t *parser, const char *pairs,
    bool negated);
static int prom_re2_add_property(prom_re2_parser_t *parser,
    prom_re2_items_t *items);
static int prom_re2_finish(prom_re2_parser_t *parser, prom_re2_node_t *node,
    prom_re2_items_t *items, bool negated);
static int prom_re2_without_surrogates(prom_re2_parser_t *parser);


static const prom_re2_ascii_t  prom_re2_perl[] = {
    { "d", "09" },
    { "s", "\t\n\f\r  " },
    { "w", "09AZ__az" },
    { NULL, NULL }
};


static const prom_re2_ascii_t  prom_re2_posix_classes[] = {
    { "alnum", "09AZaz" },
    { "alpha", "AZaz" },
    { "ascii", "\x01\x7f" },
    { "blank", "\t\t  " },
    { "cntrl", "\x01\x1f\x7f\x7f" },
    { "digit", "09" },
    { "graph", "!~" },
    { "lower", "az" },
    { "print", " ~" },
    { "punct", "!/:@[`{~" },
    { "space", "\t\r  " },
    { "upper", "AZ" },
    { "word", "09AZ__az" },
    { "xdigit", "09AFaf" },
    { NULL, NULL }
};


static void
prom_re2_class_start(prom_re2_parser_t *parser, prom_re2_items_t *items)
{
    parser->ranges.n = 0;
    parser->raw.n = 0;
    memset(items, 0, sizeof(prom_re2_items_t));
}


int
prom_re2_class(prom_re2_parser_t *parser, prom_re2_node_t *node)
{
    int                rc;
    bool               first, negated;
    const uint8_t     *open;
    prom_re2_items_t   items;

    prom_re2_class_start(parser, &items);

    open = parser->p++;
    negated = (parser->p < parser->end && *parser->p == '^');
    parser->p += negated;

    /* a bracket that comes first is an ordinary character */

    first = true;

    while (first || parser->p == parser->end || *parser->p != ']') {
        first = false;

        rc = prom_re2_class_item(parser, &items, open);
        if (rc != PROM_OK) {
            return rc;
        }
    }

    parser->p++;

    return prom_re2_finish(parser, node, &items, negated);
}


static const char *
prom_re2_perl_find(uint8_t c)
{
    const prom_re2_ascii_t  *group;

    for (group = prom_re2_perl; group->name != NULL; group++) {

        if ((c | 0x20) == group->name[0]) {
            return group->pairs;
        }
    }

    return NULL;
}


bool
prom_re2_is_class_escape(const prom_re2_parser_t *parser)
{
    const uint8_t  *p;

    p = parser->p;

    return parser->end - p >= 2 && p[0] == '\\'
           && ((p[1] | 0x20) == 'p' || prom_re2_perl_find(p[1]) != NULL);
}


int
prom_re2_class_escape(prom_re2_parser_t *parser, prom_re2_node_t *node)
{
    int               rc;
    prom_re2_items_t  items;

    prom_re2_class_start(parser, &items);

    rc = prom_re2_class_item(parser, &items, parser->p);
    if (rc != PROM_OK) {
        return rc;
    }

    return prom_re2_finish(parser, node, &items, false);
}


int
prom_re2_dot(prom_re2_parser_t *parser, prom_re2_node_t *node)
{
    int               rc;
    prom_re2_items_t  items;

    parser->p++;

    if (parser->flags & PROM_RE2_DOTALL) {
        node->op = PROM_RE2_ANY;
        return PROM_OK;
    }

    prom_re2_class_start(parser, &items);

    rc = prom_re2_ranges_add(parser->arena, &parser->ranges, '\n', '\n');
    if (rc != PROM_OK) {
        return rc;
    }

    return prom_re2_finish(parser, node, &items, true);
}


static int
prom_re2_class_item(prom_re2_parser_t *parser, prom_re2_items_t *items,
    const uint8_t *open)
{
    int             rc;
    bool            done;
    uint8_t         c;
    const uint8_t  *p;

    p = parser->p;

    if (parser->end - p > 2 && p[0] == '[' && p[1] == ':'
        && !parser->no_posix)
    {
        rc = prom_re2_posix(parser, &done);

        if (rc != PROM_OK || done) {
            return rc;
        }
    }

    if (!prom_re2_is_class_escape(parser)) {
        return prom_re2_range(parser, open);
    }

    c = p[1];

    if ((c | 0x20) == 'p') {
        return prom_re2_add_property(parser, items);
    }

    parser->p += 2;

    return prom_re2_ascii(parser, prom_re2_perl_find(c), !(c & 0x20));
}


/* [:name:] or [:^name:]; without ":]" somewhere it is not one. */

static int
prom_re2_posix(prom_re2_parser_t *parser, bool *done)
{
    bool                     negated;
    prom_str_t               name;
    const uint8_t           *p, *stop;
    const prom_re2_ascii_t  *group;

    p = parser->p;
    *done = false;

    stop = prom_re2_find(p + 2, parser->end, ':', ']');
    if (stop == NULL) {
        parser->no_posix = true;
        return PROM_OK;
    }

    *done = true;
    parser->p = stop + 2;

    negated = (p[2] == '^');
    name.data = p + 2 + negated;
    name.len = (stop > name.data) ? stop - name.data : 0;

    for (group = prom_re2_posix_classes; group->name != NULL; group++) {

        if (name.len == strlen(group->name)
            && memcmp(name.data, group->name, name.len) == 0)
        {
            return prom_re2_ascii(parser, group->pairs, negated);
        }
    }

    return prom_re2_error(parser->msg, "invalid character class range", p,
                          parser->p);
}


/* One character, or two with a dash between. */

static int
prom_re2_range(prom_re2_parser_t *parser, const uint8_t *open)
{
    int                 rc;
    uint32_t            lo, hi;
    const uint8_t      *start;
    prom_re2_ranges_t  *ranges;

    start = parser->p;

    rc = prom_re2_range_end(parser, open, &lo);
    if (rc != PROM_OK) {
        return rc;
    }

    hi = lo;

    if (parser->end - parser->p >= 2 && parser->p[0] == '-'
        && parser->p[1] != ']')
    {
        parser->p++;

        rc = prom_re2_range_end(parser, open, &hi);
        if (rc != PROM_OK) {
            return rc;
        }

        if (hi < lo) {
            return prom_re2_error(parser->msg, "invalid character class range",
                                  start, parser->p);
        }
    }

    ranges = (parser->flags & PROM_RE2_FOLD) ? &parser->raw : &parser->ranges;

    return prom_re2_ranges_add(parser->arena, ranges, lo, hi);
}


static int
prom_re2_range_end(prom_re2_parser_t *parser, const uint8_t *open, uint32_t *c)
{
    if (parser->p == parser->end) {
        return prom_re2_error(parser->msg, "missing closing ]", open,
                              parser->end);
    }

    if (*parser->p == '\\') {
        return prom_re2_escape(parser, c);
    }

    return prom_re2_rune(parser, c);
}


/*
 * Adds a group of ASCII, or all but it.  Only k and s have a third form
 * outside of ASCII: the Kelvin sign and the long s.
 */

static int
prom_re2_ascii(prom_re2_parser_t *parser, const char *pairs, bool negated)
{
    int                 rc;
    uint32_t            c, lo;
    const uint8_t      *p;
    prom_re2_ranges_t  *ranges;
    bool                in[0x81];

    memset(in, 0, sizeof(in));
    ranges = &parser->ranges;

    /* ranges begin at \x01 in the tables, since a text ends with \x00 */

    for (p = (const uint8_t *) pairs; *p != '\0'; p += 2) {
        memset(&in[p[0]], 1, p[1] - p[0] + 1);
    }

    in[0] = in[1];

    if (parser->flags & PROM_RE2_FOLD) {

        for (c = 'A'; c <= 'Z'; c++) {
            in[c] = in[c | 0x20] = in[c] || in[c | 0x20];
        }
    }

    rc = PROM_OK;
    lo = 0x80;

    for (c = 0; c <= 0x80 && rc == PROM_OK; c++) {

        if (c < 0x80 && in[c] != negated) {
            lo = prom_min(lo, c);

        } else if (lo < c) {
            rc = prom_re2_ranges_add(parser->arena, ranges, lo, c - 1);
            lo = 0x80;
        }
    }

    if (rc != PROM_OK) {
        return rc;
    }

    if ((parser->flags & PROM_RE2_FOLD) && in['k'] && !negated) {
        rc = prom_re2_ranges_add(parser->arena, ranges, 0x212a, 0x212a);
    }

    if ((parser->flags & PROM_RE2_FOLD) && in['s'] && !negated
        && rc == PROM_OK)
    {
        rc = prom_re2_ranges_add(parser->arena, ranges, 0x17f, 0x17f);
    }

    if (!negated || rc != PROM_OK) {
        return rc;
    }

    lo = 0x80;

    if ((parser->flags & PROM_RE2_FOLD) && in['s']) {
        rc = prom_re2_ranges_add(parser->arena, ranges, lo, 0x17e);
        lo = 0x180;
    }

    if ((parser->flags & PROM_RE2_FOLD) && in['k'] && rc == PROM_OK) {
        rc = prom_re2_ranges_add(parser->arena, ranges, lo, 0x2129);
        lo = 0x212b;
    }

    if (rc == PROM_OK) {
        rc = prom_re2_ranges_add(parser->arena, ranges, lo, PROM_RE2_MAX);
    }

    return rc;
}


static int
prom_re2_add_property(prom_re2_parser_t *parser, prom_re2_items_t *items)
{
    int                      rc;
    bool                     any;
    size_t                   cap;
    uint32_t                 c;
    prom_re2_item_t          item, *v;
    const prom_re2_extra_t  *extra;

    rc = prom_re2_property(parser, &item, &any);
    if (rc != PROM_OK) {
        return rc;
    }

    if (any) {
        return item.negated ? PROM_OK
                            : prom_re2_ranges_add(parser->arena,
                                                  &parser->ranges, 0,
                                                  PROM_RE2_MAX);
    }

    if ((parser->flags & PROM_RE2_FOLD) && item.prop->extra != NULL) {

        if (item.negated) {
            item.extra = item.prop->extra;

        } else {
            for (extra = item.prop->extra; extra->hi != 0; extra++) {

                for (c = extra->lo; c <= extra->hi; c += extra->stride) {
                    rc = prom_re2_ranges_add(parser->arena, &parser->ranges,
                                             c, c);
                    if (rc != PROM_OK) {
                        return rc;
                    }
                }
            }
        }
    }

    if (items->n == items->cap) {
        cap = items->cap ? items->cap * 2 : 4;

        v = prom_arena_alloc(parser->arena, cap * sizeof(prom_re2_item_t));
        if (v == NULL) {
            return PROM_NOMEM;
        }

        if (items->n > 0) {
            memcpy(v, items->v, items->n * sizeof(prom_re2_item_t));
        }

        items->v = v;
        items->cap = cap;
    }

    items->v[items->n++] = item;

    return PROM_OK;
}


/* Invariant 3: makes of the scratch what a class is to be in a tree. */

static int
prom_re2_finish(prom_re2_parser_t *parser, prom_re2_node_t *node,
    prom_re2_items_t *items, bool negated)
{
    int                 rc;
    size_t              i;
    prom_re2_range_t   *v;
    prom_re2_class_t   *class;
    prom_re2_ranges_t  *ranges;

    ranges = &parser->ranges;

    rc = prom_re2_ranges_fold(parser->arena, &parser->raw);

    for (i = 0; i < parser->raw.n && rc == PROM_OK; i++) {
        rc = prom_re2_ranges_add(parser->arena, ranges, parser->raw.v[i].lo,
                                 parser->raw.v[i].hi);
    }

    if (rc != PROM_OK) {
        return rc;
    }

    prom_re2_ranges_clean(ranges);

    if (negated && items->n == 0) {
        negated = false;
        rc = prom_re2_ranges_negate(parser->arena, ranges);
    }

    if (rc == PROM_OK) {
        rc = prom_re2_without_surrogates(parser);
    }

    if (rc != PROM_OK) {
        return rc;
    }

    v = ranges->v;

    if (items->n == 0) {

        if (ranges->n == 0) {
            node->op = PROM_RE2_NEVER;
            return PROM_OK;
        }

        if (ranges->n == 1 && v[0].lo == v[0].hi) {
            node->op = PROM_RE2_LITERAL;
            node->c = v[0].lo;
            return PROM_OK;
        }

        if (ranges->n == 2 && v[0].lo == 0 && v[1].hi == PROM_RE2_MAX
            && v[0].hi == PROM_RE2_SURROGATE_LO - 1
            && v[1].lo == PROM_RE2_SURROGATE_HI + 1)
        {
            node->op = PROM_RE2_ANY;
            return PROM_OK;
        }
    }

    class = prom_arena_alloc(parser->arena, sizeof(prom_re2_class_t));
    v = prom_arena_alloc(parser->arena,
                         (ranges->n + 1) * sizeof(prom_re2_range_t));

    if (class == NULL || v == NULL) {
        return PROM_NOMEM;
    }

    if (ranges->n > 0) {
        memcpy(v, ranges->v, ranges->n * sizeof(prom_re2_range_t));
    }

    class->ranges = v;
    class->n = ranges->n;
    class->items = items->v;
    class->n_items = items->n;
    class->negated = negated;

    node->class = class;

    return PROM_OK;
}


/* The ranges are clean and stay so. */

static int
prom_re2_without_surrogates(prom_re2_parser_t *parser)
{
    int                 rc;
    size_t              i;
    uint32_t            hi;
    prom_re2_range_t   *v, *kept;
    prom_re2_ranges_t  *ranges;

    ranges = &parser->ranges;
    kept = ranges->v;
    hi = 0;

    for (i = 0; i < ranges->n; i++) {
        v = &ranges->v[i];

        if (v->lo < PROM_RE2_SURROGATE_LO && v->hi >= PROM_RE2_SURROGATE_LO) {
            hi = v->hi;
            v->hi = PROM_RE2_SURROGATE_LO - 1;

        } else if (v->lo >= PROM_RE2_SURROGATE_LO
                   && v->lo <= PROM_RE2_SURROGATE_HI)
        {
            if (v->hi <= PROM_RE2_SURROGATE_HI) {
                continue;
            }

            v->lo = PROM_RE2_SURROGATE_HI + 1;
        }

        *kept++ = *v;
    }

    ranges->n = kept - ranges->v;

    if (hi <= PROM_RE2_SURROGATE_HI) {
        return PROM_OK;
    }

    rc = prom_re2_ranges_add(parser->arena, ranges, PROM_RE2_SURROGATE_HI + 1,
                             hi);
    prom_re2_ranges_clean(ranges);

    return rc;
}
