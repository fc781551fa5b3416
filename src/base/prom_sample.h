
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * A float sample: what every room hands to the next.
 */


#ifndef _PROM_SAMPLE_H_INCLUDED_
#define _PROM_SAMPLE_H_INCLUDED_


#include "prom_base.h"


typedef struct {
    int64_t     time;                   /* ms since the epoch */
    uint64_t    value;                  /* the bits of an IEEE double */
} prom_sample_t;


#endif /* _PROM_SAMPLE_H_INCLUDED_ */
