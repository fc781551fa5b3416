
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The fields of every message of both versions: known ones with each wire type,
 * unknown ones, groups, reserved numbers; and the messages that are only
 * checked.
 */


#include "wire.h"


/*
 * Every message with what it has to know: number and wire type of its fields,
 * "*" behind those that may be packed, too.
 */

static const struct {
    int          version;
    uint8_t      path[4];
    const char  *known;
    const char  *name;
} places[] = {
    { 1, { 0 }, "1.2 3.2", "WriteRequest" },
    { 1, { 1, 0 }, "1.2 2.2 3.2 4.2", "TimeSeries" },
    { 1, { 1, 1, 0 }, "1.2 2.2", "Label" },
    { 1, { 1, 2, 0 }, "1.1 2.0", "Sample" },
    { 1, { 1, 3, 0 }, "1.2 2.1 3.0", "Exemplar" },
    { 1, { 1, 3, 1, 0 }, "1.2 2.2", "Exemplar's Label" },
    { 1, { 1, 4, 0 }, "1.0 2.1 3.1 4.0 5.1 6.0 7.1 8.2 9.0* 10.1* 11.2 12.0* "
      "13.1* 14.0 15.0 16.1*", "Histogram" },
    { 1, { 1, 4, 8, 0 }, "1.0 2.0", "BucketSpan" },
    { 1, { 1, 4, 11, 0 }, "1.0 2.0", "BucketSpan" },
    { 1, { 3, 0 }, "1.0 2.2 4.2 5.2", "MetricMetadata" },
    { 2, { 0 }, "4.2 5.2", "Request" },
    { 2, { 5, 0 }, "1.0* 2.2 3.2 4.2 5.2", "TimeSeries" },
    { 2, { 5, 2, 0 }, "1.1 2.0", "Sample" },
    { 2, { 5, 3, 0 }, "1.0 2.1 3.1 4.0 5.1 6.0 7.1 8.2 9.0* 10.1* 11.2 12.0* "
      "13.1* 14.0 15.0 16.1*", "Histogram" },
    { 2, { 5, 3, 8, 0 }, "1.0 2.0", "BucketSpan" },
    { 2, { 5, 3, 11, 0 }, "1.0 2.0", "BucketSpan" },
    { 2, { 5, 4, 0 }, "1.0* 2.1 3.0", "Exemplar" },
    { 2, { 5, 5, 0 }, "1.0 3.0 4.0", "Metadata" }
};


/* Bytes in a message, alone and behind and before something good. */

static void
judge(unsigned place, const char *hex, bool good, const char *name)
{
    unsigned        i, depth;
    const uint8_t  *path;

    static const char  *around[][2] = {
        { "", "" }, { "", "a0 06 00" }, { "a0 06 00", "" }
    };

    path = places[place].path;

    for (i = 0; i < 3; i++) {

        /* what lacks its end must not find it in what follows */

        if (i == 1 && !good) {
            continue;
        }

        enc_start(&enc);

        for (depth = 0; path[depth] != 0; depth++) {
            enc_open(&enc, path[depth]);
        }

        enc_raw(&enc, around[i][0]);
        enc_raw(&enc, hex);
        enc_raw(&enc, around[i][1]);

        while (depth-- > 0) {
            enc_close(&enc);
        }

        decode(places[place].version, enc.data, enc.len);

        if (refused() == good) {
            tap_ok(false, "v%d: %s: %s: %s %s %s: %s", places[place].version,
                   places[place].name, name, around[i][0], hex, around[i][1],
                   good ? out : "was taken");
            return;
        }
    }

    tap_ok(true, "v%d: %s: %s", places[place].version, places[place].name,
           name);
}


