
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Many writers on one store: threads instead of processes, each with series of
 * its own, all with the same total of samples.
 *
 *     locks [--series N] [--rounds N] [--batch N] [--v2] [--threads N ...]
 *
 * Prints for each number of threads: CPU ns a sample; lock waits a request;
 * of the time of the run the share in which any thread waited for a lock; and
 * of the CPU time the share in which the lock that is held most was held: its
 * reciprocal is how many cores can write at once.
 *
 * Bodies are made and compressed beforehand.  The clock is put around the
 * locks by functions of the same names as libc's, which come first.
 */


#define _GNU_SOURCE                     /* RTLD_NEXT */

#include <dlfcn.h>
#include <getopt.h>
#include <sys/mman.h>
#include <time.h>

#include "bodies.h"
#include "path/prom_write.h"
#include "tsdb/prom_segment.h"


#define LOCKS_SIZE  (UINT64_C(2) << 30)


typedef struct {
    char    *data;
    size_t   len;
} packed_t;

typedef struct {
    size_t    first;                    /* bodies: from here every step-th */
    size_t    step;
    double    ns;                       /* CPU */
    uint64_t  held[PROM_SHARDS_MAX];    /* ns */
} writer_t;

typedef int (*mutex_pt)(pthread_mutex_t *mutex);


static int               opt_v2;
static size_t            opt_series = 128000, opt_rounds = 20;
static size_t            opt_batch = 2000;
static packed_t         *packed;        /* round * bodies + body */
static size_t            bodies_n;
static int64_t           start_time = 1795284060000;

static prom_tsdb_t        db;
static mutex_pt           libc_lock, libc_trylock, libc_unlock;
static pthread_barrier_t  barrier;

static _Thread_local writer_t  *writer;
static _Thread_local uint64_t   since[PROM_SHARDS_MAX];

static atomic_flag  waiters_busy = ATOMIC_FLAG_INIT;
static unsigned     waiters;
static uint64_t     waiters_since, waited;

static const prom_write_conf_t  conf = {
    { 128, 1024, 4096 }, 32 << 20, 256 << 20
};


static uint64_t
clock_ns(clockid_t id)
{
    struct timespec  ts;

    clock_gettime(id, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


static void *
libc_function(const char *name)
{
    void  *p;

    p = dlsym(RTLD_NEXT, name);

    if (p == NULL) {
        fprintf(stderr, "%s is not found\n", name);
        exit(1);
    }

    return p;
}


static void __attribute__((constructor))
libc_functions(void)
{
    libc_lock = (mutex_pt) libc_function("pthread_mutex_lock");
    libc_trylock = (mutex_pt) libc_function("pthread_mutex_trylock");
    libc_unlock = (mutex_pt) libc_function("pthread_mutex_unlock");
}


static size_t
shard_number(const pthread_mutex_t *mutex)
{
    uint64_t  at;

    at = (uint64_t) ((const uint8_t *) mutex - (const uint8_t *) db.segment);

    return (at - db.segment->shard_offset) / db.segment->shard_size;
}


/* The time in which there are waiters is that from the first to the last. */

static void
wait_change(int change)
{
    while (atomic_flag_test_and_set(&waiters_busy)) { /* void */ }

    if (waiters == 0) {
        waiters_since = clock_ns(CLOCK_MONOTONIC);
    }

    waiters += (unsigned) change;

    if (waiters == 0) {
        waited += clock_ns(CLOCK_MONOTONIC) - waiters_since;
    }

    atomic_flag_clear(&waiters_busy);
}


int
pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    int  rc;

    rc = libc_trylock(mutex);

    if (rc == 0 && writer != NULL) {
        since[shard_number(mutex)] = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    }

    return rc;
}


/* The store asks for this one when the other did not get the lock. */

int
pthread_mutex_lock(pthread_mutex_t *mutex)
{
    int  rc;

    if (writer == NULL) {
        return libc_lock(mutex);
    }

    wait_change(1);
    rc = libc_lock(mutex);
    wait_change(-1);

    since[shard_number(mutex)] = clock_ns(CLOCK_THREAD_CPUTIME_ID);

    return rc;
}


int
pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    size_t  n;

    if (writer != NULL) {
        n = shard_number(mutex);
        writer->held[n] += clock_ns(CLOCK_THREAD_CPUTIME_ID) - since[n];
    }

    return libc_unlock(mutex);
}


static void
store(const packed_t *body, int64_t now)
{
    prom_write_t               *write;
    const prom_write_result_t  *result;

    write = prom_write_open(&db, &conf, opt_v2 ? PROM_WRITE_V2
                                               : PROM_WRITE_V1);
    prom_write_start(write, (prom_str_t) { (uint8_t *) body->data,
                                           body->len }, now);

    while (prom_write_run(write) == PROM_AGAIN) { /* void */ }

    result = prom_write_result(write);

    if (result->status != 204 || result->samples != opt_batch) {
        fprintf(stderr, "status %u: %.*s", result->status,
                (int) result->text.len, result->text.data);
        exit(1);
    }

    prom_write_close(write);
}


