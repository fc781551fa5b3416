
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The command line.  Strings stay in argv, which is changed in place; arrays
 * live until push_options_free().
 */


#ifndef _PUSH_OPTIONS_H_INCLUDED_
#define _PUSH_OPTIONS_H_INCLUDED_


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "push_data.h"
#include "push_encode.h"
#include "push_send.h"


typedef struct {
    push_send_conf_t     send;          /* url: NULL where it is not needed */
    push_encode_conf_t   encode;

    push_label_t        *labels;
    size_t               nlabels;
    bool                 override;

    size_t               batch;         /* samples in a request, at least 1 */
    int64_t              now;           /* for samples without a timestamp */

    bool                 dry_run;
    const char          *dump;          /* NULL: send */
    bool                 quiet;

    char               **files;         /* at the end of argv */
    size_t               nfiles;

    size_t               labels_cap;
    size_t               headers_cap;
} push_options_t;


#define PUSH_OPTIONS_OK     0
#define PUSH_OPTIONS_DONE   1           /* --help, --version: all is said */
#define PUSH_OPTIONS_ERROR  2           /* said on stderr */


int push_options_parse(push_options_t *options, int argc, char **argv);
void push_options_free(push_options_t *options);


#endif /* _PUSH_OPTIONS_H_INCLUDED_ */