static void
test_unknown(unsigned place)
{
    unsigned  i;

    static const struct {
        bool         good;
        const char  *hex;
        const char  *name;
    } all[] = {
        { true, "", "nothing" },
        { true, "a0 06 05", "unknown varint" },
        { true, "a1 06 01 02 03 04 05 06 07 08", "unknown fixed64" },
        { true, "a2 06 03 ff ff ff", "unknown bytes" },
        { true, "a5 06 01 02 03 04", "unknown fixed32" },
        { true, "a3 06 a4 06", "empty unknown group" },
        { true, "a3 06 08 05 12 01 00 11 01 02 03 04 05 06 07 08 a4 06",
          "unknown group with fields" },
        { true, "a3 06 ab 06 1b 1c ac 06 a4 06", "groups in a group" },
        { true, "a3 06 ac 06", "end of another group" },
        { true, "a0 06 ff ff ff ff ff ff ff ff ff 01", "varint of 10 bytes" },
        { true, "a0 06 ff ff ff ff ff ff ff ff ff 7f",
          "varint of 10 bytes, too many bits" },
        { true, "a0 86 80 80 80 80 80 80 80 00 05", "tag of 10 bytes" },
        { true, "a0 86 80 80 80 04 05",
          "field number whose low 32 bits count" },
        { true, "a2 86 80 80 00 81 80 80 80 80 80 80 80 80 00 ff",
          "length of 10 bytes" },
        { true, "f8 ff ff ff 3f 05", "greatest field number" },

        { false, "00", "field number 0" },
        { false, "00 05", "field number 0, varint" },
        { false, "01 01 02 03 04 05 06 07 08", "field number 0, fixed64" },
        { false, "02 00", "field number 0, bytes" },
        { false, "03 04", "field number 0, group" },
        { false, "04", "field number 0, end of group" },
        { false, "05 01 02 03 04", "field number 0, fixed32" },
        { false, "80 00 05", "field number 0 in two bytes" },
        { false, "80 80 80 80 80 80 80 80 80 00 05", "and in ten" },
        { false, "80 80 80 80 80 01 05", "low 32 bits of a number are 0" },
        { false, "80 80 80 80 40 05", "negative field number" },
        { false, "f8 ff ff ff 7f 05", "field number -1" },
        { false, "a6 06", "wire type 6" },
        { false, "a6 06 00", "wire type 6 with a byte" },
        { false, "a7 06", "wire type 7" },
        { false, "a7 06 00", "wire type 7 with a byte" },
        { false, "a4 06", "stray end of group" },
        { false, "a3 06 a4 06 a4 06", "one end of group too many" },
        { false, "a3 06", "group without end" },
        { false, "a3 06 ab 06 ac 06", "outer group without end" },
        { false, "a3 06 a6 06 a4 06", "wire type 6 in a group" },
        { false, "a3 06 a2 06 7f a4 06", "bytes longer than their group" },
        { false, "a0 06 ff ff ff ff ff ff ff ff ff ff 01",
          "varint of 11 bytes" },
        { false, "a0 06 80 80 80 80 80 80 80 80 80 80 00",
          "zero in 11 bytes" },
        { false, "a0 86 80 80 80 80 80 80 80 80 00 05", "tag of 11 bytes" },
        { false, "a2 06 81 80 80 80 80 80 80 80 80 80 00 ff",
          "length of 11 bytes" },
        { false, "a2 06 ff ff ff ff ff ff ff ff ff 01", "length 2^64 - 1" },
        { false, "a2 06 ff ff ff ff ff ff ff ff 7f", "length 2^63 - 1" },
        { false, "a2 06 80 80 80 80 80 80 80 80 80 01", "length 2^63" },
        { false, "a2 06 80 80 80 80 10", "length 2^32" },
        { false, "a0", "half a tag" },
        { false, "a0 06", "no varint" },
        { false, "a0 06 80", "half a varint" },
        { false, "a1 06 01 02 03 04 05 06 07", "7 bytes of 8" },
        { false, "a5 06 01 02 03", "3 bytes of 4" },
        { false, "a2 06", "no length" },
        { false, "a2 06 80", "half a length" },
        { false, "a2 06 01", "no bytes" },
        { false, "a2 06 03 ff ff", "2 bytes of 3" }
    };

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        judge(place, all[i].hex, all[i].good, all[i].name);
    }
}


