
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * What the headers of a request say about its body.
 *
 * Content-Type is read as RFC 9110 has it: the media type and the names of
 * parameters in any case, blanks around ";", values that may be quoted.  A
 * sender that is not understood must get a 415 and never be taken for the
 * other version: its body would decode as an empty one.
 */


#include "ngx_http_prom_module.h"


#define NGX_HTTP_PROM_ECHO_MAX  256     /* bytes of a header in an answer */


static void ngx_http_prom_next_part(ngx_str_t *rest, ngx_str_t *part);
static ngx_int_t ngx_http_prom_split_param(ngx_str_t *part, ngx_str_t *name,
    ngx_str_t *value);
static void ngx_http_prom_trim(ngx_str_t *str);
static ngx_uint_t ngx_http_prom_is(ngx_str_t *str, const char *text);
static void ngx_http_prom_echo(prom_msg_t *msg, ngx_str_t *str);


static ngx_str_t  ngx_http_prom_encoding_name = ngx_string("content-encoding");


ngx_int_t
ngx_http_prom_write_version(ngx_http_request_t *r,
    prom_write_version_e *version, ngx_str_t *error)
{
    char        text[1024];
    ngx_str_t   all, rest, part, name, value;
    prom_msg_t  msg;

    *version = PROM_WRITE_V1;

    if (r->headers_in.content_type == NULL) {
        return NGX_OK;
    }

    all = r->headers_in.content_type->value;
    ngx_http_prom_trim(&all);

    if (all.len == 0) {
        return NGX_OK;
    }

    prom_msg_init(&msg, text, sizeof(text));

    rest = all;
    ngx_http_prom_next_part(&rest, &part);

    if (!ngx_http_prom_is(&part, "application/x-protobuf")) {
        prom_msg_add(&msg, "expected application/x-protobuf as the first "
                     "(media) part, got ");
        ngx_http_prom_echo(&msg, &all);
        prom_msg_add(&msg, " content-type");

        goto refused;
    }

    while (rest.len) {
        rest.data++;
        rest.len--;

        ngx_http_prom_next_part(&rest, &part);

        if (ngx_http_prom_split_param(&part, &name, &value) != NGX_OK) {
            prom_msg_add(&msg, "expected parameters of the form name=value, "
                         "got \"");
            ngx_http_prom_echo(&msg, &part);
            prom_msg_add(&msg, "\" in ");
            ngx_http_prom_echo(&msg, &all);
            prom_msg_add(&msg, " content-type");

            goto refused;
        }

        if (!ngx_http_prom_is(&name, "proto")) {
            continue;
        }

        if (value.len == sizeof("prometheus.WriteRequest") - 1
            && ngx_strncmp(value.data, "prometheus.WriteRequest", value.len)
               == 0)
        {
            return NGX_OK;
        }

        if (value.len == sizeof("io.prometheus.write.v2.Request") - 1
            && ngx_strncmp(value.data, "io.prometheus.write.v2.Request",
                           value.len)
               == 0)
        {
            *version = PROM_WRITE_V2;
            return NGX_OK;
        }

        prom_msg_add(&msg, "got ");
        ngx_http_prom_echo(&msg, &all);
        prom_msg_add(&msg, " content type; unknown remote write protobuf "
                     "message ");
        ngx_http_prom_echo(&msg, &value);
        prom_msg_add(&msg, ", supported: prometheus.WriteRequest, "
                     "io.prometheus.write.v2.Request");

        goto refused;
    }

    return NGX_OK;

refused:

    if (ngx_http_prom_text(r, &msg, error) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_prom_write_encoding(ngx_http_request_t *r, ngx_str_t *error)
{
    char              text[512];
    ngx_str_t         value;
    ngx_uint_t        n;
    prom_msg_t        msg;
    ngx_table_elt_t  *h;

    h = ngx_http_prom_find_header(r, &ngx_http_prom_encoding_name, &n);

    if (h == NULL) {
        return NGX_OK;
    }

    prom_msg_init(&msg, text, sizeof(text));

    if (n == 1) {
        value = h->value;
        ngx_http_prom_trim(&value);

        if (value.len == 0 || ngx_http_prom_is(&value, "snappy")) {
            return NGX_OK;
        }

        ngx_http_prom_echo(&msg, &value);

    } else {
        prom_msg_add(&msg, "repeated");
    }

    prom_msg_add(&msg, " encoding (compression) is not accepted by this "
                 "server; only snappy is acceptable");

    if (ngx_http_prom_text(r, &msg, error) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_DECLINED;
}


ngx_uint_t
ngx_http_prom_is_form(ngx_http_request_t *r)
{
    ngx_str_t  rest, part;

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    rest = r->headers_in.content_type->value;
    ngx_http_prom_next_part(&rest, &part);

    return ngx_http_prom_is(&part, "application/x-www-form-urlencoded");
}


ngx_table_elt_t *
ngx_http_prom_find_header(ngx_http_request_t *r, ngx_str_t *name, ngx_uint_t *n)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *first;

    *n = 0;
    first = NULL;

    for (part = &r->headers_in.headers.part; part; part = part->next) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len != name->len
                || ngx_memcmp(h[i].lowcase_key, name->data, name->len) != 0)
            {
                continue;
            }

            if (first == NULL) {
                first = &h[i];
            }

            (*n)++;
        }
    }

    return first;
}


