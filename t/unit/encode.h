
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * A writer of the protobuf wire format for tests, good and bad bytes alike:
 *
 *     enc_start(&enc);
 *     enc_open(&enc, 1);                      field 1, a message
 *         enc_str(&enc, 1, "text");
 *         enc_raw(&enc, "08 96 01");          anything, in hex
 *     enc_close(&enc);
 *
 * and a reader of files.
 */


#ifndef _ENCODE_H_INCLUDED_
#define _ENCODE_H_INCLUDED_


#include <stdio.h>
#include <stdlib.h>

#include "base/prom_base.h"


#define ENC_DEPTH  8


typedef struct {
    uint8_t   *data;
    size_t     len;
    size_t     room;
    size_t     open[ENC_DEPTH];         /* where contents of messages begin */
    unsigned   depth;
} enc_t;


static inline void
enc_start(enc_t *enc)
{
    enc->len = 0;
    enc->depth = 0;
}


static inline void
enc_free(enc_t *enc)
{
    free(enc->data);
    memset(enc, 0, sizeof(enc_t));
}


static inline void
enc_bytes(enc_t *enc, const void *data, size_t len)
{
    if (enc->room - enc->len < len) {
        enc->room = (enc->len + len) * 2;
        enc->data = realloc(enc->data, enc->room);

        if (enc->data == NULL) {
            abort();
        }
    }

    if (len > 0) {
        memcpy(enc->data + enc->len, data, len);
        enc->len += len;
    }
}


static inline size_t
enc_varint_to(uint8_t *p, uint64_t value)
{
    size_t  n;

    for (n = 0; value >= 0x80; value >>= 7) {
        p[n++] = (uint8_t) (value | 0x80);
    }

    p[n++] = (uint8_t) value;

    return n;
}


static inline void
enc_varint(enc_t *enc, uint64_t value)
{
    uint8_t  p[10];

    enc_bytes(enc, p, enc_varint_to(p, value));
}


static inline void
enc_tag(enc_t *enc, uint32_t number, uint32_t wire)
{
    enc_varint(enc, (uint64_t) number << 3 | wire);
}


/* Fields of the wire types 0, 1 and 2. */

static inline void
enc_int(enc_t *enc, uint32_t number, int64_t value)
{
    enc_tag(enc, number, 0);
    enc_varint(enc, (uint64_t) value);
}


static inline void
enc_bits(enc_t *enc, uint32_t number, uint64_t bits)
{
    unsigned  i;
    uint8_t   p[8];

    for (i = 0; i < 8; i++) {
        p[i] = (uint8_t) (bits >> 8 * i);
    }

    enc_tag(enc, number, 1);
    enc_bytes(enc, p, 8);
}


static inline void
enc_double(enc_t *enc, uint32_t number, double value)
{
    uint64_t  bits;

    memcpy(&bits, &value, 8);
    enc_bits(enc, number, bits);
}


static inline void
enc_field(enc_t *enc, uint32_t number, const void *data, size_t len)
{
    enc_tag(enc, number, 2);
    enc_varint(enc, len);
    enc_bytes(enc, data, len);
}


static inline void
enc_str(enc_t *enc, uint32_t number, const char *text)
{
    enc_field(enc, number, text, strlen(text));
}


static inline void
enc_open(enc_t *enc, uint32_t number)
{
    if (enc->depth == ENC_DEPTH) {
        abort();
    }

    enc_tag(enc, number, 2);
    enc->open[enc->depth++] = enc->len;
}


static inline void
enc_close(enc_t *enc)
{
    size_t   start, len, n;
    uint8_t  prefix[10];

    if (enc->depth == 0) {
        abort();
    }

    start = enc->open[--enc->depth];
    len = enc->len - start;
    n = enc_varint_to(prefix, len);

    enc_bytes(enc, prefix, n);
    memmove(enc->data + start + n, enc->data + start, len);
    memcpy(enc->data + start, prefix, n);
}


static inline int
enc_hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


static inline void
enc_raw(enc_t *enc, const char *hex)
{
    int      hi, lo;
    uint8_t  byte;

    while (*hex != '\0') {

        if (*hex == ' ') {
            hex++;
            continue;
        }

        hi = enc_hex_digit(hex[0]);
        lo = hi < 0 ? -1 : enc_hex_digit(hex[1]);

        if (lo < 0) {
            abort();
        }

        byte = (uint8_t) (hi << 4 | lo);
        enc_bytes(enc, &byte, 1);
        hex += 2;
    }
}


/* What both versions have alike: 2 is a Sample of a TimeSeries. */

static inline void
enc_sample(enc_t *enc, int64_t time, double value)
{
    enc_open(enc, 2);
    enc_double(enc, 1, value);
    enc_int(enc, 2, time);
    enc_close(enc);
}


/* A Label of version 1. */

static inline void
enc_label(enc_t *enc, const char *name, const char *value)
{
    enc_open(enc, 1);
    enc_str(enc, 1, name);
    enc_str(enc, 2, value);
    enc_close(enc);
}


/* The whole of a file; the test ends where there is none. */

static inline void
enc_file(enc_t *enc, const char *path)
{
    FILE    *file;
    size_t   n;
    char     buf[4096];

    enc_start(enc);
    file = fopen(path, "rb");

    if (file == NULL) {
        printf("Bail out! %s cannot be read\n", path);
        exit(2);
    }

    while ((n = fread(buf, 1, sizeof(buf), file)) > 0) {
        enc_bytes(enc, buf, n);
    }

    fclose(file);
}


#endif /* _ENCODE_H_INCLUDED_ */
