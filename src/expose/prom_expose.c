
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * A sample is written by one of two ways that give the same bytes.  The slow
 * one takes any key and looks at the room left before each piece.  The fast
 * one is for plain keys and looks once, at a bound that allows for everything
 * it may scribble past the end of a line.  It relies on the key's form:
 *
 *     0a LEN  0a NLEN name  12 VLEN value     becomes
 *                     name  =  "    value ",
 *
 * so where the lengths take a byte each, the label is moved as one piece and
 * the two bytes in its middle are put right.
 */


#include "../base/prom_double.h"
#include "prom_escape.h"


#define PROM_NAME          prom_str("__name__")

/* 0a LEN 0a 08 __name__ 12 VLEN, before the value */

#define PROM_NAME_HEAD     14

#define PROM_EXPOSE_CHUNK  16

/* " value timestamp\n" at most, as long as it is being written */

#define PROM_EXPOSE_TAIL   (PROM_DOUBLE_LEN + PROM_INT64_LEN + 3)

/* Externals that a mask of present ones has bits for. */

#define PROM_EXPOSE_MASK   64


/*
 * A line while its labels are written.  Escaping may give two labels of a
 * series one name, and no parser takes that: a name that needed no escaping
 * stays, else the one that stands first, and the others are left out.
 */
typedef struct {
    prom_str_t      key;
    prom_escape_e   escape;
    const uint8_t  *labels;             /* where they begin, before "{" */
    bool            escaped;            /* the name of one of them */
} prom_expose_line_t;


static size_t prom_expose_external_room(const prom_expose_t *expose,
    uint64_t *lens);
static uint8_t *prom_expose_fast(const prom_expose_t *expose, prom_str_t key,
    uint64_t lens, uint8_t *p, uint8_t *end);
static uint8_t *prom_expose_long(uint8_t *p, const prom_label_t *label);
static inline void prom_expose_copy(uint8_t *p, const uint8_t *src, size_t n,
    const uint8_t *last);
static inline uint64_t prom_expose_present(const prom_expose_t *expose,
    prom_str_t name, uint64_t lens);
static uint8_t *prom_expose_slow(const prom_expose_t *expose, prom_str_t key,
    uint8_t *p, uint8_t *end);
static uint8_t *prom_expose_label(prom_expose_line_t *line, uint8_t *p,
    uint8_t *end, char before, const prom_label_t *label);
static bool prom_expose_taken(const prom_expose_line_t *line,
    const uint8_t *end, prom_str_t name);
static inline uint8_t *prom_expose_tail(uint8_t *p, uint64_t value,
    int64_t timestamp);


uint8_t *
prom_expose_family(const prom_expose_t *expose, prom_str_t name, uint8_t *p,
    uint8_t *end)
{
    p = prom_escape_raw(p, end, prom_str("# TYPE "));
    p = prom_escape_name(p, end, name, expose->escape);

    return prom_escape_raw(p, end, prom_str(" untyped\n"));
}


uint8_t *
prom_expose_sample(const prom_expose_t *expose, prom_str_t key, bool plain,
    uint64_t value, int64_t timestamp, uint8_t *p, uint8_t *end)
{
    size_t    room;
    uint8_t   tail[PROM_EXPOSE_TAIL];
    uint64_t  lens;

    if (prom_likely(plain && expose->n_external <= PROM_EXPOSE_MASK)) {

        room = prom_expose_external_room(expose, &lens) + key.len
               + 2 * PROM_EXPOSE_CHUNK + PROM_EXPOSE_TAIL;

        if (prom_likely(room <= (size_t) (end - p))) {
            p = prom_expose_fast(expose, key, lens, p, end);

            return prom_expose_tail(p, value, timestamp);
        }
    }

    p = prom_expose_slow(expose, key, p, end);

    return prom_escape_raw(p, end, (prom_str_t) {
                           tail,
                           prom_expose_tail(tail, value, timestamp) - tail });
}


/*
 * The most that external labels take, and which lengths their names have:
 * a label of the series with none of these lengths is not one of them.
 */

static size_t
prom_expose_external_room(const prom_expose_t *expose, uint64_t *lens)
{
    size_t               i, room;
    const prom_label_t  *label;

    room = 0;
    *lens = 0;

    for (i = 0; i < expose->n_external; i++) {
        label = &expose->external[i];

        *lens |= (uint64_t) 1 << (label->name.len & 63);
        room += label->name.len * PROM_ESCAPE_NAME_MAX + PROM_ESCAPE_NAME_MORE
                + label->value.len * 2 + sizeof(",=\"\"");
    }

    return room;
}


