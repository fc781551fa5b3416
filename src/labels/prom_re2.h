
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The tree of a pattern, between the parser of RE2 syntax (prom_re2.c) and
 * what is made of it: a shortcut (prom_re2_reduce.c) or text for PCRE2
 * (prom_re2_emit.c).
 *
 * What a tree keeps to, whatever the pattern was:
 *
 *   1. Captures, names and laziness are gone: they do not change whether a
 *      whole value matches.
 *   2. Flags are gone: a literal knows whether it is to be folded, a class has
 *      been folded, a dot is ANY or a class, ^ and $ are one of four
 *      assertions.
 *   3. A literal is one code point and no surrogate.  A class is neither empty
 *      nor full nor a single code point.
 *   4. CONCAT and ALTERNATE have two children or more, none of its own kind.
 *      No child of CONCAT is EMPTY; NEVER is only found as the root.
 *   5. REPEAT has a child that can consume something, and is neither {1} nor
 *      {0}.
 *   6. A node is at most PROM_RE2_HEIGHT above its deepest leaf, so that
 *      recursion over a tree is bounded.
 *
 * Nodes live in the arena of the parser.
 */


#ifndef _PROM_RE2_H_INCLUDED_
#define _PROM_RE2_H_INCLUDED_


#include "../base/prom_arena.h"
#include "../base/prom_base.h"
#include "../base/prom_msg.h"


#define PROM_RE2_HEIGHT   1000          /* as Go's maxHeight */
#define PROM_RE2_COUNT    1000          /* of a repetition, nested ones are
                                           multiplied */
#define PROM_RE2_LEN      65536         /* bytes of a pattern */
#define PROM_RE2_MAX      0x10ffffu


typedef enum {
    PROM_RE2_EMPTY = 0,
    PROM_RE2_NEVER,
    PROM_RE2_LITERAL,
    PROM_RE2_CLASS,
    PROM_RE2_ANY,
    PROM_RE2_BEGIN_TEXT,
    PROM_RE2_END_TEXT,
    PROM_RE2_BEGIN_LINE,
    PROM_RE2_END_LINE,
    PROM_RE2_WORD,
    PROM_RE2_NO_WORD,
    PROM_RE2_CONCAT,
    PROM_RE2_ALTERNATE,
    PROM_RE2_REPEAT
} prom_re2_e;


typedef struct {
    uint32_t  lo;
    uint32_t  hi;
} prom_re2_range_t;


/* Code points beside a property that folding adds; ends with hi 0. */

typedef struct {
    uint32_t  lo;
    uint32_t  hi;
    uint32_t  stride;
} prom_re2_extra_t;


/* A general category or a script. */

typedef struct {
    const char              *name;
    bool                     script;
    const prom_re2_extra_t  *extra;
} prom_re2_prop_t;


/*
 * A property as it stands in a class.  Where `extra' is not NULL the property
 * is negated, and stands for what is neither in it nor in `extra'.
 */

typedef struct {
    const prom_re2_prop_t   *prop;
    const prom_re2_extra_t  *extra;
    bool                     negated;
} prom_re2_item_t;


/*
 * Ranges ascend, do not touch each other and hold no surrogate; a class
 * without items is never negated.
 */

typedef struct {
    prom_re2_range_t  *ranges;
    prom_re2_item_t   *items;
    uint32_t           n;
    uint32_t           n_items;
    bool               negated;
} prom_re2_class_t;


typedef struct prom_re2_node_s  prom_re2_node_t;

struct prom_re2_node_s {
    uint8_t            op;              /* prom_re2_e */
    bool               fold;            /* LITERAL */
    uint16_t           height;
    uint16_t           copies;          /* nested counts, multiplied */
    int16_t            min;             /* REPEAT */
    int16_t            max;             /* REPEAT, -1: no end */
    uint32_t           c;               /* LITERAL */

    prom_re2_class_t  *class;           /* CLASS */
    prom_re2_node_t   *child;           /* first, where there are some */
    prom_re2_node_t   *last;            /* CONCAT, ALTERNATE */
    prom_re2_node_t   *next;
};


/*
 * PROM_OK, PROM_ERROR with Go's words in the message, or PROM_NOMEM.
 */
int prom_re2_parse(prom_re2_node_t **root, prom_str_t pattern,
    prom_arena_t *arena, prom_msg_t *msg);

/*
 * Makes one node of a list of nodes, a CONCAT or an ALTERNATE where there are
 * several; NULL: no memory.  The caller looks at the height.
 */
prom_re2_node_t *prom_re2_join(prom_arena_t *arena, prom_re2_node_t *first,
    prom_re2_e op);

/* Makes *node a repetition of what it was; false: no memory. */
bool prom_re2_repeat(prom_arena_t *arena, prom_re2_node_t *node, int min,
    int max);

prom_re2_node_t *prom_re2_node(prom_arena_t *arena, prom_re2_e op);

/* Whether the empty text satisfies the pattern. */
bool prom_re2_nullable(const prom_re2_node_t *node);

/* The next code point of those that are equal but for case, in a cycle. */
uint32_t prom_re2_fold(uint32_t c);

/* WHAT: `fragment', returns PROM_ERROR. */
int prom_re2_error(prom_msg_t *msg, const char *what, const uint8_t *p,
    const uint8_t *end);


#endif /* _PROM_RE2_H_INCLUDED_ */
