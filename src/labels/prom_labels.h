
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The canonical label set: what identifies a series.
 *
 * A key is one run of bytes, the labels as a remote-write 1.0 TimeSeries
 * carries them:
 *
 *     0a LEN  0a NLEN name  12 VLEN value        for each label
 *
 * with the shortest varints, names ascending bytewise, no name twice, no empty
 * name, no empty value, names and values valid UTF-8, and a __name__.  Equal
 * series have equal keys.  A sender that keeps to the 1.0 specification sends
 * the key as it stands.
 */


#ifndef _PROM_LABELS_H_INCLUDED_
#define _PROM_LABELS_H_INCLUDED_


#include "../base/prom_base.h"
#include "../base/prom_msg.h"


#define PROM_KEY_MAX     15360          /* bytes of a key: it and what the
                                           index makes of it fit a page */
#define PROM_LABELS_MAX  1024           /* labels of a series, whatever the
                                           configuration says */


typedef struct {
    prom_str_t  name;
    prom_str_t  value;
} prom_label_t;


typedef struct {
    uint32_t  labels;                   /* labels of a series */
    uint32_t  name_len;                 /* bytes of a label name */
    uint32_t  value_len;                /* bytes of a label value */
} prom_label_limits_t;


/*
 * Makes a key of labels in any order.  Sorts `labels' in place, drops those
 * with an empty value after looking for doubles, writes the key to `key' (room
 * for PROM_KEY_MAX bytes) and its length to *len.
 * PROM_ERROR with a message in Prometheus's words where the set is invalid,
 * PROM_LIMIT with a message where it passes a limit.
 */
int prom_labels_canonical(prom_label_t *labels, size_t n,
    const prom_label_limits_t *limits, uint8_t *key, size_t *len,
    prom_msg_t *msg);

/*
 * Whether bytes are a key as they stand, and within the limits.  False says
 * nothing about why: prom_labels_canonical() tells, or makes one of it.
 */
bool prom_labels_is_key(prom_str_t bytes, const prom_label_limits_t *limits);

/*
 * Whether a run of label fields holds the labels of a key, each once, in any
 * order.  Neither is trusted.  `order' says where in the key the labels of the
 * run were found the last time, and is kept up to date: a sender that does not
 * sort does not sort the same way every time.
 */
#define PROM_LABELS_ORDER  64           /* labels, more never match */

bool prom_labels_same_set(prom_str_t run, prom_str_t key,
    uint8_t order[PROM_LABELS_ORDER]);

/* By name; equal names keep their order. */
void prom_labels_sort(prom_label_t *labels, size_t n);

/*
 * Steps through a key: *pos starts as the first byte of the key and is moved.
 * False at the end.  The key is trusted.
 */
static inline bool prom_labels_next(const uint8_t **pos, const uint8_t *end,
    prom_label_t *label);

/* The value of one label, of length 0 where the series lacks it. */
prom_str_t prom_labels_get(prom_str_t key, prom_str_t name);

/* {__name__="x", b="c"}, sorted as it is, values quoted as Go does. */
void prom_labels_print(prom_msg_t *msg, prom_str_t key);
void prom_labels_print_set(prom_msg_t *msg, const prom_label_t *labels,
    size_t n);

/* [a-zA-Z_:][a-zA-Z0-9_:]*, the test that decides on quoting a name. */
bool prom_labels_legacy_name(prom_str_t name);

/* The same without a colon, which no parser of the text takes in a label. */
bool prom_labels_legacy_label(prom_str_t name);

/*
 * Whether a key can be printed as it is: all names legacy, the metric name
 * too, and no value with a quote, a backslash or a newline.
 */
bool prom_labels_plain(prom_str_t key);
bool prom_label_plain(const prom_label_t *label);


static inline const uint8_t *
prom_labels_len(const uint8_t *p, size_t *len)
{
    size_t  n;

    n = *p++;

    if (prom_unlikely(n >= 0x80)) {
        n = (n & 0x7f) | (size_t) *p++ << 7;

        if (n >= 0x4000) {
            n = (n & 0x3fff) | (size_t) *p++ << 14;
        }
    }

    *len = n;

    return p;
}


static inline bool
prom_labels_next(const uint8_t **pos, const uint8_t *end, prom_label_t *label)
{
    size_t          len;
    const uint8_t  *p;

    p = *pos;

    if (p == end) {
        return false;
    }

    p = prom_labels_len(p + 1, &len);
    p = prom_labels_len(p + 1, &label->name.len);
    label->name.data = p;
    p = prom_labels_len(p + label->name.len + 1, &label->value.len);
    label->value.data = p;

    *pos = p + label->value.len;

    return true;
}


#endif /* _PROM_LABELS_H_INCLUDED_ */
