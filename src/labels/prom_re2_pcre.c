
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The engine.  Its two ways of running fail differently: the interpreter takes
 * memory from the heap for each step back it may have to take, the JIT code
 * takes stack.  So what overruns the stack is run again by the interpreter,
 * whose memory is bounded by the heap limit and given back after each match.
 */


#define PCRE2_CODE_UNIT_WIDTH  8

#include <pcre2.h>

#include "../base/prom_utf8.h"
#include "prom_re2_pcre.h"


#define PROM_RE2_OPTIONS  (PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED     \
                           | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY              \
                           | PCRE2_NO_AUTO_CAPTURE | PCRE2_ALT_CIRCUMFLEX     \
                           | PCRE2_NEVER_BACKSLASH_C)

/* pcre2_jit_compile() recurses with large frames where patterns nest. */

#define PROM_RE2_JIT_HEIGHT  100

/* What a compiled pattern takes beside its code. */

#define PROM_RE2_OVERHEAD  1024


struct prom_re2_pcre_s {
    pcre2_code           *code;
    pcre2_match_data     *data;         /* for the JIT code only */
    pcre2_match_context  *context;
    bool                  jit;
};


static int prom_re2_pcre_code(prom_re2_pcre_t *pcre, prom_str_t text,
    prom_str_t pattern, prom_msg_t *msg);
static int prom_re2_pcre_prepare(prom_re2_pcre_t *pcre, bool jit,
    prom_arena_t *arena);
static int prom_re2_interpret(const prom_re2_pcre_t *pcre, prom_str_t value);


int
prom_re2_pcre_compile(prom_re2_pcre_t **result, const prom_re2_node_t *root,
    prom_str_t pattern, prom_arena_t *arena, prom_msg_t *msg)
{
    int               rc;
    prom_str_t        text;
    prom_re2_pcre_t  *pcre;

    rc = prom_re2_emit(root, arena, &text);
    if (rc != PROM_OK) {
        return rc;
    }

    pcre = prom_arena_alloc(arena, sizeof(prom_re2_pcre_t));
    if (pcre == NULL) {
        return PROM_NOMEM;
    }

    memset(pcre, 0, sizeof(prom_re2_pcre_t));

    rc = prom_re2_pcre_code(pcre, text, pattern, msg);

    if (rc == PROM_OK) {
        rc = prom_re2_pcre_prepare(pcre, root->height <= PROM_RE2_JIT_HEIGHT,
                                   arena);
    }

    if (rc != PROM_OK) {
        prom_re2_pcre_destroy(pcre);
        return rc;
    }

    *result = pcre;

    return PROM_OK;
}


static int
prom_re2_pcre_code(prom_re2_pcre_t *pcre, prom_str_t text, prom_str_t pattern,
    prom_msg_t *msg)
{
    int                     error;
    size_t                  offset;
    const char             *what;
    pcre2_compile_context  *context;

    context = pcre2_compile_context_create(NULL);
    if (context == NULL) {
        return PROM_NOMEM;
    }

    /* each level of a tree makes at most one pair of parentheses, and a leaf
       makes two */

    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(context, PROM_RE2_HEIGHT + 2);

    /* text.data is NULL where there is nothing to match */

    pcre->code = pcre2_compile(text.len ? text.data : (const uint8_t *) "",
                               text.len, PROM_RE2_OPTIONS, &error, &offset,
                               context);

    pcre2_compile_context_free(context);

    if (pcre->code != NULL) {
        return PROM_OK;
    }

    if (error == PCRE2_ERROR_HEAP_FAILED) {
        return PROM_NOMEM;
    }

    what = (error == PCRE2_ERROR_UNKNOWN_UNICODE_PROPERTY)
           ? "invalid character class range" : "expression too large";

    return prom_re2_error(msg, what, pattern.data, pattern.data + pattern.len);
}


static int
prom_re2_pcre_prepare(prom_re2_pcre_t *pcre, bool jit, prom_arena_t *arena)
{
    size_t  size, jit_size;

    size = 0;
    jit_size = 0;

    pcre->jit = jit && pcre2_jit_compile(pcre->code, PCRE2_JIT_COMPLETE) == 0;

    pcre2_pattern_info(pcre->code, PCRE2_INFO_SIZE, &size);
    pcre2_pattern_info(pcre->code, PCRE2_INFO_JITSIZE, &jit_size);

    size += jit_size + PROM_RE2_OVERHEAD;

    if (size > arena->limit - arena->used) {
        return PROM_NOMEM;
    }

    arena->used += size;

    pcre->data = pcre2_match_data_create(1, NULL);
    pcre->context = pcre2_match_context_create(NULL);

    if (pcre->data == NULL || pcre->context == NULL) {
        return PROM_NOMEM;
    }

    pcre2_set_match_limit(pcre->context, PROM_RE2_MATCH_LIMIT);
    pcre2_set_depth_limit(pcre->context, PROM_RE2_MATCH_LIMIT);
    pcre2_set_heap_limit(pcre->context, PROM_RE2_HEAP_LIMIT);

    return PROM_OK;
}


void
prom_re2_pcre_destroy(prom_re2_pcre_t *pcre)
{
    pcre2_match_context_free(pcre->context);
    pcre2_match_data_free(pcre->data);
    pcre2_code_free(pcre->code);
}


static inline int
prom_re2_verdict(int rc)
{
    if (rc >= 0) {
        return 1;
    }

    return (rc == PCRE2_ERROR_NOMATCH) ? 0 : PROM_LIMIT;
}


int
prom_re2_pcre_test(const prom_re2_pcre_t *pcre, prom_str_t value)
{
    int  rc;

    if (!prom_utf8_valid(value.data, value.len)) {
        return 0;
    }

    if (value.len == 0) {
        value.data = (const uint8_t *) "";
    }

    if (!pcre->jit) {
        return prom_re2_interpret(pcre, value);
    }

    rc = pcre2_match(pcre->code, value.data, value.len, 0, PCRE2_NO_UTF_CHECK,
                     pcre->data, pcre->context);

    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) {
        return prom_re2_interpret(pcre, value);
    }

    return prom_re2_verdict(rc);
}


static int
prom_re2_interpret(const prom_re2_pcre_t *pcre, prom_str_t value)
{
    int                rc;
    pcre2_match_data  *data;

    data = pcre2_match_data_create(1, NULL);
    if (data == NULL) {
        return PROM_LIMIT;
    }

    rc = pcre2_match(pcre->code, value.data, value.len, 0,
                     PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, pcre->context);

    pcre2_match_data_free(data);

    return prom_re2_verdict(rc);
}
