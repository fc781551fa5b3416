
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Nodes of a pattern's tree, made so that the invariants of prom_re2.h hold.
 */


#include "prom_re2.h"


typedef struct {
    prom_re2_node_t  *first;
    prom_re2_node_t  *last;
} prom_re2_list_t;


static void prom_re2_make_repeat(prom_re2_node_t *node, prom_re2_node_t *child,
    int min, int max);
static void prom_re2_collect(prom_re2_list_t *list, prom_re2_node_t *item,
    prom_re2_e op);


prom_re2_node_t *
prom_re2_node(prom_arena_t *arena, prom_re2_e op)
{
    prom_re2_node_t  *node;

    node = prom_arena_alloc(arena, sizeof(prom_re2_node_t));

    if (node != NULL) {
        memset(node, 0, sizeof(prom_re2_node_t));
        node->op = op;
        node->height = 1;
        node->copies = 1;
    }

    return node;
}


/*
 * Invariant 4.  EMPTY goes from a concatenation, and NEVER from an
 * alternation; what is of the kind of the node itself gives its children.
 * A run of literals is as high as one.
 */

prom_re2_node_t *
prom_re2_join(prom_arena_t *arena, prom_re2_node_t *first, prom_re2_e op)
{
    bool              text, never;
    uint16_t          height, copies;
    prom_re2_e        none;
    prom_re2_list_t   list;
    prom_re2_node_t  *item, *next, *node;

    if (first != NULL && first->next == NULL) {
        return first;
    }

    none = (op == PROM_RE2_CONCAT) ? PROM_RE2_EMPTY : PROM_RE2_NEVER;
    text = (op == PROM_RE2_CONCAT);
    never = false;
    height = 1;
    copies = 1;

    list.first = NULL;
    list.last = NULL;

    for (item = first; item != NULL; item = next) {
        next = item->next;
        item->next = NULL;

        text = text && item->op == PROM_RE2_LITERAL;
        copies = prom_max(copies, item->copies);
        height = prom_max(height, item->height - (item->op == op));

        if (item->op != none) {
            never = never || item->op == PROM_RE2_NEVER;
            prom_re2_collect(&list, item, op);
        }
    }

    if (never || list.first == NULL) {
        node = prom_re2_node(arena, never ? PROM_RE2_NEVER : none);

    } else if (list.first == list.last) {
        node = list.first;

    } else {
        node = prom_re2_node(arena, op);

        if (node != NULL) {
            node->child = list.first;
            node->last = list.last;
            height += !text;
        }
    }

    if (node != NULL) {
        node->height = height;
        node->copies = copies;
    }

    return node;
}


static void
prom_re2_collect(prom_re2_list_t *list, prom_re2_node_t *item, prom_re2_e op)
{
    prom_re2_node_t  *first, *last;

    first = item;
    last = item;

    if (item->op == op) {
        first = item->child;
        last = item->last;
    }

    if (list->last == NULL) {
        list->first = first;

    } else {
        list->last->next = first;
    }

    list->last = last;
}


bool
prom_re2_repeat(prom_arena_t *arena, prom_re2_node_t *node, int min, int max)
{
    prom_re2_node_t  *child;

    child = prom_re2_node(arena, PROM_RE2_EMPTY);
    if (child == NULL) {
        return false;
    }

    *child = *node;

    prom_re2_make_repeat(node, child, min, max);

    node->height = child->height + 1;
    node->copies = (max == 0) ? 1
                              : child->copies
                                * prom_max(prom_max(min, max), 1);

    return true;
}


/* Invariant 5: *node, a copy of *child, becomes its repetition. */

static void
prom_re2_make_repeat(prom_re2_node_t *node, prom_re2_node_t *child, int min,
    int max)
{
    if (max == 0 || (child->op == PROM_RE2_NEVER && min == 0)) {
        node->op = PROM_RE2_EMPTY;
        return;
    }

    if ((child->op >= PROM_RE2_BEGIN_TEXT && child->op <= PROM_RE2_NO_WORD)
        || child->op == PROM_RE2_EMPTY || child->op == PROM_RE2_NEVER)
    {
        if (min == 0) {
            node->op = PROM_RE2_EMPTY;
        }

        return;
    }

    if (min == 1 && max == 1) {
        return;
    }

    /* two of *, + and ?: one does, with less to try for the engine */

    if (child->op == PROM_RE2_REPEAT && min <= 1 && child->min <= 1
        && (max == -1 || (min == 0 && max == 1))
        && (child->max == -1 || (child->min == 0 && child->max == 1)))
    {
        node->min = min * child->min;
        node->max = (max == 1 && child->max == 1) ? 1 : -1;
        return;
    }

    node->op = PROM_RE2_REPEAT;
    node->min = min;
    node->max = max;
    node->child = child;
}


bool
prom_re2_nullable(const prom_re2_node_t *node)
{
    bool                    all;
    const prom_re2_node_t  *child;

    switch (node->op) {

    case PROM_RE2_EMPTY:
    case PROM_RE2_BEGIN_TEXT:
    case PROM_RE2_END_TEXT:
    case PROM_RE2_BEGIN_LINE:
    case PROM_RE2_END_LINE:
    case PROM_RE2_NO_WORD:
        return true;

    case PROM_RE2_REPEAT:
        return node->min == 0 || prom_re2_nullable(node->child);

    case PROM_RE2_CONCAT:
    case PROM_RE2_ALTERNATE:
        all = (node->op == PROM_RE2_CONCAT);

        for (child = node->child; child != NULL; child = child->next) {

            if (prom_re2_nullable(child) != all) {
                return !all;
            }
        }

        return all;

    default:
        return false;
    }
}
