
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * A batch as text, for --dry-run: the exposition format with every label and
 * timestamp written out, so that it can be pushed in its turn.  Staleness
 * markers, for which the format has no word, are printed as StaleNaN.
 */


#ifndef _PUSH_PRINT_H_INCLUDED_
#define _PUSH_PRINT_H_INCLUDED_


#include <stdio.h>

#include "push_encode.h"


void push_print(FILE *out, const push_batch_t *batch,
    const push_encode_conf_t *conf, const push_body_t *body);


#endif /* _PUSH_PRINT_H_INCLUDED_ */
