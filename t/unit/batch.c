
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Batches: the rules of prom_batch.h, all or nothing, what is left behind,
 * and processes that write and read at once.
 */


#include <sys/wait.h>
#include <unistd.h>

#include "store.h"
#include "tap.h"
#include "tsdb/prom_query.h"


#define NOW      STORE_T0
#define ENTRIES  16
#define HOUR     INT64_C(3600000)


static store_t         store;
static uint8_t         keys[ENTRIES][256];
static prom_batch_t    batch;
static prom_entry_t    entries[ENTRIES];
static prom_sample_t   samples[ENTRIES * 8];
static uint8_t         verdicts[ENTRIES * 8];


static void
begin(void)
{
    memset(&batch, 0, sizeof(batch));
    memset(entries, 0, sizeof(entries));
    memset(verdicts, 0xee, sizeof(verdicts));

    prom_batch_begin(&store.db, &batch);
    batch.entries = entries;
    batch.samples = samples;
    batch.verdicts = verdicts;
}


/* One more sample of series n; a new entry where it is not the last one's. */

static void
add(uint32_t n, int64_t time, uint64_t value, bool fresh)
{
    size_t         k;
    prom_entry_t  *entry;

    entry = batch.n > 0 ? entries + batch.n - 1 : NULL;
    k = entry != NULL ? entry->first + entry->samples : 0;

    if (fresh || entry == NULL) {
        entry = entries + batch.n;
        entry->key = store_nth_key(keys[batch.n], n);
        entry->hash = prom_batch_hash(&store.db, entry->key);
        entry->first = (uint32_t) k;
        batch.n++;
    }

    samples[k] = (prom_sample_t) { time, value };
    entry->samples++;
}


static int
commit(bool partial)
{
    int  rc;

    rc = prom_batch_resolve(&store.db, &batch, 0);

    return rc != PROM_OK ? rc
                         : prom_batch_commit(&store.db, &batch, NOW, partial);
}


static uint64_t
live(void)
{
    return prom_segment_live(store.db.segment);
}


static bool
newest_is(uint32_t n, int64_t time, uint64_t value)
{
    bool            ok;
    int64_t         t;
    uint8_t         buf[256];
    uint64_t        hash, v;
    prom_str_t      key;
    prom_shard_t   *shard;
    prom_series_t  *series;

    key = store_nth_key(buf, n);
    hash = prom_batch_hash(&store.db, key);
    shard = prom_shard_lock(store.db.segment,
                            prom_shard_of(store.db.segment, hash));
    series = prom_series_find(store.db.segment, shard, hash, key);
    ok = series != NULL
         && prom_chunks_newest(store.db.segment, series, INT64_MAX, &t, &v)
         && t == time && v == value;
    prom_shard_unlock(store.db.segment, shard);

    return ok;
}


static void
rules(void)
{
    size_t          i;
    prom_verdict_e  verdict;

    static const struct {
        const char      *what;
        uint32_t         series;
        int64_t          time;
        uint64_t         value;
        prom_verdict_e   verdict;
    } steps[] = {
        { "the first of a store", 1, NOW - 100 * HOUR, 1, PROM_SAMPLE_GOOD },
        { "any time later", 1, NOW, 2, PROM_SAMPLE_GOOD },
        { "the same", 1, NOW, 2, PROM_SAMPLE_SAME },
        { "another value", 1, NOW, 3, PROM_SAMPLE_DUPLICATE },
        { "earlier", 1, NOW - 1, 2, PROM_SAMPLE_OUT_OF_ORDER },
        { "an hour earlier", 1, NOW - HOUR, 2, PROM_SAMPLE_OUT_OF_ORDER },
        { "more", 1, NOW - HOUR - 1, 2, PROM_SAMPLE_OUT_OF_BOUNDS },
        { "a new series an hour ago", 2, NOW - HOUR, 1, PROM_SAMPLE_GOOD },
        { "more", 3, NOW - HOUR - 1, 1, PROM_SAMPLE_OUT_OF_BOUNDS },
        { "ten minutes ahead", 1, NOW + 600000, 4, PROM_SAMPLE_GOOD },
        { "the hour moves on", 2, NOW - 3000001, 1,
          PROM_SAMPLE_OUT_OF_BOUNDS },
        { "up to there", 2, NOW - 3000000, 1, PROM_SAMPLE_GOOD },
        { "more than ten ahead", 1, NOW + 600001, 4, PROM_SAMPLE_FUTURE },
        { "another NaN", 2, NOW, UINT64_C(0x7ff8000000000001),
          PROM_SAMPLE_GOOD },
        { "is another value", 2, NOW, UINT64_C(0x7ff8000000000002),
          PROM_SAMPLE_DUPLICATE },
        { "and the same one is not", 2, NOW, UINT64_C(0x7ff8000000000001),
          PROM_SAMPLE_SAME },
        { "minus zero", 4, NOW, UINT64_C(0x8000000000000000),
          PROM_SAMPLE_GOOD },
        { "is not zero", 4, NOW, 0, PROM_SAMPLE_DUPLICATE }
    };

    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        uint8_t  buf[256];

        (void) store_put(&store.db, store_nth_key(buf, steps[i].series),
                         steps[i].time, steps[i].value, NOW, &verdict);
        tap_is_int(verdict, steps[i].verdict, "%s", steps[i].what);
    }

    tap_is_int(live(), 3, "what was refused left no series");
}