/* A field with each wire type there is: only its own is taken. */

static void
test_known(unsigned place)
{
    int          n;
    char         hex[64], name[64];
    unsigned     number, own, wire;
    const char  *known;

    static const char  *payload[] = {
        "05", "00 00 00 00 00 00 f0 3f", "00", NULL, NULL, "01 02 03 04"
    };

    for (known = places[place].known; *known != '\0'; known += n) {

        sscanf(known, "%u.%u%n", &number, &own, &n);

        for (wire = 0; wire <= 7; wire++) {

            if (number < 16) {
                snprintf(hex, sizeof(hex), "%02x ", number << 3 | wire);

            } else {
                snprintf(hex, sizeof(hex), "%02x %02x ",
                         (number << 3 & 0x7f) | 0x80 | wire, number >> 4);
            }

            if (wire <= 5 && payload[wire] != NULL) {
                strcat(hex, payload[wire]);

            } else if (wire == 3) {
                snprintf(hex + strlen(hex), 16, "%s", number < 16 ? "0c" : "");
            }

            snprintf(name, sizeof(name), "field %u with wire type %u", number,
                     wire);
            judge(place, hex, wire == own || (wire == 2 && known[n] == '*'),
                  name);
        }

        n += known[n] == '*';
        n += known[n] == ' ';
    }
}


static void
test_groups(void)
{
    unsigned  i, depth;

    for (depth = PROM_PROTO_DEPTH; depth <= PROM_PROTO_DEPTH + 1; depth++) {

        enc_start(&enc);

        for (i = 0; i < 2 * depth; i++) {
            enc_tag(&enc, 100, i < depth ? 3 : 4);
        }

        decode(1, enc.data, enc.len);
        tap_ok(refused() == (depth > PROM_PROTO_DEPTH),
               "groups in groups, %u deep", depth);
    }

    enc_start(&enc);
}


/* Numbers that the other version uses, or nobody does. */

static void
test_reserved(void)
{
    unsigned  i;

    static const struct {
        unsigned     place;
        const char  *hex;
    } all[] = {
        { 0, "10 05" }, { 0, "12 01 ff" }, { 0, "15 01 02 03 04" },
        { 0, "22 01 ff" }, { 0, "2a 02 ff ff" }, { 0, "20 05" },
        { 1, "2a 01 ff" }, { 1, "30 05" }, { 2, "18 05" },
        { 3, "18 05" }, { 6, "88 01 05" }, { 9, "18 05" }, { 9, "1a 01 ff" },
        { 10, "0a 02 ff ff" }, { 10, "08 05" }, { 10, "12 01 ff" },
        { 10, "1a 01 ff" }, { 10, "18 05" },
        { 11, "30 05" }, { 11, "3a 00" }, { 12, "18 05" },
        { 13, "88 01 05" }, { 17, "10 05" }, { 17, "12 01 ff" }
    };

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        judge(all[i].place, all[i].hex, true, all[i].hex);
    }
}


