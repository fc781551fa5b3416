
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include "../base/prom_utf8.h"
#include "prom_labels.h"


#define PROM_LABELS_RUN    32           /* sorted by insertion up to here */
#define PROM_LABELS_SHOWN  256          /* bytes of a string in a message */


static void prom_labels_insert(prom_label_t *labels, size_t n);
static void prom_labels_merge(prom_label_t *labels, size_t half, size_t n);
static bool prom_labels_valid(const prom_label_t *labels, size_t n);
static const prom_label_t *prom_labels_double(const prom_label_t *labels,
    size_t n);
static int prom_labels_within(const prom_label_t *labels, size_t n,
    const prom_label_limits_t *limits, size_t *size, prom_msg_t *msg);
static size_t prom_labels_label_size(const prom_label_t *label);
static void prom_labels_too_long(prom_msg_t *msg, const char *what,
    size_t len, size_t limit, const prom_label_t *label);
static uint8_t *prom_labels_put(uint8_t *p, uint8_t tag, prom_str_t str);
static uint8_t *prom_labels_put_len(uint8_t *p, size_t len);
static void prom_labels_print_one(prom_msg_t *msg, const prom_label_t *label,
    bool first);


int
prom_labels_canonical(prom_label_t *labels, size_t n,
    const prom_label_limits_t *limits, uint8_t *key, size_t *len,
    prom_msg_t *msg)
{
    size_t               i, size;
    uint8_t             *p;
    const prom_label_t  *label;

    if (n > PROM_LABELS_MAX) {
        prom_msg_add(msg, "series has %zu labels, the limit is %d", n,
                     PROM_LABELS_MAX);
        return PROM_LIMIT;
    }

    prom_labels_sort(labels, n);

    if (!prom_labels_valid(labels, n)) {
        prom_msg_add(msg, "invalid metric name or labels, got ");
        prom_labels_print_set(msg, labels, n);
        return PROM_ERROR;
    }

    label = prom_labels_double(labels, n);

    if (label != NULL) {
        prom_msg_add(msg, "invalid labels for series, labels ");
        prom_labels_print_set(msg, labels, n);
        prom_msg_add(msg, ", duplicated label ");
        prom_msg_add_str(msg, label->name, PROM_LABELS_SHOWN);
        return PROM_ERROR;
    }

    if (prom_labels_within(labels, n, limits, &size, msg) != PROM_OK) {
        prom_msg_add(msg, " for series ");
        prom_labels_print_set(msg, labels, n);
        return PROM_LIMIT;
    }

    p = key;

    for (i = 0; i < n; i++) {
        label = &labels[i];

        if (label->value.len == 0) {
            continue;
        }

        *p++ = 0x0a;
        p = prom_labels_put_len(p, prom_labels_label_size(label));
        p = prom_labels_put(p, 0x0a, label->name);
        p = prom_labels_put(p, 0x12, label->value);
    }

    *len = size;

    return PROM_OK;
}


/*
 * Stable, in time n log n for whatever a client sends.  Runs are sorted by
 * insertion, which is linear where they are sorted already, then merged.
 */

void
prom_labels_sort(prom_label_t *labels, size_t n)
{
    size_t  i, width;

    for (i = 0; i < n; i += PROM_LABELS_RUN) {
        prom_labels_insert(labels + i, prom_min(n - i, PROM_LABELS_RUN));
    }

    for (width = PROM_LABELS_RUN; width < n; width *= 2) {
        for (i = 0; i + width < n; i += 2 * width) {
            prom_labels_merge(labels + i, width,
                              prom_min(n - i, 2 * width));
        }
    }
}


static void
prom_labels_insert(prom_label_t *labels, size_t n)
{
    size_t        i, j;
    prom_label_t  label;

    for (i = 1; i < n; i++) {
        label = labels[i];

        for (j = i; j > 0; j--) {
            if (prom_str_cmp(labels[j - 1].name, label.name) <= 0) {
                break;
            }

            labels[j] = labels[j - 1];
        }

        labels[j] = label;
    }
}


/*
 * Merges labels[0..half) and labels[half..n).  Only the first part is moved
 * out of the way; it is at most half of PROM_LABELS_MAX, for that is a power
 * of two times PROM_LABELS_RUN.
 */

static void
prom_labels_merge(prom_label_t *labels, size_t half, size_t n)
{
    size_t        i, j, to;
    prom_label_t  first[PROM_LABELS_MAX / 2];

    if (prom_str_cmp(labels[half - 1].name, labels[half].name) <= 0) {
        return;
    }

    memcpy(first, labels, half * sizeof(prom_label_t));

    i = 0;
    j = half;

    for (to = 0; i < half; to++) {
        if (j == n || prom_str_cmp(first[i].name, labels[j].name) <= 0) {
            labels[to] = first[i++];

        } else {
            labels[to] = labels[j++];
        }
    }
}


/* What Prometheus asks of a series beside that names are not repeated. */

static bool
prom_labels_valid(const prom_label_t *labels, size_t n)
{
    bool                 named;
    size_t               i;
    const prom_label_t  *label;

    named = false;

    for (i = 0; i < n; i++) {
        label = &labels[i];

        if (label->name.len == 0
            || !prom_utf8_valid(label->name.data, label->name.len)
            || !prom_utf8_valid(label->value.data, label->value.len))
        {
            return false;
        }

        if (prom_str_eq(label->name, prom_str("__name__"))) {
            if (label->value.len == 0) {
                return false;
            }

            named = true;
        }
    }

    return named;
}


