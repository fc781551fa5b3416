
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * A tree as text for PCRE2.  It recurses as deep as the tree is high.
 */


#define PCRE2_CODE_UNIT_WIDTH  8

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "prom_re2_pcre.h"


#define PROM_RE2_PIECE  32              /* longest piece of the text */


typedef struct {
    uint8_t       *data;
    size_t         len;
    size_t         cap;
    prom_arena_t  *arena;
    bool           failed;
    bool           sc;                  /* \p{sc:...} is known */
} prom_re2_text_t;


static void prom_re2_emit_node(prom_re2_text_t *text,
    const prom_re2_node_t *node);
static void prom_re2_emit_literal(prom_re2_text_t *text,
    const prom_re2_node_t *node);
static void prom_re2_emit_children(prom_re2_text_t *text,
    const prom_re2_node_t *node);
static void prom_re2_emit_repeat(prom_re2_text_t *text,
    const prom_re2_node_t *node);
static void prom_re2_emit_class(prom_re2_text_t *text,
    const prom_re2_class_t *class);
static void prom_re2_emit_union(prom_re2_text_t *text,
    const prom_re2_class_t *class);
static void prom_re2_emit_ranges(prom_re2_text_t *text,
    const prom_re2_class_t *class);
static void prom_re2_emit_gaps(prom_re2_text_t *text,
    const prom_re2_class_t *class);
static void prom_re2_emit_item(prom_re2_text_t *text,
    const prom_re2_item_t *item, bool negated);
static bool prom_re2_is_union(const prom_re2_class_t *class);


/* Scripts were told from script extensions by \p{sc:...} in PCRE2 10.40. */

static bool
prom_re2_has_sc(void)
{
    char  *end;
    long   major, minor;
    char   version[64];

    if (pcre2_config(PCRE2_CONFIG_VERSION, NULL) > (int) sizeof(version)) {
        return true;
    }

    pcre2_config(PCRE2_CONFIG_VERSION, version);

    major = strtol(version, &end, 10);
    minor = (*end == '.') ? strtol(end + 1, NULL, 10) : 0;

    return major > 10 || minor >= 40;
}


int
prom_re2_emit(const prom_re2_node_t *root, prom_arena_t *arena,
    prom_str_t *str)
{
    prom_re2_text_t  text;

    memset(&text, 0, sizeof(prom_re2_text_t));
    text.arena = arena;
    text.sc = prom_re2_has_sc();

    prom_re2_emit_node(&text, root);

    str->data = text.data;
    str->len = text.len;

    return text.failed ? PROM_NOMEM : PROM_OK;
}


static void
prom_re2_put(prom_re2_text_t *text, const char *piece)
{
    size_t    len, cap;
    uint8_t  *data;

    len = strlen(piece);

    if (text->cap - text->len < len && !text->failed) {
        cap = text->cap ? text->cap * 2 : 256;

        data = prom_arena_alloc(text->arena, cap);

        if (data == NULL) {
            text->failed = true;

        } else {
            if (text->len > 0) {
                memcpy(data, text->data, text->len);
            }

            text->data = data;
            text->cap = cap;
        }
    }

    if (len > 0 && !text->failed) {
        memcpy(text->data + text->len, piece, len);
        text->len += len;
    }
}


static void
prom_re2_put_char(prom_re2_text_t *text, uint32_t c)
{
    char  piece[PROM_RE2_PIECE];

    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
        || (c >= 'A' && c <= 'Z'))
    {
        piece[0] = c;
        piece[1] = '\0';

    } else {
        snprintf(piece, sizeof(piece), "\\x{%x}", c);
    }

    prom_re2_put(text, piece);
}


static void
prom_re2_put_range(prom_re2_text_t *text, uint32_t lo, uint32_t hi)
{
    prom_re2_put_char(text, lo);

    if (lo != hi) {
        prom_re2_put(text, "-");
        prom_re2_put_char(text, hi);
    }
}


static void
prom_re2_emit_node(prom_re2_text_t *text, const prom_re2_node_t *node)
{
    switch (node->op) {

    case PROM_RE2_NEVER:
        prom_re2_put(text, "(?!)");
        break;

    case PROM_RE2_LITERAL:
        prom_re2_emit_literal(text, node);
        break;

    case PROM_RE2_CLASS:
        prom_re2_emit_class(text, node->class);
        break;

    case PROM_RE2_ANY:
        prom_re2_put(text, ".");
        break;

    case PROM_RE2_BEGIN_TEXT:
        prom_re2_put(text, "\\A");
        break;

    case PROM_RE2_END_TEXT:
        prom_re2_put(text, "\\z");
        break;

    case PROM_RE2_BEGIN_LINE:
        prom_re2_put(text, "(?m:^)");
        break;

    case PROM_RE2_END_LINE:
        prom_re2_put(text, "(?m:$)");
        break;

    case PROM_RE2_WORD:
        prom_re2_put(text, "\\b");
        break;

    case PROM_RE2_NO_WORD:
        prom_re2_put(text, "\\B");
        break;

    case PROM_RE2_CONCAT:
        prom_re2_emit_children(text, node);
        break;

    case PROM_RE2_ALTERNATE:
        prom_re2_put(text, "(?:");
        prom_re2_emit_children(text, node);
        prom_re2_put(text, ")");
        break;

    case PROM_RE2_REPEAT:
        prom_re2_emit_repeat(text, node);
        break;

    default:
        break;
    }
}


static void
prom_re2_emit_literal(prom_re2_text_t *text, const prom_re2_node_t *node)
{
    if (node->fold) {
        prom_re2_put(text, "(?i:");
    }

    prom_re2_put_char(text, node->c);

    if (node->fold) {
        prom_re2_put(text, ")");
    }
}


