
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Invariant: len < cap and data[len] is NUL, as soon as cap is not 0.  Once a
 * piece was left out nothing is added any more, so that the text is always the
 * beginning of the whole message.
 */


#include <stdarg.h>
#include <stdio.h>

#include "prom_msg.h"
#include "prom_utf8.h"


#define PROM_MSG_RUNE  10               /* room for an escaped code point */


static bool prom_msg_put(prom_msg_t *msg, const void *data, size_t len);
static bool prom_msg_put_rune(prom_msg_t *msg, const uint8_t *p, size_t len,
    size_t *size);
static bool prom_msg_printable(uint32_t c);
static size_t prom_msg_shorten(prom_str_t str, size_t max);


void
prom_msg_init(prom_msg_t *msg, char *data, size_t cap)
{
    msg->data = data;
    msg->len = 0;
    msg->cap = cap;
    msg->cut = (cap == 0);

    if (cap > 0) {
        data[0] = '\0';
    }
}


void
prom_msg_add(prom_msg_t *msg, const char *fmt, ...)
{
    int      n;
    size_t   room;
    va_list  args;

    if (msg->cut) {
        return;
    }

    room = msg->cap - msg->len;

    va_start(args, fmt);
    n = vsnprintf(msg->data + msg->len, room, fmt, args);
    va_end(args);

    if (n < 0 || (size_t) n >= room) {
        msg->data[msg->len] = '\0';
        msg->cut = true;
        return;
    }

    msg->len += n;
}


void
prom_msg_add_str(prom_msg_t *msg, prom_str_t str, size_t max)
{
    size_t  len, start;

    start = msg->len;
    len = prom_msg_shorten(str, max);

    if (prom_msg_put(msg, str.data, len)
        && (len == str.len || prom_msg_put(msg, "...", 3)))
    {
        return;
    }

    if (msg->len != start) {
        msg->len = start;
        msg->data[start] = '\0';
    }
}


void
prom_msg_add_quoted(prom_msg_t *msg, prom_str_t str, size_t max)
{
    bool            ok;
    size_t          len, size, start;
    const uint8_t  *p, *end;

    start = msg->len;
    len = prom_msg_shorten(str, max);
    p = str.data;
    end = p + len;

    ok = prom_msg_put(msg, "\"", 1);

    while (ok && p < end) {
        ok = prom_msg_put_rune(msg, p, end - p, &size);
        p += size;
    }

    ok = ok && prom_msg_put(msg, "\"", 1);

    if (ok && len < str.len) {
        ok = prom_msg_put(msg, "...", 3);
    }

    if (!ok && msg->len != start) {
        msg->len = start;
        msg->data[start] = '\0';
    }
}


static bool
prom_msg_put(prom_msg_t *msg, const void *data, size_t len)
{
    if (msg->cut || len >= msg->cap - msg->len) {
        msg->cut = true;
        return false;
    }

    if (len > 0) {
        memcpy(msg->data + msg->len, data, len);
        msg->len += len;
        msg->data[msg->len] = '\0';
    }

    return true;
}


static bool
prom_msg_put_rune(prom_msg_t *msg, const uint8_t *p, size_t len, size_t *size)
{
    int          n;
    char         buf[PROM_MSG_RUNE + 1];
    uint32_t     c;
    const char  *short_form;

    static const char  shorts[] = "\aa\bb\tt\nn\vv\ff\rr\"\"\\\\";

    c = prom_utf8_decode(p, len, size);

    for (short_form = shorts; *short_form != '\0'; short_form += 2) {

        if (c == (uint8_t) short_form[0]) {
            buf[0] = '\\';
            buf[1] = short_form[1];

            return prom_msg_put(msg, buf, 2);
        }
    }

    if (c == PROM_UTF8_ERROR && *size == 1) {
        n = snprintf(buf, sizeof(buf), "\\x%02x", *p);

    } else if (prom_msg_printable(c)) {
        return prom_msg_put(msg, p, *size);

    } else if (c < ' ' || c == 0x7f) {
        n = snprintf(buf, sizeof(buf), "\\x%02x", c);

    } else if (c < 0x10000) {
        n = snprintf(buf, sizeof(buf), "\\u%04x", c);

    } else {
        n = snprintf(buf, sizeof(buf), "\\U%08x", c);
    }

    return prom_msg_put(msg, buf, n);
}


/*
 * As Go's unicode.IsPrint(), except that code points not assigned yet count as
 * printable: which these are depends on the version of Unicode.
 */

static bool
prom_msg_printable(uint32_t c)
{
    size_t  i;

    static const struct {
        uint32_t  lo;
        uint32_t  hi;
    } hidden[] = {
        { 0x00, 0x1f }, { 0x7f, 0xa0 }, { 0xad, 0xad }, { 0x600, 0x605 },
        { 0x61c, 0x61c }, { 0x6dd, 0x6dd }, { 0x70f, 0x70f },
        { 0x890, 0x891 }, { 0x8e2, 0x8e2 }, { 0x1680, 0x1680 },
        { 0x180e, 0x180e }, { 0x2000, 0x200f }, { 0x2028, 0x202f },
        { 0x205f, 0x206f }, { 0x3000, 0x3000 }, { 0xd800, 0xf8ff },
        { 0xfdd0, 0xfdef }, { 0xfeff, 0xfeff }, { 0xfff0, 0xfffb },
        { 0xfffe, 0xffff }, { 0x110bd, 0x110bd }, { 0x110cd, 0x110cd },
        { 0x13430, 0x1343f }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
        { 0xe0000, 0xe00ff }, { 0xe01f0, 0x10ffff }
    };

    for (i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {

        if (c <= hidden[i].hi) {
            return c < hidden[i].lo;
        }
    }

    return true;
}


/* The longest beginning of at most `max' bytes that splits no code point. */

static size_t
prom_msg_shorten(prom_str_t str, size_t max)
{
    size_t  len, size, next;

    if (str.len <= max) {
        return str.len;
    }

    for (len = 0; len < max; len = next) {
        (void) prom_utf8_decode(str.data + len, str.len - len, &size);
        next = len + size;

        if (next > max) {
            break;
        }
    }

    return len;
}
