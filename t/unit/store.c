
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The whole store: chunks, retention, eviction, what is left when memory is
 * short, and that prom_tsdb_verify() sees what is broken.
 */


#include "store.h"
#include "tap.h"
#include "tsdb/prom_index.h"


static uint8_t  key_buf[PROM_KEY_MAX];


static prom_series_t *
find(prom_segment_t *seg, uint32_t n)
{
    uint64_t        hash;
    prom_str_t      key;
    prom_shard_t   *shard;
    prom_series_t  *series;

    key = store_nth_key(key_buf, n);
    hash = prom_series_hash(seg, key);
    shard = prom_shard_lock(seg, prom_shard_of(seg, hash));
    series = prom_series_find(seg, shard, hash, key);
    prom_shard_unlock(seg, shard);

    return series;
}


static void
sweep(prom_tsdb_t *db, int64_t now)
{
    uint32_t  cursor;

    cursor = 0;

    do {
        prom_tsdb_sweep(db, now, &cursor, 100);
    } while (cursor != 0);
}


static prom_tsdb_stats_t
stats_of(prom_tsdb_t *db)
{
    prom_tsdb_stats_t  stats;

    prom_tsdb_stats(db, &stats);

    return stats;
}


/* What is left of an empty store: two tables of each shard keep a page. */

static bool
all_free(prom_tsdb_t *db)
{
    prom_tsdb_stats_t  stats;

    stats = stats_of(db);

    if (stats.pages_free + 2 * db->segment->shards >= stats.pages
        && stats.series == 0)
    {
        return true;
    }

    printf("# %u series, %u of %u pages free\n", (unsigned) stats.series,
           (unsigned) stats.pages_free, (unsigned) stats.pages);

    return false;
}


static uint64_t
value_at(uint32_t i)
{
    return UINT64_C(0x3ff0000000000000) + i * UINT64_C(0x123456789)
           * (i % 5 != 0);
}


static void
chunks(void)
{
    bool            ok;
    int64_t         time;
    store_t         store;
    uint32_t        i;
    uint64_t        value;
    prom_str_t      key;
    prom_series_t  *series;

    store_open(&store, 4 << 20);
    tap_ok(store_sound(&store.db), "an empty store");
    tap_ok(all_free(&store.db), "is empty");

    ok = true;

    for (i = 0; i < 1000 && ok; i++) {
        key = store_nth_key(key_buf, 1);
        ok = store_put(&store.db, key, STORE_T0 + i * 15000, value_at(i),
                       STORE_T0 + i * 15000, NULL) == PROM_OK;
    }

    tap_ok(ok && store_sound(&store.db), "a thousand samples");

    series = find(store.db.segment, 1);
    ok = series->oldest != 0 && series->oldest != series->youngest;
    tap_ok(ok, "in several chunks");

    for (i = 0; i < 1000 && ok; i++) {
        ok = prom_chunks_newest(store.db.segment, series,
                                STORE_T0 + i * 15000 + i % 15000, &time,
                                &value)
             && time == STORE_T0 + i * 15000 && value == value_at(i);
    }

    tap_ok(ok, "each is the newest of its time");
    tap_ok(!prom_chunks_newest(store.db.segment, series, STORE_T0 - 1, &time,
                               &value),
           "there is none before the first");

    /* retention drops whole chunks */

    sweep(&store.db, STORE_T0 + 500 * 15000 + store.db.retention);
    ok = prom_chunks_newest(store.db.segment, series, STORE_T0 + 300 * 15000,
                            &time, &value);
    tap_ok(!ok && store_sound(&store.db), "the oldest are dropped");
    ok = prom_chunks_newest(store.db.segment, series, STORE_T0 + 500 * 15000,
                            &time, &value);
    tap_ok(ok && value == value_at(500), "what is not yet past retention is "
           "there");

    sweep(&store.db, STORE_T0 + 999 * 15000 + store.db.retention);
    tap_is_int(stats_of(&store.db).series, 1, "a series at the edge stays");

    sweep(&store.db, STORE_T0 + 999 * 15000 + store.db.retention + 1);
    tap_ok(all_free(&store.db) && store_sound(&store.db), "all is gone");
    tap_is_int(stats_of(&store.db).chunks_evicted, 0, "nothing was evicted");

    store_close(&store);
}