/* All before the value: name{a="b",c="d"} */

static uint8_t *
prom_expose_fast(const prom_expose_t *expose, prom_str_t key, uint64_t lens,
    uint8_t *p, uint8_t *end)
{
    char                 before;
    size_t               i, n, name_len;
    uint8_t             *q;
    uint64_t             present;
    prom_str_t           metric;
    prom_label_t         label;
    const uint8_t       *pos, *src, *last, *skip;
    prom_expose_line_t   line;

    pos = key.data;
    last = pos + key.len;

    if (prom_likely(pos[1] < 0x80 && pos[3] == PROM_NAME.len
                    && memcmp(pos + 4, PROM_NAME.data, PROM_NAME.len) == 0))
    {
        metric.data = pos + PROM_NAME_HEAD;
        metric.len = pos[1] + 2 - PROM_NAME_HEAD;
        pos = metric.data + metric.len;
        skip = NULL;

    } else {

        /* names that begin with a capital letter come first */

        metric = prom_labels_get(key, PROM_NAME);
        skip = metric.data + metric.len;
    }

    present = prom_expose_present(expose, PROM_NAME, lens);

    prom_expose_copy(p, metric.data, metric.len, last);
    p += metric.len;
    line = (prom_expose_line_t) { key, expose->escape, p, false };
    *p++ = '{';

    while (pos != last) {

        if (prom_likely(pos[1] < 0x80)) {
            n = pos[1] - 2;
            name_len = pos[3];
            src = pos + 4;
            pos = src + n;

            if (prom_unlikely(pos == skip)) {
                continue;
            }

            label.name = (prom_str_t) { src, name_len };
            present |= prom_expose_present(expose, label.name, lens);

            prom_expose_copy(p, src, n, last);
            p[name_len] = '=';
            p[name_len + 1] = '"';
            p += n;

        } else {
            (void) prom_labels_next(&pos, last, &label);

            if (pos == skip) {
                continue;
            }

            present |= prom_expose_present(expose, label.name, lens);

            p = prom_expose_long(p, &label);
        }

        *p++ = '"';
        *p++ = ',';
    }

    before = *--p;

    for (i = 0; i < expose->n_external; i++) {
        if (((present >> i) & 1) == 0) {
            q = prom_expose_label(&line, p, end, before, &expose->external[i]);
            before = q != p ? ',' : before;
            p = q;
        }
    }

    if (before == ',') {
        *p++ = '}';
    }

    return p;
}


/* A label whose lengths take more than a byte each, but for the last quote. */

static uint8_t *
prom_expose_long(uint8_t *p, const prom_label_t *label)
{
    memcpy(p, label->name.data, label->name.len);
    p += label->name.len;

    *p++ = '=';
    *p++ = '"';

    memcpy(p, label->value.data, label->value.len);

    return p + label->value.len;
}


/*
 * Moves n bytes in pieces of 16, so that up to 2 * 16 bytes are written
 * however few they are, but reads nothing at or past `last'.
 */

static inline void
prom_expose_copy(uint8_t *p, const uint8_t *src, size_t n, const uint8_t *last)
{
    size_t  i;

    if (prom_likely(last - src >= 2 * PROM_EXPOSE_CHUNK)) {
        memcpy(p, src, PROM_EXPOSE_CHUNK);
        memcpy(p + PROM_EXPOSE_CHUNK, src + PROM_EXPOSE_CHUNK,
               PROM_EXPOSE_CHUNK);

        if (prom_likely(n <= 2 * PROM_EXPOSE_CHUNK)) {
            return;
        }

        for (i = 2 * PROM_EXPOSE_CHUNK; i + PROM_EXPOSE_CHUNK < n;
             i += PROM_EXPOSE_CHUNK)
        {
            memcpy(p + i, src + i, PROM_EXPOSE_CHUNK);
        }

        p += n - PROM_EXPOSE_CHUNK;
        src += n - PROM_EXPOSE_CHUNK;
        memcpy(p, src, PROM_EXPOSE_CHUNK);

        return;
    }

    if (n >= 16) {
        memcpy(p, src, 16);
        memcpy(p + n - 16, src + n - 16, 16);

    } else if (n >= 8) {
        memcpy(p, src, 8);
        memcpy(p + n - 8, src + n - 8, 8);

    } else if (n >= 4) {
        memcpy(p, src, 4);
        memcpy(p + n - 4, src + n - 4, 4);

    } else {
        for (i = 0; i < n; i++) {
            p[i] = src[i];
        }
    }
}


