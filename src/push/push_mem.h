
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Memory for a command: where there is none the program says so and exits
 * with status 2, so no caller looks for NULL.  Returned with free().
 */


#ifndef _PUSH_MEM_H_INCLUDED_
#define _PUSH_MEM_H_INCLUDED_


#include <stddef.h>


/* Zeroed; "n" things of "size" bytes; n may be 0. */
void *push_alloc(size_t n, size_t size);

/*
 * Makes room for one more thing of "size" bytes behind the "n" at "p", where
 * *cap is how many fit by now; returns the place, which may have moved.
 */
void *push_grow(void *p, size_t n, size_t *cap, size_t size);


#endif /* _PUSH_MEM_H_INCLUDED_ */
