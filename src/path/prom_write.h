
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The write path: the body of a remote-write request -> the store -> a verdict.
 * The one place where wire and tsdb meet.
 *
 *     w = prom_write_open(db, &conf, version);
 *     room = prom_write_room(w, len);         gather the body there, or
 *     prom_write_start(w, body, now);         give one that lies in one piece
 *     while (prom_write_run(w) == PROM_AGAIN)  { let others work }
 *     r = prom_write_result(w);
 *     prom_write_close(w);
 *
 * The body must stay until prom_write_start() returns.  Until the result
 * says otherwise nothing of the request is in the store; prom_write_close()
 * before that leaves nothing behind.
 */


#ifndef _PROM_WRITE_H_INCLUDED_
#define _PROM_WRITE_H_INCLUDED_


#include "../base/prom_base.h"
#include "../labels/prom_labels.h"
#include "../tsdb/prom_tsdb.h"


typedef enum {
    PROM_WRITE_V1 = 1,
    PROM_WRITE_V2 = 2
} prom_write_version_e;


typedef struct {
    prom_label_limits_t  labels;
    size_t               max_decoded;   /* bytes of a body after snappy */
    size_t               max_expanded;  /* v2: bytes that symbols become when
                                           every reference is written out */
} prom_write_conf_t;


typedef struct {
    uint32_t     status;                /* 204, 400 or 503 */
    bool         counted;               /* v2 past decoding: send the counts */
    uint64_t     samples;               /* written */
    uint64_t     histograms;
    uint64_t     exemplars;
    uint64_t     skipped;               /* 1.0: series with bad labels, left
                                           out of a request that succeeded */
    uint64_t     unstored;              /* 1.0: exemplars and histograms, of
                                           which nothing is kept */
    prom_str_t   text;                  /* of the error, ends in a newline;
                                           with skipped: about the first */
} prom_write_result_t;


typedef struct prom_write_s  prom_write_t;


/* NULL when there is no memory. */
prom_write_t *prom_write_open(prom_tsdb_t *db, const prom_write_conf_t *conf,
    prom_write_version_e version);

/* Room for the compressed body, valid until close; NULL: no memory. */
uint8_t *prom_write_room(prom_write_t *write, size_t len);

void prom_write_start(prom_write_t *write, prom_str_t body, int64_t now);

/* PROM_OK when there is a result, else PROM_AGAIN after about a millisecond. */
int prom_write_run(prom_write_t *write);

/* Valid until close. */
const prom_write_result_t *prom_write_result(const prom_write_t *write);

void prom_write_close(prom_write_t *write);


#endif /* _PROM_WRITE_H_INCLUDED_ */
