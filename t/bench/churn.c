
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Series come and go for hours, and memory must stay what it is: every body's
 * series are replaced once in each period, one body after the other, and the
 * store is swept when a worker's keeper would.
 *
 *     churn [--series N] [--turns N] [--period S] [--step S] [--retention S]
 *           [--batch N] [--size MiB] [--no-sweep] [--resident]
 *
 * Prints after each turnover the series, pages, resident shared memory, and by
 * size of blocks how many pages there are and how full.  Exit status 1 if after
 * the last turnover more than 10% above the first's pages are in use; with
 * --resident also if as much more memory is resident.  --no-sweep must lead
 * there.
 */


#include <getopt.h>
#include <sys/mman.h>

#include "bodies.h"
#include "path/prom_write.h"
#include "tsdb/prom_page.h"


#define CHURN_SWEEP  64                 /* series a call, as the keeper */


static int      opt_no_sweep, opt_resident;
static size_t   opt_series = 100000, opt_turns = 6, opt_batch = 2000;
static size_t   opt_size = 1024;
static int64_t  opt_period = 600, opt_step = 15, opt_retention = 300;

static prom_tsdb_t  db;
static uint32_t     cursor;
static int64_t      due;
static uint64_t     peak;

static const prom_write_conf_t  conf = {
    { 128, 1024, 4096 }, 32 << 20, 256 << 20
};


static uint64_t
used(void)
{
    prom_tsdb_stats_t  stats;

    prom_tsdb_stats(&db, &stats);

    return stats.pages - stats.pages_free;
}


static void
store(const body_t *body, int64_t now)
{
    prom_write_t               *write;
    const prom_write_result_t  *result;

    write = prom_write_open(&db, &conf, PROM_WRITE_V1);
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


/* A round, then a pause of a sixteenth of the retention, 5 s to 60 s. */

static void
sweep(int64_t now)
{
    int64_t  pause;

    if (opt_no_sweep || now < due) {
        return;
    }

    do {
        prom_tsdb_sweep(&db, now, &cursor, CHURN_SWEEP);
    } while (cursor != 0);

    pause = prom_max(db.retention / 16, (int64_t) 5000);
    due = now + prom_min(pause, (int64_t) 60000);
}


/* What the segment takes of the machine: its pages that were ever touched. */

static double
resident_mib(void)
{
    char    line[256];
    FILE   *file;
    long    kib;

    kib = 0;
    file = fopen("/proc/self/status", "r");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "RssShmem: %ld", &kib) == 1) {
            break;
        }
    }

    if (file != NULL) {
        fclose(file);
    }

    return (double) kib / 1024;
}


static void
report_classes(void)
{
    size_t           size;
    uint64_t         pages[PROM_KIND_TABLE + 1], blocks[PROM_KIND_TABLE + 1];
    uint32_t         n, kind;
    prom_ref_t       ref[PROM_KIND_TABLE + 1];
    prom_page_t     *page;
    prom_segment_t  *seg;

    memset(pages, 0, sizeof(pages));
    memset(blocks, 0, sizeof(blocks));
    seg = db.segment;

    for (n = seg->first_page; n < seg->pages; n++) {
        page = prom_page(seg, n);

        if (atomic_load(prom_owner(seg, n)) != 0) {
            pages[page->kind]++;
            blocks[page->kind] += page->used;
            ref[page->kind] = n * (PROM_PAGE_SIZE / PROM_UNIT);
        }
    }

    for (kind = 1; kind < PROM_KIND_TABLE; kind++) {

        if (pages[kind] != 0) {
            size = prom_block_size(seg, ref[kind]);

            printf("    %-7s %5zu  %6llu pages  %3.0f%% full\n",
                   kind == PROM_KIND_SERIES ? "series" : "blocks", size,
                   (unsigned long long) pages[kind],
                   100.0 * (double) blocks[kind] * (double) size
                   / (double) (pages[kind] * PROM_PAGE_SIZE));
        }
    }

    printf("    tables         %6llu pages\n",
           (unsigned long long) pages[PROM_KIND_TABLE]);
}