static void
all_or_nothing(void)
{
    uint64_t  before;

    before = live();

    begin();
    add(100, NOW, 1, true);
    add(101, NOW, 1, true);
    add(1, NOW - 1, 1, true);
    add(102, NOW, 1, true);
    tap_is_int(commit(false), PROM_ERROR, "one bad sample of four");
    tap_is_int(batch.refused, 1, "is counted");
    tap_is_int(live(), before + 3, "series were made for it");
    prom_batch_undo(&store.db, &batch);
    tap_is_int(live(), before, "and removed");

    begin();
    add(100, NOW, 1, true);
    add(1, NOW - 1, 1, true);
    add(102, NOW + HOUR, 1, true);
    add(102, NOW, 7, true);
    tap_is_int(commit(true), PROM_OK, "the same in part");
    tap_is_int(batch.refused, 2, "two of four are bad");
    prom_batch_undo(&store.db, &batch);
    tap_is_int(live(), before + 2, "the good ones stay");
    tap_ok(newest_is(100, NOW, 1) && newest_is(102, NOW, 7), "as sent");
    tap_ok(store_sound(&store.db), "sound");
}


/* A series that comes several times in one batch. */

static void
repeated(void)
{
    begin();
    add(200, NOW, 1, true);
    add(200, NOW + 1, 2, false);
    add(201, NOW, 1, true);
    add(200, NOW + 2, 3, true);
    add(201, NOW, 1, true);
    add(200, NOW + 2, 3, true);
    add(200, NOW + 2, 4, true);
    add(200, NOW + 1, 2, true);
    add(200, NOW + 5, 5, true);
    tap_is_int(commit(true), PROM_OK, "one series in several entries");
    tap_ok(memcmp(verdicts, (uint8_t[]) { 0, 0, 0, 0, PROM_SAMPLE_SAME,
                                          PROM_SAMPLE_SAME,
                                          PROM_SAMPLE_DUPLICATE,
                                          PROM_SAMPLE_OUT_OF_ORDER, 0 }, 9)
           == 0, "each is judged after those before it");
    tap_ok(newest_is(200, NOW + 5, 5) && store_sound(&store.db), "the last "
           "good one is the newest");

    /* what an earlier batch left in the marks means nothing now */

    begin();
    add(201, NOW + 1, 1, true);
    add(200, NOW + 6, 6, true);
    add(201, NOW + 2, 1, true);
    tap_is_int(commit(false), PROM_OK, "another batch");

    begin();
    add(200, NOW + 7, 6, true);
    add(201, NOW + 3, 1, true);
    tap_is_int(commit(false), PROM_OK, "the other way round");
    tap_ok(newest_is(200, NOW + 7, 6) && newest_is(201, NOW + 3, 1),
           "both are written");
}


static void
removed(void)
{
    uint8_t         buf[256];
    uint32_t        ref;
    uint64_t        hash;
    prom_str_t      key;
    prom_shard_t   *shard;

    begin();
    add(300, NOW, 1, true);
    tap_is_int(commit(false), PROM_OK, "a series");

    begin();
    add(300, NOW + 1, 1, true);
    tap_is_int(prom_batch_resolve(&store.db, &batch, 0), PROM_OK,
               "is found");

    key = store_nth_key(buf, 300);
    hash = prom_batch_hash(&store.db, key);
    ref = prom_batch_find(&store.db, key, hash);
    shard = prom_shard_lock(store.db.segment,
                            prom_shard_of(store.db.segment, hash));
    prom_series_remove(store.db.segment, shard,
                       prom_at(store.db.segment, ref));
    prom_shard_unlock(store.db.segment, shard);

    tap_is_int(prom_batch_commit(&store.db, &batch, NOW, false), PROM_AGAIN,
               "but removed before the commit");
    tap_is_int(prom_batch_find(&store.db, key, hash), 0, "nothing came back");
}


