
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The parser of the text exposition format 0.0.4, with names in quotes as
 * Prometheus 3 writes them:
 *
 *     # TYPE name type
 *     # HELP name text
 *     name{label="value",...} number [milliseconds]
 *     {"any name","any label"="value",...} number [milliseconds]
 *
 * Beyond the format: the types and the "# UNIT name unit" line of
 * OpenMetrics, colons in bare label names (which Prometheus prints, too),
 * and __name__ as a label where no other name is given.  TYPE may be repeated
 * when it says the same; of several HELP lines the last one holds.
 */


#ifndef _PUSH_TEXT_H_INCLUDED_
#define _PUSH_TEXT_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "push_data.h"


#define PUSH_TEXT_ERROR_LEN  512


/*
 * Adds what the text holds to the data; samples without a timestamp get
 * "now".  The byte behind the text, text[len], must be readable and NUL.
 * Returns 0, or -1 at the first error with "name:line: what" in "error",
 * which has room for PUSH_TEXT_ERROR_LEN bytes.
 */
int push_text_parse(push_data_t *data, const char *name, const char *text,
    size_t len, int64_t now, char *error);


#endif /* _PUSH_TEXT_H_INCLUDED_ */
