
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * What a process remembers of remote-write 2.0 senders: which series a run of
 * symbols was the last time, so that a known series costs a comparison of
 * short integers instead of writing out and comparing some hundred bytes.
 *
 * Symbols are numbered by their bytes, once in a process's life: senders'
 * indices shift from request to request, the numbers do not.  Only symbols
 * that labels refer to are numbered, so the trace ids of exemplars do not
 * crowd in.  Per series there is an entry: its numbers, the series, and the
 * entry that came after it the last time.
 *
 * An entry speaks for the generation of the store in which it was learned or
 * confirmed, no other.
 *
 * Memory is bounded (PROM_INTERN_...): with too many symbols it starts over,
 * with too many series the further ones are not learned.
 */


#ifndef _PROM_INTERN_H_INCLUDED_
#define _PROM_INTERN_H_INCLUDED_


#include "../base/prom_base.h"
#include "../base/prom_vec.h"
#include "../tsdb/prom_tsdb.h"


#define PROM_INTERN_REFS  128           /* of a series; more is not learned */


typedef struct prom_intern_s  prom_intern_t;


/*
 * What belongs to one request: requests of a process take turns, and an index
 * is another symbol in each.  Zeroed is new; the owner frees `numbers'.
 */
typedef struct {
    prom_vec_t  numbers;                /* uint32_t: of its symbols, 0: not
                                           looked up yet */
    uint32_t    epoch;                  /* of the memory they are from */
    uint32_t    last;                   /* the entry of the series before */
    uint32_t    n;                      /* the last guess: what was wanted */
    uint32_t    wanted[PROM_INTERN_REFS];
} prom_intern_run_t;


/* The memory of this thread about one store; NULL: none can be had. */
prom_intern_t *prom_intern_get(const prom_tsdb_t *db);

/* A request with this many symbols begins; false: no memory, do without. */
bool prom_intern_begin(const prom_intern_t *intern, prom_intern_run_t *run,
    size_t symbols);

/*
 * The series that these references were the last time, if they are those of
 * the entry that should come next; 0 if not.  The references exist.
 */
uint32_t prom_intern_guess(prom_intern_t *intern, prom_intern_run_t *run,
    const prom_str_t *symbols, const uint32_t *refs, size_t n,
    uint64_t generation);

/* What the references of the last guess of this request turned out to be. */
void prom_intern_learn(prom_intern_t *intern, prom_intern_run_t *run,
    uint32_t series, uint64_t generation);


#endif /* _PROM_INTERN_H_INCLUDED_ */
