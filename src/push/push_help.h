
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * What --help prints.
 */


#ifndef _PUSH_HELP_H_INCLUDED_
#define _PUSH_HELP_H_INCLUDED_


extern const char  push_help[];


#endif /* _PUSH_HELP_H_INCLUDED_ */
