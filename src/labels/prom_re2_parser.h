
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * What the files of the parser of RE2 patterns share.
 */


#ifndef _PROM_RE2_PARSER_H_INCLUDED_
#define _PROM_RE2_PARSER_H_INCLUDED_


#include "prom_re2.h"


#define PROM_RE2_FOLD       0x01        /* i */
#define PROM_RE2_MULTILINE  0x02        /* m */
#define PROM_RE2_DOTALL     0x04        /* s */
#define PROM_RE2_LAZY       0x08        /* U, without effect */


/* A growing list of ranges, in any order until it is cleaned. */

typedef struct {
    prom_re2_range_t  *v;
    size_t             n;
    size_t             cap;
} prom_re2_ranges_t;


typedef struct prom_re2_group_s  prom_re2_group_t;

typedef struct {
    const uint8_t      *start;
    const uint8_t      *p;
    const uint8_t      *end;
    prom_arena_t       *arena;
    prom_msg_t         *msg;

    prom_re2_group_t   *group;          /* innermost open one */
    unsigned            flags;
    bool                no_posix;       /* there is no ":]" any more */
    prom_re2_ranges_t   ranges;         /* scratch of the class at hand */
    prom_re2_ranges_t   raw;            /* the same, still to be folded */
} prom_re2_parser_t;


/* All return PROM_OK, PROM_ERROR or PROM_NOMEM. */

/* Takes one code point off the pattern, which must be valid UTF-8. */
int prom_re2_rune(prom_re2_parser_t *parser, uint32_t *c);
int prom_re2_check_utf8(prom_re2_parser_t *parser, const uint8_t *p,
    const uint8_t *end);

/* Both start at a backslash; the second one at one followed by p or P. */
int prom_re2_escape(prom_re2_parser_t *parser, uint32_t *c);
int prom_re2_property(prom_re2_parser_t *parser, prom_re2_item_t *item,
    bool *any);

/* [...], and what stands for a class outside of one: \d \pL . */
int prom_re2_class(prom_re2_parser_t *parser, prom_re2_node_t *node);
bool prom_re2_is_class_escape(const prom_re2_parser_t *parser);
int prom_re2_class_escape(prom_re2_parser_t *parser, prom_re2_node_t *node);
int prom_re2_dot(prom_re2_parser_t *parser, prom_re2_node_t *node);

int prom_re2_ranges_add(prom_arena_t *arena, prom_re2_ranges_t *ranges,
    uint32_t lo, uint32_t hi);
void prom_re2_ranges_clean(prom_re2_ranges_t *ranges);
int prom_re2_ranges_negate(prom_arena_t *arena, prom_re2_ranges_t *ranges);
int prom_re2_ranges_fold(prom_arena_t *arena, prom_re2_ranges_t *ranges);

const prom_re2_prop_t *prom_re2_prop_find(prom_str_t name);


static inline const uint8_t *
prom_re2_find(const uint8_t *p, const uint8_t *end, uint8_t a, uint8_t b)
{
    for ( /* void */ ; end - p >= 2; p++) {

        if (p[0] == a && p[1] == b) {
            return p;
        }
    }

    return NULL;
}


#endif /* _PROM_RE2_PARSER_H_INCLUDED_ */