static const prom_label_t *
prom_labels_double(const prom_label_t *labels, size_t n)
{
    size_t  i;

    for (i = 1; i < n; i++) {
        if (prom_str_eq(labels[i - 1].name, labels[i].name)) {
            return &labels[i];
        }
    }

    return NULL;
}


/* Labels without a value are not stored and count for no limit. */

static int
prom_labels_within(const prom_label_t *labels, size_t n,
    const prom_label_limits_t *limits, size_t *size, prom_msg_t *msg)
{
    size_t               i, len, kept;
    const prom_label_t  *label;

    kept = 0;
    *size = 0;

    for (i = 0; i < n; i++) {
        label = &labels[i];

        if (label->value.len == 0) {
            continue;
        }

        if (label->name.len > limits->name_len) {
            prom_labels_too_long(msg, "name", label->name.len,
                                 limits->name_len, label);
            return PROM_LIMIT;
        }

        if (label->value.len > limits->value_len) {
            prom_labels_too_long(msg, "value", label->value.len,
                                 limits->value_len, label);
            return PROM_LIMIT;
        }

        len = prom_labels_label_size(label);

        kept++;
        *size += 1 + (len < 0x80 ? 1 : 2) + len;
    }

    if (kept > limits->labels) {
        prom_msg_add(msg, "number of labels %zu exceeds the limit of %u",
                     kept, limits->labels);
        return PROM_LIMIT;
    }

    if (*size > PROM_KEY_MAX) {
        prom_msg_add(msg, "size of all labels together, %zu bytes encoded, "
                     "exceeds the limit of %d", *size, PROM_KEY_MAX);
        return PROM_LIMIT;
    }

    return PROM_OK;
}


/*
 * Two bytes of length are the most that a key can need; what would need three
 * is longer than PROM_KEY_MAX anyway.
 */

static size_t
prom_labels_label_size(const prom_label_t *label)
{
    return 1 + (label->name.len < 0x80 ? 1 : 2) + label->name.len
           + 1 + (label->value.len < 0x80 ? 1 : 2) + label->value.len;
}


static void
prom_labels_too_long(prom_msg_t *msg, const char *what, size_t len,
    size_t limit, const prom_label_t *label)
{
    prom_msg_add(msg, "label %s length %zu exceeds the limit of %zu "
                 "in label ", what, len, limit);
    prom_msg_add_quoted(msg, label->name, PROM_LABELS_SHOWN);
}


static uint8_t *
prom_labels_put(uint8_t *p, uint8_t tag, prom_str_t str)
{
    *p++ = tag;
    p = prom_labels_put_len(p, str.len);
    memcpy(p, str.data, str.len);

    return p + str.len;
}


static uint8_t *
prom_labels_put_len(uint8_t *p, size_t len)
{
    if (len >= 0x80) {
        *p++ = (uint8_t) (len | 0x80);
        len >>= 7;
    }

    *p++ = (uint8_t) len;

    return p;
}


prom_str_t
prom_labels_get(prom_str_t key, prom_str_t name)
{
    prom_label_t    label;
    const uint8_t  *pos;

    pos = key.data;

    while (prom_labels_next(&pos, key.data + key.len, &label)) {
        if (prom_str_eq(label.name, name)) {
            return label.value;
        }
    }

    return (prom_str_t) { key.data, 0 };
}


void
prom_labels_print(prom_msg_t *msg, prom_str_t key)
{
    bool            first;
    prom_label_t    label;
    const uint8_t  *pos;

    first = true;
    pos = key.data;

    prom_msg_add(msg, "{");

    while (prom_labels_next(&pos, key.data + key.len, &label)) {
        prom_labels_print_one(msg, &label, first);
        first = false;
    }

    prom_msg_add(msg, "}");
}


void
prom_labels_print_set(prom_msg_t *msg, const prom_label_t *labels, size_t n)
{
    size_t  i;

    prom_msg_add(msg, "{");

    for (i = 0; i < n; i++) {
        prom_labels_print_one(msg, &labels[i], i == 0);
    }

    prom_msg_add(msg, "}");
}


static void
prom_labels_print_one(prom_msg_t *msg, const prom_label_t *label, bool first)
{
    if (!first) {
        prom_msg_add(msg, ", ");
    }

    if (prom_labels_legacy_label(label->name)) {
        prom_msg_add_str(msg, label->name, PROM_LABELS_SHOWN);

    } else {
        prom_msg_add_quoted(msg, label->name, PROM_LABELS_SHOWN);
    }

    prom_msg_add(msg, "=");
    prom_msg_add_quoted(msg, label->value, PROM_LABELS_SHOWN);
}


bool
prom_labels_legacy_label(prom_str_t name)
{
    return prom_labels_legacy_name(name)
           && memchr(name.data, ':', name.len) == NULL;
}


/* 64 byte values in each word: 0-9 and :, A-Z and _, a-z. */

bool
prom_labels_legacy_name(prom_str_t name)
{
    bool     valid;
    size_t   i;
    uint8_t  c;

    static const uint64_t  letters[4] = {
        0x07ff000000000000, 0x07fffffe87fffffe, 0, 0
    };

    if (name.len == 0 || (uint8_t) (name.data[0] - '0') < 10) {
        return false;
    }

    valid = true;

    for (i = 0; i < name.len; i++) {
        c = name.data[i];
        valid &= (letters[c >> 6] >> (c & 63)) & 1;
    }

    return valid;
}
