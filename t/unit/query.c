
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Selectors over many series against a search through all of them, and the
 * cursor while series come and go.
 */


#include "store.h"
#include "tap.h"
#include "tsdb/prom_query.h"


#define SERIES  3000
#define SLICES  8000                    /* more is taken for a hang */


static store_t     store;
static prom_str_t  keys[SERIES];
static bool        there[SERIES];
static uint32_t    seen[SERIES];
static uint64_t    seed = 7;


typedef struct {
    prom_arena_t     arena;
    prom_selector_t  selectors[64];
    size_t           n;
} selectors_t;


static void
parse(selectors_t *set, const char *const *text)
{
    char        error[512];
    prom_msg_t  msg;
    prom_str_t  str;

    prom_arena_init(&set->arena, 64 << 20);
    prom_msg_init(&msg, error, sizeof(error));

    for (set->n = 0; text[set->n] != NULL; set->n++) {
        str.data = (const uint8_t *) text[set->n];
        str.len = strlen(text[set->n]);

        if (prom_selector_parse(&set->selectors[set->n], str, &set->arena,
                                &msg) != PROM_OK)
        {
            printf("Bail out! %s: %s\n", text[set->n], error);
            exit(1);
        }
    }
}


static void
discard(selectors_t *set)
{
    while (set->n > 0) {
        prom_selector_destroy(&set->selectors[--set->n]);
    }

    prom_arena_free(&set->arena);
}


static bool
matches(const prom_selector_t *selector, prom_str_t key)
{
    size_t                 i;
    const prom_matcher_t  *matcher;

    for (i = 0; i < selector->n; i++) {
        matcher = selector->matchers + i;

        if (prom_matcher_test(matcher, prom_labels_get(key, matcher->name))
            != 1)
        {
            return false;
        }
    }

    return selector->n > 0;
}


typedef struct {
    prom_query_t  *query;
    uint32_t       room;                /* rows until there is no more */
    uint32_t       rows;
    bool           bad;
    uint8_t        last[64];
    size_t         last_len;
} taker_t;


static bool
take(void *ctx, const prom_row_t *row)
{
    char        id[32];
    taker_t    *taker;
    uint32_t    n;
    prom_str_t  name, value, last;

    taker = ctx;

    if (taker->room == 0) {
        return false;
    }

    taker->room--;
    taker->rows++;

    value = prom_labels_get(row->key, prom_str("id"));
    memcpy(id, value.data, value.len);
    id[value.len] = '\0';
    n = (uint32_t) atoi(id);

    if (n >= SERIES || !prom_str_eq(row->key, keys[n])
        || row->sample.value != n || row->sample.time != STORE_T0 + n)
    {
        taker->bad = true;
        return true;
    }

    seen[n]++;

    /* names ascend, families stay together */

    name = prom_labels_get(row->key, prom_str("__name__"));
    last = (prom_str_t) { taker->last, taker->last_len };

    if (prom_str_cmp(last, name) > 0
        || !prom_str_eq(name, prom_query_name(taker->query)))
    {
        taker->bad = true;
    }

    memcpy(taker->last, name.data, name.len);
    taker->last_len = name.len;

    return true;
}


static int
run(selectors_t *set, taker_t *taker, uint32_t room, void (*between)(void))
{
    int       rc;
    uint32_t  slices;

    memset(seen, 0, sizeof(seen));
    memset(taker, 0, sizeof(taker_t));

    taker->query = prom_query_open(&store.db, set->selectors, set->n,
                                   STORE_T0, STORE_T0 + SERIES);
    if (taker->query == NULL) {
        return PROM_NOMEM;
    }

    for (slices = 0; slices < SLICES; slices++) {
        taker->room = room;
        rc = prom_query_run(taker->query, take, taker);

        if (rc != PROM_AGAIN) {
            break;
        }

        if (between != NULL) {
            between();
        }
    }

    prom_query_close(taker->query);

    return slices == SLICES ? PROM_ERROR : rc;
}


static void
put(uint32_t n)
{
    if (store_put(&store.db, keys[n], STORE_T0 + n, n, STORE_T0 + SERIES,
                  NULL)
        != PROM_OK)
    {
        printf("Bail out! series %u\n", n);
        exit(1);
    }

    there[n] = true;
}


static void
drop(uint32_t n)
{
    uint64_t        hash;
    prom_shard_t   *shard;
    prom_series_t  *series;

    hash = prom_batch_hash(&store.db, keys[n]);
    shard = prom_shard_lock(store.db.segment,
                            prom_shard_of(store.db.segment, hash));
    series = prom_series_find(store.db.segment, shard, hash, keys[n]);
    prom_series_remove(store.db.segment, shard, series);
    prom_shard_unlock(store.db.segment, shard);
    there[n] = false;
}


static void
check(const char *const *text, uint32_t room)
{
    int          rc;
    bool         want;
    size_t       k;
    taker_t      taker;
    uint32_t     i, wrong;
    selectors_t  set;

    parse(&set, text);
    rc = run(&set, &taker, room, NULL);
    wrong = 0;

    for (i = 0; i < SERIES; i++) {
        want = false;

        for (k = 0; k < set.n; k++) {
            want |= matches(&set.selectors[k], keys[i]);
        }

        wrong += seen[i] != (want && there[i]);
    }

    tap_ok(rc == PROM_OK && wrong == 0 && !taker.bad, "%s%s: %u rows",
           text[0], text[1] ? " and more" : "", taker.rows);

    if (rc != PROM_OK || wrong != 0) {
        printf("# rc %d, %u wrong\n", rc, wrong);
    }

    discard(&set);
}


