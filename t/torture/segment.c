
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Writers that are killed: a child writes into a shared segment in which
 * everything happens often, until SIGKILL comes between two instructions; the
 * next child may be killed while it repairs.  After each round every invariant
 * is checked, every sample that was acknowledged must be there, and nothing
 * may be there that was not sent.
 *
 *     TORTURE_ROUNDS    how many (default 450)
 *     TORTURE_SEED      of the random numbers (default: the clock)
 */


#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "store.h"
#include "tap.h"
#include "tsdb/prom_xor.h"


#define ROUNDS      450
#define WRITERS     2
#define SERIES      6000                /* of each writer */
#define STEADY      12                  /* of these live as long as the test */
#define RING        512                 /* samples remembered of a series */
#define ENTRIES     8
#define BURST       6
#define TICK        1000                /* ms from one batch to the next */


typedef enum {
    NEVER = 0,
    SENT,                               /* may be there */
    ACKNOWLEDGED,                       /* must be there */
    REFUSED                             /* must not be there */
} state_e;


typedef struct {
    int64_t           time;
    volatile uint8_t  state;
} sent_t;

typedef struct {
    volatile uint32_t  n;
    sent_t             ring[RING];
} record_t;


/* A store and what was told about it, in shared memory. */

typedef struct {
    const char        *name;
    uint32_t           pages;           /* of the pool, 0: all of 4 MiB */
    uint32_t           rotating;        /* series of a time, 0: waves of
                                           series that live but once */
    int64_t            retention;

    store_t            store;
    record_t          *records;         /* [WRITERS][SERIES] */
    _Atomic int64_t   *clock;
    _Atomic int64_t   *limit;           /* all before may be dropped */
    uint64_t           told;            /* samples evicted until last time */
} theater_t;


static theater_t  theaters[] = {
    { .name = "memory enough", .rotating = 40, .retention = 200 * TICK },
    { .name = "memory short", .pages = 56, .rotating = 60,
      .retention = 300 * TICK },
    { .name = "many series", .retention = 500 * TICK }
};

#define THEATERS  (sizeof(theaters) / sizeof(theaters[0]))

static uint64_t    seed;
static bool        traced = true;
static prom_str_t  keys[WRITERS][SERIES];


static uint32_t
below(uint32_t n)
{
    return (uint32_t) (store_random(&seed) >> 33) % n;
}


static uint64_t
value_of(uint32_t series, int64_t time)
{
    uint64_t  v;

    v = (uint64_t) time * UINT64_C(0x9e3779b97f4a7c15) + series;
    v ^= v >> 29;

    /* some are all noise, of others few bits change */

    return series % 3 ? v * UINT64_C(0xbf58476d1ce4e5b9)
                      : UINT64_C(0x4059000000000000) + (v & 0xff);
}


static prom_str_t
make_key(uint32_t writer, uint32_t series)
{
    size_t      i;
    uint8_t    *buf;
    char        id[32], group[32], pad[256];
    const char  *text[] = { "__name__", "torture", "group", group, "id", id,
                            "pad", pad, NULL };

    snprintf(id, sizeof(id), "%u-%u", writer, series);
    snprintf(group, sizeof(group), "%u", series / 5);

    for (i = 0; i < series * 7 % 200; i++) {
        pad[i] = (char) ('a' + series % 3);
    }

    pad[i] = '\0';

    buf = malloc(512);
    if (buf == NULL) {
        printf("Bail out! no memory\n");
        exit(1);
    }

    return store_key(buf, text);
}


static void
theater_open(theater_t *theater)
{
    void            *mem;
    size_t           size;
    uint32_t         n;
    prom_segment_t  *seg;

    store_open(&theater->store, 4 << 20);
    theater->store.db.retention = theater->retention;
    seg = theater->store.db.segment;

    if (theater->pages != 0) {

        /* as if the head of the segment were larger */

        for (n = seg->first_page; n < seg->pages - theater->pages; n++) {
            atomic_store(prom_owner(seg, n), 0xff);
        }

        seg->first_page = n;
    }

    size = WRITERS * SERIES * sizeof(record_t) + 4096;
    mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (mem == MAP_FAILED) {
        printf("Bail out! no memory\n");
        exit(1);
    }

    theater->clock = mem;
    theater->limit = theater->clock + 8;
    theater->records = (record_t *) ((uint8_t *) mem + 4096);

    atomic_store(theater->clock, STORE_T0);
    atomic_store(theater->limit, INT64_MIN);
}