/* Gaps that no delta can hold, times of either sign. */

static void
extremes(void)
{
    bool            ok;
    store_t         store;
    int64_t         time, now;
    uint32_t        i;
    uint64_t        value;
    prom_str_t      key;
    prom_series_t  *series;
    prom_verdict_e  verdict;

    static const int64_t  times[] = {
        INT64_MIN + 1, INT64_MIN + 2, INT64_MIN + 3000000000, -1, 0, 1,
        INT32_MAX, INT64_C(2) * INT32_MAX, INT64_C(3) * INT32_MAX + 1,
        INT64_C(1) << 40, (INT64_C(1) << 40) + 1, INT64_MAX - 600001,
        INT64_MAX - 1, INT64_MAX
    };

    store_open(&store, 4 << 20);
    key = store_nth_key(key_buf, 1);
    now = INT64_MAX - PROM_BATCH_AHEAD;

    ok = store_put(&store.db, key, INT64_MIN, 0, now, &verdict) == PROM_ERROR;
    tap_ok(ok && verdict == PROM_SAMPLE_OUT_OF_BOUNDS,
           "a time that means none");

    ok = true;

    for (i = 0; i < sizeof(times) / sizeof(times[0]) && ok; i++) {
        ok = store_put(&store.db, key, times[i], value_at(i), now, NULL)
             == PROM_OK;
    }

    series = find(store.db.segment, 1);

    for (i = 0; i < sizeof(times) / sizeof(times[0]) && ok; i++) {
        ok = prom_chunks_newest(store.db.segment, series, times[i], &time,
                                &value)
             && time == times[i] && value == value_at(i);
    }

    tap_ok(ok && store_sound(&store.db), "extreme times");
    store_close(&store);
}


static void
fill(size_t size)
{
    bool               ok;
    int                rc;
    store_t            store;
    uint32_t           i, k, n;
    int64_t            now;
    prom_str_t         key;
    prom_tsdb_stats_t  before, after;

    store_open(&store, size);
    now = STORE_T0;
    before = stats_of(&store.db);

    for (n = 0; /* void */ ; n++) {
        key = store_nth_key(key_buf, n);
        rc = store_put(&store.db, key, now, value_at(n), now, NULL);

        if (rc != PROM_OK) {
            break;
        }
    }

    after = stats_of(&store.db);
    tap_ok(rc == PROM_NOMEM && after.series == n
           && store_sound(&store.db),
           "%zu MiB hold %u series, then a new one is refused", size >> 20, n);
    tap_ok(before.pages_free == before.pages && after.pages_free == 0,
           "of all pages none is free");

    /* old series go on for ever */

    ok = true;

    for (i = 1; i < 700 && ok; i++) {
        now += 15000;

        for (k = i % 32; k < n && ok; k += 32) {
            key = store_nth_key(key_buf, k);
            ok = store_put(&store.db, key, now, value_at(i + k), now, NULL)
                 == PROM_OK;
        }
    }

    after = stats_of(&store.db);
    tap_ok(ok && after.series == n && store_sound(&store.db),
           "old series take samples for ever");
    tap_ok(after.chunks_evicted > 0 && after.samples_evicted > 0,
           "%u chunks were dropped and counted",
           (unsigned) after.chunks_evicted);

    for (k = 0; k < n && ok; k++) {
        ok = find(store.db.segment, k) != NULL
             && find(store.db.segment, k)->samples > 0;
    }

    tap_ok(ok, "each has its newest sample");

    /* past retention all of it is there again */

    sweep(&store.db, now + store.db.retention + 1);
    tap_ok(all_free(&store.db) && store_sound(&store.db),
           "past retention all memory is back");

    store_close(&store);
}


/* Generations of series: use does not grow. */

