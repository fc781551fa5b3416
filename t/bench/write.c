
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The write path and federate without nginx: CPU ns a sample, ns a new series,
 * ns a series federated, bytes a series and a sample.
 *
 *     write [--series N] [--rounds N] [--batch N] [--v2] [--unsorted] [--calm]
 *           [--size MiB]
 */


#include <getopt.h>
#include <sys/mman.h>
#include <time.h>

#include "bodies.h"
#include "path/prom_federate.h"
#include "path/prom_write.h"
#include "tsdb/prom_page.h"


static size_t    opt_series = 100000, opt_rounds = 20, opt_batch = 2000;
static size_t    opt_size = 1024;
static int       opt_v2, opt_unsorted;

static prom_tsdb_t  db;

static const prom_write_conf_t  conf = {
    { 128, 1024, 4096 }, 32 << 20, 256 << 20
};


static double
cpu_ns(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return ts.tv_sec * 1e9 + ts.tv_nsec;
}


static void
store(const body_t *body, int64_t now)
{
    prom_write_t               *write;
    const prom_write_result_t  *result;

    write = prom_write_open(&db, &conf, opt_v2 ? PROM_WRITE_V2
                                               : PROM_WRITE_V1);
    prom_write_start(write, (prom_str_t) { (uint8_t *) body->packed,
                                           body->packed_len }, now);

    while (prom_write_run(write) == PROM_AGAIN) { /* void */ }

    result = prom_write_result(write);

    if (result->status != 204 || result->samples != body->n) {
        fprintf(stderr, "status %u: %.*s", result->status,
                (int) result->text.len, result->text.data);
        exit(1);
    }

    prom_write_close(write);
}


static void
federate(const char *text, int64_t now)
{
    int                    rc;
    size_t                 len, bytes, lines;
    double                 start, turn, used, longest;
    char                   error[512];
    uint8_t               *p, *end;
    prom_msg_t             msg;
    prom_arena_t           arena;
    prom_selector_t        selector;
    prom_federate_t       *f;
    prom_federate_conf_t   fconf = { now, 300000, { 0, NULL, 0 } };

    static uint8_t  buf[32768];

    prom_msg_init(&msg, error, sizeof(error));
    prom_arena_init(&arena, 1 << 20);

    if (prom_selector_parse(&selector, (prom_str_t) { (uint8_t *) text,
                            strlen(text) }, &arena, &msg) != PROM_OK)
    {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }

    bytes = 0;
    lines = 0;
    used = 0;
    longest = 0;
    f = prom_federate_open(&db, &fconf, &selector, 1);

    do {
        start = cpu_ns();
        rc = prom_federate_fill(f, buf, sizeof(buf), &len);
        turn = cpu_ns() - start;
        used += turn;
        longest = prom_max(longest, turn);
        bytes += len;

        for (p = buf, end = buf + len;
             (p = memchr(p, '\n', (size_t) (end - p))) != NULL; p++)
        {
            lines++;
        }

    } while (rc == PROM_AGAIN);

    printf("federate %-36s %8.0f ns a line, %zu lines, %.0f bytes a line, "
           "%.2f ms, longest turn %.0f us\n", text, used / (double) lines,
           lines, (double) bytes / (double) lines, used / 1e6, longest / 1e3);

    prom_federate_close(f);
    prom_selector_destroy(&selector);
    prom_arena_free(&arena);
}


/* Bytes a sample takes in all chunks, and in the blocks that they lie in. */

static void
report_chunks(void)
{
    double           encoded, blocks, samples;
    uint32_t         n, id;
    prom_ref_t       ref;
    prom_chunk_t    *chunk;
    prom_shard_t    *shard;
    prom_series_t   *series;

    encoded = 0;
    blocks = 0;
    samples = 0;

    for (n = 0; n < db.segment->shards; n++) {
        shard = prom_shard(db.segment, n);

        for (id = 0; id < shard->positions * PROM_HEADS_PER_PAGE; id++) {
            series = prom_series_by_id(db.segment, shard, id);

            if (series == NULL || !series->live) {
                continue;
            }

            encoded += series->bits / 8.0;
            blocks += series->room;
            samples += series->samples;

            for (ref = series->oldest; ref != 0; ref = chunk->younger) {
                chunk = prom_at(db.segment, ref);
                encoded += chunk->bytes;
                blocks += (double) prom_block_size(db.segment, ref);
                samples += chunk->samples;
            }
        }
    }

    printf("chunks: %.2f bytes a sample, %.2f with headers and room, %.0f "
           "samples\n", encoded / samples, blocks / samples, samples);
}


static void
options(int argc, char **argv)
{
    int  c;

    static const struct option  long_options[] = {
        { "series", 1, NULL, 's' }, { "rounds", 1, NULL, 'r' },
        { "batch", 1, NULL, 'b' }, { "size", 1, NULL, 'm' },
        { "v2", 0, &opt_v2, 1 }, { "unsorted", 0, &opt_unsorted, 1 },
        { "calm", 0, &body_calm, 1 },
        { NULL, 0, NULL, 0 }
    };

    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {

        switch (c) {
        case 's':
            opt_series = strtoul(optarg, NULL, 10);
            break;
        case 'r':
            opt_rounds = strtoul(optarg, NULL, 10);
            break;
        case 'b':
            opt_batch = strtoul(optarg, NULL, 10);
            break;
        case 'm':
            opt_size = strtoul(optarg, NULL, 10);
            break;
        case 0:
            break;
        default:
            exit(2);
        }
    }
}


int
main(int argc, char **argv)
{
    void               *mem;
    size_t              i, round, n;
    double              start, used;
    body_t             *bodies;
    int64_t             now;
    prom_tsdb_stats_t   stats;

    options(argc, argv);

    n = opt_series / opt_batch;
    bodies = calloc(n, sizeof(body_t));

    for (i = 0; i < n; i++) {
        if (opt_v2) {
            body_v2(bodies + i, i * opt_batch, opt_batch, 0);

        } else {
            body_v1(bodies + i, i * opt_batch, opt_batch, 0, opt_unsorted);
        }
    }

    printf("%zu series, %zu a request, %.0f raw bytes a sample\n", opt_series,
           opt_batch, (double) bodies[0].len / (double) opt_batch);

    mem = mmap(NULL, opt_size << 20, PROT_READ|PROT_WRITE,
               MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    prom_tsdb_format(mem, opt_size << 20,
                     (const uint8_t *) "a key of thirty-two bytes, fixed");
    prom_tsdb_attach(&db, mem);
    db.retention = 7200000;

    now = 1795284060000;

    for (round = 0; round < opt_rounds; round++) {
        used = 0;

        for (i = 0; i < n; i++) {
            body_tick(bodies + i, now);
            start = cpu_ns();
            store(bodies + i, now);
            used += cpu_ns() - start;
        }

        prom_tsdb_stats(&db, &stats);

        if (round < 2 || round + 1 == opt_rounds || round == 19) {
            printf("round %zu: %.0f ns a sample, %.0f bytes a series\n",
                   round, used / (double) opt_series,
                   (double) (stats.pages - stats.pages_free) * 16384
                   / (double) stats.series);
        }

        now += 15000;
    }

    report_chunks();
    federate("{__name__=~\".+\"}", now);
    federate("{job=\"kubernetes-pods-3\"}", now);
    federate("{instance=\"10.0.0.7:9100\"}", now);
    federate("http_server_requests_handled_07_total", now);

    return 0;
}