/* The writer. */

typedef struct {
    theater_t      *theater;
    uint32_t        writer;
    prom_batch_t    batch;
    uint32_t        series[ENTRIES];
    prom_entry_t    entries[ENTRIES];
    prom_sample_t   samples[ENTRIES * BURST];
    sent_t         *sent[ENTRIES * BURST];
    uint8_t         verdicts[ENTRIES * BURST];
} writer_t;


static sent_t *
announce(writer_t *writer, uint32_t series, int64_t time)
{
    sent_t    *sent;
    record_t  *record;

    record = writer->theater->records + writer->writer * SERIES + series;
    sent = record->ring + record->n % RING;

    sent->state = NEVER;
    atomic_signal_fence(memory_order_seq_cst);
    sent->time = time;
    atomic_signal_fence(memory_order_seq_cst);
    record->n++;
    atomic_signal_fence(memory_order_seq_cst);
    sent->state = SENT;

    return sent;
}


/* Steady ones, and of the others those whose time is now. */

static uint32_t
choose(writer_t *writer, int64_t now)
{
    uint32_t  at;

    if (below(2)) {
        return below(STEADY);
    }

    at = (uint32_t) ((now - STORE_T0) / TICK);

    if (writer->theater->rotating != 0) {
        at = at / 4 + below(writer->theater->rotating);

    } else if (at / 400 % 2) {
        return below(STEADY);

    } else {
        at = at * 6 + below(6);
    }

    return STEADY + at % (SERIES - STEADY);
}


static bool
prepare(writer_t *writer, int64_t now)
{
    bool      bad;
    size_t    i, k, n, m;
    uint32_t  series;

    writer->batch.n = 1 + below(ENTRIES);
    bad = below(8) == 0;
    n = 0;

    for (i = 0; i < writer->batch.n; i++) {
        series = choose(writer, now);

        for (k = 0; k < i && writer->series[k] != series; k++) {
            /* void */
        }

        if (k < i) {
            writer->batch.n = i;
            break;
        }

        writer->series[i] = series;
        memset(writer->entries + i, 0, sizeof(prom_entry_t));
        writer->entries[i].key = keys[writer->writer][series];
        writer->entries[i].hash = prom_batch_hash(&writer->theater->store.db,
                                                  writer->entries[i].key);
        writer->entries[i].first = (uint32_t) n;
        m = 1 + below(BURST);

        for (k = 0; k < m; k++, n++) {
            writer->samples[n].time = now + (int64_t) k * 100;
            writer->samples[n].value = value_of(series,
                                                writer->samples[n].time);
            writer->sent[n] = announce(writer, series,
                                       writer->samples[n].time);
        }

        writer->entries[i].samples = (uint32_t) m;
    }

    if (bad) {
        writer->samples[n - 1].time = now + PROM_BATCH_AHEAD * 10;
    }

    return bad;
}


