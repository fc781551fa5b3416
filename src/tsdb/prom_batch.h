
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * A batch: the series and samples of one request on their way into the store.
 *
 *     1. the caller fills entries: a key or, by prom_batch_guess(), the series
 *     2. prom_batch_resolve() finds or makes the series of the others, a few
 *        shards' locks at a time, none held in between
 *     3. prom_batch_commit() locks every shard touched, judges every sample
 *        against the state of its series and what came before it in the
 *        batch, and then writes: all or nothing, or all that is good
 *
 * Series that 2. made and 3. did not fill are removed by prom_batch_undo().
 *
 * Rules of Prometheus's head (3.4) with N the newest time in the store when
 * the batch began and B = N - min(1 h, retention):
 *
 *     t > now + 10 min               too far in the future
 *     t < B                          out of bounds
 *     series empty, or t > newest    accepted
 *     t = newest, same 64 bits       success, stored once
 *     t = newest, other bits         duplicate
 *     else                           out of order
 *
 * The caller owns all memory of a batch and brings it zeroed.
 */


#ifndef _PROM_BATCH_H_INCLUDED_
#define _PROM_BATCH_H_INCLUDED_


#include "../base/prom_base.h"
#include "../base/prom_sample.h"
#include "prom_tsdb.h"


#define PROM_BATCH_AHEAD  600000        /* ms that a clock may be ahead */


typedef enum {
    PROM_SAMPLE_GOOD = 0,
    PROM_SAMPLE_SAME,                   /* there already, counts as written */
    PROM_SAMPLE_FUTURE,
    PROM_SAMPLE_OUT_OF_BOUNDS,
    PROM_SAMPLE_OUT_OF_ORDER,
    PROM_SAMPLE_DUPLICATE
} prom_verdict_e;


typedef struct {
    prom_str_t     key;                 /* canonical; wanted if series is 0 */
    uint64_t       hash;                /* of the key, likewise */
    uint32_t       series;              /* reference of the head, or 0 */
    uint32_t       first;               /* samples: the first, and how many */
    uint32_t       samples;             /* not 0 */
    uint16_t       shard;               /* these three are the batch's own */
    bool           created;
    prom_sample_t  newest;
} prom_entry_t;


typedef struct {
    prom_entry_t   *entries;
    size_t          n;
    prom_sample_t  *samples;
    uint8_t        *verdicts;           /* prom_verdict_e, one per sample */
    size_t          refused;            /* samples, by the commit */
    uint64_t        replaced;           /* the value that stood in the way of
                                           the first PROM_SAMPLE_DUPLICATE */

    uint64_t        generation;         /* when the batch began */
} prom_batch_t;


/* Begins, or begins anew after PROM_AGAIN: entries are to be filled again. */
void prom_batch_begin(prom_tsdb_t *db, prom_batch_t *batch);

/*
 * The series that came after `prev' the last time, and its key; 0 where there
 * is none, or prev is 0.  Takes no lock: the bytes are to be compared, once,
 * and not to be kept.
 */
uint32_t prom_batch_expect(const prom_tsdb_t *db, uint32_t prev,
    prom_str_t *key);

/* The same series if its key is `key', else 0. */
uint32_t prom_batch_guess(const prom_tsdb_t *db, uint32_t prev,
    prom_str_t key);

/* The same for label fields in any order, see prom_labels_same_set(). */
uint32_t prom_batch_guess_set(const prom_tsdb_t *db, uint32_t prev,
    prom_str_t run, uint8_t *order);

/* A series that is known without having been looked at: it will be. */
void prom_batch_fetch(const prom_tsdb_t *db, uint32_t series);

uint64_t prom_batch_hash(const prom_tsdb_t *db, prom_str_t key);

/* One series by its key, 0 where there is none.  Takes its shard's lock. */
uint32_t prom_batch_find(prom_tsdb_t *db, prom_str_t key, uint64_t hash);

/*
 * Series for the entries from `from' on that have none.  PROM_OK, PROM_NOMEM
 * when the store is full (memory), PROM_LIMIT when it has max_series.
 */
int prom_batch_resolve(prom_tsdb_t *db, prom_batch_t *batch, size_t from);

/*
 * PROM_OK      written; with `partial' some samples may have been refused
 * PROM_ERROR   not partial and a sample is bad: nothing was written
 * PROM_AGAIN   a series was removed meanwhile: nothing was written, begin anew
 */
int prom_batch_commit(prom_tsdb_t *db, prom_batch_t *batch, int64_t now,
    bool partial);

/* Removes the series that the batch made and that hold nothing. */
void prom_batch_undo(prom_tsdb_t *db, prom_batch_t *batch);


#endif /* _PROM_BATCH_H_INCLUDED_ */