static void
store_round(const writer_t *w, size_t round)
{
    size_t  i;

    for (i = w->first; i < bodies_n; i += w->step) {
        store(packed + round * bodies_n + i,
              start_time + (int64_t) round * 15000);
    }
}


/* Two rounds first: series are made, and known to this thread. */

static void *
write_all(void *data)
{
    size_t     round;
    writer_t  *w;

    w = data;

    store_round(w, 0);
    store_round(w, 1);
    pthread_barrier_wait(&barrier);

    writer = w;
    w->ns = (double) clock_ns(CLOCK_THREAD_CPUTIME_ID);

    for (round = 2; round < opt_rounds; round++) {
        store_round(w, round);
    }

    w->ns = (double) clock_ns(CLOCK_THREAD_CPUTIME_ID) - w->ns;
    writer = NULL;

    return NULL;
}


static void
report(const writer_t *writers, size_t n, double wall, uint64_t waits)
{
    double    ns, held, most;
    size_t    i, k, requests;

    ns = 0;
    most = 0;
    requests = bodies_n * (opt_rounds - 2);

    for (i = 0; i < n; i++) {
        ns += writers[i].ns;
    }

    for (k = 0; k < db.segment->shards; k++) {
        held = 0;

        for (i = 0; i < n; i++) {
            held += (double) writers[i].held[k];
        }

        most = prom_max(most, held);
    }

    printf("threads %zu cpu_ns %.1f waits %.4f waited %.4f held %.4f\n", n,
           ns / (double) (requests * opt_batch),
           (double) waits / (double) requests, (double) waited / wall,
           most / ns);
    fflush(stdout);
}


static void
run(size_t n)
{
    void               *mem;
    size_t              i;
    uint64_t            began;
    writer_t           *writers;
    pthread_t          *threads;
    prom_tsdb_stats_t   before, after;

    mem = mmap(NULL, LOCKS_SIZE, PROT_READ|PROT_WRITE,
               MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    writers = calloc(n, sizeof(writer_t));
    threads = calloc(n, sizeof(pthread_t));

    if (mem == MAP_FAILED || writers == NULL || threads == NULL
        || prom_tsdb_format(mem, LOCKS_SIZE, (const uint8_t *)
                            "a key of thirty-two bytes, fixed") != PROM_OK)
    {
        fprintf(stderr, "no memory\n");
        exit(1);
    }

    prom_tsdb_attach(&db, mem);
    db.retention = 7200000;
    waited = 0;

    pthread_barrier_init(&barrier, NULL, (unsigned) n + 1);

    for (i = 0; i < n; i++) {
        writers[i].first = i;
        writers[i].step = n;
        pthread_create(threads + i, NULL, write_all, writers + i);
    }

    prom_tsdb_stats(&db, &before);
    pthread_barrier_wait(&barrier);
    prom_tsdb_stats(&db, &before);
    began = clock_ns(CLOCK_MONOTONIC);

    for (i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
    }

    prom_tsdb_stats(&db, &after);
    report(writers, n, (double) (clock_ns(CLOCK_MONOTONIC) - began),
           after.lock_waits - before.lock_waits);

    pthread_barrier_destroy(&barrier);
    free(threads);
    free(writers);
    munmap(mem, LOCKS_SIZE);
}


static void
make_bodies(void)
{
    size_t     i, round;
    body_t     body;
    packed_t  *p;

    bodies_n = opt_series / opt_batch;
    packed = calloc(bodies_n * opt_rounds, sizeof(packed_t));
    memset(&body, 0, sizeof(body_t));

    for (i = 0; i < bodies_n; i++) {
        if (opt_v2) {
            body_v2(&body, i * opt_batch, opt_batch, 0);

        } else {
            body_v1(&body, i * opt_batch, opt_batch, 0, false);
        }

        for (round = 0; round < opt_rounds; round++) {
            body_tick(&body, start_time + (int64_t) round * 15000);

            p = packed + round * bodies_n + i;
            p->len = body.packed_len;
            p->data = malloc(p->len);
            memcpy(p->data, body.packed, p->len);
        }

        body_free(&body);
    }
}


int
main(int argc, char **argv)
{
    int     c;
    size_t  i, n, threads[16];

    static const size_t         usual[] = { 1, 2, 4, 16, 64 };
    static const struct option  long_options[] = {
        { "series", 1, NULL, 's' }, { "rounds", 1, NULL, 'r' },
        { "batch", 1, NULL, 'b' }, { "threads", 1, NULL, 't' },
        { "v2", 0, &opt_v2, 1 }, { NULL, 0, NULL, 0 }
    };

    n = 0;

    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {

        switch (c) {
        case 's': opt_series = strtoul(optarg, NULL, 10); break;
        case 'r': opt_rounds = strtoul(optarg, NULL, 10); break;
        case 'b': opt_batch = strtoul(optarg, NULL, 10); break;
        case 't': threads[n++ % 16] = strtoul(optarg, NULL, 10); break;
        case 0: break;
        default: return 2;
        }
    }

    if (n == 0) {
        memcpy(threads, usual, sizeof(usual));
        n = sizeof(usual) / sizeof(size_t);
    }

    make_bodies();

    for (i = 0; i < prom_min(n, (size_t) 16); i++) {
        run(threads[i]);
    }

    return 0;
}
