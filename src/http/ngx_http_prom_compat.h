
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * All differences between nginx versions that the module meets.
 */


#ifndef _NGX_HTTP_PROM_COMPAT_H_INCLUDED_
#define _NGX_HTTP_PROM_COMPAT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


#if (nginx_version < 1022000)
#error "ngx_http_prom_module needs nginx 1.22.0 or newer"
#endif


/* Headers of one name are a list since 1.23.0, and nothing zeroes the link. */

#if (nginx_version >= 1023000)
#define ngx_http_prom_unlink_header(h)  (h)->next = NULL
#else
#define ngx_http_prom_unlink_header(h)
#endif


#endif /* _NGX_HTTP_PROM_COMPAT_H_INCLUDED_ */
