
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include <stdlib.h>

#include "../tsdb/prom_batch.h"
#include "../tsdb/prom_query.h"
#include "prom_families.h"
#include "prom_federate.h"


/*
 * A line that is longer than the room the caller has is written here and
 * leaves in pieces.  Escaping makes at most nine bytes of one (values: "_" 6
 * hex digits "_", then quoted), so this holds any line.
 */
#define PROM_FEDERATE_LINE  (PROM_KEY_MAX * 10 + 65536)


struct prom_federate_s {
    prom_tsdb_t     db;
    prom_query_t   *query;
    prom_expose_t   expose;
    bool            ended;

    uint8_t        *p;                  /* the caller's room */
    uint8_t        *end;
    bool            empty;              /* nothing is in it yet */

    size_t          family_len;         /* the family that is open */
    uint8_t         family[PROM_KEY_MAX];
    bool            opened;
    prom_families_t families;           /* where names are escaped */

    uint8_t        *line;               /* allocated when first needed, */
    bool            line_wanted;        /* but not under the store's lock */
    size_t          line_len;
    size_t          line_sent;
    bool            failed;             /* no memory for it */
};


prom_federate_t *
prom_federate_open(prom_tsdb_t *db, const prom_federate_conf_t *conf,
    const prom_selector_t *selectors, size_t n)
{
    prom_federate_t  *federate;

    federate = calloc(1, sizeof(prom_federate_t));
    if (federate == NULL) {
        return NULL;
    }

    federate->db = *db;
    federate->expose = conf->expose;
    federate->query = prom_query_open(db, selectors, n,
                                      conf->now - conf->lookback, conf->now);

    if (federate->query == NULL) {
        free(federate);
        return NULL;
    }

    return federate;
}


void
prom_federate_close(prom_federate_t *federate)
{
    prom_query_close(federate->query);
    free(federate->families.slots);
    free(federate->line);
    free(federate);
}


/*
 * A sample, with the line of its family where it is the first and the family
 * has none yet: *typed is set to the hash of that line.
 */
static uint8_t *
prom_federate_write(prom_federate_t *federate, const prom_row_t *row,
    bool first, uint8_t *p, uint8_t *end, uint64_t *typed)
{
    uint8_t   *q;
    uint64_t   hash;

    *typed = 0;

    if (first) {
        q = prom_expose_family(&federate->expose,
                               prom_query_name(federate->query), p, end);
        if (q == NULL) {
            return NULL;
        }

        hash = prom_batch_hash(&federate->db, (prom_str_t) {
                                   p, (size_t) (q - p) });

        if (!prom_families_has(&federate->families, hash)) {
            *typed = hash;
            p = q;
        }
    }

    return prom_expose_sample(&federate->expose, row->key, row->plain,
                              row->sample.value, row->sample.time, p, end);
}


/* Into the memory for long lines, where there is some by now. */

static bool
prom_federate_long_line(prom_federate_t *federate, const prom_row_t *row,
    bool first, uint64_t *typed)
{
    uint8_t  *p;

    if (federate->line == NULL) {
        federate->line_wanted = true;
        return false;
    }

    p = prom_federate_write(federate, row, first, federate->line,
                            federate->line + PROM_FEDERATE_LINE, typed);

    if (p == NULL) {
        federate->failed = true;
        return false;
    }

    federate->line_len = (size_t) (p - federate->line);
    federate->line_sent = 0;

    return true;
}


static void
prom_federate_drain(prom_federate_t *federate)
{
    size_t  n;

    n = prom_min(federate->line_len - federate->line_sent,
                 (size_t) (federate->end - federate->p));

    if (n > 0) {
        memcpy(federate->p, federate->line + federate->line_sent, n);
        federate->p += n;
        federate->line_sent += n;
    }
}


static bool
prom_federate_emit(void *ctx, const prom_row_t *row)
{
    bool              first;
    uint8_t          *p;
    uint64_t          typed;
    prom_str_t        name;
    prom_federate_t  *federate;

    federate = ctx;

    if (federate->line_sent < federate->line_len) {
        return false;
    }

    name = prom_query_name(federate->query);
    first = !federate->opened
            || !prom_str_eq(name, (prom_str_t) { federate->family,
                                                 federate->family_len });

    p = prom_federate_write(federate, row, first, federate->p, federate->end,
                            &typed);

    if (p != NULL) {
        federate->p = p;

    } else if (!federate->empty
               || !prom_federate_long_line(federate, row, first, &typed))
    {
        return false;
    }

    federate->empty = false;

    if (typed != 0 && federate->expose.escape != PROM_ESCAPE_ALLOW_UTF8) {
        prom_families_add(&federate->families, typed);
    }

    if (first) {
        memcpy(federate->family, name.data, name.len);
        federate->family_len = name.len;
        federate->opened = true;
    }

    return true;
}


/* What a slice may need, before it holds a lock. */

static bool
prom_federate_prepare(prom_federate_t *federate, size_t size)
{
    if (federate->line_wanted && federate->line == NULL) {
        federate->line = malloc(PROM_FEDERATE_LINE);

        if (federate->line == NULL) {
            return false;
        }
    }

    /* a family and its sample take more than 16 bytes, a long line one more */

    return federate->expose.escape == PROM_ESCAPE_ALLOW_UTF8
           || prom_families_reserve(&federate->families, size / 16 + 1);
}


int
prom_federate_fill(prom_federate_t *federate, uint8_t *buf, size_t size,
    size_t *len)
{
    int  rc;

    *len = 0;
    federate->p = buf;
    federate->end = buf + size;

    if (!prom_federate_prepare(federate, size)) {
        return PROM_NOMEM;
    }

    prom_federate_drain(federate);
    federate->empty = federate->p == buf;

    if (!federate->ended) {
        rc = prom_query_run(federate->query, prom_federate_emit, federate);

        if (federate->failed) {
            return PROM_NOMEM;
        }

        if (rc == PROM_LIMIT || rc == PROM_NOMEM) {
            return rc;
        }

        federate->ended = rc == PROM_OK;
    }

    prom_federate_drain(federate);
    *len = (size_t) (federate->p - buf);

    return federate->ended && federate->line_sent == federate->line_len
           ? PROM_OK : PROM_AGAIN;
}