static void
churn(void)
{
    bool               ok;
    store_t            store;
    uint32_t           i, g, n;
    uint64_t           most, use;
    int64_t            now;
    prom_str_t         key;
    prom_tsdb_stats_t  stats;

    store_open(&store, 4 << 20);
    store.db.retention = 600000;
    now = STORE_T0;
    n = 1500;
    most = 0;
    ok = true;

    for (g = 0; g < 40 && ok; g++) {

        for (i = 0; i < n && ok; i++) {
            key = store_nth_key(key_buf, g * n + i);
            ok = store_put(&store.db, key, now + i, value_at(i), now, NULL)
                 == PROM_OK;
        }

        stats = stats_of(&store.db);
        use = stats.pages - stats.pages_free;

        if (g == 3) {
            most = use + use / 10;
        }

        if (g > 3 && use > most) {
            printf("# generation %u uses %u pages\n", g, (unsigned) use);
            ok = false;
        }

        ok &= g % 8 != 0 || store_sound(&store.db);

        now += 400000;
        sweep(&store.db, now);
    }

    tap_ok(ok, "forty generations of series");

    sweep(&store.db, now + store.db.retention * 2);
    tap_ok(all_free(&store.db) && store_sound(&store.db), "leave nothing");

    store_close(&store);
}


/*
 * Ballast: all free blocks of a shard are taken, so that each allocation needs
 * a page; the pool has as many as store_take_pages() leaves.
 */

#define BALLAST  100000

static prom_ref_t  ballast[BALLAST];
static size_t      ballast_n;


static void
ballast_load(prom_segment_t *seg, prom_shard_t *shard)
{
    uint32_t        class;
    prom_page_t    *page;
    prom_series_t  *series;

    store_take_pages(seg, 0);
    ballast_n = 0;

    for (class = 0; class < PROM_CLASSES; class++) {

        while (shard->lists[class] != 0) {
            page = prom_page(seg, shard->lists[class]);
            ballast[ballast_n++] =
                prom_alloc(seg, shard,
                           prom_block_size(seg, (uint32_t)
                               (page - prom_page(seg, 0)) * 1024));
            prom_txn_commit(shard);
        }
    }

    while (shard->series_list != 0) {
        series = prom_alloc_series(seg, shard);
        series->live = 0;
        ballast[ballast_n++] = prom_ref(seg, series);
        prom_txn_commit(shard);
    }

    store_give_back(seg);
}


static void
ballast_unload(prom_segment_t *seg, prom_shard_t *shard)
{
    store_give_back(seg);

    while (ballast_n > 0) {
        prom_free(seg, shard, ballast[--ballast_n]);
        prom_txn_commit(shard);
    }

    (void) prom_page_trim_all(seg, shard);
}


static prom_series_t *
create(prom_segment_t *seg, prom_shard_t *shard, uint32_t n)
{
    uint64_t    hash;
    prom_str_t  key;

    key = store_nth_key(key_buf, n);
    hash = prom_series_hash(seg, key);

    return prom_series_create(seg, shard, hash, key);
}


static bool
is_of(prom_segment_t *seg, uint32_t shard, uint32_t n)
{
    prom_str_t  key;

    key = store_nth_key(key_buf, n);

    return prom_shard_of(seg, prom_series_hash(seg, key)) == shard;
}


static bool
interesting(uint32_t n)
{
    return n < 6 || n % 149 == 0 || (n > 508 && n < 516)
           || (n > 1020 && n < 1030);
}


