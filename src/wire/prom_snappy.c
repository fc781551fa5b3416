
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include <snappy-c.h>

#include "prom_snappy.h"


/*
 * No byte of snappy's format makes more than 64 / 3 bytes of output, so a
 * short body with a large claim is refused before memory is taken for it.
 */
#define PROM_SNAPPY_RATIO  22


int
prom_snappy_decode(prom_str_t body, size_t max, prom_vec_t *out,
    prom_msg_t *msg)
{
    size_t       len;
    const char  *data;

    data = (const char *) body.data;

    if (body.len == 0
        || snappy_uncompressed_length(data, body.len, &len) != SNAPPY_OK)
    {
        prom_msg_add(msg, "snappy: corrupt input");
        return PROM_ERROR;
    }

    if (len > max) {
        prom_msg_add(msg, "snappy: the body decodes to %zu bytes, "
                          "prom_max_decoded_size is %zu", len, max);
        return PROM_ERROR;
    }

    if (len / PROM_SNAPPY_RATIO > body.len) {
        prom_msg_add(msg, "snappy: corrupt input");
        return PROM_ERROR;
    }

    out->n = 0;

    if (!prom_vec_reserve(out, len + 1, 1)) {
        return PROM_NOMEM;
    }

    if (snappy_uncompress(data, body.len, out->data, &len) != SNAPPY_OK) {
        prom_msg_add(msg, "snappy: corrupt input");
        return PROM_ERROR;
    }

    out->n = len;

    return PROM_OK;
}
