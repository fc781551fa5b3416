
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "push_mem.h"
#include "push_send.h"


#define PUSH_WRITTEN  "x-prometheus-remote-write-samples-written:"


struct push_sender_s {
    const push_send_conf_t  *conf;
    CURL                    *curl;
    struct curl_slist       *headers;
    char                     error[CURL_ERROR_SIZE];
};


typedef struct {
    CURLoption               option;
    const char              *value;
} push_string_option_t;


static CURLcode push_sender_setup(push_sender_t *sender);
static CURLcode push_sender_strings(push_sender_t *sender);
static CURLcode push_sender_headers(push_sender_t *sender);
static CURLcode push_sender_token(push_sender_t *sender);
static CURLcode push_sender_default(push_sender_t *sender, const char *line);
static CURLcode push_sender_header(push_sender_t *sender, const char *line);
static bool push_sender_replaced(push_sender_t *sender, const char *line);
static size_t push_send_on_header(char *data, size_t size, size_t n,
    void *reply);
static size_t push_send_on_body(char *data, size_t size, size_t n,
    void *reply);


push_sender_t *
push_sender_create(const push_send_conf_t *conf)
{
    CURLcode        rc;
    push_sender_t  *sender;

    sender = push_alloc(1, sizeof(push_sender_t));

    sender->conf = conf;
    sender->curl = curl_easy_init();

    rc = (sender->curl == NULL) ? CURLE_FAILED_INIT
                                : push_sender_setup(sender);
    if (rc != CURLE_OK) {
        fprintf(stderr, "prom-push: %s\n", curl_easy_strerror(rc));
        push_sender_free(sender);
        return NULL;
    }

    return sender;
}


void
push_send(push_sender_t *sender, const push_body_t *body, push_reply_t *reply)
{
    int       n;
    CURL     *curl;
    CURLcode  rc;

    curl = sender->curl;
    memset(reply, 0, sizeof(push_reply_t));
    sender->error[0] = '\0';

    (void) curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                            (curl_off_t) body->len);
    (void) curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->data);
    (void) curl_easy_setopt(curl, CURLOPT_HEADERDATA, reply);
    (void) curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);

    rc = curl_easy_perform(curl);

    if (rc == CURLE_OK) {
        (void) curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply->status);
        return;
    }

    /* an answer cut short is none: nobody knows what was stored */

    memset(reply, 0, sizeof(push_reply_t));

    n = snprintf(reply->text, PUSH_REPLY_TEXT_LEN, "%s",
                 sender->error[0] ? sender->error : curl_easy_strerror(rc));
    if (n > 0) {
        reply->text_len = strlen(reply->text);
    }
}


void
push_sender_free(push_sender_t *sender)
{
    curl_slist_free_all(sender->headers);
    curl_easy_cleanup(sender->curl);
    free(sender);
}


static CURLcode
push_sender_setup(push_sender_t *sender)
{
    CURL                    *curl;
    CURLcode                 rc;
    const push_send_conf_t  *conf;

    curl = sender->curl;
    conf = sender->conf;

    (void) curl_easy_setopt(curl, CURLOPT_POST, 1L);
    (void) curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, sender->error);
    (void) curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, push_send_on_header);
    (void) curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, push_send_on_body);
    (void) curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, conf->timeout);
    (void) curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);

    if (conf->insecure) {
        (void) curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        (void) curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }

    rc = push_sender_strings(sender);
    if (rc != CURLE_OK) {
        return rc;
    }

    return push_sender_headers(sender);
}


static CURLcode
push_sender_strings(push_sender_t *sender)
{
    size_t    i;
    CURLcode  rc;

    const push_string_option_t  options[] = {
        { CURLOPT_URL, sender->conf->url },
        { CURLOPT_USERPWD, sender->conf->user },
        { CURLOPT_CAINFO, sender->conf->cacert },
        { CURLOPT_SSLCERT, sender->conf->cert },
        { CURLOPT_SSLKEY, sender->conf->key }
    };

    for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {

        if (options[i].value == NULL) {
            continue;
        }

        rc = curl_easy_setopt(sender->curl, options[i].option,
                              options[i].value);
        if (rc != CURLE_OK) {
            return rc;
        }
    }

    return CURLE_OK;
}