static void
write_batch(writer_t *writer)
{
    int             rc;
    bool            bad, partial;
    size_t          i, n;
    int64_t         now;
    uint32_t        prev;
    prom_tsdb_t    *db;
    prom_entry_t   *entry;

    db = &writer->theater->store.db;

    now = atomic_fetch_add(writer->theater->clock, TICK) + TICK;

    bad = prepare(writer, now);
    partial = below(2);
    n = writer->batch.n;

    writer->batch.entries = writer->entries;
    writer->batch.samples = writer->samples;
    writer->batch.verdicts = writer->verdicts;

    do {
        prom_batch_begin(db, &writer->batch);
        prev = 0;

        for (i = 0; i < n; i++) {
            entry = writer->entries + i;
            entry->series = prom_batch_guess(db, prev, entry->key);
            if (entry->series == 0) {
                entry->series = prom_batch_find(db, entry->key, entry->hash);
            }

            prev = entry->series;
        }

        writer->batch.n = n;
        rc = prom_batch_resolve(db, &writer->batch, 0);

        if (rc == PROM_OK) {
            rc = prom_batch_commit(db, &writer->batch, now, partial);
        }

    } while (rc == PROM_AGAIN);

    n = writer->entries[n - 1].first + writer->entries[n - 1].samples;

    for (i = 0; i < n; i++) {
        writer->sent[i]->state = rc == PROM_OK
                                 && writer->verdicts[i] <= PROM_SAMPLE_SAME
                                 ? ACKNOWLEDGED : REFUSED;
    }

    if (rc != PROM_OK || bad) {
        prom_batch_undo(db, &writer->batch);
    }
}


static void
write_sweep(writer_t *writer)
{
    int64_t     now, limit;
    uint32_t    cursor;
    theater_t  *theater;

    theater = writer->theater;
    now = atomic_load(theater->clock);
    limit = atomic_load(theater->limit);

    while (limit < now - theater->store.db.retention
           && !atomic_compare_exchange_weak(theater->limit, &limit,
                                            now - theater->store.db.retention))
    {
        /* void */
    }

    cursor = below(theater->store.db.segment->shards) << 24;
    prom_tsdb_sweep(&theater->store.db, now, &cursor, 10000);
}


static void
write_some(writer_t *writer, uint32_t n)
{
    while (n-- > 0) {
        write_batch(writer);

        if (below(16) == 0) {
            write_sweep(writer);
        }
    }
}


/* Takes the locks, so it repairs what is to be repaired. */

static void
repair(theater_t *theater)
{
    uint32_t         n;
    prom_segment_t  *seg;

    seg = theater->store.db.segment;

    for (n = 0; n < seg->shards; n++) {
        prom_shard_unlock(seg, prom_shard_lock(seg, n));
    }
}


static void
child(theater_t *theater, uint32_t n, bool repairs, bool stepped)
{
    static writer_t  writer;

    memset(&writer, 0, sizeof(writer));
    writer.theater = theater;
    writer.writer = n;

    if (!repairs) {
        write_some(&writer, below(24));
    }

    if (stepped) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
            _exit(3);
        }

        raise(SIGSTOP);
    }

    if (repairs) {
        repair(theater);

        if (stepped) {
            _exit(0);
        }

    } else if (stepped && below(2)) {
        write_sweep(&writer);
    }

    write_some(&writer, UINT32_MAX);
    _exit(0);
}


static pid_t
start(theater_t *theater, uint32_t n, bool repairs, bool stepped)
{
    pid_t  pid;

    (void) store_random(&seed);
    fflush(stdout);
    pid = fork();

    if (pid == 0) {
        seed ^= (uint64_t) (n + 1) << 32;
        child(theater, n, repairs, stepped);
    }

    if (pid < 0) {
        printf("Bail out! fork: %s\n", strerror(errno));
        exit(1);
    }

    return pid;
}


static bool
end(pid_t pid)
{
    int  status;

    (void) kill(pid, SIGKILL);

    return waitpid(pid, &status, 0) == pid
           && ((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
               || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
}


/* Whether the undo log of some shard has so many words. */

static bool
is_within(const theater_t *theater, uint64_t words)
{
    uint32_t               n;
    const prom_segment_t  *seg;

    seg = theater->store.db.segment;

    for (n = 0; n < seg->shards; n++) {
        if (prom_shard(seg, n)->log_len >= words) {
            return true;
        }
    }

    return false;
}


/*
 * Dies after so many instructions, half of the time when it is then within a
 * transaction; false when it dies of something else.
 */
static bool
step(theater_t *theater, pid_t pid, uint32_t steps)
{
    int       status;
    uint32_t  more, words;

    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {

        if (WIFEXITED(status) && WEXITSTATUS(status) == 3) {
            traced = false;
            return true;
        }

        return false;
    }

    words = 1 + below(50);
    more = below(2) ? 1500 : 0;

    while (steps > 0 || (more > 0 && !is_within(theater, words))) {

        steps -= steps > 0;
        more -= steps == 0 && more > 0;

        if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != 0
            || waitpid(pid, &status, 0) != pid)
        {
            return false;
        }

        if (WIFEXITED(status)) {
            return WEXITSTATUS(status) == 0;
        }

        if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) {
            printf("# stopped by signal %d\n", WSTOPSIG(status));
            (void) end(pid);
            return false;
        }
    }

    return end(pid);
}


