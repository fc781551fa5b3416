
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * A query on its way: what prom_query.c, which walks names and shards, and
 * prom_query_gather.c, which sorts what few series a selector has, have in
 * common.
 */


#ifndef _PROM_QUERY_STATE_H_INCLUDED_
#define _PROM_QUERY_STATE_H_INCLUDED_


#include "../base/prom_clock.h"
#include "../base/prom_vec.h"
#include "prom_index.h"
#include "prom_memo.h"
#include "prom_page.h"
#include "prom_query.h"
#include "prom_segment.h"
#include "prom_series.h"


#define PROM_QUERY_LOCKED    256        /* ids looked at under one lock */
#define PROM_QUERY_SLICE     250000     /* ns of a slice */
#define PROM_QUERY_SETS      8          /* postings that are intersected */
#define PROM_QUERY_FETCH     6          /* series whose keys are fetched */


typedef struct {
    const prom_selector_t  *selector;
    const prom_str_t       *names;      /* the only ones that can pass, where */
    size_t                  n_names;    /* the selector lists them; else NULL */
    bool                    wanted;     /* the current name passes */
} prom_query_part_t;


typedef struct {
    uint32_t            name;           /* index into names, then its rank */
    uint32_t            shard;
    uint32_t            id;
} prom_found_t;

typedef enum {
    PROM_GATHER_NO = 0,                 /* walk names and shards */
    PROM_GATHER_FINDING,
    PROM_GATHER_FOUND
} prom_gather_e;

typedef struct {
    prom_gather_e       state;
    uint32_t            shard;          /* where finding is */
    prom_vec_t          found;          /* prom_found_t */
    prom_vec_t          names;          /* prom_str_t */
    prom_arena_t        texts;
    uint32_t           *table;          /* of names, index + 1 */
    size_t              next;           /* of found, to be read */
} prom_gather_t;


struct prom_query_s {
    prom_tsdb_t         db;
    int64_t             from;
    int64_t             to;

    prom_query_part_t  *parts;
    size_t              n;
    bool                listed;         /* all parts list their names */
    prom_memo_t         memo;
    bool                tried;          /* patterns, just now */
    uint32_t            stuck;          /* batches that found the memo full */
    prom_gather_t       gather;

    /* the cursor; done: no name comes after */
    bool                started;
    bool                done;
    uint32_t            shard;
    uint32_t            id;
    size_t              name_len;
    uint8_t             name[PROM_KEY_MAX];
    size_t              next_len;
    uint8_t             next[PROM_KEY_MAX];

    uint64_t            deadline;       /* of the slice, by prom_clock() */
    prom_query_emit_pt  emit;
    void               *ctx;

    /* while a shard is locked: postings that all series wanted are in, the
       smallest first; exact: all label pairs of the selector are among them */
    const prom_postings_t  *sets[PROM_QUERY_SETS];
    size_t                  n_sets;
    bool                    exact;
};


static const prom_str_t  prom_query_label = { (uint8_t *) "__name__", 8 };


/* Whether the series that satisfy it are those of one label pair. */

static inline bool
prom_query_is_pair(const prom_matcher_t *matcher)
{
    return matcher->type == PROM_MATCH_EQ && matcher->value.len > 0;
}


/* Which selectors the current name passes: 1 some, 0 none, or PROM_LIMIT. */
int prom_query_name_test(prom_query_t *query);

/*
 * Postings that all series wanted of this shard are in: with `named' those of
 * the current name, and the equalities of the selector where one is left.
 * False: nothing can match.
 */
bool prom_query_find_sets(prom_query_t *query, const prom_shard_t *shard,
    bool named);

/*
 * The next ids of the smallest set from query->id on: *read of them, *last
 * their last, of which those returned are in all sets.
 */
size_t prom_query_ids(prom_query_t *query, uint32_t *ids, size_t *read,
    uint32_t *last);

/*
 * Rows of the series that pass.  *done: how many are done with.  PROM_OK,
 * also when the rest must wait for a pattern; PROM_AGAIN: no room; PROM_LIMIT:
 * one series has more patterns to try than the memo holds; PROM_NOMEM.
 */
int prom_query_rows(prom_query_t *query, prom_series_t **series, size_t n,
    size_t *done);


/*
 * A selector whose equalities leave only a few series: they are found first,
 * by their postings alone, sorted by name, and then read one after the other.
 */

/* A slice of finding them; PROM_OK: found, or not to be gathered. */
int prom_gather_find(prom_query_t *query);

/* The rows of the next few; PROM_OK, PROM_AGAIN: no room, or an error. */
int prom_gather_step(prom_query_t *query);

void prom_gather_free(prom_gather_t *gather);


#endif /* _PROM_QUERY_STATE_H_INCLUDED_ */
