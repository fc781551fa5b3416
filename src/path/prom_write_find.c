
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Which series is it?  From the cheapest answer to the dearest: the one that
 * came next the last time, a look-up by hash, and, for what is not known, a
 * canonical key for the resolve at the end of the block.
 */


#include "prom_write_state.h"


#define PROM_WRITE_LOOKUPS  8           /* single look-ups in a block */


int
prom_write_labels(prom_write_t *write, prom_str_t message, size_t *n)
{
    int                rc;
    size_t             i;
    const uint32_t    *refs;
    const prom_str_t  *symbols;

    rc = PROM_OK;

    if (write->version == PROM_WRITE_V1) {
        rc = prom_prw1_labels(message, write->labels, PROM_LABELS_MAX, n,
                              &write->report.whole);

    } else {
        *n = write->prw2.refs.n / 2;
        rc = *n > PROM_LABELS_MAX ? PROM_LIMIT : PROM_OK;
    }

    if (rc == PROM_LIMIT) {
        prom_write_report_line(&write->report);
        prom_msg_add(&write->report.msg, "a series has more than %d labels, "
                     "the limit is %u", PROM_LABELS_MAX,
                     write->conf.labels.labels);
    }

    if (rc != PROM_OK || write->version == PROM_WRITE_V1) {
        return rc;
    }

    refs = write->prw2.refs.data;
    symbols = write->prw2.symbols.data;

    for (i = 0; i < *n; i++) {
        write->labels[i].name = symbols[refs[2 * i]];
        write->labels[i].value = symbols[refs[2 * i + 1]];
    }

    return PROM_OK;
}


/* Leaves an entry to the resolve: its key must live until the end. */

static int
prom_write_pending(prom_write_t *write, prom_entry_t *entry, prom_str_t key)
{
    uint8_t  *p;

    if (key.data == write->raw || key.data == write->key) {
        p = prom_arena_alloc(&write->keys, key.len);

        if (p == NULL) {
            return PROM_NOMEM;
        }

        memcpy(p, key.data, key.len);
        key.data = p;
    }

    entry->key = key;
    entry->hash = prom_batch_hash(&write->db, key);

    return PROM_OK;
}


/* By its hash, one lock for one series: only a few times in a block. */

static bool
prom_write_lookup(prom_write_t *write, prom_entry_t *entry, prom_str_t key)
{
    if (write->lookups >= PROM_WRITE_LOOKUPS) {
        return false;
    }

    write->lookups++;
    entry->series = prom_batch_find(&write->db, key,
                                    prom_batch_hash(&write->db, key));

    return entry->series != 0;
}


/*
 * The key is not among those that are known by their bytes: make it canonical
 * and try again, else leave the entry to the resolve at the end of the block.
 */
static int
prom_write_unknown(prom_write_t *write, prom_entry_t *entry,
    const prom_prw_series_t *series, prom_str_t raw)
{
    int         rc;
    size_t      n, len;
    prom_str_t  key;

    if (prom_labels_is_key(raw, &write->conf.labels)) {
        return prom_write_pending(write, entry, raw);
    }

    rc = prom_write_labels(write, series->message, &n);

    if (rc != PROM_OK) {
        return rc == PROM_ERROR ? PROM_AGAIN : rc;
    }

    prom_write_report_line(&write->report);
    rc = prom_labels_canonical(write->labels, n, &write->conf.labels,
                               write->key, &len, &write->report.msg);

    if (rc != PROM_OK) {
        return rc;
    }

    prom_write_report_drop_line(&write->report);

    key = (prom_str_t) { write->key, len };
    write->unsorted = true;

    entry->series = prom_batch_guess(&write->db, write->last, key);

    if (entry->series != 0 || prom_write_lookup(write, entry, key)) {
        return PROM_OK;
    }

    return prom_write_pending(write, entry, key);
}


/* By the bytes of the labels; what prom_write_find() says. */

