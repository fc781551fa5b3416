
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * {instance="a:1"} has a few hundred series; walking every metric name in
 * every shard for them would cost more than reading them.
 */


#include <stdlib.h>

#include "../base/prom_hash.h"
#include "prom_query_state.h"


#define PROM_GATHER_MAX    8192         /* series */
#define PROM_GATHER_TABLE  16384        /* slots for their names */
#define PROM_GATHER_BYTES  (16 << 20)   /* of their names */


void
prom_gather_free(prom_gather_t *gather)
{
    prom_vec_free(&gather->found);
    prom_vec_free(&gather->names);
    prom_arena_free(&gather->texts);
    free(gather->table);
    gather->table = NULL;
}


/* Whether the selector's equalities leave few enough, by the postings' size. */

static bool
prom_gather_pays(prom_query_t *query)
{
    uint32_t         n, total;
    prom_shard_t    *shard;
    prom_segment_t  *seg;

    seg = query->db.segment;
    total = 0;

    for (n = 0; n < seg->shards && total <= PROM_GATHER_MAX; n++) {
        shard = prom_shard_lock(seg, n);

        if (prom_query_find_sets(query, shard, false)) {

            /* without equalities there is nothing to start from */

            total += query->n_sets ? query->sets[0]->n : PROM_GATHER_MAX + 1;
        }

        prom_shard_unlock(seg, shard);
    }

    return total <= PROM_GATHER_MAX;
}


/* The index of a name, PROM_GATHER_MAX where there is no memory. */

static uint32_t
prom_gather_name(prom_query_t *query, prom_str_t name)
{
    uint8_t        *text;
    uint32_t        k, *slot;
    prom_str_t     *names;
    prom_gather_t  *gather;

    gather = &query->gather;
    names = gather->names.data;

    for (k = (uint32_t) prom_hash(query->db.segment->secret, name.data,
                                  name.len);
         /* void */ ;
         k++)
    {
        slot = gather->table + k % PROM_GATHER_TABLE;

        if (*slot == 0) {
            break;
        }

        if (prom_str_eq(names[*slot - 1], name)) {
            return *slot - 1;
        }
    }

    text = prom_arena_alloc(&gather->texts, name.len);

    if (text == NULL
        || !prom_vec_reserve(&gather->names, 1, sizeof(prom_str_t)))
    {
        return PROM_GATHER_MAX;
    }

    memcpy(text, name.data, name.len);

    names = gather->names.data;
    names[gather->names.n] = (prom_str_t) { text, name.len };
    *slot = (uint32_t) ++gather->names.n;

    return *slot - 1;
}


/* All of a shard: there are few. */

static bool
prom_gather_shard(prom_query_t *query, const prom_shard_t *shard)
{
    size_t           i, n, read;
    uint32_t         last, ids[PROM_QUERY_LOCKED];
    prom_found_t    *found;
    prom_series_t   *series;
    prom_gather_t   *gather;
    prom_segment_t  *seg;

    seg = query->db.segment;
    gather = &query->gather;
    query->id = 0;

    if (!prom_query_find_sets(query, shard, false)) {
        return true;
    }

    do {
        n = prom_query_ids(query, ids, &read, &last);

        if (gather->found.n + n > PROM_GATHER_MAX
            || !prom_vec_reserve(&gather->found, n, sizeof(prom_found_t)))
        {
            return false;
        }

        for (i = 0; i < n; i++) {
            series = prom_series_by_id(seg, shard, ids[i]);
            found = (prom_found_t *) gather->found.data + gather->found.n++;

            found->name = prom_gather_name(query, prom_labels_get(
                              prom_series_key(seg, series),
                              prom_query_label));
            found->shard = shard->number;
            found->id = ids[i];

            if (found->name == PROM_GATHER_MAX) {
                return false;
            }
        }

        query->id = last + 1;

    } while (read == PROM_QUERY_LOCKED);

    return true;
}


typedef struct {
    prom_str_t  name;
    uint32_t    index;
} prom_rank_t;


static int
prom_gather_cmp_name(const void *a, const void *b)
{
    return prom_str_cmp(((const prom_rank_t *) a)->name,
                        ((const prom_rank_t *) b)->name);
}


static int
prom_gather_cmp(const void *a, const void *b)
{
    const prom_found_t  *x, *y;

    x = a;
    y = b;

    if (x->name != y->name) {
        return x->name < y->name ? -1 : 1;
    }

    if (x->shard != y->shard) {
        return x->shard < y->shard ? -1 : 1;
    }

    return x->id < y->id ? -1 : x->id > y->id;
}


/* By name, shard and id; names become their rank, sorted in names. */

