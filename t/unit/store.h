
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Stores for tests: a segment in anonymous shared memory, keys, random
 * numbers that are the same in every run.
 */


#ifndef _STORE_H_INCLUDED_
#define _STORE_H_INCLUDED_


#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "labels/prom_labels.h"
#include "tsdb/prom_batch.h"
#include "tsdb/prom_chunks.h"
#include "tsdb/prom_page.h"
#include "tsdb/prom_segment.h"
#include "tsdb/prom_series.h"
#include "tsdb/prom_tsdb.h"
#include "tsdb/prom_txn.h"


#define STORE_T0  INT64_C(1700000000000)


typedef struct {
    prom_tsdb_t  db;
    size_t       size;
} store_t;


static inline bool
store_open(store_t *store, size_t size)
{
    void                 *mem;
    static const uint8_t  secret[32] = "thirty-two bytes of no secrecy.";

    mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (mem == MAP_FAILED || prom_tsdb_format(mem, size, secret) != PROM_OK) {
        printf("Bail out! no store of %zu bytes\n", size);
        exit(1);
    }

    memset(store, 0, sizeof(store_t));
    prom_tsdb_attach(&store->db, mem);
    store->db.retention = 7200000;
    store->size = size;

    return true;
}


static inline void
store_close(store_t *store)
{
    munmap(store->db.segment, store->size);
}


/* xorshift64* */

static inline uint64_t
store_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;

    return *state * UINT64_C(2685821657736338717);
}


/* The key of labels that are given as name, value, ..., NULL. */

static inline prom_str_t
store_key(uint8_t *buf, const char *const *text)
{
    char                 error[256];
    size_t               n, len;
    prom_msg_t           msg;
    prom_label_t         labels[64];
    prom_label_limits_t  limits;

    limits = (prom_label_limits_t) { 64, 1024, 15000 };
    prom_msg_init(&msg, error, sizeof(error));

    for (n = 0; text[2 * n] != NULL; n++) {
        labels[n].name.data = (const uint8_t *) text[2 * n];
        labels[n].name.len = strlen(text[2 * n]);
        labels[n].value.data = (const uint8_t *) text[2 * n + 1];
        labels[n].value.len = strlen(text[2 * n + 1]);
    }

    if (prom_labels_canonical(labels, n, &limits, buf, &len, &msg)
        != PROM_OK)
    {
        printf("Bail out! %s\n", error);
        exit(1);
    }

    return (prom_str_t) { buf, len };
}


/* Series number n: some labels that many share, one that few do. */

static inline prom_str_t
store_nth_key(uint8_t *buf, uint32_t n)
{
    char        name[32], id[32], job[32], half[32];
    const char  *text[] = { "__name__", name, "half", half, "id", id,
                            "job", job, NULL };

    snprintf(name, sizeof(name), "metric_%u", n % 7);
    snprintf(id, sizeof(id), "%u", n);
    snprintf(job, sizeof(job), "job-%u", n % 53);
    snprintf(half, sizeof(half), "%u", n & 1);

    return store_key(buf, text);
}


/* One sample by way of a batch; PROM_OK, or what resolve or commit say. */

static inline int
store_put(prom_tsdb_t *db, prom_str_t key, int64_t time, uint64_t value,
    int64_t now, prom_verdict_e *verdict)
{
    int            rc;
    uint8_t        verdicts[1];
    prom_batch_t   batch;
    prom_entry_t   entry;
    prom_sample_t  sample;

    memset(&batch, 0, sizeof(batch));
    sample = (prom_sample_t) { time, value };

    do {
        prom_batch_begin(db, &batch);

        memset(&entry, 0, sizeof(entry));
        entry.key = key;
        entry.hash = prom_batch_hash(db, key);
        entry.samples = 1;

        batch.entries = &entry;
        batch.n = 1;
        batch.samples = &sample;
        batch.verdicts = verdicts;
        verdicts[0] = PROM_SAMPLE_GOOD;

        rc = prom_batch_resolve(db, &batch, 0);

        if (rc == PROM_OK) {
            rc = prom_batch_commit(db, &batch, now, false);
        }

        if (rc != PROM_OK && rc != PROM_AGAIN) {
            prom_batch_undo(db, &batch);
        }

    } while (rc == PROM_AGAIN);

    if (verdict != NULL) {
        *verdict = verdicts[0];
    }

    return rc;
}


/* Walks the store; a broken invariant is printed. */

static inline bool
store_sound(prom_tsdb_t *db)
{
    char        text[512];
    prom_msg_t  msg;

    prom_msg_init(&msg, text, sizeof(text));

    if (prom_tsdb_verify(db, &msg) == PROM_OK) {
        return true;
    }

    printf("# %s\n", text);

    return false;
}


/*
 * Memory that is short: pages of the pool are given to nobody (owner 0xfe)
 * but for `left'; store_give_back() ends that.
 */
static inline void
store_take_pages(prom_segment_t *seg, uint32_t left)
{
    uint32_t  n;

    for (n = seg->pages; n-- > seg->first_page; /* void */) {

        if (atomic_load(prom_owner(seg, n)) != 0) {
            continue;
        }

        if (left > 0) {
            left--;
            continue;
        }

        atomic_store(prom_owner(seg, n), 0xfe);
    }
}


static inline void
store_give_back(prom_segment_t *seg)
{
    uint32_t  n;

    for (n = seg->first_page; n < seg->pages; n++) {
        if (atomic_load(prom_owner(seg, n)) == 0xfe) {
            atomic_store(prom_owner(seg, n), 0);
        }
    }
}


#endif /* _STORE_H_INCLUDED_ */