static int
prom_write_find_bytes(prom_write_t *write, prom_entry_t *entry,
    const prom_prw_series_t *series, prom_str_t raw)
{
    if (prom_likely(series->expected)) {
        entry->series = write->expected;
        return PROM_OK;
    }

    if (prom_likely(raw.len > 0)) {
        entry->series = prom_batch_guess(&write->db, write->last, raw);

        if (prom_likely(entry->series != 0)) {
            return PROM_OK;
        }

        if (write->unsorted) {
            entry->series = prom_batch_guess_set(&write->db, write->last, raw,
                                                 write->order);
            if (entry->series != 0) {
                return PROM_OK;
            }

        } else if (prom_write_lookup(write, entry, raw)) {
            return PROM_OK;
        }
    }

    write->unsorted = false;

    return prom_write_unknown(write, entry, series, raw);
}


static inline uint8_t *
prom_write_put(uint8_t *p, uint8_t tag, prom_str_t str)
{
    *p++ = tag;

    if (str.len >= 0x80) {
        *p++ = (uint8_t) (str.len | 0x80);
        *p++ = (uint8_t) (str.len >> 7);

    } else {
        *p++ = (uint8_t) str.len;
    }

    memcpy(p, str.data, str.len);

    return p + str.len;
}


/*
 * 2.0: what the references become when they are written out as a 1.0 sender
 * would; empty where that is too long to be a key.
 */
static prom_str_t
prom_write_expand(prom_write_t *write)
{
    size_t             i, len;
    uint8_t           *p;
    prom_str_t         name, value;
    const uint32_t    *refs;
    const prom_str_t  *symbols;

    refs = write->prw2.refs.data;
    symbols = write->prw2.symbols.data;
    p = write->raw;

    for (i = 0; i < write->prw2.refs.n; i += 2) {
        name = symbols[refs[i]];
        value = symbols[refs[i + 1]];

        if (name.len + value.len > PROM_KEY_MAX - 9
            || (size_t) (p - write->raw) + name.len + value.len + 9
               > PROM_KEY_MAX)
        {
            return (prom_str_t) { write->raw, 0 };
        }

        len = 2 + (name.len >= 0x80) + name.len
              + 2 + (value.len >= 0x80) + value.len;

        *p++ = 0x0a;

        if (len >= 0x80) {
            *p++ = (uint8_t) (len | 0x80);
            *p++ = (uint8_t) (len >> 7);

        } else {
            *p++ = (uint8_t) len;
        }

        p = prom_write_put(p, 0x0a, name);
        p = prom_write_put(p, 0x12, value);
    }

    return (prom_str_t) { write->raw, (size_t) (p - write->raw) };
}


/* The bytes of labels where they are too many to be a key. */

static size_t
prom_write_expanded(const prom_write_t *write)
{
    size_t             i, len;
    const uint32_t    *refs;
    const prom_str_t  *symbols;

    len = 0;
    refs = write->prw2.refs.data;
    symbols = write->prw2.symbols.data;

    for (i = 0; i < write->prw2.refs.n; i++) {
        len += symbols[refs[i]].len;
    }

    return len;
}


/* 2.0: what the symbols were the last time, else their bytes. */

static int
prom_write_find_symbols(prom_write_t *write, prom_entry_t *entry,
    const prom_prw_series_t *series)
{
    int           rc;
    prom_str_t    raw;
    prom_prw2_t  *prw2;

    prw2 = &write->prw2;

    if (prom_likely(write->intern != NULL)) {
        entry->series = prom_intern_guess(write->intern, &write->interned,
                                          prw2->symbols.data,
                                          prw2->refs.data, prw2->refs.n,
                                          write->batch.generation);

        if (prom_likely(entry->series != 0)) {
            prom_batch_fetch(&write->db, entry->series);
            return PROM_OK;
        }
    }

    raw = prom_write_expand(write);
    write->expanded += raw.len > 0 ? raw.len : prom_write_expanded(write);

    if (write->expanded > write->conf.max_expanded) {
        prom_msg_add(&write->report.whole, "the labels of the request, "
                     "written out, pass prom_max_expanded_size");
        return PROM_AGAIN;
    }

    rc = prom_write_find_bytes(write, entry, series, raw);

    if (rc == PROM_OK && entry->series != 0 && write->intern != NULL) {
        prom_intern_learn(write->intern, &write->interned, entry->series,
                          write->batch.generation);
    }

    return rc;
}


int
prom_write_find(prom_write_t *write, prom_entry_t *entry,
    const prom_prw_series_t *series)
{
    return write->version == PROM_WRITE_V1
           ? prom_write_find_bytes(write, entry, series, series->run)
           : prom_write_find_symbols(write, entry, series);
}
