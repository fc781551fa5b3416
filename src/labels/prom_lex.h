
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The tokens of a selector, as Prometheus's lexer cuts them.  It knows more of
 * PromQL than a selector may contain, for the sake of the messages.
 */


#ifndef _PROM_LEX_H_INCLUDED_
#define _PROM_LEX_H_INCLUDED_


#include "../base/prom_base.h"
#include "../base/prom_msg.h"


typedef enum {
    PROM_LEX_ERROR = 0,                 /* the message has been written */
    PROM_LEX_EOF,
    PROM_LEX_IDENTIFIER,
    PROM_LEX_METRIC,                    /* an identifier with a colon */
    PROM_LEX_KEYWORD,                   /* also a name of a metric */
    PROM_LEX_RESERVED,                  /* a keyword that is not */
    PROM_LEX_STRING,                    /* with its quotes */
    PROM_LEX_NUMBER,
    PROM_LEX_DURATION,
    PROM_LEX_EQ,
    PROM_LEX_NE,
    PROM_LEX_RE,
    PROM_LEX_NRE,
    PROM_LEX_COMMA,
    PROM_LEX_LEFT_BRACE,
    PROM_LEX_RIGHT_BRACE,
    PROM_LEX_SYMBOL,                    /* brackets and the like */
    PROM_LEX_OPERATOR
} prom_lex_e;


typedef struct {
    prom_lex_e  type;
    size_t      pos;
    prom_str_t  text;
} prom_token_t;


typedef struct {
    prom_str_t   text;
    size_t       pos;
    bool         braces;                /* inside of them */
    prom_msg_t  *msg;
} prom_lex_t;


void prom_lex_init(prom_lex_t *lex, prom_str_t text, prom_msg_t *msg);

/* Comments and spaces are passed over. */
void prom_lex_next(prom_lex_t *lex, prom_token_t *token);

/* "LINE:COL: parse error: ", before a message about the text at pos. */
void prom_lex_position(prom_lex_t *lex, size_t pos);

/* A token as messages name it: identifier "b", <op:-> ... */
void prom_lex_describe(prom_msg_t *msg, const prom_token_t *token);

/*
 * What a string token stands for, written to p, which has room for the whole
 * token; returns the length.
 */
size_t prom_lex_unquote(const prom_token_t *token, uint8_t *p);


#endif /* _PROM_LEX_H_INCLUDED_ */
