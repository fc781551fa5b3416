
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The states of a request, each a function that moves it on:
 *
 *     read      series by series: an entry of the batch, with its series where
 *               the order of the last request or a look-up tells it; after
 *               each block the rest is found or made
 *     commit    all samples of the batch
 *     done      there is a result
 *
 * A series that goes away between read and commit sends the request back to
 * read.  An error of the body as a whole, of a limit or of memory ends it in
 * read, before anything was written.
 */


#include "../base/prom_clock.h"
#include "../wire/prom_snappy.h"
#include "prom_write_state.h"


#define PROM_WRITE_BLOCK     256        /* series between two resolves */
#define PROM_WRITE_SLICE     1000000    /* ns between two PROM_AGAIN */
#define PROM_WRITE_RESTARTS  256
#define PROM_WRITE_KEEP      (4 << 20)  /* bytes a spare object may hold on */


/* One object is kept for the next request: its vectors are warm. */

static _Thread_local prom_write_t  *prom_write_spare;


static void prom_write_read(prom_write_t *write);
static void prom_write_commit(prom_write_t *write);


prom_write_t *
prom_write_open(prom_tsdb_t *db, const prom_write_conf_t *conf,
    prom_write_version_e version)
{
    prom_write_t  *write;

    write = prom_write_spare;
    prom_write_spare = NULL;

    if (write == NULL) {
        write = calloc(1, sizeof(prom_write_t));
        if (write == NULL) {
            return NULL;
        }
    }

    write->db = *db;
    write->conf = *conf;
    write->version = version;
    write->state = NULL;
    write->decoded = false;
    write->restarts = 0;

    memset(&write->result, 0, sizeof(prom_write_result_t));
    memset(&write->batch, 0, sizeof(prom_batch_t));
    prom_arena_init(&write->keys, SIZE_MAX);
    prom_write_report_init(&write->report);

    return write;
}


uint8_t *
prom_write_room(prom_write_t *write, size_t len)
{
    write->room.n = 0;

    return prom_vec_reserve(&write->room, len, 1) ? write->room.data : NULL;
}


static void
prom_write_end(prom_write_t *write, uint32_t status)
{
    prom_write_result_t  *result;

    result = &write->result;
    result->status = status;

    if (status != 204 || result->skipped > 0) {
        result->text = prom_write_report_text(&write->report);
    }

    write->state = NULL;
}


/* Series that were made for this request and hold nothing go again. */

static void
prom_write_undo(prom_write_t *write)
{
    write->batch.entries = write->made.data;
    write->batch.n = write->made.n;

    prom_batch_undo(&write->db, &write->batch);

    write->batch.entries = write->entries.data;
    write->batch.n = write->entries.n;

    prom_batch_undo(&write->db, &write->batch);
}


/*
 * Before the request begins anew: the series it made will be found then, as if
 * they were somebody else's.
 */
static bool
prom_write_remember(prom_write_t *write)
{
    size_t         i;
    prom_entry_t  *entries;

    entries = write->entries.data;

    for (i = 0; i < write->entries.n; i++) {

        if (!entries[i].created) {
            continue;
        }

        if (!prom_vec_reserve(&write->made, 1, sizeof(prom_entry_t))) {
            return false;
        }

        ((prom_entry_t *) write->made.data)[write->made.n++] = entries[i];
    }

    return true;
}


/* Nothing of the request is kept; PROM_ERROR: it is the sender's fault. */

static void
prom_write_fail(prom_write_t *write, int rc)
{
    prom_write_undo(write);

    if (rc == PROM_NOMEM) {
        prom_msg_add(&write->report.whole, "out of memory");
    }

    write->result.counted = write->decoded
                            && write->version == PROM_WRITE_V2;
    write->result.skipped = 0;
    prom_write_end(write, rc == PROM_ERROR ? 400 : 503);
}


