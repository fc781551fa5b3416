
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * A clock for slices of work: ns, never steps back, says nothing about the
 * time of day.
 */


#ifndef _PROM_CLOCK_H_INCLUDED_
#define _PROM_CLOCK_H_INCLUDED_


#include <time.h>

#include "prom_base.h"


static inline uint64_t
prom_clock(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


#endif /* _PROM_CLOCK_H_INCLUDED_ */