static bool
prom_gather_sort(prom_gather_t *gather)
{
    size_t         i, n;
    uint32_t      *rank;
    prom_str_t    *names;
    prom_rank_t   *order;
    prom_found_t  *found;

    n = gather->names.n;
    names = gather->names.data;
    found = gather->found.data;

    if (n == 0) {
        return true;
    }

    order = malloc(n * sizeof(prom_rank_t));
    rank = malloc(n * sizeof(uint32_t));

    if (order == NULL || rank == NULL) {
        free(order);
        free(rank);
        return false;
    }

    for (i = 0; i < n; i++) {
        order[i] = (prom_rank_t) { names[i], (uint32_t) i };
    }

    qsort(order, n, sizeof(prom_rank_t), prom_gather_cmp_name);

    for (i = 0; i < n; i++) {
        rank[order[i].index] = (uint32_t) i;
        names[i] = order[i].name;
    }

    for (i = 0; i < gather->found.n; i++) {
        found[i].name = rank[found[i].name];
    }

    qsort(found, gather->found.n, sizeof(prom_found_t), prom_gather_cmp);

    free(order);
    free(rank);

    return true;
}


static int
prom_gather_begin(prom_query_t *query)
{
    prom_gather_t  *gather;

    gather = &query->gather;

    if (!prom_gather_pays(query)) {
        gather->state = PROM_GATHER_NO;
        return PROM_OK;
    }

    prom_arena_init(&gather->texts, PROM_GATHER_BYTES);
    gather->table = calloc(PROM_GATHER_TABLE, sizeof(uint32_t));

    return gather->table != NULL ? PROM_OK : PROM_NOMEM;
}


int
prom_gather_find(prom_query_t *query)
{
    bool             kept;
    prom_shard_t    *shard;
    prom_gather_t   *gather;
    prom_segment_t  *seg;

    seg = query->db.segment;
    gather = &query->gather;

    if (gather->table == NULL) {
        return prom_gather_begin(query);
    }

    shard = prom_shard_lock(seg, gather->shard);
    kept = prom_gather_shard(query, shard);
    prom_shard_unlock(seg, shard);

    if (kept && ++gather->shard < seg->shards) {
        return PROM_OK;
    }

    gather->state = PROM_GATHER_FOUND;

    if (!kept || !prom_gather_sort(gather)) {

        /* more by now than were counted: walk */

        prom_gather_free(gather);
        gather->state = PROM_GATHER_NO;
    }

    return PROM_OK;
}


/* A name that came up: 1 to be read, 0 not, or PROM_LIMIT. */

static int
prom_gather_enter(prom_query_t *query, uint32_t rank)
{
    prom_str_t  name;

    name = ((prom_str_t *) query->gather.names.data)[rank];

    if (query->started && prom_str_eq(name, prom_query_name(query))) {
        return query->parts[0].wanted;
    }

    memcpy(query->name, name.data, name.len);
    query->name_len = name.len;
    query->started = true;

    return prom_query_name_test(query);
}


/*
 * Ids may have become other series since they were found: what they are is
 * looked at again, by the bytes.
 */
static size_t
prom_gather_series(prom_query_t *query, const prom_shard_t *shard,
    const prom_found_t *found, size_t n, prom_series_t **series)
{
    size_t           i, kept;
    prom_str_t       key;
    prom_series_t   *one;
    prom_segment_t  *seg;

    seg = query->db.segment;
    kept = 0;

    for (i = 0; i < n; i++) {
        one = prom_series_by_id(seg, shard, found[i].id);

        if (one == NULL || !one->live) {
            continue;
        }

        key = prom_series_key(seg, one);

        if (prom_str_eq(prom_labels_get(key, prom_query_label),
                        prom_query_name(query)))
        {
            series[kept++] = one;
        }
    }

    return kept;
}


int
prom_gather_step(prom_query_t *query)
{
    int              rc;
    size_t           i, n, kept, done;
    prom_found_t    *found;
    prom_shard_t    *shard;
    prom_series_t   *series[PROM_QUERY_LOCKED];
    prom_gather_t   *gather;

    gather = &query->gather;
    found = (prom_found_t *) gather->found.data + gather->next;
    n = gather->found.n - gather->next;

    if (n == 0) {
        query->done = true;
        return PROM_OK;
    }

    for (i = 1; i < prom_min(n, PROM_QUERY_LOCKED); i++) {
        if (found[i].name != found[0].name
            || found[i].shard != found[0].shard)
        {
            break;
        }
    }

    n = i;
    rc = prom_gather_enter(query, found[0].name);

    if (rc != 1) {
        gather->next += n;
        return rc == 0 ? PROM_OK : rc;
    }

    query->exact = false;

    shard = prom_shard_lock(query->db.segment, found[0].shard);
    kept = prom_gather_series(query, shard, found, n, series);
    rc = prom_query_rows(query, series, kept, &done);

    /* where to go on: behind those that are done with */

    for (i = 0; i < n && done < kept; i++) {
        if (prom_series_by_id(query->db.segment, shard, found[i].id)
            == series[done])
        {
            n = i;
        }
    }

    prom_shard_unlock(query->db.segment, shard);

    gather->next += n;

    return rc;
}