static int
prom_write_begin(prom_write_t *write)
{
    int         rc;
    prom_str_t  body;

    body.data = write->body.data;
    body.len = write->body.n;

    prom_batch_begin(&write->db, &write->batch);
    prom_write_report_init(&write->report);

    write->entries.n = 0;
    write->messages.n = 0;
    write->samples.n = 0;
    write->block = 0;
    write->last = 0;
    write->lookups = 0;
    write->expanded = 0;
    write->unsorted = false;
    write->result.skipped = 0;
    write->result.unstored = 0;
    write->decoded = true;
    write->state = prom_write_read;

    if (write->version == PROM_WRITE_V1) {
        prom_prw1_open(&write->prw1, body);
        return PROM_OK;
    }

    rc = prom_prw2_open(&write->prw2, body, &write->report.whole);

    if (rc == PROM_LIMIT) {
        prom_msg_add(&write->report.whole, "the request has more than %u "
                     "symbols", PROM_PRW_SYMBOLS);
        rc = PROM_ERROR;
    }

    if (rc == PROM_OK) {
        write->intern = prom_intern_get(&write->db);

        if (write->intern != NULL
            && !prom_intern_begin(write->intern, &write->interned,
                                  write->prw2.symbols.n))
        {
            write->intern = NULL;
        }
    }

    return rc;
}


void
prom_write_start(prom_write_t *write, prom_str_t body, int64_t now)
{
    int  rc;

    write->now = now;

    write->entries.n = 0;
    write->made.n = 0;

    rc = prom_snappy_decode(body, write->conf.max_decoded, &write->body,
                            &write->report.whole);

    if (rc == PROM_OK) {
        rc = prom_write_begin(write);
    }

    if (rc != PROM_OK) {
        prom_write_fail(write, rc);
    }
}


int
prom_write_run(prom_write_t *write)
{
    uint64_t  deadline;

    deadline = prom_clock() + PROM_WRITE_SLICE;

    while (write->state != NULL) {
        write->state(write);

        if (write->state != NULL && prom_clock() >= deadline) {
            return PROM_AGAIN;
        }
    }

    return PROM_OK;
}


/* An entry for the series just read, with its samples. */

static prom_entry_t *
prom_write_entry(prom_write_t *write, const prom_prw_series_t *series)
{
    prom_str_t    *message;
    prom_entry_t  *entry;

    if (!prom_vec_reserve(&write->entries, 1, sizeof(prom_entry_t))
        || !prom_vec_reserve(&write->messages, 1, sizeof(prom_str_t)))
    {
        return NULL;
    }

    message = (prom_str_t *) write->messages.data + write->messages.n++;
    *message = series->message;

    entry = (prom_entry_t *) write->entries.data + write->entries.n++;
    entry->key.len = 0;
    entry->series = 0;
    entry->first = series->first;
    entry->samples = series->samples;
    entry->created = false;

    return entry;
}


/* What of a series is not stored by this version, said honestly. */

static void
prom_write_unstored(prom_write_t *write, const prom_prw_series_t *series)
{
    size_t  n;

    if (write->version == PROM_WRITE_V1) {
        write->result.unstored += series->exemplars + series->histograms;
        return;
    }

    if (series->histograms == 0 && series->exemplars == 0) {
        return;
    }

    prom_write_report_line(&write->report);
    prom_msg_add(&write->report.msg, "%s are not stored: %u for series ",
                 series->histograms ? "native histograms" : "exemplars",
                 series->histograms ? series->histograms : series->exemplars);

    if (prom_write_labels(write, series->message, &n) == PROM_OK) {
        prom_labels_print_set(&write->report.msg, write->labels, n);
    }
}


/* Nothing to store, but the body must be well-formed to its end. */

static int
prom_write_idle(prom_write_t *write, const prom_prw_series_t *series)
{
    size_t  n;

    if (write->version == PROM_WRITE_V2) {
        return PROM_OK;
    }

    return prom_prw1_labels(series->message, write->labels, PROM_LABELS_MAX,
                            &n, &write->report.whole) == PROM_ERROR
           ? PROM_ERROR : PROM_OK;
}


/* What becomes of the request when the labels of a series are no good. */

static int
prom_write_bad_labels(prom_write_t *write, int rc)
{
    write->entries.n--;
    write->messages.n--;

    if (rc == PROM_AGAIN || rc == PROM_NOMEM) {
        return rc == PROM_AGAIN ? PROM_ERROR : rc;
    }

    if (write->version == PROM_WRITE_V2) {
        return PROM_OK;
    }

    /* 1.0: bad labels leave out the series, a limit refuses the request */

    write->result.skipped++;

    return rc == PROM_LIMIT ? PROM_ERROR : PROM_OK;
}


/* One series: PROM_OK or the end of the request. */