static void
test_histograms(void)
{
    unsigned  i, j;

    static const struct {
        bool         good;
        const char  *hex;
        const char  *name;
    } all[] = {
        { true, "08 17 19 00 00 00 00 00 00 24 40 20 00 29 00 00 00 00 00 00 "
          "00 00 30 01 42 02 10 02 4a 02 02 02 5a 02 10 03 5a 04 08 04 10 02 "
          "62 05 02 04 02 06 02 70 01 78 e8 07", "an int histogram" },
        { true, "11 00 00 00 00 00 00 24 40 39 00 00 00 00 00 00 00 00 52 08 "
          "00 00 00 00 00 00 24 40 6a 10 00 00 00 00 00 00 24 40 00 00 00 00 "
          "00 00 24 40", "a float histogram" },
        { true, "82 01 10 00 00 00 00 00 00 24 40 00 00 00 00 00 00 24 40 "
          "20 69", "custom bounds" },
        { true, "81 01 00 00 00 00 00 00 24 40 82 01 00 81 01 00 00 00 00 00 "
          "00 24 40", "bounds packed and not" },
        { true, "11 00 00 00 00 00 00 24 40 08 05", "both counts" },
        { true, "42 00 5a 00 42 0a 08 ff ff ff ff ff ff ff ff 7f", "spans" },
        { true, "62 00 4a 00 52 00 6a 00", "nothing, packed" },
        { false, "62 01 80", "a delta cut short" },
        { false, "62 0b 80 80 80 80 80 80 80 80 80 80 00",
          "a delta of 11 bytes" },
        { true, "62 0a 80 80 80 80 80 80 80 80 80 01", "and of 10" },
        { false, "6a 07 00 00 00 00 00 00 24", "7 bytes of a count" },
        { false, "6a 09 00 00 00 00 00 00 24 40 00", "9 bytes of counts" },
        { false, "52 04 00 00 00 00", "half a count" },
        { false, "82 01 04 00 00 00 00", "half a bound" },
        { false, "42 01 08", "a span cut short" },
        { false, "5a 02 0a 00", "bytes in a span" },
        { false, "5a 02 00 00", "field number 0 in a span" }
    };

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        for (j = 0; j < sizeof(places) / sizeof(places[0]); j++) {
            if (strcmp(places[j].name, "Histogram") == 0) {
                judge(j, all[i].hex, all[i].good, all[i].name);
            }
        }
    }

    for (i = 1; i <= 2; i++) {
        enc_start(&enc);
        enc_open(&enc, i == 1 ? 1 : 5);
        enc_open(&enc, i == 1 ? 4 : 3);
        enc_raw(&enc, all[0].hex);
        enc_close(&enc);
        enc_raw(&enc, i == 1 ? "22 00 1a 00 1a 00 1a 00" :
                               "1a 00 22 00 22 00 22 00");
        enc_close(&enc);
        decode((int) i, enc.data, enc.len);
        tap_ok(counts.histograms == 2 && counts.exemplars == 3,
               "v%u: histograms and exemplars are told apart", i);
    }

    enc_start(&enc);
}


/* The text names the message that is broken. */

static void
test_messages(void)
{
    unsigned  i, depth;

    static const struct {
        int          version;
        uint8_t      path[4];
        const char  *want;
    } all[] = {
        { 1, { 0 }, V1_ERROR "WriteRequest" },
        { 1, { 1, 0 }, V1_ERROR "TimeSeries" },
        { 1, { 1, 1, 0 }, V1_ERROR "Label" },
        { 1, { 1, 2, 0 }, V1_ERROR "Sample" },
        { 1, { 1, 3, 0 }, V1_ERROR "Exemplar" },
        { 1, { 1, 4, 0 }, V1_ERROR "Histogram" },
        { 1, { 3, 0 }, V1_ERROR "MetricMetadata" },
        { 2, { 0 }, V2_ERROR "Request" },
        { 2, { 5, 0 }, V2_ERROR "TimeSeries" },
        { 2, { 5, 2, 0 }, V2_ERROR "Sample" },
        { 2, { 5, 3, 0 }, V2_ERROR "Histogram" },
        { 2, { 5, 4, 0 }, V2_ERROR "Exemplar" },
        { 2, { 5, 5, 0 }, V2_ERROR "Metadata" }
    };

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {

        for (depth = 0; all[i].path[depth] != 0; depth++) {
            enc_open(&enc, all[i].path[depth]);
        }

        enc_raw(&enc, "a7 06");

        while (depth-- > 0) {
            enc_close(&enc);
        }

        is(all[i].version, all[i].want, "%s", all[i].want);
    }
}


/*
 * A body cut anywhere is refused, except between two fields of the outermost
 * message.
 */


int
main(void)
{
    unsigned  place;

    for (place = 0; place < sizeof(places) / sizeof(places[0]); place++) {
        test_unknown(place);
        test_known(place);
    }

    test_groups();
    test_reserved();
    test_histograms();
    test_messages();

    enc_free(&enc);

    return tap_done();
}