static void
guess(void)
{
    uint32_t    first, second;
    prom_str_t  one, two;

    begin();
    add(400, NOW, 1, true);
    add(401, NOW, 1, true);
    tap_is_int(commit(false), PROM_OK, "two series");

    one = entries[0].key;
    two = entries[1].key;
    first = entries[0].series;
    second = prom_batch_guess(&store.db, first, two);
    tap_is_int(second, entries[1].series, "who came after is guessed");
    tap_is_int(prom_batch_guess(&store.db, first, one), 0,
               "not by another key");
    tap_is_int(prom_batch_guess(&store.db, 0, one), 0,
               "after none comes none");
}


static void
limit(void)
{
    uint8_t  buf[256];
    uint64_t before;

    before = live();
    store.db.max_series = before + 1;

    tap_is_int(store_put(&store.db, store_nth_key(buf, 500), NOW, 1, NOW,
                         NULL),
               PROM_OK, "up to the limit");
    tap_is_int(store_put(&store.db, store_nth_key(buf, 501), NOW, 1, NOW,
                         NULL),
               PROM_LIMIT, "and no further");
    tap_is_int(store_put(&store.db, store_nth_key(buf, 500), NOW + 1, 1, NOW,
                         NULL),
               PROM_OK, "old ones go on");

    store.db.max_series = 0;
}


/* Processes at once: some write, one sweeps, one reads. */

static bool
count_row(void *ctx, const prom_row_t *row)
{
    (*(uint64_t *) ctx)++;

    return row->sample.value == (uint64_t) row->sample.time;
}


static void
writer(store_t *shared, uint32_t n, int64_t end)
{
    int64_t   now;
    uint8_t   buf[256];
    uint64_t  seed;

    seed = n + 1;

    for (now = STORE_T0; now < end; now += 1000) {

        /* some series are everybody's: one wins, the others are too late */

        (void) store_put(&shared->db,
                         store_nth_key(buf, (uint32_t)
                                       (store_random(&seed) % 500)),
                         now, (uint64_t) now, now, NULL);
        (void) store_put(&shared->db,
                         store_nth_key(buf, 1000 * (n + 1)
                                            + (uint32_t) (now / 3000 % 900)),
                         now, (uint64_t) now, now, NULL);
    }
}


static int
reader(store_t *shared)
{
    int              rc;
    char             error[256];
    uint64_t         rows;
    prom_msg_t       msg;
    prom_arena_t     arena;
    prom_query_t    *query;
    prom_selector_t  selector;

    prom_arena_init(&arena, 1 << 20);
    prom_msg_init(&msg, error, sizeof(error));
    rows = 0;

    if (prom_selector_parse(&selector, prom_str("{__name__=~\"metric_.*\"}"),
                            &arena, &msg) != PROM_OK)
    {
        return 1;
    }

    query = prom_query_open(&shared->db, &selector, 1, INT64_MIN, INT64_MAX);

    do {
        rc = prom_query_run(query, count_row, &rows);
    } while (rc == PROM_AGAIN);

    prom_query_close(query);
    prom_selector_destroy(&selector);
    prom_arena_free(&arena);

    return rc != PROM_OK;
}


static void
at_once(void)
{
    int        status;
    bool       ok;
    pid_t      pids[5];
    size_t     i;
    int64_t    end;
    store_t    shared;
    uint32_t   cursor, turns;

    store_open(&shared, 4 << 20);
    shared.db.retention = 600000;
    end = STORE_T0 + 60000 * 1000;
    fflush(stdout);

    for (i = 0; i < 5; i++) {
        pids[i] = fork();

        if (pids[i] != 0) {
            continue;
        }

        alarm(120);

        if (i < 3) {
            writer(&shared, (uint32_t) i, end);
            _exit(0);
        }

        cursor = 0;

        for (turns = 0; turns < 200; turns++) {

            if (i == 4) {
                if (reader(&shared) != 0) {
                    _exit(1);
                }

                continue;
            }

            prom_tsdb_sweep(&shared.db,
                            atomic_load(&shared.db.segment->newest_time),
                            &cursor, 50);
            usleep(500);
        }

        _exit(0);
    }

    ok = true;

    for (i = 0; i < 5; i++) {
        ok &= waitpid(pids[i], &status, 0) == pids[i] && status == 0;
    }

    tap_ok(ok, "writers, a sweeper and a reader end well");
    tap_ok(store_sound(&shared.db), "and leave a sound store");
    store_close(&shared);
}


int
main(void)
{
    store_open(&store, 4 << 20);

    rules();
    all_or_nothing();
    repeated();
    removed();
    guess();
    limit();
    tap_ok(store_sound(&store.db), "the store is sound");
    store_close(&store);

    at_once();

    return tap_done();
}