static void
shortage(void)
{
    bool             ok;
    store_t          store;
    uint32_t         i, n, pages, failed, count;
    prom_shard_t    *shard;
    prom_series_t   *series;
    prom_segment_t  *seg;

    store_open(&store, 16 << 20);
    seg = store.db.segment;
    ok = true;
    failed = 0;

    for (i = 0, n = 0; n < 1100 && ok; i++) {

        if (!is_of(seg, 0, i)) {
            continue;
        }

        for (pages = 0; /* void */ ; pages++) {
            shard = prom_shard_lock(seg, 0);
            count = shard->series.count;

            if (interesting(n)) {
                ballast_load(seg, shard);
                store_take_pages(seg, pages);
                series = create(seg, shard, i);
                ballast_unload(seg, shard);

            } else {
                series = create(seg, shard, i);
            }

            ok = shard->series.count == count + (series != NULL);
            prom_shard_unlock(seg, shard);

            if (series != NULL) {
                break;
            }

            failed++;
            ok &= store_sound(&store.db);

            if (!ok || pages == 40) {
                printf("# series %u with %u pages\n", n, pages);
                ok = false;
                break;
            }
        }

        if (interesting(n)) {
            ok &= store_sound(&store.db);
        }

        n++;
    }

    tap_ok(ok && failed > 50, "%u series fail for want of memory and leave "
           "nothing", failed);

    /* appends never fail */

    for (i = 0, n = 0; n < 30 && ok; i++) {

        if (!is_of(seg, 0, i)) {
            continue;
        }

        shard = prom_shard_lock(seg, 0);
        series = prom_series_find(seg, shard,
                                  prom_series_hash(seg,
                                                   store_nth_key(key_buf, i)),
                                  store_nth_key(key_buf, i));

        for (pages = 0; pages < 250 && ok; pages++) {

            if (pages % 7 == 0) {
                ballast_load(seg, shard);
                store_take_pages(seg, n % 3);
            }

            prom_chunks_append(seg, shard, series, STORE_T0 + pages * 1000,
                               value_at(pages * (n % 5)));
            ok = series->newest_time == STORE_T0 + pages * 1000
                 && series->samples > 0;

            if (pages % 7 == 0) {
                ballast_unload(seg, shard);
            }
        }

        prom_shard_unlock(seg, shard);
        ok &= n % 8 != 0 || store_sound(&store.db);
        n++;
    }

    tap_ok(ok && store_sound(&store.db), "appends without memory");
    tap_ok(stats_of(&store.db).samples_evicted > 0, "at a price that is told");

    /* removals never fail */

    for (i = 0, n = 0; n < 1100 && ok; i++) {

        if (!is_of(seg, 0, i)) {
            continue;
        }

        shard = prom_shard_lock(seg, 0);
        series = prom_series_find(seg, shard,
                                  prom_series_hash(seg,
                                                   store_nth_key(key_buf, i)),
                                  store_nth_key(key_buf, i));

        if (interesting(n)) {
            ballast_load(seg, shard);
            store_take_pages(seg, 0);
            prom_series_remove(seg, shard, series);
            ballast_unload(seg, shard);

        } else {
            prom_series_remove(seg, shard, series);
        }

        prom_shard_unlock(seg, shard);

        if (interesting(n)) {
            ok = store_sound(&store.db);
        }

        n++;
    }

    tap_ok(ok && store_sound(&store.db), "removals without memory");
    tap_ok(all_free(&store.db), "nothing is left");

    store_close(&store);
}


/* The judge is judged: single words that are changed must be noticed. */

