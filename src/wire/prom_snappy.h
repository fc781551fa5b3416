
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Content-Encoding: snappy, the block format.
 */


#ifndef _PROM_SNAPPY_H_INCLUDED_
#define _PROM_SNAPPY_H_INCLUDED_


#include "../base/prom_base.h"
#include "../base/prom_msg.h"
#include "../base/prom_vec.h"


/*
 * Decompresses `body' into `out' (bytes), which grows no further than `max'.
 * The length that the body claims is checked before anything is allocated.
 * PROM_OK, PROM_ERROR with a message, PROM_NOMEM.
 */
int prom_snappy_decode(prom_str_t body, size_t max, prom_vec_t *out,
    prom_msg_t *msg);


#endif /* _PROM_SNAPPY_H_INCLUDED_ */
