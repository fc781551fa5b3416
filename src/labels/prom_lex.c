
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "../base/prom_utf8.h"
#include "prom_lex.h"
#include "prom_lex_word.h"


#define PROM_LEX_END    UINT32_MAX      /* what is read at the end */
#define PROM_LEX_QUOTE  512             /* bytes of a word in a message */


static void prom_lex_outside(prom_lex_t *lex, prom_token_t *token);
static void prom_lex_inside(prom_lex_t *lex, prom_token_t *token);
static void prom_lex_bang(prom_lex_t *lex, prom_token_t *token);
static void prom_lex_figure(prom_lex_t *lex, prom_token_t *token);
static void prom_lex_string(prom_lex_t *lex, prom_token_t *token);
static bool prom_lex_escape(prom_lex_t *lex, size_t pos, uint8_t quote);
static bool prom_lex_digits(prom_lex_t *lex, size_t pos, unsigned n,
    uint32_t base);
static bool prom_lex_bad_escape(prom_lex_t *lex, size_t pos,
    const char *before, uint32_t c, const char *after);
static void prom_lex_error(prom_lex_t *lex, prom_token_t *token,
    const char *what, uint32_t c);


void
prom_lex_init(prom_lex_t *lex, prom_str_t text, prom_msg_t *msg)
{
    lex->text = text;
    lex->pos = 0;
    lex->braces = false;
    lex->msg = msg;
}


static inline int
prom_lex_byte(const prom_lex_t *lex, size_t pos)
{
    return pos < lex->text.len ? lex->text.data[pos] : -1;
}


static uint32_t
prom_lex_rune(prom_lex_t *lex)
{
    size_t    size;
    uint32_t  c;

    if (lex->pos == lex->text.len) {
        return PROM_LEX_END;
    }

    c = prom_utf8_decode(lex->text.data + lex->pos, lex->text.len - lex->pos,
                         &size);
    lex->pos += size;

    return c;
}


static void
prom_lex_skip(prom_lex_t *lex)
{
    int   c;
    bool  comment;

    comment = false;

    for ( ;; ) {
        c = prom_lex_byte(lex, lex->pos);

        if (c == -1) {
            return;
        }

        if (c == '\n' || c == '\r') {
            comment = false;

        } else if (c == '#') {
            comment = true;

        } else if (!comment && c != ' ' && c != '\t') {
            return;
        }

        lex->pos++;
    }
}


void
prom_lex_next(prom_lex_t *lex, prom_token_t *token)
{
    prom_lex_skip(lex);

    token->pos = lex->pos;

    if (lex->braces) {
        prom_lex_inside(lex, token);

    } else {
        prom_lex_outside(lex, token);
    }

    token->text.data = lex->text.data + token->pos;
    token->text.len = lex->pos - token->pos;

    if (token->type == PROM_LEX_IDENTIFIER && !lex->braces) {
        token->type = prom_lex_word(token->text);
    }
}


static inline bool
prom_lex_is_alpha(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}


static inline bool
prom_lex_is_digit(int c)
{
    return c >= '0' && c <= '9';
}


static void
prom_lex_identifier(prom_lex_t *lex, prom_token_t *token, bool colon)
{
    int  c;

    token->type = PROM_LEX_IDENTIFIER;

    do {
        lex->pos++;
        c = prom_lex_byte(lex, lex->pos);
    } while (prom_lex_is_alpha(c) || prom_lex_is_digit(c)
             || (colon && c == ':'));
}


static void
prom_lex_outside(prom_lex_t *lex, prom_token_t *token)
{
    int  c, next;

    c = prom_lex_byte(lex, lex->pos);
    next = prom_lex_byte(lex, lex->pos + 1);

    if (prom_lex_is_alpha(c) || c == ':') {
        prom_lex_identifier(lex, token, true);
        return;
    }

    if (prom_lex_is_digit(c) || (c == '.' && prom_lex_is_digit(next))) {
        prom_lex_figure(lex, token);
        return;
    }

    switch (c) {

    case -1:
        token->type = PROM_LEX_EOF;
        break;

    case '{':
        lex->pos++;
        lex->braces = true;
        token->type = PROM_LEX_LEFT_BRACE;
        break;

    case ',':
        lex->pos++;
        token->type = PROM_LEX_COMMA;
        break;

    case '"':
    case '\'':
    case '`':
        prom_lex_string(lex, token);
        break;

    case '(':
    case '[':
        lex->pos++;
        token->type = PROM_LEX_SYMBOL;
        break;

    case ')':
        token->pos = ++lex->pos;
        prom_lex_error(lex, token, "unexpected right parenthesis ", c);
        break;

    case ']':
        prom_lex_error(lex, token, "unexpected right bracket ", c);
        break;

    case '=':

        if (next == '~') {
            prom_lex_error(lex, token, "unexpected character after '=': ",
                           next);
            break;
        }

        lex->pos += 1 + (next == '=');
        token->type = (next == '=') ? PROM_LEX_OPERATOR : PROM_LEX_EQ;
        break;

    case '!':
        prom_lex_bang(lex, token);
        break;

    case '<':
    case '>':
        lex->pos += 1 + (next == '=');
        token->type = PROM_LEX_OPERATOR;
        break;

    case '*':
    case '/':
    case '%':
    case '+':
    case '-':
    case '^':
    case '@':
        lex->pos++;
        token->type = PROM_LEX_OPERATOR;
        break;

    default:
        prom_lex_error(lex, token, "unexpected character: ",
                       prom_lex_rune(lex));
    }
}