/*
 * Takes what stands before the next ";" that is not in quotes; the ";" itself
 * stays at the beginning of the rest.
 */

static void
ngx_http_prom_next_part(ngx_str_t *rest, ngx_str_t *part)
{
    u_char      *p, *last;
    ngx_uint_t   quoted;

    p = rest->data;
    last = p + rest->len;
    quoted = 0;

    part->data = p;

    for ( /* void */ ; p < last; p++) {

        if (*p == '"') {
            quoted = !quoted;

        } else if (*p == '\\' && quoted && p + 1 < last) {
            p++;

        } else if (*p == ';' && !quoted) {
            break;
        }
    }

    part->len = p - part->data;
    ngx_http_prom_trim(part);

    rest->data = p;
    rest->len = last - p;
}


/*
 * The value of a quoted string is what stands between the quotes; escapes in
 * it are left alone, no value that is known has a character to escape.
 */

static ngx_int_t
ngx_http_prom_split_param(ngx_str_t *part, ngx_str_t *name, ngx_str_t *value)
{
    u_char  *p, *last;

    last = part->data + part->len;
    p = ngx_strlchr(part->data, last, '=');

    if (p == NULL || p == part->data) {
        return NGX_DECLINED;
    }

    name->data = part->data;
    name->len = p - part->data;
    ngx_http_prom_trim(name);

    value->data = p + 1;
    value->len = last - (p + 1);
    ngx_http_prom_trim(value);

    /* a quote in a name would hide the parameters that follow */

    if (ngx_strlchr(name->data, name->data + name->len, '"') != NULL) {
        return NGX_DECLINED;
    }

    if (value->len == 0 || value->data[0] != '"') {

        for (p = value->data; p < last; p++) {
            if (*p == '=' || *p == '"') {
                return NGX_DECLINED;
            }
        }

        return NGX_OK;
    }

    if (value->len < 2 || value->data[value->len - 1] != '"') {
        return NGX_DECLINED;
    }

    value->data++;
    value->len -= 2;

    return NGX_OK;
}


static void
ngx_http_prom_trim(ngx_str_t *str)
{
    while (str->len && (str->data[0] == ' ' || str->data[0] == '\t')) {
        str->data++;
        str->len--;
    }

    while (str->len
           && (str->data[str->len - 1] == ' '
               || str->data[str->len - 1] == '\t'))
    {
        str->len--;
    }
}


/* `text' is lower-case. */

static ngx_uint_t
ngx_http_prom_is(ngx_str_t *str, const char *text)
{
    return str->len == ngx_strlen(text)
           && ngx_strncasecmp(str->data, (u_char *) text, str->len) == 0;
}


static void
ngx_http_prom_echo(prom_msg_t *msg, ngx_str_t *str)
{
    prom_str_t  s;

    s.data = str->data;
    s.len = str->len;

    prom_msg_add_str(msg, s, NGX_HTTP_PROM_ECHO_MAX);
}
