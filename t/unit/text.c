
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * UTF-8, and messages.
 */


#include <stdlib.h>

#include "base/prom_msg.h"
#include "base/prom_utf8.h"
#include "tap.h"


static void
test_code_points(void)
{
    bool      valid, surrogate, good, cut;
    size_t    n, size;
    uint8_t   buf[4];
    uint32_t  c;

    good = true;
    cut = true;

    for (c = 0; c <= 0x10ffff; c++) {
        n = prom_utf8_encode(buf, c);
        valid = prom_utf8_valid(buf, n);
        surrogate = (c >= 0xd800 && c <= 0xdfff);

        if (valid == surrogate
            || (valid && (prom_utf8_decode(buf, n, &size) != c || size != n)))
        {
            good = false;
            printf("# U+%04X\n", c);
        }

        if (n > 1 && (prom_utf8_valid(buf, n - 1)
                      || prom_utf8_decode(buf, n - 1, &size)
                         != PROM_UTF8_ERROR
                      || size != 1))
        {
            cut = false;
            printf("# U+%04X\n", c);
        }
    }

    tap_ok(good, "every code point but surrogates");
    tap_ok(cut, "none without its last byte");
}


static void
test_invalid(void)
{
    size_t   i, k, size, len;
    uint8_t  buf[32];

    static const char *const  bad[] = {
        "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x80\x80",
        "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xe2\x82", "\xe2(\xa1",
        "\xe2\x82(", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x9f\x98", "\xff", "\xfe"
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        len = strlen(bad[i]);

        tap_ok(prom_utf8_decode((const uint8_t *) bad[i], len, &size)
               == PROM_UTF8_ERROR && size == 1, "bad bytes %zu", i);

        /* wherever they stand among ASCII, which goes by words */

        for (k = 0; k <= 16; k++) {
            memset(buf, 'a', sizeof(buf));
            memcpy(buf + k, bad[i], len);

            if (prom_utf8_valid(buf, sizeof(buf))
                || prom_utf8_valid(buf, k + len))
            {
                break;
            }
        }

        tap_ok(k == 17, "bad bytes %zu among good ones, %zu", i, k);
    }

    tap_ok(prom_utf8_valid(NULL, 0), "nothing at all is valid");
    tap_ok(prom_utf8_valid((const uint8_t *) "\0", 1), "a NUL is valid");
}


static void
test_quoted(void)
{
    char        text[256];
    size_t      i;
    prom_msg_t  msg;

    static const struct {
        prom_str_t   text;
        size_t       max;
        const char  *want;
    } rows[] = {
        { { (const uint8_t *) "", 0 }, 10, "\"\"" },
        { { (const uint8_t *) "a'b", 3 }, 10, "\"a'b\"" },
        { { (const uint8_t *) "a\"\\", 3 }, 10, "\"a\\\"\\\\\"" },
        { { (const uint8_t *) "\a\b\f\n\r\t\v", 7 }, 10,
          "\"\\a\\b\\f\\n\\r\\t\\v\"" },
        { { (const uint8_t *) "\0\x1f\x7f", 3 }, 10, "\"\\x00\\x1f\\x7f\"" },
        { { (const uint8_t *) "\xff\xc3", 2 }, 10, "\"\\xff\\xc3\"" },
        { { (const uint8_t *) "caf\xc3\xa9", 5 }, 10, "\"caf\xc3\xa9\"" },
        { { (const uint8_t *) "\xef\xbf\xbd", 3 }, 10, "\"\xef\xbf\xbd\"" },
        { { (const uint8_t *) "\xc2\x85\xc2\xa0\xc2\xad", 6 }, 10,
          "\"\\u0085\\u00a0\\u00ad\"" },
        { { (const uint8_t *) "\xe2\x80\x8b\xef\xbb\xbf", 6 }, 10,
          "\"\\u200b\\ufeff\"" },
        { { (const uint8_t *) "\xf0\x9f\x98\x80\xf3\xa0\x80\x81", 8 }, 10,
          "\"\xf0\x9f\x98\x80\\U000e0001\"" },
        { { (const uint8_t *) "abcd", 4 }, 4, "\"abcd\"" },
        { { (const uint8_t *) "abcde", 5 }, 4, "\"abcd\"..." },
        { { (const uint8_t *) "caf\xc3\xa9", 5 }, 4, "\"caf\"..." }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        prom_msg_init(&msg, text, sizeof(text));
        prom_msg_add_quoted(&msg, rows[i].text, rows[i].max);
        tap_is_str(text, msg.len, rows[i].want, "quoted %zu", i);
    }

    prom_msg_init(&msg, text, sizeof(text));
    prom_msg_add_str(&msg, prom_str("caf\xc3\xa9!"), 6);
    prom_msg_add_str(&msg, prom_str("caf\xc3\xa9!"), 4);
    prom_msg_add_str(&msg, prom_str(""), 0);
    tap_is_str(text, msg.len, "caf\xc3\xa9!caf...", "text as it is");
}


/* Whatever the room is: the beginning of the message, by whole pieces. */

static void
test_room(void)
{
    bool        ok;
    char       *text;
    size_t      room;
    prom_msg_t  msg;

    static const char  whole[] = "7 of \"x\\n\"y\xc3\xa9z";

    ok = true;

    for (room = 0; room < 32; room++) {
        text = malloc(room + 1);
        text[room] = '#';

        prom_msg_init(&msg, text, room);
        prom_msg_add(&msg, "%d of ", 7);
        prom_msg_add_quoted(&msg, prom_str("x\n"), 9);
        prom_msg_add_str(&msg, prom_str("y\xc3\xa9"), 9);
        prom_msg_add(&msg, "z");

        if (text[room] != '#' || (room > 0 && text[msg.len] != '\0')
            || msg.cut != (room < sizeof(whole))
            || (msg.len != 0 && msg.len != 5 && msg.len != 10
                && msg.len != 13 && msg.len != 14)
            || (room > 0 && memcmp(text, whole, msg.len) != 0))
        {
            ok = false;
            printf("# room %zu, length %zu\n", room, msg.len);
        }

        free(text);
    }

    tap_ok(ok, "a message that is cut");
}


int
main(void)
{
    test_code_points();
    test_invalid();
    test_quoted();
    test_room();

    return tap_done();
}