static void
judge(void)
{
    size_t            i;
    store_t           store;
    int64_t           now;
    uint8_t           byte;
    uint32_t          k, n;
    prom_ref_t        ref;
    prom_str_t        key;
    prom_term_t      *name, *pair;
    prom_shard_t     *shard;
    prom_chunk_t     *chunk;
    prom_series_t    *series;
    prom_segment_t   *seg;

    store_open(&store, 4 << 20);
    seg = store.db.segment;

    for (i = 0; i < 300; i++) {
        now = STORE_T0 + (int64_t) i * 1000;

        for (k = 0; k < 40; k++) {
            key = store_nth_key(key_buf, k);
            (void) store_put(&store.db, key, now, value_at((uint32_t) i), now,
                             NULL);
        }
    }

    tap_ok(store_sound(&store.db), "sound at first");

    series = find(seg, 7);
    key = store_nth_key(key_buf, 7);
    n = prom_shard_of(seg, prom_series_hash(seg, key));
    shard = prom_shard(seg, n);
    chunk = prom_at(seg, series->oldest);
    name = prom_index_name(seg, shard, prom_str("id"));
    pair = prom_index_pair(seg, shard, prom_str("half"), prom_str("1"));
    ref = pair->postings.a;

    const struct {
        const char  *what;
        void        *at;
        uint8_t      flip;
    } words[] = {
        { "live", &series->live, 1 },
        { "plain", &series->plain, 1 },
        { "hash", &series->link.hash, 4 },
        { "key length", &series->key_len, 1 },
        { "key", prom_at(seg, series->key), 1 },
        { "last of the key",
          (uint8_t *) prom_at(seg, series->key) + series->key_len - 1, 1 },
        { "newest time", &series->newest_time, 1 },
        { "newest value", &series->newest_value, 1 },
        { "samples", &series->samples, 1 },
        { "bits", &series->bits, 1 },
        { "room", &series->room, 64 },
        { "open chunk", &series->chunk, 1 },
        { "a sample", (uint8_t *) prom_at(seg, series->chunk) + 12, 0x10 },
        { "oldest chunk", &series->oldest, 64 },
        { "youngest chunk", &series->youngest, 64 },
        { "younger", &chunk->younger, 64 },
        { "series of a chunk", &chunk->series, 4 },
        { "max_time", &chunk->max_time, 1 },
        { "samples of a chunk", &chunk->samples, 1 },
        { "bytes of a chunk", &chunk->bytes, 1 },
        { "count in a chunk", &chunk->data[1], 1 },
        { "fifo_prev", &chunk->fifo_prev, 1 },
        { "fifo_next", &chunk->fifo_next, 64 },
        { "youngest of all", &shard->fifo_youngest, 64 },
        { "used", &prom_page(seg, prom_page_of(series->key))->used, 1 },
        { "bump", &prom_page(seg, prom_page_of(series->key))->bump, 1 },
        { "listed", &prom_page(seg, prom_page_of(series->key))->listed, 1 },
        { "free", &prom_page(seg, prom_page_of(series->key))->free, 1 },
        { "kind", &prom_page(seg, prom_page_of(series->key))->kind, 1 },
        { "owner", prom_owner(seg, prom_page_of(series->key)), 3 },
        { "owner of a free page", prom_owner(seg, seg->pages - 1), 1 },
        { "position", &prom_page(seg, prom_page_of(prom_ref(seg, series)))
                        ->position, 1 },
        { "owned", &seg->owned[n], 1 },
        { "live series", &seg->live[n], 1 },
        { "items", &shard->series.count, 1 },
        { "pairs", &shard->pairs.count, 1 },
        { "created", &shard->series_created, 1 },
        { "left", &name->left, 4 },
        { "values", &name->values, 4 },
        { "number of pairs", &name->postings.n, 1 },
        { "hash of a name", &name->link.hash, 1 },
        { "hash of a pair", &pair->link.hash, 1 },
        { "text of a pair", pair->text, 1 },
        { "name of a pair", &pair->name, 4 },
        { "number of ids", &pair->postings.n, 1 },
        { "number of ranges", &pair->postings.b, 1 },
        { "directory", &pair->postings.a, 1 },
        { "count of a range", (uint16_t *) prom_at(seg, ref) + 1, 1 },
        { "an id", prom_at(seg, ((uint32_t *) prom_at(seg, ref))[1]), 1 },
        { "transit", &shard->transit, 0 },
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]) - 1; i++) {
        char        text[512];
        prom_msg_t  msg;

        byte = *(uint8_t *) words[i].at;
        *(uint8_t *) words[i].at = byte ^ words[i].flip;

        prom_msg_init(&msg, text, sizeof(text));
        tap_ok(prom_tsdb_verify(&store.db, &msg) == PROM_ERROR && msg.len > 0,
               "sees a wrong %s", words[i].what);

        *(uint8_t *) words[i].at = byte;
    }

    tap_ok(store_sound(&store.db), "sound at last");
    store_close(&store);
}


int
main(void)
{
    judge();
    chunks();
    extremes();
    fill(4 << 20);
    fill(16 << 20);
    churn();
    shortage();

    return tap_done();
}