static void
prom_lex_inside(prom_lex_t *lex, prom_token_t *token)
{
    int  c;

    c = prom_lex_byte(lex, lex->pos);

    if (prom_lex_is_alpha(c)) {
        prom_lex_identifier(lex, token, false);
        return;
    }

    switch (c) {

    case -1:
        token->type = PROM_LEX_ERROR;
        prom_lex_position(lex, token->pos);
        prom_msg_add(lex->msg, "unexpected end of input inside braces");
        break;

    case ',':
        lex->pos++;
        token->type = PROM_LEX_COMMA;
        break;

    case '"':
    case '\'':
    case '`':
        prom_lex_string(lex, token);
        break;

    case '=':
        lex->pos++;
        token->type = PROM_LEX_EQ;

        if (prom_lex_byte(lex, lex->pos) == '~') {
            lex->pos++;
            token->type = PROM_LEX_RE;
        }

        break;

    case '!':
        prom_lex_bang(lex, token);
        break;

    case '}':
        lex->pos++;
        lex->braces = false;
        token->type = PROM_LEX_RIGHT_BRACE;
        break;

    case '{':
        prom_lex_error(lex, token, "unexpected left brace ", c);
        break;

    default:
        prom_lex_error(lex, token, "unexpected character inside braces: ",
                       prom_lex_rune(lex));
    }
}


static void
prom_lex_bang(prom_lex_t *lex, prom_token_t *token)
{
    uint32_t  c;

    lex->pos++;
    c = prom_lex_rune(lex);

    if (c == '=') {
        token->type = PROM_LEX_NE;

    } else if (c == '~' && lex->braces) {
        token->type = PROM_LEX_NRE;

    } else {
        prom_lex_error(lex, token,
                       lex->braces
                       ? "unexpected character after '!' inside braces: "
                       : "unexpected character after '!': ", c);
    }
}


static void
prom_lex_figure(prom_lex_t *lex, prom_token_t *token)
{
    prom_str_t  str;

    token->type = prom_lex_number(lex->text, &lex->pos);

    if (token->type == PROM_LEX_ERROR) {
        str.data = lex->text.data + token->pos;
        str.len = lex->pos - token->pos;

        prom_lex_position(lex, token->pos);
        prom_msg_add(lex->msg, "bad number or duration syntax: ");
        prom_msg_add_quoted(lex->msg, str, PROM_LEX_QUOTE);
    }
}


static void
prom_lex_string(prom_lex_t *lex, prom_token_t *token)
{
    uint8_t      quote;
    uint32_t     c;
    const char  *what;

    quote = lex->text.data[lex->pos++];
    token->type = PROM_LEX_STRING;

    for ( ;; ) {
        c = prom_lex_rune(lex);

        if (c == quote) {
            return;
        }

        if (c == PROM_UTF8_ERROR) {
            what = "invalid UTF-8 rune";
            break;
        }

        if (c == PROM_LEX_END) {
            what = (quote == '`') ? "unterminated raw string"
                                  : "unterminated quoted string";
            break;
        }

        if (quote == '`') {
            continue;
        }

        if (c == '\n') {
            what = "unterminated quoted string";
            break;
        }

        if (c == '\\' && !prom_lex_escape(lex, token->pos, quote)) {
            token->type = PROM_LEX_ERROR;
            return;
        }
    }

    token->type = PROM_LEX_ERROR;
    prom_lex_position(lex, token->pos);
    prom_msg_add(lex->msg, "%s", what);
}


/* A character and its number, as Go's %#U prints them. */

static void
prom_lex_add_number(prom_msg_t *msg, uint32_t c)
{
    char        quoted[16];
    uint8_t     buf[4];
    prom_str_t  str;
    prom_msg_t  sub;

    str.data = buf;
    str.len = prom_utf8_encode(buf, c);

    prom_msg_add(msg, "U+%04X", c);

    prom_msg_init(&sub, quoted, sizeof(quoted));
    prom_msg_add_quoted(&sub, str, str.len);

    if (quoted[1] != '\\' || c == '"' || c == '\\') {
        prom_msg_add(msg, " '%.*s'", (int) str.len, (char *) buf);
    }
}


static inline uint32_t
prom_lex_digit(uint32_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
        return (c | 0x20) - 'a' + 10;
    }

    return 16;
}


/* How many digits of which base follow; false where it is no such escape. */

static bool
prom_lex_escape_form(uint32_t c, unsigned *n, uint32_t *base)
{
    *base = 16;

    switch (c) {

    case 'x':
        *n = 2;
        return true;

    case 'u':
        *n = 4;
        return true;

    case 'U':
        *n = 8;
        return true;

    default:
        *n = 3;
        *base = 8;
        return c >= '0' && c <= '7';
    }
}


