
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Tests of a whole key in one pass, eight bytes at a time where that helps:
 * what every new series goes through.
 */


#include "../base/prom_utf8.h"
#include "prom_labels.h"


#define PROM_EACH  UINT64_C(0x0101010101010101)
#define PROM_HIGH  UINT64_C(0x8080808080808080)


static inline uint64_t
prom_key_word(const uint8_t *p)
{
    uint64_t  word;

    memcpy(&word, p, 8);

    return word;
}


/* Not 0 where some byte of the word is `c'. */

static inline uint64_t
prom_key_has_byte(uint64_t word, uint8_t c)
{
    word ^= PROM_EACH * c;

    return (word - PROM_EACH) & ~word & PROM_HIGH;
}


static bool
prom_key_is_ascii(const uint8_t *p, size_t len)
{
    uint8_t   bits;
    uint64_t  words;

    words = 0;
    bits = 0;

    for ( /* void */ ; len >= 8; p += 8, len -= 8) {
        words |= prom_key_word(p);
    }

    for ( /* void */ ; len > 0; p++, len--) {
        bits |= *p;
    }

    return ((words & PROM_HIGH) | (bits & 0x80)) == 0;
}


/* A quote, a backslash or a newline. */

static bool
prom_key_has_special(const uint8_t *p, size_t len)
{
    uint64_t  word;

    for ( /* void */ ; len >= 8; p += 8, len -= 8) {
        word = prom_key_word(p);

        if (prom_key_has_byte(word, '"')
            | prom_key_has_byte(word, '\\')
            | prom_key_has_byte(word, '\n'))
        {
            return true;
        }
    }

    for ( /* void */ ; len > 0; p++, len--) {
        if (*p == '"' || *p == '\\' || *p == '\n') {
            return true;
        }
    }

    return false;
}


/* A length of one or two bytes in its shortest form; 0 is not one here. */

static bool
prom_key_len(const uint8_t **pos, const uint8_t *end, size_t *len)
{
    const uint8_t  *p;

    p = *pos;

    if (end - p < 2 || p[0] == 0) {
        return false;
    }

    if (p[0] < 0x80) {
        *len = p[0];
        *pos = p + 1;

    } else {

        if (p[1] == 0 || p[1] >= 0x80) {
            return false;
        }

        *len = (p[0] & 0x7f) | (size_t) p[1] << 7;
        *pos = p + 2;
    }

    return *len <= (size_t) (end - *pos);
}


static bool
prom_key_part(const uint8_t **pos, const uint8_t *end, uint8_t tag,
    prom_str_t *str)
{
    if (*pos == end || **pos != tag) {
        return false;
    }

    (*pos)++;

    if (!prom_key_len(pos, end, &str->len)) {
        return false;
    }

    str->data = *pos;
    *pos += str->len;

    return true;
}


bool
prom_labels_is_key(prom_str_t bytes, const prom_label_limits_t *limits)
{
    bool            ascii, named;
    uint32_t        n;
    prom_str_t      label, last, name, value;
    const uint8_t  *pos, *end, *p;

    if (bytes.len > PROM_KEY_MAX) {
        return false;
    }

    ascii = prom_key_is_ascii(bytes.data, bytes.len);
    named = false;
    last = prom_str("");
    n = 0;

    pos = bytes.data;
    end = pos + bytes.len;

    while (pos < end) {

        if (!prom_key_part(&pos, end, 0x0a, &label)) {
            return false;
        }

        p = label.data;

        if (!prom_key_part(&p, pos, 0x0a, &name)
            || !prom_key_part(&p, pos, 0x12, &value)
            || p != pos
            || prom_str_cmp(last, name) >= 0
            || name.len > limits->name_len
            || value.len > limits->value_len
            || ++n > limits->labels)
        {
            return false;
        }

        if (!ascii && !(prom_utf8_valid(name.data, name.len)
                        && prom_utf8_valid(value.data, value.len)))
        {
            return false;
        }

        if (name.len == 8 && memcmp(name.data, "__name__", 8) == 0) {
            named = true;
        }

        last = name;
    }

    return named;
}


/* The label fields of a run, tag and length included; -1: too many, or bad. */

static int
prom_key_split(prom_str_t run, prom_str_t *labels)
{
    int             n;
    prom_str_t      label;
    const uint8_t  *pos, *end, *start;

    n = 0;
    pos = run.data;
    end = pos + run.len;

    while (pos < end) {
        start = pos;

        if (n == PROM_LABELS_ORDER
            || !prom_key_part(&pos, end, 0x0a, &label))
        {
            return -1;
        }

        labels[n].data = start;
        labels[n].len = (size_t) (pos - start);
        n++;
    }

    return n;
}


bool
prom_labels_same_set(prom_str_t run, prom_str_t key,
    uint8_t order[PROM_LABELS_ORDER])
{
    int         i, k, n;
    uint64_t    left;
    prom_str_t  a[PROM_LABELS_ORDER], b[PROM_LABELS_ORDER];

    if (run.len != key.len) {
        return false;
    }

    n = prom_key_split(run, a);

    if (n < 1 || n != prom_key_split(key, b)) {
        return false;
    }

    left = n == 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1;

    for (i = 0; i < n; i++) {
        k = order[i];

        if (k >= n || !prom_str_eq(a[i], b[k])) {
            for (k = 0; k < n && !prom_str_eq(a[i], b[k]); k++) {
                /* void */
            }
        }

        if (k == n || !(left >> k & 1)) {
            return false;
        }

        left &= ~(UINT64_C(1) << k);
        order[i] = (uint8_t) k;
    }

    return true;
}


bool
prom_label_plain(const prom_label_t *label)
{
    if (!prom_labels_legacy_label(label->name)
        || prom_key_has_special(label->value.data, label->value.len))
    {
        return false;
    }

    return label->name.len != 8
           || memcmp(label->name.data, "__name__", 8) != 0
           || prom_labels_legacy_name(label->value);
}


bool
prom_labels_plain(prom_str_t key)
{
    prom_label_t    label;
    const uint8_t  *pos;

    pos = key.data;

    while (prom_labels_next(&pos, key.data + key.len, &label)) {
        if (!prom_label_plain(&label)) {
            return false;
        }
    }

    return true;
}