static void
prom_re2_emit_children(prom_re2_text_t *text, const prom_re2_node_t *node)
{
    const prom_re2_node_t  *child;

    for (child = node->child; child != NULL; child = child->next) {
        prom_re2_emit_node(text, child);

        if (node->op == PROM_RE2_ALTERNATE && child->next != NULL) {
            prom_re2_put(text, "|");
        }
    }
}


static void
prom_re2_emit_counts(prom_re2_text_t *text, int min, int max)
{
    char  piece[PROM_RE2_PIECE];

    if (max == -1 && min <= 1) {
        prom_re2_put(text, min == 0 ? "*" : "+");
        return;
    }

    if (min == 0 && max == 1) {
        prom_re2_put(text, "?");
        return;
    }

    if (max == -1) {
        snprintf(piece, sizeof(piece), "{%d,}", min);

    } else if (min == max) {
        snprintf(piece, sizeof(piece), "{%d}", min);

    } else {
        snprintf(piece, sizeof(piece), "{%d,%d}", min, max);
    }

    prom_re2_put(text, piece);
}


static void
prom_re2_emit_repeat(prom_re2_text_t *text, const prom_re2_node_t *node)
{
    bool                    group;
    const prom_re2_node_t  *child;

    child = node->child;

    group = child->op == PROM_RE2_CONCAT || child->op == PROM_RE2_REPEAT;

    prom_re2_put(text, group ? "(?:" : "");
    prom_re2_emit_node(text, child);
    prom_re2_put(text, group ? ")" : "");

    prom_re2_emit_counts(text, node->min, node->max);
}


/*
 * A property that is negated together with what folding adds to it cannot be a
 * part of a PCRE2 class, so that such a class becomes a list of alternatives.
 */

static bool
prom_re2_is_union(const prom_re2_class_t *class)
{
    uint32_t  i;

    for (i = 0; i < class->n_items; i++) {

        if (class->items[i].extra != NULL) {
            return true;
        }
    }

    return false;
}


static void
prom_re2_emit_class(prom_re2_text_t *text, const prom_re2_class_t *class)
{
    uint32_t  i;

    if (prom_re2_is_union(class)) {
        prom_re2_put(text, class->negated ? "(?:(?!" : "");
        prom_re2_emit_union(text, class);
        prom_re2_put(text, class->negated ? ").)" : "");
        return;
    }

    if (class->n_items == 0
        && class->ranges[class->n - 1].hi == PROM_RE2_MAX)
    {
        prom_re2_put(text, "[^");
        prom_re2_emit_gaps(text, class);
        prom_re2_put(text, "]");
        return;
    }

    prom_re2_put(text, class->negated ? "[^" : "[");
    prom_re2_emit_ranges(text, class);

    for (i = 0; i < class->n_items; i++) {
        prom_re2_emit_item(text, &class->items[i], class->items[i].negated);
    }

    prom_re2_put(text, "]");
}


static void
prom_re2_emit_union(prom_re2_text_t *text, const prom_re2_class_t *class)
{
    uint32_t                 i, c;
    const prom_re2_item_t   *item;
    const prom_re2_extra_t  *extra;

    prom_re2_put(text, "(?:");

    if (class->n > 0) {
        prom_re2_put(text, "[");
        prom_re2_emit_ranges(text, class);
        prom_re2_put(text, "]|");
    }

    for (i = 0; i < class->n_items; i++) {
        item = &class->items[i];

        prom_re2_put(text, i > 0 ? "|" : "");

        if (item->extra == NULL) {
            prom_re2_emit_item(text, item, item->negated);
            continue;
        }

        prom_re2_put(text, "[^");
        prom_re2_emit_item(text, item, false);

        for (extra = item->extra; extra->hi != 0; extra++) {

            for (c = extra->lo; c <= extra->hi; c += extra->stride) {
                prom_re2_put_char(text, c);
            }
        }

        prom_re2_put(text, "]");
    }

    prom_re2_put(text, ")");
}


static void
prom_re2_emit_ranges(prom_re2_text_t *text, const prom_re2_class_t *class)
{
    uint32_t  i;

    for (i = 0; i < class->n; i++) {
        prom_re2_put_range(text, class->ranges[i].lo, class->ranges[i].hi);
    }
}


/* What lies between the ranges, and can be written: no surrogate. */

static void
prom_re2_emit_gaps(prom_re2_text_t *text, const prom_re2_class_t *class)
{
    uint32_t  i, lo, hi, next;

    next = 0;

    for (i = 0; i < class->n; i++) {
        lo = next;
        hi = class->ranges[i].lo;
        next = class->ranges[i].hi + 1;

        if (lo >= hi) {
            continue;
        }

        hi--;

        lo = (lo >= 0xd800 && lo <= 0xdfff) ? 0xe000 : lo;
        hi = (hi >= 0xd800 && hi <= 0xdfff) ? 0xd7ff : hi;

        if (lo <= hi) {
            prom_re2_put_range(text, lo, hi);
        }
    }
}


static void
prom_re2_emit_item(prom_re2_text_t *text, const prom_re2_item_t *item,
    bool negated)
{
    const char  *name;

    name = (strcmp(item->prop->name, "LC") == 0) ? "L&" : item->prop->name;

    prom_re2_put(text, negated ? "\\P{" : "\\p{");
    prom_re2_put(text, (item->prop->script && text->sc) ? "sc:" : "");
    prom_re2_put(text, name);
    prom_re2_put(text, "}");
}