static int
prom_write_series(prom_write_t *write, const prom_prw_series_t *series)
{
    int            rc;
    prom_entry_t  *entry;

    if (write->version == PROM_WRITE_V2
        && prom_unlikely(!prom_prw2_is_good(&write->prw2, series)))
    {
        prom_write_report_line(&write->report);
        (void) prom_prw2_check(&write->prw2, series, &write->report.msg);
        return PROM_OK;
    }

    if (prom_unlikely(series->exemplars + series->histograms > 0)) {
        prom_write_unstored(write, series);
    }

    if (series->samples == 0) {
        return prom_write_idle(write, series);
    }

    entry = prom_write_entry(write, series);
    if (entry == NULL) {
        return PROM_NOMEM;
    }

    rc = prom_write_find(write, entry, series);

    if (prom_unlikely(rc != PROM_OK)) {
        return prom_write_bad_labels(write, rc);
    }

    write->last = entry->series ? entry->series : write->last;

    return PROM_OK;
}


static int
prom_write_resolve(prom_write_t *write)
{
    int            rc;
    prom_batch_t  *batch;

    batch = &write->batch;
    batch->entries = write->entries.data;
    batch->n = write->entries.n;

    rc = prom_batch_resolve(&write->db, batch, write->block);

    if (rc == PROM_LIMIT) {
        prom_msg_add(&write->report.whole, "the store has as many series as "
                     "max_series allows");

    } else if (rc == PROM_NOMEM) {
        prom_msg_add(&write->report.whole, "the store is full: no memory for "
                     "new series");
        rc = PROM_LIMIT;
    }

    if (batch->n > write->block) {
        write->last = batch->entries[batch->n - 1].series;
    }

    write->block = batch->n;
    write->lookups = 0;

    return rc;
}


static int
prom_write_next(prom_write_t *write, prom_prw_series_t *series)
{
    prom_msg_t  *msg;

    msg = &write->report.whole;

    if (write->version == PROM_WRITE_V2) {
        return prom_prw2_next(&write->prw2, series, &write->samples, msg);
    }

    write->expected = prom_batch_expect(&write->db, write->last,
                                        &write->prw1.expected);
    if (write->expected == 0) {
        write->prw1.expected.len = 0;
    }

    return prom_prw1_next(&write->prw1, series, &write->samples, msg);
}


/* A block of series. */

static void
prom_write_read(prom_write_t *write)
{
    int                rc, n;
    prom_msg_t        *msg;
    prom_prw_series_t  series;

    msg = &write->report.whole;
    rc = 0;

    for (n = 0; n < PROM_WRITE_BLOCK; n++) {
        rc = prom_write_next(write, &series);

        if (rc != 1) {
            break;
        }

        rc = prom_write_series(write, &series);

        if (rc != PROM_OK) {
            break;
        }
    }

    if (rc == PROM_LIMIT) {
        prom_msg_add(msg, "the request has more than %u samples",
                     PROM_PRW_SAMPLES);
        rc = PROM_ERROR;
    }

    if (rc == PROM_ERROR || rc == PROM_NOMEM) {
        prom_write_fail(write, rc);
        return;
    }

    rc = prom_write_resolve(write);

    if (rc != PROM_OK) {
        prom_write_fail(write, rc);

    } else if (n < PROM_WRITE_BLOCK) {
        write->state = prom_write_commit;
    }
}


/* The labels of an entry into the report. */

static void
prom_write_name(prom_write_t *write, size_t i)
{
    size_t      n;
    prom_str_t  message;

    message = ((prom_str_t *) write->messages.data)[i];

    if (write->version == PROM_WRITE_V2) {
        prom_prw2_reread(&write->prw2, message);
    }

    if (prom_write_labels(write, message, &n) == PROM_OK) {
        prom_labels_sort(write->labels, n);
        prom_labels_print_set(&write->report.msg, write->labels, n);
    }
}