static void
report(size_t turn)
{
    prom_tsdb_stats_t  stats;

    prom_tsdb_stats(&db, &stats);

    printf("turn %zu series %llu created %llu removed %llu evicted %llu "
           "pages %llu peak %llu shmem_mib %.1f\n", turn,
           (unsigned long long) stats.series,
           (unsigned long long) stats.series_created,
           (unsigned long long) stats.series_removed,
           (unsigned long long) stats.chunks_evicted,
           (unsigned long long) (stats.pages - stats.pages_free),
           (unsigned long long) peak, resident_mib());
    report_classes();
    fflush(stdout);

    peak = 0;
}


/* The bodies whose turn it is become others, and all are stored. */

static void
tick(body_t *bodies, size_t n, size_t turn, size_t step, size_t steps,
    int64_t now)
{
    size_t  i;

    for (i = 0; i < n; i++) {

        if (i * steps / n == step) {
            body_free(bodies + i);
            body_v1(bodies + i, i * opt_batch, opt_batch, (unsigned) turn,
                    false);
        }

        body_tick(bodies + i, now);
        store(bodies + i, now);
    }

    sweep(now);
    peak = prom_max(peak, used());
}


static void
options(int argc, char **argv)
{
    int  c;

    static const struct option  long_options[] = {
        { "series", 1, NULL, 's' }, { "turns", 1, NULL, 't' },
        { "period", 1, NULL, 'p' }, { "step", 1, NULL, 'e' },
        { "retention", 1, NULL, 'r' }, { "batch", 1, NULL, 'b' },
        { "size", 1, NULL, 'm' }, { "no-sweep", 0, &opt_no_sweep, 1 },
        { "resident", 0, &opt_resident, 1 }, { NULL, 0, NULL, 0 }
    };

    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {

        switch (c) {
        case 's': opt_series = strtoul(optarg, NULL, 10); break;
        case 't': opt_turns = strtoul(optarg, NULL, 10); break;
        case 'p': opt_period = atoll(optarg); break;
        case 'e': opt_step = atoll(optarg); break;
        case 'r': opt_retention = atoll(optarg); break;
        case 'b': opt_batch = strtoul(optarg, NULL, 10); break;
        case 'm': opt_size = strtoul(optarg, NULL, 10); break;
        case 0: break;
        default: exit(2);
        }
    }
}


int
main(int argc, char **argv)
{
    void      *mem;
    size_t     n, turn, step, steps;
    body_t    *bodies;
    double     first, resident;
    int64_t    now;

    options(argc, argv);

    n = opt_series / opt_batch;
    steps = (size_t) (opt_period / opt_step);
    bodies = calloc(n, sizeof(body_t));
    mem = mmap(NULL, opt_size << 20, PROT_READ|PROT_WRITE,
               MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    if (mem == MAP_FAILED || bodies == NULL
        || prom_tsdb_format(mem, opt_size << 20, (const uint8_t *)
                            "a key of thirty-two bytes, fixed") != PROM_OK)
    {
        fprintf(stderr, "no memory\n");
        return 1;
    }

    prom_tsdb_attach(&db, mem);
    db.retention = opt_retention * 1000;
    now = 1795284060000;
    first = 0;
    resident = 0;

    /* turn 0 brings the first series, there is nothing to replace yet */

    for (turn = 0; turn <= opt_turns; turn++) {

        for (step = 0; step < steps; step++) {
            tick(bodies, n, turn, step, steps, now);
            now += opt_step * 1000;
        }

        report(turn);

        if (turn == 1) {
            first = (double) used();
            resident = resident_mib();
        }
    }

    if ((double) used() > first * 1.1) {
        printf("pages grew from %.0f to %llu\n", first,
               (unsigned long long) used());
        return 1;
    }

    if (opt_resident && resident_mib() > resident * 1.1) {
        printf("resident memory grew from %.1f to %.1f MiB\n", resident,
               resident_mib());
        return 1;
    }

    return 0;
}
