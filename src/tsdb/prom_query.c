
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * For each metric name in turn, and for each shard: the ids in the postings of
 * the name, or in smaller postings that the selector also demands, are tested
 * against the selectors.  Equality needs only bytes; the verdict of a pattern
 * comes from the memo.  Where the memo does not know, the ids from there on
 * wait until the patterns were tried, without the lock.
 */


#include <stdlib.h>

#include "prom_chunks.h"
#include "prom_query_state.h"


/* A selector that names its metrics spares the walk over all names. */

static void
prom_query_list_names(prom_query_part_t *part)
{
    size_t                 i;
    const prom_matcher_t  *matcher;

    for (i = 0; i < part->selector->n; i++) {
        matcher = part->selector->matchers + i;

        if (!prom_str_eq(matcher->name, prom_query_label)) {
            continue;
        }

        if (matcher->type == PROM_MATCH_EQ) {
            part->names = &matcher->value;
            part->n_names = 1;
            return;
        }

        if (matcher->type == PROM_MATCH_RE
            && matcher->regex->kind == PROM_REGEX_SET)
        {
            part->names = matcher->regex->set;
            part->n_names = matcher->regex->n;
            return;
        }
    }
}


prom_query_t *
prom_query_open(prom_tsdb_t *db, const prom_selector_t *selectors, size_t n,
    int64_t from, int64_t to)
{
    size_t         i;
    prom_query_t  *query;

    query = calloc(1, sizeof(prom_query_t));
    if (query == NULL) {
        return NULL;
    }

    query->db = *db;
    query->from = from;
    query->to = to;
    query->parts = calloc(n + 1, sizeof(prom_query_part_t));

    if (query->parts == NULL || prom_memo_init(&query->memo) != PROM_OK) {
        prom_query_close(query);
        return NULL;
    }

    query->listed = true;

    for (i = 0; i < n; i++) {

        if (selectors[i].n > 0) {
            query->parts[query->n].selector = &selectors[i];
            prom_query_list_names(&query->parts[query->n]);
            query->listed &= query->parts[query->n].names != NULL;
            query->n++;
        }
    }

    query->done = query->n == 0;

    if (query->n == 1 && !query->listed) {
        query->parts[0].wanted = true;
        query->gather.state = PROM_GATHER_FINDING;
    }

    query->shard = db->segment->shards;

    return query;
}


void
prom_query_close(prom_query_t *query)
{
    prom_gather_free(&query->gather);
    prom_memo_free(&query->memo);
    free(query->parts);
    free(query);
}


prom_str_t
prom_query_name(const prom_query_t *query)
{
    return (prom_str_t) { query->name, query->name_len };
}


/* Takes a name as the next if it is before the one that was taken so far. */

static void
prom_query_take_name(prom_query_t *query, prom_str_t name, bool *found)
{
    if (*found
        && prom_str_cmp(name, (prom_str_t) { query->next, query->next_len })
           >= 0)
    {
        return;
    }

    memcpy(query->next, name.data, name.len);
    query->next_len = name.len;
    *found = true;
}


static void
prom_query_next_listed(prom_query_t *query, bool *found)
{
    size_t                    i, k;
    const prom_str_t         *name;
    const prom_query_part_t  *part;

    for (i = 0; i < query->n; i++) {
        part = query->parts + i;

        for (k = 0; k < part->n_names; k++) {
            name = part->names + k;

            if (name->len <= PROM_KEY_MAX
                && (!query->started
                    || prom_str_cmp(*name, prom_query_name(query)) > 0))
            {
                prom_query_take_name(query, *name, found);
            }
        }
    }
}


static void
prom_query_next_in(prom_query_t *query, uint32_t n, bool *found)
{
    prom_term_t     *names, *term;
    prom_shard_t    *shard;
    prom_segment_t  *seg;

    seg = query->db.segment;
    shard = prom_shard_lock(seg, n);

    term = NULL;
    names = prom_index_name(seg, shard, prom_query_label);

    if (names != NULL) {
        term = prom_index_value(seg, names, prom_query_name(query),
                                query->started);
    }

    if (term != NULL) {
        prom_query_take_name(query, prom_term_text(term), found);
    }

    prom_shard_unlock(seg, shard);
}


int
prom_query_name_test(prom_query_t *query)
{
    int                    rc, any;
    size_t                 i, k;
    prom_query_part_t     *part;
    const prom_matcher_t  *matcher;

    any = 0;

    for (i = 0; i < query->n; i++) {
        part = query->parts + i;
        rc = 1;

        for (k = 0; k < part->selector->n && rc == 1; k++) {
            matcher = part->selector->matchers + k;

            if (prom_str_eq(matcher->name, prom_query_label)) {
                rc = prom_matcher_test(matcher, prom_query_name(query));
            }
        }

        if (rc < 0) {
            return rc;
        }

        part->wanted = rc;
        any |= rc;
    }

    return any;
}