static CURLcode
push_sender_headers(push_sender_t *sender)
{
    size_t                   i;
    CURLcode                 rc;
    const char             **p;
    const push_send_conf_t  *conf;

    static const char  *v1[] = {
        "Content-Type: application/x-protobuf",
        "X-Prometheus-Remote-Write-Version: 0.1.0",
        NULL
    };

    static const char  *v2[] = {
        "Content-Type: application/x-protobuf"
            ";proto=io.prometheus.write.v2.Request",
        "X-Prometheus-Remote-Write-Version: 2.0.0",
        NULL
    };

    /* the last: libcurl would wait a second for "100 Continue" */

    static const char  *all[] = {
        "Content-Encoding: snappy",
        "User-Agent: prom-push/" PUSH_VERSION,
        "Accept:",
        "Expect:",
        NULL
    };

    conf = sender->conf;

    for (p = (conf->version == PUSH_V2) ? v2 : v1; *p != NULL; p++) {
        rc = push_sender_default(sender, *p);
        if (rc != CURLE_OK) {
            return rc;
        }
    }

    for (p = all; *p != NULL; p++) {
        rc = push_sender_default(sender, *p);
        if (rc != CURLE_OK) {
            return rc;
        }
    }

    rc = push_sender_token(sender);

    for (i = 0; i < conf->nheaders && rc == CURLE_OK; i++) {
        rc = push_sender_header(sender, conf->headers[i]);
    }

    if (rc != CURLE_OK) {
        return rc;
    }

    return curl_easy_setopt(sender->curl, CURLOPT_HTTPHEADER, sender->headers);
}


static CURLcode
push_sender_token(push_sender_t *sender)
{
    char      *line;
    size_t     len;
    CURLcode   rc;

    if (sender->conf->token == NULL) {
        return CURLE_OK;
    }

    len = sizeof("Authorization: Bearer ") + strlen(sender->conf->token);

    line = push_alloc(len, 1);
    snprintf(line, len, "Authorization: Bearer %s", sender->conf->token);

    rc = push_sender_default(sender, line);

    free(line);

    return rc;
}


/* a header of ours, unless the user has one of this name */

static CURLcode
push_sender_default(push_sender_t *sender, const char *line)
{
    if (push_sender_replaced(sender, line)) {
        return CURLE_OK;
    }

    return push_sender_header(sender, line);
}


static CURLcode
push_sender_header(push_sender_t *sender, const char *line)
{
    struct curl_slist  *list;

    list = curl_slist_append(sender->headers, line);
    if (list == NULL) {
        return CURLE_OUT_OF_MEMORY;
    }

    sender->headers = list;

    return CURLE_OK;
}


static bool
push_sender_replaced(push_sender_t *sender, const char *line)
{
    size_t  i, len;

    len = strcspn(line, ":") + 1;

    for (i = 0; i < sender->conf->nheaders; i++) {
        if (strncasecmp(sender->conf->headers[i], line, len) == 0) {
            return true;
        }
    }

    return false;
}


static size_t
push_send_on_header(char *data, size_t size, size_t n, void *ctx)
{
    char          *end;
    char           number[32];
    size_t         len;
    push_reply_t  *reply;

    reply = ctx;
    n *= size;

    /* "100 Continue" and the like come before the headers that count */

    if (n > 5 && memcmp(data, "HTTP/", 5) == 0) {
        reply->counted = false;
        reply->written = 0;
        return n;
    }

    len = sizeof(PUSH_WRITTEN) - 1;

    if (n <= len || n - len >= sizeof(number)
        || strncasecmp(data, PUSH_WRITTEN, len) != 0)
    {
        return n;
    }

    memcpy(number, data + len, n - len);
    number[n - len] = '\0';

    data = number + strspn(number, " \t");

    if (!isdigit((unsigned char) *data)) {
        return n;
    }

    errno = 0;
    reply->written = strtoull(data, &end, 10);
    reply->counted = (errno == 0 && end[strspn(end, " \t\r\n")] == '\0');

    return n;
}


static size_t
push_send_on_body(char *data, size_t size, size_t n, void *ctx)
{
    size_t         len;
    push_reply_t  *reply;

    reply = ctx;
    n *= size;

    len = PUSH_REPLY_TEXT_LEN - reply->text_len;
    if (len > n) {
        len = n;
    }

    memcpy(reply->text + reply->text_len, data, len);
    reply->text_len += len;

    return n;
}
