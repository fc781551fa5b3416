
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * A batch -> the body of a remote-write request: protobuf in a snappy block.
 *
 * The encoder is protobuf-c's and shares no code with the module's decoder,
 * so that a misreading of the protocol cannot hide in both.
 */


#ifndef _PUSH_ENCODE_H_INCLUDED_
#define _PUSH_ENCODE_H_INCLUDED_


#include <stdbool.h>
#include <stddef.h>

#include "push_batch.h"


#define PUSH_STALE_BITS  0x7ff0000000000002     /* "the series has ended" */


typedef enum {
    PUSH_V1 = 1,
    PUSH_V2 = 2
} push_version_e;


typedef struct {
    push_version_e     version;
    bool               metadata;        /* send type, help and unit */
    bool               stale;           /* staleness markers for values */
} push_encode_conf_t;


/* Owned by the body until push_body_free(). */

typedef struct {
    char              *data;
    size_t             len;
    size_t             decoded_len;     /* before compression */
} push_body_t;


/* -1: it is more than a snappy block can hold, 4 GiB. */
int push_encode(push_body_t *body, const push_batch_t *batch,
    const push_encode_conf_t *conf);
void push_body_free(push_body_t *body);


#endif /* _PUSH_ENCODE_H_INCLUDED_ */
