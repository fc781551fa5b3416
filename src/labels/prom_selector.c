
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The grammar of selectors:
 *
 *     selector  = name [braces] | braces
 *     braces    = "{" "}" | "{" item { "," item } [","] "}"
 *     item      = label op string | string op string | string
 */


#include "prom_lex.h"
#include "prom_selector.h"


#define PROM_SELECTOR_REASON  640       /* room for what a pattern is refused
                                           with */


typedef struct {
    prom_lex_t        lex;
    prom_token_t      token;            /* the one to be looked at */
    prom_selector_t  *selector;
    size_t            cap;
    prom_arena_t     *arena;
    prom_msg_t       *msg;
} prom_selector_parser_t;


static int prom_selector_text(prom_selector_parser_t *parser);
static int prom_selector_braces(prom_selector_parser_t *parser);
static int prom_selector_item(prom_selector_parser_t *parser);
static int prom_selector_op(prom_selector_parser_t *parser, prom_str_t name,
    size_t pos);
static int prom_selector_add(prom_selector_parser_t *parser, prom_str_t name,
    prom_match_e type, prom_str_t value, size_t pos);
static int prom_selector_pattern(prom_selector_parser_t *parser,
    prom_matcher_t *matcher, size_t pos);
static int prom_selector_copy(prom_selector_parser_t *parser,
    prom_str_t *str);
static int prom_selector_unexpected(prom_selector_parser_t *parser,
    const char *expected);


int
prom_selector_parse(prom_selector_t *selector, prom_str_t text,
    prom_arena_t *arena, prom_msg_t *msg)
{
    int                     rc;
    prom_selector_parser_t  parser;

    memset(&parser, 0, sizeof(prom_selector_parser_t));
    memset(selector, 0, sizeof(prom_selector_t));

    parser.selector = selector;
    parser.arena = arena;
    parser.msg = msg;

    prom_lex_init(&parser.lex, text, msg);
    prom_lex_next(&parser.lex, &parser.token);

    rc = prom_selector_text(&parser);

    if (rc != PROM_OK) {
        prom_selector_destroy(selector);
    }

    return rc;
}


void
prom_selector_destroy(prom_selector_t *selector)
{
    size_t  i;

    for (i = 0; i < selector->n; i++) {

        if (selector->matchers[i].regex != NULL) {
            prom_regex_destroy(selector->matchers[i].regex);
        }
    }

    selector->n = 0;
}


static inline void
prom_selector_next(prom_selector_parser_t *parser)
{
    prom_lex_next(&parser->lex, &parser->token);
}


static int
prom_selector_text(prom_selector_parser_t *parser)
{
    int         rc;
    prom_lex_e  type;
    prom_str_t  name;

    type = parser->token.type;

    if (type == PROM_LEX_IDENTIFIER || type == PROM_LEX_METRIC
        || type == PROM_LEX_KEYWORD)
    {
        name = parser->token.text;

        rc = prom_selector_copy(parser, &name);

        if (rc == PROM_OK) {
            rc = prom_selector_add(parser, prom_str("__name__"),
                                   PROM_MATCH_EQ, name, 0);
        }

        if (rc != PROM_OK) {
            return rc;
        }

        prom_selector_next(parser);

    } else if (type != PROM_LEX_LEFT_BRACE) {
        return prom_selector_unexpected(parser, NULL);
    }

    if (parser->token.type == PROM_LEX_LEFT_BRACE) {
        rc = prom_selector_braces(parser);
        if (rc != PROM_OK) {
            return rc;
        }
    }

    if (parser->token.type != PROM_LEX_EOF) {
        return prom_selector_unexpected(parser, NULL);
    }

    return PROM_OK;
}


static int
prom_selector_braces(prom_selector_parser_t *parser)
{
    int  rc;

    prom_selector_next(parser);

    while (parser->token.type != PROM_LEX_RIGHT_BRACE) {

        rc = prom_selector_item(parser);
        if (rc != PROM_OK) {
            return rc;
        }

        if (parser->token.type == PROM_LEX_COMMA) {
            prom_selector_next(parser);

        } else if (parser->token.type != PROM_LEX_RIGHT_BRACE) {
            return prom_selector_unexpected(parser, "\",\" or \"}\"");
        }
    }

    prom_selector_next(parser);

    return PROM_OK;
}


static int
prom_selector_item(prom_selector_parser_t *parser)
{
    int         rc;
    bool        quoted;
    size_t      pos;
    prom_str_t  name;

    quoted = (parser->token.type == PROM_LEX_STRING);

    if (!quoted && parser->token.type != PROM_LEX_IDENTIFIER) {
        return prom_selector_unexpected(parser, "identifier or \"}\"");
    }

    pos = parser->token.pos;
    name = parser->token.text;

    rc = prom_selector_copy(parser, &name);
    if (rc != PROM_OK) {
        return rc;
    }

    prom_selector_next(parser);

    if (parser->token.type >= PROM_LEX_EQ && parser->token.type <= PROM_LEX_NRE)
    {
        return prom_selector_op(parser, name, pos);
    }

    if (!quoted || parser->token.type == PROM_LEX_ERROR) {
        return prom_selector_unexpected(parser, "label matching operator");
    }

    return prom_selector_add(parser, prom_str("__name__"), PROM_MATCH_EQ, name,
                             pos);
}