static void
doze(uint32_t us)
{
    struct timespec  ts;

    ts.tv_sec = us / 1000000;
    ts.tv_nsec = us % 1000000 * 1000 + below(1000);
    (void) clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}


/* What a series holds, oldest first. */

static uint32_t
decode(prom_segment_t *seg, prom_series_t *series, prom_sample_t *samples,
    uint32_t max)
{
    uint32_t            n;
    prom_ref_t          ref;
    prom_chunk_t       *chunk;
    prom_xor_reader_t   reader;

    n = 0;

    for (ref = series->oldest; ref != 0; ref = chunk->younger) {
        chunk = prom_at(seg, ref);
        prom_xor_read(&reader, chunk->data, chunk->bytes, chunk->samples);

        while (n < max && prom_xor_next(&reader)) {
            samples[n++] = (prom_sample_t) { reader.time, reader.value };
        }
    }

    prom_xor_read(&reader, prom_at(seg, series->chunk),
                  (series->bits + 7u) / 8, series->samples);

    while (n < max && prom_xor_next(&reader)) {
        samples[n++] = (prom_sample_t) { reader.time, reader.value };
    }

    return n;
}


/* Missing are counted, what is there against the record is false. */

static bool
compare(record_t *record, uint32_t series, const prom_sample_t *samples,
    uint32_t n, int64_t limit, uint64_t *missing)
{
    bool       begun;
    sent_t    *sent;
    uint32_t   i, k;

    i = record->n > RING ? record->n - RING : 0;
    k = 0;

    /* the writer died between two steps of announce() */

    if (i < record->n && record->ring[i % RING].state == NEVER) {
        i++;
    }

    /* what the ring has forgotten */

    while (k < n && i < record->n
           && samples[k].time < record->ring[i % RING].time)
    {
        k++;
    }

    begun = k > 0;

    for ( /* void */ ; i < record->n; i++) {
        sent = record->ring + i % RING;

        if (k < n && samples[k].time == sent->time) {

            if (sent->state == NEVER
                || sent->state == REFUSED
                || samples[k].value != value_of(series, sent->time))
            {
                printf("# series %u at %lld: state %u, value %llx\n", series,
                       (long long) sent->time, sent->state,
                       (unsigned long long) samples[k].value);
                return false;
            }

            sent->state = ACKNOWLEDGED;
            begun = true;
            k++;
            continue;
        }

        if (sent->state == SENT) {
            sent->state = REFUSED;
        }

        if (sent->state != ACKNOWLEDGED) {
            continue;
        }

        if (begun && k < n) {
            printf("# series %u at %lld: a hole\n", series,
                   (long long) sent->time);
            return false;
        }

        sent->state = REFUSED;
        *missing += sent->time >= limit;
    }

    if (k < n) {
        printf("# series %u: %u samples that nobody sent\n", series, n - k);
        return false;
    }

    return true;
}