static void
prom_write_refused(prom_write_t *write)
{
    size_t          i, k, left;
    prom_entry_t   *entry;
    prom_batch_t   *batch;
    prom_sample_t  *sample;

    batch = &write->batch;
    left = batch->refused;

    for (i = 0; i < batch->n && left > 0; i++) {
        entry = batch->entries + i;

        for (k = entry->first; k < entry->first + entry->samples; k++) {

            if (batch->verdicts[k] <= PROM_SAMPLE_SAME) {
                continue;
            }

            prom_write_report_line(&write->report);

            if (!prom_write_report_is_full(&write->report)) {
                sample = batch->samples + k;
                prom_write_report_verdict(&write->report, batch->verdicts[k],
                                          sample,
                                          left == batch->refused
                                          ? &batch->replaced : NULL);
                prom_write_name(write, i);
            }

            if (--left == 0) {
                return;
            }
        }
    }
}


static uint64_t
prom_write_offered(const prom_write_t *write)
{
    size_t    i;
    uint64_t  n;

    n = 0;

    for (i = 0; i < write->batch.n; i++) {
        n += write->batch.entries[i].samples;
    }

    return n;
}

static void
prom_write_commit(prom_write_t *write)
{
    int            rc;
    prom_batch_t  *batch;

    batch = &write->batch;
    batch->samples = write->samples.data;

    write->verdicts.n = 0;

    if (!prom_vec_reserve(&write->verdicts, write->samples.n, 1)) {
        prom_write_fail(write, PROM_NOMEM);
        return;
    }

    batch->verdicts = write->verdicts.data;
    memset(batch->verdicts, 0, write->samples.n);

    rc = prom_batch_commit(&write->db, batch, write->now,
                           write->version == PROM_WRITE_V2);

    if (rc == PROM_AGAIN) {

        if (++write->restarts > PROM_WRITE_RESTARTS) {
            prom_msg_add(&write->report.whole, "the store is busy removing "
                         "series");
            prom_write_fail(write, PROM_LIMIT);
            return;
        }

        rc = prom_write_remember(write) ? prom_write_begin(write)
                                        : PROM_NOMEM;

        if (rc != PROM_OK) {
            prom_write_fail(write, rc);
        }

        return;
    }

    if (rc == PROM_ERROR) {
        prom_write_report_init(&write->report);
        prom_write_refused(write);
        prom_write_fail(write, PROM_ERROR);
        return;
    }

    write->result.counted = write->version == PROM_WRITE_V2;
    write->result.samples = prom_write_offered(write) - batch->refused;

    if (write->version == PROM_WRITE_V2) {
        prom_write_refused(write);
        prom_write_undo(write);
        prom_write_end(write, write->report.lines == 0 ? 204 : 400);
        return;
    }

    prom_write_end(write, batch->n == 0 && write->result.skipped > 0 ? 400
                                                                     : 204);
}


const prom_write_result_t *
prom_write_result(const prom_write_t *write)
{
    return &write->result;
}


void
prom_write_close(prom_write_t *write)
{
    if (write->state != NULL) {
        prom_write_undo(write);
    }

    prom_arena_free(&write->keys);

    if (prom_write_spare == NULL) {
        prom_vec_reset(&write->room, 1, PROM_WRITE_KEEP);
        prom_vec_reset(&write->body, 1, PROM_WRITE_KEEP);
        prom_vec_reset(&write->samples, sizeof(prom_sample_t),
                       PROM_WRITE_KEEP);
        prom_vec_reset(&write->verdicts, 1, PROM_WRITE_KEEP);
        prom_vec_reset(&write->entries, sizeof(prom_entry_t),
                       PROM_WRITE_KEEP);
        prom_vec_reset(&write->made, sizeof(prom_entry_t), PROM_WRITE_KEEP);
        prom_vec_reset(&write->messages, sizeof(prom_str_t), PROM_WRITE_KEEP);
        prom_vec_reset(&write->prw2.symbols, sizeof(prom_str_t),
                       PROM_WRITE_KEEP);
        prom_vec_reset(&write->prw2.refs, sizeof(uint32_t), PROM_WRITE_KEEP);
        prom_vec_reset(&write->interned.numbers, sizeof(uint32_t),
                       PROM_WRITE_KEEP);

        prom_write_spare = write;
        return;
    }

    prom_vec_free(&write->room);
    prom_vec_free(&write->body);
    prom_vec_free(&write->samples);
    prom_vec_free(&write->verdicts);
    prom_vec_free(&write->entries);
    prom_vec_free(&write->made);
    prom_vec_free(&write->messages);
    prom_vec_free(&write->interned.numbers);
    prom_prw2_close(&write->prw2);
    free(write);
}
