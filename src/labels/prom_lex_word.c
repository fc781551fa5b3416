
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Keywords, in any case of letters, and how messages name a token.
 */


#include "../base/prom_utf8.h"
#include "prom_lex_word.h"


#define PROM_LEX_WORD   32              /* longer than any keyword */
#define PROM_LEX_NAME   512             /* bytes of a name in a message */
#define PROM_LEX_SHORT  10              /* of another token, before "..." */


/* The form is what a message puts around the word. */

typedef struct {
    const char  *word;
    const char  *form;
    bool         reserved;
} prom_lex_keyword_t;


#define PROM_LEX_WORD_FORM      "<%.*s>"
#define PROM_LEX_OPERATOR_FORM  "<op:%.*s>"
#define PROM_LEX_AGGR_FORM      "<aggr:%.*s>"
#define PROM_LEX_PLAIN_FORM     "\"%.*s\""
#define PROM_LEX_NUMBER_FORM    "number \"%.*s\""


static const prom_lex_keyword_t  prom_lex_keywords[] = {
    { "and", PROM_LEX_OPERATOR_FORM, false },
    { "or", PROM_LEX_OPERATOR_FORM, false },
    { "unless", PROM_LEX_OPERATOR_FORM, false },
    { "atan2", PROM_LEX_OPERATOR_FORM, true },
    { "sum", PROM_LEX_AGGR_FORM, false },
    { "avg", PROM_LEX_AGGR_FORM, false },
    { "count", PROM_LEX_AGGR_FORM, false },
    { "min", PROM_LEX_AGGR_FORM, false },
    { "max", PROM_LEX_AGGR_FORM, false },
    { "group", PROM_LEX_AGGR_FORM, false },
    { "stddev", PROM_LEX_AGGR_FORM, false },
    { "stdvar", PROM_LEX_AGGR_FORM, false },
    { "topk", PROM_LEX_AGGR_FORM, false },
    { "bottomk", PROM_LEX_AGGR_FORM, false },
    { "count_values", PROM_LEX_AGGR_FORM, false },
    { "quantile", PROM_LEX_AGGR_FORM, false },
    { "limitk", PROM_LEX_AGGR_FORM, false },
    { "limit_ratio", PROM_LEX_AGGR_FORM, false },
    { "offset", PROM_LEX_WORD_FORM, false },
    { "by", PROM_LEX_WORD_FORM, false },
    { "without", PROM_LEX_WORD_FORM, false },
    { "on", PROM_LEX_WORD_FORM, true },
    { "ignoring", PROM_LEX_WORD_FORM, true },
    { "group_left", PROM_LEX_WORD_FORM, true },
    { "group_right", PROM_LEX_WORD_FORM, true },
    { "bool", PROM_LEX_WORD_FORM, true },
    { "start", PROM_LEX_PLAIN_FORM, false },
    { "end", PROM_LEX_PLAIN_FORM, false },
    { "inf", PROM_LEX_NUMBER_FORM, true },
    { "nan", PROM_LEX_NUMBER_FORM, true },
    { NULL, NULL, false }
};


static const prom_lex_keyword_t *
prom_lex_keyword(prom_str_t word)
{
    char                       lower[PROM_LEX_WORD];
    size_t                     i;
    const prom_lex_keyword_t  *keyword;

    if (word.len >= PROM_LEX_WORD) {
        return NULL;
    }

    for (i = 0; i < word.len; i++) {
        lower[i] = (word.data[i] >= 'A' && word.data[i] <= 'Z')
                   ? word.data[i] | 0x20 : word.data[i];
    }

    lower[i] = '\0';

    for (keyword = prom_lex_keywords; keyword->word != NULL; keyword++) {

        if (strcmp(lower, keyword->word) == 0) {
            return keyword;
        }
    }

    return NULL;
}


prom_lex_e
prom_lex_word(prom_str_t word)
{
    const prom_lex_keyword_t  *keyword;

    keyword = prom_lex_keyword(word);

    if (keyword != NULL) {
        return keyword->reserved ? PROM_LEX_RESERVED : PROM_LEX_KEYWORD;
    }

    return (memchr(word.data, ':', word.len) != NULL) ? PROM_LEX_METRIC
                                                      : PROM_LEX_IDENTIFIER;
}


/* Ten characters of a token of more than ten bytes. */

static void
prom_lex_describe_text(prom_msg_t *msg, const char *what, prom_str_t text)
{
    size_t      n, size;
    prom_str_t  head;

    head.data = text.data;
    head.len = 0;

    for (n = 0; n < PROM_LEX_SHORT && head.len < text.len; n++) {
        (void) prom_utf8_decode(text.data + head.len, text.len - head.len,
                                &size);
        head.len += size;
    }

    prom_msg_add(msg, "%s", what);
    prom_msg_add_quoted(msg, head, head.len);

    if (text.len > PROM_LEX_SHORT) {
        prom_msg_add(msg, "...");
    }
}


void
prom_lex_describe(prom_msg_t *msg, const prom_token_t *token)
{
    prom_str_t  text;

    text = token->text;

    switch (token->type) {

    case PROM_LEX_EOF:
        prom_msg_add(msg, "end of input");
        break;

    case PROM_LEX_IDENTIFIER:
        prom_msg_add(msg, "identifier ");
        prom_msg_add_quoted(msg, text, PROM_LEX_NAME);
        break;

    case PROM_LEX_METRIC:
        prom_msg_add(msg, "metric identifier ");
        prom_msg_add_quoted(msg, text, PROM_LEX_NAME);
        break;

    case PROM_LEX_KEYWORD:
    case PROM_LEX_RESERVED:
        prom_msg_add(msg, prom_lex_keyword(text)->form, (int) text.len,
                     (const char *) text.data);
        break;

    case PROM_LEX_STRING:
        prom_lex_describe_text(msg, "string ", text);
        break;

    case PROM_LEX_NUMBER:
        prom_lex_describe_text(msg, "number ", text);
        break;

    case PROM_LEX_DURATION:
        prom_lex_describe_text(msg, "duration ", text);
        break;

    case PROM_LEX_NE:
    case PROM_LEX_RE:
    case PROM_LEX_NRE:
    case PROM_LEX_OPERATOR:
        prom_msg_add(msg, PROM_LEX_OPERATOR_FORM, (int) text.len,
                     (const char *) text.data);
        break;

    default:
        prom_msg_add_quoted(msg, text, PROM_LEX_NAME);
    }
}
