
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Content-Encoding snappy: what is decoded, what is refused, and before which
 * memory is taken.
 */


#include "wire.h"


static void
snappy(const char *hex, size_t max, const char *want, const char *name)
{
    int         rc;
    uint8_t    *copy;
    prom_vec_t  raw;

    enc_start(&enc);
    enc_raw(&enc, hex);

    copy = malloc(enc.len);

    if (enc.len > 0) {
        memcpy(copy, enc.data, enc.len);
    }

    memset(&raw, 0, sizeof(raw));
    prom_msg_init(&msg, text, sizeof(text));

    rc = prom_snappy_decode((prom_str_t) { copy, enc.len }, max, &raw, &msg);

    if (rc == PROM_OK) {
        tap_is_str(raw.data, raw.n, want, "snappy: %s", name);

    } else {
        tap_is_str(text, msg.len, want, "snappy: %s", name);
        tap_ok(rc == PROM_ERROR && raw.room <= 4096,
               "snappy: no memory is taken: %s", name);
    }

    free(copy);
    prom_vec_free(&raw);
    enc_start(&enc);
}


static void
test_snappy(void)
{
    static const char  bad[] = "snappy: corrupt input";

    snappy("03 08 61 62 63", 100, "abc", "a literal");
    snappy("0c 08 61 62 63 15 03", 100, "abcabcabcabc", "a copy");
    snappy("03 08 61 62 63", 3, "abc", "just the limit");
    snappy("00", 100, "", "a block of length 0");
    snappy("00", 0, "", "a block of length 0, limit 0");
    snappy("83 80 80 80 00 08 61 62 63", 100, "abc", "a long length");

    snappy("", 100, bad, "nothing");
    snappy("03", 100, bad, "a length only");
    snappy("00 08 61 62 63", 100, bad, "length 0 and more");
    snappy("02 08 61 62 63", 100, bad, "length too small");
    snappy("04 08 61 62 63", 100, bad, "length too great");
    snappy("03 08 61 62", 100, bad, "a literal cut short");
    snappy("03 08 61 62 63 00", 100, bad, "a literal too many, cut short");
    snappy("03 08 61 62 63 00 64", 100, bad, "a literal too many");
    snappy("07 08 61 62 63 01", 100, bad, "a copy cut short");
    snappy("07 08 61 62 63 01 00", 100, bad, "a copy of offset 0");
    snappy("07 08 61 62 63 01 04", 100, bad, "a copy from before the start");
    snappy("07 01 01", 100, bad, "a copy from nothing");
    snappy("80", 100, bad, "half a length");
    snappy("ff ff ff ff ff 0f", 100, bad, "a length of 6 bytes");
    snappy("ff ff ff ff 1f", 100, bad, "a length of 33 bits");
    snappy("ff 06 00 00 73 4e 61 50 70 59 01 07 00 00 5d 60 a4 c2 61 62 63",
           1000, bad, "the framed format");
    snappy("ff 06 00 00 73 4e 61 50 70 59 01 07 00 00 5d 60 a4 c2 61 62 63",
           SIZE_MAX, bad, "the framed format without limit");

    snappy("ff ff ff ff 0f 08 61 62 63", 100,
           "snappy: the body decodes to 4294967295 bytes, "
           "prom_max_decoded_size is 100", "4 GiB claimed");
    snappy("ff ff ff ff 0f 08 61 62 63", SIZE_MAX, bad,
           "4 GiB claimed without limit");
    snappy("80 80 80 10 08 61 62 63", 33554432, bad, "32 MiB claimed");
    snappy("81 80 80 10 08 61 62 63", 33554432,
           "snappy: the body decodes to 33554433 bytes, "
           "prom_max_decoded_size is 33554432", "a byte more");
    snappy("03 08 61 62 63", 2, "snappy: the body decodes to 3 bytes, "
           "prom_max_decoded_size is 2", "a byte more than the limit");
}


/* The most that snappy can make of its input is not taken for a lie. */

static void
test_snappy_ratio(void)
{
    size_t      i, len;
    prom_vec_t  raw;

    memset(&raw, 0, sizeof(raw));

    len = 1 + 64 * 1000;

    enc_start(&enc);
    enc_varint(&enc, len);
    enc_raw(&enc, "00 78");

    for (i = 0; i < 1000; i++) {
        enc_raw(&enc, "fe 01 00");
    }

    prom_msg_init(&msg, text, sizeof(text));
    tap_is_int(prom_snappy_decode((prom_str_t) { enc.data, enc.len }, len,
                                  &raw, &msg),
               PROM_OK, "snappy: %zu bytes from %zu", len, enc.len);
    tap_is_int(raw.n, len, "snappy: all of them");

    prom_vec_free(&raw);
    enc_start(&enc);
}


int
main(void)
{
    test_snappy();
    test_snappy_ratio();

    enc_free(&enc);

    return tap_done();
}
