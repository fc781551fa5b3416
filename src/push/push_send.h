
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * One body -> one HTTP request -> what the server said.  Connections are kept
 * open between requests.  Redirects are not followed: most of them turn a
 * POST into a GET without a body, whose success would mean nothing.
 */


#ifndef _PUSH_SEND_H_INCLUDED_
#define _PUSH_SEND_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "push_encode.h"


#define PUSH_VERSION         "0.1.0"

#define PUSH_REPLY_TEXT_LEN  16384      /* of the server's text, kept */


typedef struct {
    const char        *url;
    push_version_e     version;
    long               timeout;         /* milliseconds, of one request */

    const char        *user;            /* name:password; or NULL */
    const char        *token;           /* or NULL */
    const char       **headers;         /* "name: value"; they replace ours */
    size_t             nheaders;

    const char        *cacert;          /* or NULL, as all that follow */
    const char        *cert;
    const char        *key;
    bool               insecure;
} push_send_conf_t;


typedef struct {
    long               status;          /* 0: no answer, see "text" */
    bool               counted;         /* a Samples-Written header was there */
    uint64_t           written;         /* its number */
    char               text[PUSH_REPLY_TEXT_LEN + 1];
    size_t             text_len;
} push_reply_t;


typedef struct push_sender_s  push_sender_t;


/*
 * The conf and its strings must outlive the sender.  NULL: libcurl cannot do
 * what is asked for, said on stderr.
 */
push_sender_t *push_sender_create(const push_send_conf_t *conf);

void push_send(push_sender_t *sender, const push_body_t *body,
    push_reply_t *reply);

void push_sender_free(push_sender_t *sender);


#endif /* _PUSH_SEND_H_INCLUDED_ */