/* Moves the cursor to the next name that some selector wants. */

static int
prom_query_next_name(prom_query_t *query)
{
    int       rc;
    bool      found;
    uint32_t  n, shards;

    shards = query->db.segment->shards;
    found = false;

    if (query->listed) {
        prom_query_next_listed(query, &found);

    } else {

        for (n = 0; n < shards; n++) {
            prom_query_next_in(query, n, &found);
        }
    }

    if (!found) {
        query->done = true;
        return PROM_OK;
    }

    memcpy(query->name, query->next, query->next_len);
    query->name_len = query->next_len;
    query->started = true;

    rc = prom_query_name_test(query);

    if (rc < 0) {
        return rc;
    }

    if (rc == 1) {
        query->shard = 0;
        query->id = 0;
    }

    return PROM_OK;
}


/* 1, 0, PROM_AGAIN: a pattern must be tried first, or PROM_NOMEM. */

static int
prom_query_part_test(prom_query_t *query, const prom_query_part_t *part,
    prom_str_t key)
{
    int                    rc, all;
    size_t                 i;
    prom_str_t             value;
    const prom_matcher_t  *matcher;

    all = 1;

    for (i = 0; i < part->selector->n; i++) {
        matcher = part->selector->matchers + i;

        if (prom_str_eq(matcher->name, prom_query_label)
            || (query->exact && prom_query_is_pair(matcher)))
        {
            continue;
        }

        value = prom_labels_get(key, matcher->name);

        if (value.len == 0) {
            rc = matcher->matches_empty;

        } else if (matcher->regex == NULL
                   || matcher->regex->kind != PROM_REGEX_PCRE)
        {
            rc = prom_matcher_test(matcher, value);

        } else {
            rc = prom_memo_get(&query->memo, query->db.segment->secret,
                               matcher, value);
        }

        if (rc == 0 || rc == PROM_NOMEM) {
            return rc;
        }

        if (rc == PROM_AGAIN) {
            all = PROM_AGAIN;
        }
    }

    return all;
}


static int
prom_query_series_test(prom_query_t *query, prom_str_t key)
{
    int     rc, any;
    size_t  i;

    any = 0;

    for (i = 0; i < query->n; i++) {

        if (!query->parts[i].wanted) {
            continue;
        }

        rc = prom_query_part_test(query, query->parts + i, key);

        if (rc == 1 || rc == PROM_NOMEM) {
            return rc;
        }

        if (rc == PROM_AGAIN) {
            any = PROM_AGAIN;
        }
    }

    return any;
}


/* PROM_OK: emitted or not to be emitted; PROM_AGAIN: no room. */

static int
prom_query_row(prom_query_t *query, const prom_series_t *series,
    prom_str_t key)
{
    prom_row_t  row;

    row.key = key;
    row.plain = series->plain;

    if (!prom_chunks_newest(query->db.segment, series, query->to,
                            &row.sample.time, &row.sample.value)
        || row.sample.time < query->from
        || row.sample.value == PROM_STALE_NAN)
    {
        return PROM_OK;
    }

    return query->emit(query->ctx, &row) ? PROM_OK : PROM_AGAIN;
}


static bool
prom_query_add_set(prom_query_t *query, const prom_shard_t *shard,
    prom_str_t name, prom_str_t value)
{
    size_t                  i;
    prom_term_t            *term;
    const prom_postings_t  *set;

    term = prom_index_pair(query->db.segment, shard, name, value);
    if (term == NULL) {
        return false;
    }

    set = &term->postings;

    for (i = query->n_sets++; i > 0 && query->sets[i - 1]->n > set->n; i--) {
        query->sets[i] = query->sets[i - 1];
    }

    query->sets[i] = set;

    return true;
}


bool
prom_query_find_sets(prom_query_t *query, const prom_shard_t *shard,
    bool named)
{
    size_t                  i, wanted;
    const prom_matcher_t   *matcher;
    const prom_selector_t  *selector;

    query->n_sets = 0;
    query->exact = false;
    selector = NULL;
    wanted = 0;

    if (named
        && !prom_query_add_set(query, shard, prom_query_label,
                               prom_query_name(query)))
    {
        return false;
    }

    for (i = 0; i < query->n; i++) {
        if (query->parts[i].wanted) {
            selector = query->parts[i].selector;
            wanted++;
        }
    }

    if (wanted > 1 || selector->n >= PROM_QUERY_SETS) {
        return true;
    }

    query->exact = named;

    for (i = 0; i < selector->n; i++) {
        matcher = selector->matchers + i;

        if (prom_query_is_pair(matcher)
            && !prom_str_eq(matcher->name, prom_query_label)
            && !prom_query_add_set(query, shard, matcher->name,
                                   matcher->value))
        {
            return false;
        }
    }

    return true;
}