static int
prom_selector_op(prom_selector_parser_t *parser, prom_str_t name, size_t pos)
{
    int           rc;
    prom_str_t    value;
    prom_match_e  type;

    type = PROM_MATCH_EQ + (parser->token.type - PROM_LEX_EQ);

    prom_selector_next(parser);

    if (parser->token.type != PROM_LEX_STRING) {
        return prom_selector_unexpected(parser, "string");
    }

    value = parser->token.text;

    rc = prom_selector_copy(parser, &value);

    if (rc == PROM_OK) {
        rc = prom_selector_add(parser, name, type, value, pos);
    }

    if (rc == PROM_OK) {
        prom_selector_next(parser);
    }

    return rc;
}


static int
prom_selector_add(prom_selector_parser_t *parser, prom_str_t name,
    prom_match_e type, prom_str_t value, size_t pos)
{
    int               rc;
    size_t            cap;
    prom_matcher_t   *matcher;
    prom_selector_t  *selector;

    selector = parser->selector;

    if (selector->n == parser->cap) {
        cap = parser->cap ? parser->cap * 2 : 4;

        matcher = prom_arena_alloc(parser->arena, cap * sizeof(prom_matcher_t));
        if (matcher == NULL) {
            return PROM_NOMEM;
        }

        if (selector->n > 0) {
            memcpy(matcher, selector->matchers,
                   selector->n * sizeof(prom_matcher_t));
        }

        selector->matchers = matcher;
        parser->cap = cap;
    }

    matcher = &selector->matchers[selector->n];
    memset(matcher, 0, sizeof(prom_matcher_t));

    matcher->type = type;
    matcher->name = name;
    matcher->value = value;

    if (type == PROM_MATCH_RE || type == PROM_MATCH_NRE) {
        rc = prom_selector_pattern(parser, matcher, pos);
        if (rc != PROM_OK) {
            return rc;
        }

        matcher->matches_empty = matcher->regex->matches_empty;

    } else {
        matcher->matches_empty = (value.len == 0);
    }

    if (type == PROM_MATCH_NE || type == PROM_MATCH_NRE) {
        matcher->matches_empty = !matcher->matches_empty;
    }

    selector->n++;

    return PROM_OK;
}


static int
prom_selector_pattern(prom_selector_parser_t *parser, prom_matcher_t *matcher,
    size_t pos)
{
    int         rc;
    char        text[PROM_SELECTOR_REASON];
    prom_msg_t  reason;

    prom_msg_init(&reason, text, sizeof(text));

    rc = prom_regex_compile(&matcher->regex, matcher->value, parser->arena,
                            &reason);

    if (rc == PROM_ERROR) {
        prom_lex_position(&parser->lex, pos);
        prom_msg_add(parser->msg, "error parsing regexp: %s", text);
    }

    return rc;
}


/* Of a string token what is between its quotes. */

static int
prom_selector_copy(prom_selector_parser_t *parser, prom_str_t *str)
{
    uint8_t  *p;

    p = prom_arena_alloc(parser->arena, str->len);
    if (p == NULL) {
        return PROM_NOMEM;
    }

    if (parser->token.type == PROM_LEX_STRING) {
        str->len = prom_lex_unquote(&parser->token, p);

    } else {
        memcpy(p, str->data, str->len);
    }

    str->data = p;

    return PROM_OK;
}


/* The lexer has written its own message already. */

static int
prom_selector_unexpected(prom_selector_parser_t *parser, const char *expected)
{
    if (parser->token.type == PROM_LEX_ERROR) {
        return PROM_ERROR;
    }

    prom_lex_position(&parser->lex, parser->token.pos);

    prom_msg_add(parser->msg, "unexpected ");
    prom_lex_describe(parser->msg, &parser->token);

    if (expected != NULL) {
        prom_msg_add(parser->msg, " in label matching, expected %s", expected);
    }

    return PROM_ERROR;
}


int
prom_matcher_test(const prom_matcher_t *matcher, prom_str_t value)
{
    int  rc;

    /* no series has a label without a name */

    if (value.len == 0 || matcher->name.len == 0) {
        return matcher->matches_empty;
    }

    switch (matcher->type) {

    case PROM_MATCH_EQ:
        return prom_str_eq(value, matcher->value);

    case PROM_MATCH_NE:
        return !prom_str_eq(value, matcher->value);

    default:
        break;
    }

    rc = prom_regex_test(matcher->regex, value);

    if (rc < 0 || matcher->type == PROM_MATCH_RE) {
        return rc;
    }

    return !rc;
}