/* The bit of the external label of this name, if there is one. */

static inline uint64_t
prom_expose_present(const prom_expose_t *expose, prom_str_t name,
    uint64_t lens)
{
    size_t               i;
    const prom_label_t  *label;

    if (((lens >> (name.len & 63)) & 1) == 0) {
        return 0;
    }

    for (i = 0; i < expose->n_external; i++) {
        label = &expose->external[i];

        if (label->name.len == name.len
            && label->name.data[0] == name.data[0]
            && memcmp(label->name.data, name.data, name.len) == 0)
        {
            return (uint64_t) 1 << i;
        }
    }

    return 0;
}


static uint8_t *
prom_expose_slow(const prom_expose_t *expose, prom_str_t key, uint8_t *p,
    uint8_t *end)
{
    char                 before;
    size_t               i;
    uint8_t             *q;
    prom_str_t           metric;
    prom_label_t         label;
    const uint8_t       *pos, *last;
    prom_expose_line_t   line;

    pos = key.data;
    last = pos + key.len;
    metric = prom_labels_get(key, PROM_NAME);
    before = '{';

    if (expose->escape == PROM_ESCAPE_ALLOW_UTF8
        && !prom_labels_legacy_name(metric))
    {
        /* a quoted name stands within the braces */

        p = prom_escape_raw(p, end, prom_str("{"));
        before = ',';
    }

    p = prom_escape_name(p, end, metric, expose->escape);
    line = (prom_expose_line_t) { key, expose->escape, p, false };

    while (prom_labels_next(&pos, last, &label)) {
        if (label.value.data != metric.data) {
            q = prom_expose_label(&line, p, end, before, &label);
            before = q != p ? ',' : before;
            p = q;
        }
    }

    for (i = 0; i < expose->n_external; i++) {
        if (prom_labels_get(key, expose->external[i].name).len == 0) {
            q = prom_expose_label(&line, p, end, before, &expose->external[i]);
            before = q != p ? ',' : before;
            p = q;
        }
    }

    if (before == ',') {
        p = prom_escape_raw(p, end, prom_str("}"));
    }

    return p;
}


/* `p' as it was for a label that is left out. */

static uint8_t *
prom_expose_label(prom_expose_line_t *line, uint8_t *p, uint8_t *end,
    char before, const prom_label_t *label)
{
    bool         escaped;
    uint8_t     *start;
    prom_str_t   name;

    start = p;

    p = prom_escape_raw(p, end, (prom_str_t) { (uint8_t *) &before, 1 });
    name.data = p;
    p = prom_escape_label(p, end, label->name, line->escape);

    if (p == NULL) {
        return NULL;
    }

    if (line->escape != PROM_ESCAPE_ALLOW_UTF8) {
        name.len = (size_t) (p - name.data);
        escaped = !prom_str_eq(name, label->name);

        if ((escaped && prom_labels_get(line->key, name).len > 0)
            || ((escaped || line->escaped)
                && prom_expose_taken(line, start, name)))
        {
            return start;
        }

        line->escaped |= escaped;
    }

    p = prom_escape_raw(p, end, prom_str("=\""));
    p = prom_escape_value(p, end, label->value);

    return prom_escape_raw(p, end, prom_str("\""));
}


/* Whether a label that has been written, before `end', has this name. */

static bool
prom_expose_taken(const prom_expose_line_t *line, const uint8_t *end,
    prom_str_t name)
{
    prom_str_t      other;
    const uint8_t  *pos;

    for (pos = line->labels; pos < end; pos++) {
        other.data = pos + 1;
        pos = memchr(other.data, '=', (size_t) (end - other.data));
        other.len = (size_t) (pos - other.data);

        if (prom_str_eq(other, name)) {
            return true;
        }

        for (pos += 2; *pos != '"'; pos++) {
            pos += *pos == '\\';
        }
    }

    return false;
}


static inline uint8_t *
prom_expose_tail(uint8_t *p, uint64_t value, int64_t timestamp)
{
    *p++ = ' ';
    p = prom_double_write(p, value);
    *p++ = ' ';
    p = prom_int64_write(p, timestamp);
    *p++ = '\n';

    return p;
}
