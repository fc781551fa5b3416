
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The shortcuts.  Whole values are matched and values are UTF-8, so that a
 * literal at an end is a comparison of bytes.
 */


#include "../base/prom_utf8.h"
#include "prom_re2_reduce.h"


/* .* .+ ..* and the like: `min' characters or more, whichever. */

typedef struct {
    bool    present;
    size_t  min;
} prom_re2_rest_t;


static bool prom_re2_is_begin(const prom_re2_node_t *node);
static bool prom_re2_is_end(const prom_re2_node_t *node);
static void prom_re2_strip_concat(prom_re2_node_t *node);
static bool prom_re2_rest(const prom_re2_node_t **node, prom_re2_rest_t *rest);
static int prom_re2_run(const prom_re2_node_t **node, prom_arena_t *arena,
    prom_str_t *str);
static int prom_re2_common(const prom_re2_node_t *root, prom_arena_t *arena,
    prom_str_t *prefix);


void
prom_re2_strip(prom_re2_node_t *root)
{
    prom_re2_node_t  *child;

    if (root->op == PROM_RE2_CONCAT) {
        prom_re2_strip_concat(root);
    }

    if (prom_re2_is_begin(root) || prom_re2_is_end(root)) {
        root->op = PROM_RE2_EMPTY;
        return;
    }

    if (root->op == PROM_RE2_ALTERNATE) {

        for (child = root->child; child != NULL; child = child->next) {
            prom_re2_strip(child);
        }
    }
}


static bool
prom_re2_is_begin(const prom_re2_node_t *node)
{
    return node->op == PROM_RE2_BEGIN_TEXT || node->op == PROM_RE2_BEGIN_LINE;
}


static bool
prom_re2_is_end(const prom_re2_node_t *node)
{
    return node->op == PROM_RE2_END_TEXT || node->op == PROM_RE2_END_LINE;
}


/* What is left may be one child, which then takes the place of its parent. */

static void
prom_re2_strip_concat(prom_re2_node_t *node)
{
    prom_re2_node_t  *child, *last, *next;

    while (node->child != NULL && prom_re2_is_begin(node->child)) {
        node->child = node->child->next;
    }

    last = NULL;

    for (child = node->child; child != NULL; child = child->next) {

        if (!prom_re2_is_end(child)) {
            last = child;
        }
    }

    if (last == NULL) {
        node->op = PROM_RE2_EMPTY;
        return;
    }

    last->next = NULL;
    node->last = last;

    if (node->child == last) {
        next = node->next;
        *node = *last;
        node->next = next;
    }
}


int
prom_re2_reduce(prom_regex_t *regex, const prom_re2_node_t *root,
    prom_arena_t *arena)
{
    int                     rc;
    bool                    plain;
    prom_str_t              literal;
    prom_re2_rest_t         before, after;
    const prom_re2_node_t  *node;

    rc = prom_re2_expand(root, arena, &regex->set, &regex->n);

    if (rc == PROM_OK) {
        regex->kind = PROM_REGEX_SET;
        regex->n = prom_re2_sort_set(regex->set, regex->n);
        return PROM_OK;
    }

    if (rc != PROM_AGAIN) {
        return rc;
    }

    if (root->op == PROM_RE2_ALTERNATE) {
        regex->kind = PROM_REGEX_PCRE;
        return prom_re2_common(root, arena, &regex->literal);
    }

    memset(&after, 0, sizeof(prom_re2_rest_t));

    node = (root->op == PROM_RE2_CONCAT) ? root->child : root;

    plain = prom_re2_rest(&node, &before);

    rc = prom_re2_run(&node, arena, &literal);
    if (rc != PROM_OK) {
        return rc;
    }

    plain = plain && prom_re2_rest(&node, &after) && node == NULL;

    regex->kind = PROM_REGEX_PCRE;
    regex->literal = literal;
    regex->min_rest = 0;

    if (plain && literal.len == 0 && before.present && before.min <= 1) {
        regex->kind = PROM_REGEX_ANY;
        regex->min_rest = before.min;

    } else if (plain && !before.present && after.present && after.min <= 1) {
        regex->kind = PROM_REGEX_PREFIX;
        regex->min_rest = after.min;

    } else if (plain && before.present && !after.present && before.min <= 1) {
        regex->kind = PROM_REGEX_SUFFIX;
        regex->min_rest = before.min;

    } else if (plain && before.present && after.present && before.min == 0
               && after.min == 0)
    {
        regex->kind = PROM_REGEX_CONTAINS;

    } else if (before.present) {
        regex->literal.len = 0;
    }

    return PROM_OK;
}


/*
 * Takes what stands for any text; false where that has an upper bound, since
 * then it is not one.
 */

static bool
prom_re2_rest(const prom_re2_node_t **node, prom_re2_rest_t *rest)
{
    bool                    endless;
    const prom_re2_node_t  *next, *any;

    rest->present = false;
    rest->min = 0;
    endless = false;

    for (next = *node; next != NULL; next = next->next) {
        any = (next->op == PROM_RE2_REPEAT) ? next->child : next;

        if (any->op != PROM_RE2_ANY) {
            break;
        }

        rest->present = true;
        rest->min += (any == next) ? 1 : next->min;
        endless = endless || (any != next && next->max == -1);
    }

    *node = next;

    return !rest->present || endless;
}


static inline bool
prom_re2_is_text(const prom_re2_node_t *node)
{
    return node != NULL && node->op == PROM_RE2_LITERAL && !node->fold;
}


/* Takes the literals that stand side by side. */

static int
prom_re2_run(const prom_re2_node_t **node, prom_arena_t *arena,
    prom_str_t *str)
{
    size_t                  len;
    uint8_t                *p;
    const prom_re2_node_t  *next;

    len = 0;

    for (next = *node; prom_re2_is_text(next); next = next->next) {
        len += 4;
    }

    str->data = NULL;
    str->len = 0;

    if (len == 0) {
        return PROM_OK;
    }

    p = prom_arena_alloc(arena, len);
    if (p == NULL) {
        return PROM_NOMEM;
    }

    str->data = p;

    for (next = *node; prom_re2_is_text(next); next = next->next) {
        p += prom_utf8_encode(p, next->c);
    }

    str->len = p - str->data;
    *node = next;

    return PROM_OK;
}


/* The beginning that all alternatives have in common. */

static int
prom_re2_common(const prom_re2_node_t *root, prom_arena_t *arena,
    prom_str_t *prefix)
{
    int                     rc;
    size_t                  i;
    prom_str_t              str;
    const prom_re2_node_t  *child, *node;

    for (child = root->child; child != NULL; child = child->next) {

        node = child;

        if (child->op == PROM_RE2_CONCAT) {
            node = child->child;
        }

        if (child->op == PROM_RE2_LITERAL) {

            /* not a run: what follows is the next alternative */

            str.len = 0;

        } else {
            rc = prom_re2_run(&node, arena, &str);
            if (rc != PROM_OK) {
                return rc;
            }
        }

        if (child == root->child) {
            *prefix = str;
        }

        for (i = 0; i < prom_min(prefix->len, str.len); i++) {

            if (prefix->data[i] != str.data[i]) {
                break;
            }
        }

        prefix->len = i;

        if (i == 0) {
            break;
        }
    }

    return PROM_OK;
}