static bool
audit(theater_t *theater)
{
    bool             ok;
    uint32_t         w, i, n;
    uint64_t         missing, hash, evicted;
    record_t        *record;
    prom_str_t       key;
    prom_shard_t    *shard;
    prom_series_t   *series;
    prom_segment_t  *seg;

    static prom_sample_t  samples[65536];

    seg = theater->store.db.segment;
    missing = 0;
    ok = true;

    for (w = 0; w < WRITERS; w++) {
        for (i = 0; i < SERIES && ok; i++) {
            record = theater->records + w * SERIES + i;

            if (record->n == 0) {
                continue;
            }

            key = keys[w][i];
            hash = prom_series_hash(seg, key);
            shard = prom_shard_lock(seg, prom_shard_of(seg, hash));
            series = prom_series_find(seg, shard, hash, key);
            n = series ? decode(seg, series, samples, 65536) : 0;
            prom_shard_unlock(seg, shard);

            ok = compare(record, i, samples, n, atomic_load(theater->limit),
                         &missing);

            /* forgotten: the next time it is another series */

            if (n == 0) {
                record->n = 0;
            }
        }
    }

    evicted = 0;

    for (i = 0; i < seg->shards; i++) {
        evicted += prom_shard(seg, i)->samples_evicted;
    }

    if (missing > evicted - theater->told) {
        printf("# %llu samples are missing, %llu evicted\n",
               (unsigned long long) missing,
               (unsigned long long) (evicted - theater->told));
        ok = false;
    }

    theater->told = evicted;

    return ok;
}


/* One writer, killed between two instructions, then who repairs. */

static bool
round_stepped(theater_t *theater)
{
    bool      ok;
    uint32_t  again;

    ok = step(theater, start(theater, 0, false, true), below(1500));

    for (again = below(3); ok && again > 0; again--) {
        ok = step(theater, start(theater, 0, true, true), below(1500));
    }

    return ok;
}


/* Two writers, killed at any time one after the other. */

static bool
round_timed(theater_t *theater)
{
    bool   ok;
    pid_t  one, two;

    one = start(theater, 0, below(2), false);
    two = start(theater, 1, false, false);

    doze(200 + below(4000));
    ok = end(one);
    doze(below(1000));
    one = start(theater, 0, true, false);
    doze(below(1500));
    ok &= end(two);
    doze(below(500));

    return end(one) && ok;
}


int
main(void)
{
    bool               ok;
    uint32_t           i, rounds;
    theater_t         *theater;
    const char        *env;
    struct timespec    ts;
    prom_tsdb_stats_t  stats;

    env = getenv("TORTURE_ROUNDS");
    rounds = env ? (uint32_t) atoi(env) : ROUNDS;

    (void) clock_gettime(CLOCK_REALTIME, &ts);
    env = getenv("TORTURE_SEED");
    seed = env ? strtoull(env, NULL, 0)
               : (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
    printf("# TORTURE_SEED=%llu\n", (unsigned long long) seed);
    seed |= 1;

    for (i = 0; i < WRITERS * SERIES; i++) {
        keys[i / SERIES][i % SERIES] = make_key(i / SERIES, i % SERIES);
    }

    for (i = 0; i < THEATERS; i++) {
        theater_open(theaters + i);
    }

    ok = true;

    for (i = 0; i < rounds && ok; i++) {
        theater = theaters + i % THEATERS;
        alarm(60);

        ok = traced && below(4) == 0 ? round_stepped(theater)
                                     : round_timed(theater);

        if (!ok) {
            printf("# round %u: a writer died of itself\n", i);
        }

        if (!store_sound(&theater->store.db) || !audit(theater)) {
            printf("# round %u, %s\n", i, theater->name);
            ok = false;
        }
    }

    tap_ok(ok, "%u rounds of writers that were killed%s", i,
           traced ? "" : ", none between chosen instructions");

    for (i = 0; i < THEATERS; i++) {
        theater = theaters + i;
        prom_tsdb_stats(&theater->store.db, &stats);

        printf("# %s: %u repairs, %u samples, %u series made, %u removed, "
               "%u chunks evicted\n", theater->name, (unsigned) stats.repairs,
               (unsigned) stats.samples, (unsigned) stats.series_created,
               (unsigned) stats.series_removed,
               (unsigned) stats.chunks_evicted);

        tap_ok(stats.repairs > 0 || rounds < 100, "%s: locks were taken from "
               "the dead", theater->name);
    }

    return tap_done();
}