size_t
prom_query_ids(prom_query_t *query, uint32_t *ids, size_t *read,
    uint32_t *last)
{
    size_t           i, k, n;
    prom_segment_t  *seg;

    seg = query->db.segment;

    *read = prom_postings_read(seg, query->sets[0], query->id, ids,
                               PROM_QUERY_LOCKED);
    *last = *read > 0 ? ids[*read - 1] : 0;

    n = *read;

    for (k = 1; k < query->n_sets; k++) {
        size_t  kept = 0;

        for (i = 0; i < n; i++) {
            ids[kept] = ids[i];
            kept += prom_postings_has(seg, query->sets[k], ids[i]);
        }

        n = kept;
    }

    return n;
}


/* What the rows will read, on its way before it is needed. */

static void
prom_query_fetch(const prom_segment_t *seg, const prom_series_t *series)
{
    size_t          i;
    const uint8_t  *key;

    key = prom_at(seg, series->key);

    for (i = 0; i < series->key_len; i += PROM_CACHE_LINE) {
        __builtin_prefetch(key + i);
    }
}


int
prom_query_rows(prom_query_t *query, prom_series_t **series, size_t n,
    size_t *done)
{
    int              rc;
    bool             waiting;
    size_t           i;
    prom_str_t       key;
    prom_segment_t  *seg;

    seg = query->db.segment;
    waiting = false;
    *done = n;

    for (i = 0; i < n; i++) {

        if (i + PROM_QUERY_FETCH < n) {
            prom_query_fetch(seg, series[i + PROM_QUERY_FETCH]);
        }

        key = prom_series_key(seg, series[i]);
        rc = prom_query_series_test(query, key);

        if (rc == PROM_NOMEM) {
            *done = i;
            return rc;
        }

        if (rc == PROM_AGAIN && !waiting) {

            /* go on only to note what else must be tried */

            waiting = true;
            *done = i;
        }

        if (rc != 1 || waiting) {
            continue;
        }

        if (prom_query_row(query, series[i], key) != PROM_OK) {
            *done = i;
            return PROM_AGAIN;
        }
    }

    if (!waiting || *done > 0) {
        query->stuck = 0;

    } else if (query->memo.untried == 0 && ++query->stuck > 1) {

        /* the memo is full, and not only of what others left in it */

        return PROM_LIMIT;
    }

    return PROM_OK;
}


/*
 * Up to PROM_QUERY_LOCKED ids of the current shard.  Sets the cursor behind
 * the last that is done with.  PROM_OK, PROM_AGAIN: no room, or PROM_NOMEM.
 */
static int
prom_query_batch(prom_query_t *query, const prom_shard_t *shard)
{
    int              rc;
    size_t           i, n, read, done;
    uint32_t         last, ids[PROM_QUERY_LOCKED];
    prom_series_t   *series[PROM_QUERY_LOCKED];
    prom_segment_t  *seg;

    seg = query->db.segment;
    n = 0;
    read = 0;
    last = 0;

    if (prom_query_find_sets(query, shard, true)) {
        n = prom_query_ids(query, ids, &read, &last);
    }

    for (i = 0; i < n; i++) {
        series[i] = prom_series_by_id(seg, shard, ids[i]);
        __builtin_prefetch(series[i]);
    }

    rc = prom_query_rows(query, series, n, &done);

    if (done < n) {
        query->id = ids[done];

    } else if (read == PROM_QUERY_LOCKED) {
        query->id = last + 1;

    } else {
        query->shard++;
        query->id = 0;
    }

    return rc;
}


static int
prom_query_step(prom_query_t *query)
{
    int              rc;
    prom_shard_t    *shard;
    prom_segment_t  *seg;

    seg = query->db.segment;

    if (query->memo.untried > 0) {
        query->tried = true;
        return prom_memo_test(&query->memo, query->deadline);
    }

    if (query->gather.state == PROM_GATHER_FINDING) {
        return prom_gather_find(query);
    }

    /* what was tried just now is wanted just now: with it some series passes
       or not, and the query moves on */

    if (!query->tried) {
        prom_memo_tidy(&query->memo);
    }

    query->tried = false;

    if (query->gather.state == PROM_GATHER_FOUND) {
        return prom_gather_step(query);
    }

    if (query->shard == seg->shards) {
        return prom_query_next_name(query);
    }

    shard = prom_shard_lock(seg, query->shard);
    rc = prom_query_batch(query, shard);
    prom_shard_unlock(seg, shard);

    return rc;
}


int
prom_query_run(prom_query_t *query, prom_query_emit_pt emit, void *ctx)
{
    int  rc;

    query->emit = emit;
    query->ctx = ctx;
    query->deadline = prom_clock() + PROM_QUERY_SLICE;

    while (!query->done) {
        rc = prom_query_step(query);

        if (rc != PROM_OK) {
            return rc;
        }

        if (prom_clock() >= query->deadline) {
            return query->done ? PROM_OK : PROM_AGAIN;
        }
    }

    return PROM_OK;
}
