
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Numbers as text, the way the exposition formats want them.
 */


#ifndef _PROM_DOUBLE_H_INCLUDED_
#define _PROM_DOUBLE_H_INCLUDED_


#include "prom_base.h"


#define PROM_DOUBLE_LEN  32             /* room that any result fits into */
#define PROM_INT64_LEN   20


/*
 * The shortest digits that read back to the same double, in the form of Go's
 * strconv.FormatFloat(v, 'g', -1, 64) with the exponent form from 1e6 on as
 * prometheus/common's text encoder has it: 999999, 1e+06, 0.0001, 1e-05.
 * Any zero is "0"; NaN of any payload "NaN"; "+Inf", "-Inf".
 * Takes the bits, not a double, so that no FPU sees a signalling NaN.
 * Returns the end of what was written; not NUL-terminated.
 */
uint8_t *prom_double_write(uint8_t *p, uint64_t bits);

/* Decimal, with a minus sign where negative. */
uint8_t *prom_int64_write(uint8_t *p, int64_t value);


#endif /* _PROM_DOUBLE_H_INCLUDED_ */