/* After a backslash, in a string that began at `pos'. */

static bool
prom_lex_escape(prom_lex_t *lex, size_t pos, uint8_t quote)
{
    size_t    start;
    uint32_t  c, base;
    unsigned  n;

    start = lex->pos;
    c = prom_lex_rune(lex);

    if (c == quote || (c < 0x80 && c != 0 && strchr("abfnrtv\\", c) != NULL)) {
        return true;
    }

    if (!prom_lex_escape_form(c, &n, &base)) {
        return prom_lex_bad_escape(lex, pos, "unknown escape sequence ", c,
                                   "");
    }

    if (base == 8) {
        lex->pos = start;
    }

    return prom_lex_digits(lex, pos, n, base);
}


static bool
prom_lex_digits(prom_lex_t *lex, size_t pos, unsigned n, uint32_t base)
{
    uint32_t  c, value, max;

    max = (n <= 3) ? 255 : 0x10ffff;

    for (value = 0; n > 0; n--) {
        c = prom_lex_rune(lex);

        if (prom_lex_digit(c) >= base) {
            return prom_lex_bad_escape(lex, pos, "illegal character ", c,
                                       " in escape sequence");
        }

        value = value * base + prom_lex_digit(c);
    }

    if (value <= max && (value < 0xd800 || value > 0xdfff)) {
        return true;
    }

    prom_lex_position(lex, pos);
    prom_msg_add(lex->msg, "escape sequence is an invalid Unicode code point");

    return false;
}


static bool
prom_lex_bad_escape(prom_lex_t *lex, size_t pos, const char *before,
    uint32_t c, const char *after)
{
    prom_lex_position(lex, pos);

    if (c == PROM_LEX_END) {
        prom_msg_add(lex->msg, "escape sequence not terminated");
        return false;
    }

    prom_msg_add(lex->msg, "%s", before);
    prom_lex_add_number(lex->msg, c);
    prom_msg_add(lex->msg, "%s", after);

    return false;
}


static size_t
prom_lex_unescape(const uint8_t *p, uint8_t *out, size_t *size)
{
    uint32_t     c, base, value;
    unsigned     i, n;
    const char  *found;

    static const char  from[] = "abfnrtv";
    static const char  to[] = "\a\b\f\n\r\t\v";

    if (!prom_lex_escape_form(*p, &n, &base)) {
        found = strchr(from, *p);
        *out = (found != NULL) ? (uint8_t) to[found - from] : *p;
        *size = 1;
        return 1;
    }

    c = *p;
    p += (base == 16);

    for (value = 0, i = 0; i < n; i++) {
        value = value * base + prom_lex_digit(p[i]);
    }

    *size = n + (base == 16);

    if (c == 'u' || c == 'U') {
        return prom_utf8_encode(out, value);
    }

    *out = value;

    return 1;
}


size_t
prom_lex_unquote(const prom_token_t *token, uint8_t *out)
{
    size_t          size;
    uint8_t        *start;
    const uint8_t  *p, *end;

    start = out;
    p = token->text.data + 1;
    end = token->text.data + token->text.len - 1;

    while (p < end) {

        if (*p != '\\' || *token->text.data == '`') {
            *out++ = *p++;
            continue;
        }

        out += prom_lex_unescape(p + 1, out, &size);
        p += 1 + size;
    }

    return out - start;
}


void
prom_lex_position(prom_lex_t *lex, size_t pos)
{
    size_t  i, line, start;

    if (lex->text.len == 0) {
        prom_msg_add(lex->msg, "unknown position: parse error: ");
        return;
    }

    line = 1;
    start = 0;

    for (i = 0; i < pos; i++) {

        if (lex->text.data[i] == '\n') {
            line++;
            start = i + 1;
        }
    }

    prom_msg_add(lex->msg, "%zu:%zu: parse error: ", line, pos - start + 1);
}


/* `what' and a character between single quotes, as Go's %q has it. */

static void
prom_lex_error(prom_lex_t *lex, prom_token_t *token, const char *what,
    uint32_t c)
{
    char        quoted[16];
    uint8_t     buf[4];
    prom_str_t  str;
    prom_msg_t  sub;

    token->type = PROM_LEX_ERROR;

    prom_lex_position(lex, token->pos);
    prom_msg_add(lex->msg, "%s", what);

    if (c == '\'') {
        prom_msg_add(lex->msg, "'\\''");
        return;
    }

    if (c == '"') {
        prom_msg_add(lex->msg, "'\"'");
        return;
    }

    str.data = buf;
    str.len = prom_utf8_encode(buf, c == PROM_LEX_END ? PROM_UTF8_ERROR : c);

    prom_msg_init(&sub, quoted, sizeof(quoted));
    prom_msg_add_quoted(&sub, str, str.len);

    prom_msg_add(lex->msg, "'%.*s'", (int) (sub.len - 2), quoted + 1);
}