/* Odd series come and go, even ones stay. */

static void
come_and_go(void)
{
    uint32_t  i, n;

    for (i = 0; i < 20; i++) {
        n = (uint32_t) (store_random(&seed) % SERIES) | 1;

        if (there[n]) {
            drop(n);

        } else {
            put(n);
        }
    }
}


static void
cursor(void)
{
    int          rc;
    bool         ok;
    taker_t      taker;
    uint32_t     i, round;
    selectors_t  set;

    static const char *const  all[] = { "{__name__=~\"metric.*\"}", NULL };

    parse(&set, all);
    ok = true;

    for (round = 0; round < 5 && ok; round++) {
        rc = run(&set, &taker, 17, come_and_go);
        ok = rc == PROM_OK && !taker.bad;

        for (i = 0; i < SERIES; i += 2) {
            ok &= seen[i] == 1;
        }
    }

    tap_ok(ok, "series that stay are read once while others come and go");
    discard(&set);
    tap_ok(store_sound(&store.db), "the store is sound");

    for (i = 0; i < SERIES; i++) {
        if (!there[i]) {
            put(i);
        }
    }
}


/* More verdicts of patterns than are remembered at once. */

static void
many_patterns(void)
{
    int          rc;
    char         text[48][64];
    size_t       i, n;
    taker_t      taker;
    const char  *list[49];
    selectors_t  set;

    for (n = 1; n <= 48; n *= 2) {

        for (i = 0; i < n; i++) {
            snprintf(text[i], sizeof(text[i]),
                     "metric_3{id=~\".*[%zu-9].?x%zu\"}", i % 9, i);
            list[i] = text[i];
        }

        list[n] = NULL;
        parse(&set, list);
        rc = run(&set, &taker, UINT32_MAX, NULL);
        tap_ok(rc == PROM_OK && taker.rows == 0, "%zu patterns", n);
        discard(&set);
    }
}


/* A series that needs more verdicts than there is room for. */

static void
too_many_patterns(void)
{
    int               rc;
    size_t            i;
    taker_t           taker;
    selectors_t       set;
    prom_matcher_t   *matchers, *old;

    static const char *const  text[] = { "{id!~\".*[a-z].?y\",id=\"17\"}",
                                         NULL };

    parse(&set, text);
    matchers = malloc(5000 * sizeof(prom_matcher_t));

    old = set.selectors[0].matchers;
    matchers[0] = old[1];

    for (i = 1; i < 5000; i++) {
        matchers[i] = old[0];
    }

    set.selectors[0].matchers = matchers;
    set.selectors[0].n = 4000;
    rc = run(&set, &taker, UINT32_MAX, NULL);
    tap_ok(rc == PROM_OK && taker.rows == 1, "4000 patterns a series");

    set.selectors[0].n = 5000;
    rc = run(&set, &taker, UINT32_MAX, NULL);
    tap_ok(rc == PROM_LIMIT, "5000 are an error, not a hang");

    set.selectors[0].matchers = old;
    set.selectors[0].n = 2;
    discard(&set);
    free(matchers);
}


int
main(void)
{
    uint8_t   *buf;
    uint32_t   i;

    static const char *const  list[][3] = {
        { "metric_1", NULL },
        { "metric_1{job=\"job-8\"}", NULL },
        { "metric_1{job=\"job-8\",half=\"1\"}", NULL },
        { "{job=\"job-8\"}", NULL },
        { "{half=\"0\",id!=\"4\"}", NULL },
        { "{job=~\"job-(1|2|3)\"}", NULL },
        { "{job=~\"job-1.*\",half=\"1\"}", NULL },
        { "{id=~\".*7.?7\"}", NULL },
        { "{id!~\".*[1-8].*\"}", NULL },
        { "{__name__=~\"metric_(1|3)\",id=~\"1.*\"}", NULL },
        { "{__name__!=\"metric_2\"}", NULL },
        { "{__name__!~\"metric_[0-5]\"}", NULL },
        { "metric_1{none=\"\"}", NULL },
        { "metric_1{none!=\"\"}", NULL },
        { "metric_1{none=~\".*\",job!~\"job-2.*\"}", NULL },
        { "metric_1{job=\"none\"}", NULL },
        { "none", NULL },
        { "metric_9{job=\"job-1\"}", "metric_2{half=\"0\"}", NULL },
        { "metric_2{half=\"0\"}", "metric_2{job=~\"job-.*3\"}", NULL },
        { "metric_4", "{id=~\"2.*\",half=\"1\"}", NULL },
        { "metric_2{half=\"0\",half!=\"1\",id!=\"2\",id!=\"3\",id!=\"4\","
          "id!=\"9\",job!=\"job-1\",job!=\"job-2\",job!=\"\"}", NULL },
    };

    store_open(&store, 8 << 20);

    for (i = 0; i < SERIES; i++) {
        buf = malloc(256);
        keys[i] = store_nth_key(buf, i);
        put(i);
    }

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        check(list[i], i % 2 ? UINT32_MAX : 23);
    }

    cursor();

    for (i = 0; i < SERIES; i += 3) {
        drop(i);
    }

    for (i = 0; i < sizeof(list) / sizeof(list[0]); i += 2) {
        check(list[i], 64);
    }

    for (i = 0; i < SERIES; i += 3) {
        put(i);
    }

    many_patterns();
    too_many_patterns();

    for (i = 0; i < SERIES; i++) {
        free((void *) keys[i].data);
    }

    store_close(&store);

    return tap_done();
}
