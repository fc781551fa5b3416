
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include <stdlib.h>

#include "../base/prom_arena.h"
#include "../base/prom_vec.h"
#include "../tsdb/prom_batch.h"
#include "prom_intern.h"


#define PROM_INTERN_STORES   16
#define PROM_INTERN_SYMBOLS  (1u << 19)
#define PROM_INTERN_BYTES    (64u << 20)        /* of symbols */
#define PROM_INTERN_WORDS    (24u << 20)        /* of entries, 96 MiB */


typedef struct {
    uint64_t    hash;
    prom_str_t  text;
    uint32_t    number;                 /* from 1, 0: a free slot */
} prom_symbol_t;


/* In the words vector, found by its offset; offset 0 is nobody's. */

typedef struct {
    uint32_t    series;
    uint32_t    next;
    uint64_t    generation;
    uint32_t    n;
    uint32_t    numbers[];
} prom_intern_entry_t;

#define PROM_ENTRY_WORDS  (sizeof(prom_intern_entry_t) / sizeof(uint32_t))


struct prom_intern_s {
    prom_tsdb_t      db;

    prom_symbol_t   *symbols;           /* by hash */
    uint32_t         symbols_size;      /* a power of two */
    uint32_t         symbols_used;
    prom_arena_t     texts;

    prom_vec_t       words;             /* uint32_t: entries */
    uint32_t        *entries;           /* offsets, by series */
    uint32_t         entries_size;      /* a power of two */
    uint32_t         entries_used;

    uint32_t         epoch;             /* raised when all is forgotten */
};


static _Thread_local prom_intern_t  *prom_interns[PROM_INTERN_STORES];


static inline prom_intern_entry_t *
prom_intern_entry(const prom_intern_t *intern, uint32_t offset)
{
    return (prom_intern_entry_t *) ((uint32_t *) intern->words.data + offset);
}


static void
prom_intern_clear(prom_intern_t *intern)
{
    free(intern->symbols);
    free(intern->entries);
    prom_arena_free(&intern->texts);
    prom_vec_free(&intern->words);

    intern->symbols = NULL;
    intern->symbols_size = 0;
    intern->symbols_used = 0;
    intern->entries = NULL;
    intern->entries_size = 0;
    intern->entries_used = 0;
    intern->epoch++;
}


prom_intern_t *
prom_intern_get(const prom_tsdb_t *db)
{
    int             i;
    prom_intern_t  *intern;

    for (i = 0; i < PROM_INTERN_STORES; i++) {
        intern = prom_interns[i];

        if (intern != NULL && intern->db.segment == db->segment) {
            return intern;
        }

        if (intern == NULL) {
            intern = calloc(1, sizeof(prom_intern_t));

            if (intern != NULL) {
                intern->db = *db;
                prom_arena_init(&intern->texts, PROM_INTERN_BYTES);
                prom_interns[i] = intern;
            }

            return intern;
        }
    }

    return NULL;
}


/* Of numbers and entries nothing is known, or nothing any more. */

static void
prom_intern_reset(const prom_intern_t *intern, prom_intern_run_t *run)
{
    run->epoch = intern->epoch;
    run->last = 0;
    run->n = 0;

    if (run->numbers.n > 0) {
        memset(run->numbers.data, 0, run->numbers.n * sizeof(uint32_t));
    }
}


bool
prom_intern_begin(const prom_intern_t *intern, prom_intern_run_t *run,
    size_t symbols)
{
    run->numbers.n = 0;

    if (!prom_vec_reserve(&run->numbers, symbols, sizeof(uint32_t))) {
        return false;
    }

    run->numbers.n = symbols;
    prom_intern_reset(intern, run);

    return true;
}


/* Twice the slots; the old ones are put in again. */

static bool
prom_intern_grow_symbols(prom_intern_t *intern)
{
    uint32_t        i, k, size;
    prom_symbol_t  *symbols;

    size = intern->symbols_size ? intern->symbols_size * 2 : 4096;
    symbols = calloc(size, sizeof(prom_symbol_t));

    if (symbols == NULL) {
        return false;
    }

    for (i = 0; i < intern->symbols_size; i++) {

        if (intern->symbols[i].number == 0) {
            continue;
        }

        k = (uint32_t) intern->symbols[i].hash & (size - 1);

        while (symbols[k].number != 0) {
            k = (k + 1) & (size - 1);
        }

        symbols[k] = intern->symbols[i];
    }

    free(intern->symbols);
    intern->symbols = symbols;
    intern->symbols_size = size;

    return true;
}


/* The number of a text, 0 where it cannot get one. */

static uint32_t
prom_intern_number(prom_intern_t *intern, prom_str_t text)
{
    uint8_t        *p;
    uint32_t        k;
    uint64_t        hash;
    prom_symbol_t  *symbol;

    if (intern->symbols_used * 2 >= intern->symbols_size
        && !prom_intern_grow_symbols(intern))
    {
        return 0;
    }

    hash = prom_batch_hash(&intern->db, text);
    k = (uint32_t) hash & (intern->symbols_size - 1);

    for ( /* void */ ;
          intern->symbols[k].number != 0;
          k = (k + 1) & (intern->symbols_size - 1))
    {
        symbol = intern->symbols + k;

        if (symbol->hash == hash && prom_str_eq(symbol->text, text)) {
            return symbol->number;
        }
    }

    if (intern->symbols_used == PROM_INTERN_SYMBOLS) {
        return 0;
    }

    p = prom_arena_alloc(&intern->texts, prom_max(text.len, (size_t) 1));
    if (p == NULL) {
        return 0;
    }

    memcpy(p, text.data, text.len);

    symbol = intern->symbols + k;
    symbol->hash = hash;
    symbol->text = (prom_str_t) { p, text.len };
    symbol->number = ++intern->symbols_used;

    return symbol->number;
}


/* The numbers of references into run->wanted. */

static bool
prom_intern_translate(prom_intern_t *intern, prom_intern_run_t *run,
    const prom_str_t *symbols, const uint32_t *refs, size_t n)
{
    size_t     i;
    uint32_t  *numbers, number;

    numbers = run->numbers.data;

    for (i = 0; i < n; i++) {
        number = numbers[refs[i]];

        if (prom_unlikely(number == 0)) {
            number = prom_intern_number(intern, symbols[refs[i]]);

            if (number == 0) {
                return false;
            }

            numbers[refs[i]] = number;
        }

        run->wanted[i] = number;
    }

    return true;
}


uint32_t
prom_intern_guess(prom_intern_t *intern, prom_intern_run_t *run,
    const prom_str_t *symbols, const uint32_t *refs, size_t n,
    uint64_t generation)
{
    uint32_t              offset;
    prom_intern_entry_t  *entry;

    if (prom_unlikely(run->epoch != intern->epoch)) {
        prom_intern_reset(intern, run);
    }

    run->n = 0;

    if (n > PROM_INTERN_REFS) {
        return 0;
    }

    if (!prom_intern_translate(intern, run, symbols, refs, n)) {

        /* too many symbols over time: what is still in use comes again */

        prom_intern_clear(intern);
        return 0;
    }

    run->n = (uint32_t) n;

    offset = run->last ? prom_intern_entry(intern, run->last)->next : 0;

    if (offset == 0) {
        return 0;
    }

    entry = prom_intern_entry(intern, offset);
    __builtin_prefetch((uint32_t *) entry + 4 * PROM_ENTRY_WORDS
                       + 4 * n);

    if (entry->n != n || entry->generation != generation
        || memcmp(entry->numbers, run->wanted, n * sizeof(uint32_t)) != 0)
    {
        return 0;
    }

    run->last = offset;

    return entry->series;
}


static bool
prom_intern_grow_entries(prom_intern_t *intern)
{
    uint32_t  i, k, size, series, *entries;

    size = intern->entries_size ? intern->entries_size * 2 : 4096;
    entries = calloc(size, sizeof(uint32_t));

    if (entries == NULL) {
        return false;
    }

    for (i = 0; i < intern->entries_size; i++) {

        if (intern->entries[i] == 0) {
            continue;
        }

        series = prom_intern_entry(intern, intern->entries[i])->series;
        k = (series * 0x9e3779b1u) & (size - 1);

        while (entries[k] != 0) {
            k = (k + 1) & (size - 1);
        }

        entries[k] = intern->entries[i];
    }

    free(intern->entries);
    intern->entries = entries;
    intern->entries_size = size;

    return true;
}


/* The entry of a series, made where there is none; 0: no room. */

static uint32_t
prom_intern_place(prom_intern_t *intern, uint32_t series, uint32_t n)
{
    size_t                want;
    uint32_t              k, offset;
    prom_intern_entry_t  *entry;

    if (intern->entries_used * 2 >= intern->entries_size
        && !prom_intern_grow_entries(intern))
    {
        return 0;
    }

    for (k = (series * 0x9e3779b1u) & (intern->entries_size - 1);
         intern->entries[k] != 0;
         k = (k + 1) & (intern->entries_size - 1))
    {
        entry = prom_intern_entry(intern, intern->entries[k]);

        if (entry->series == series) {

            /* its numbers may have become more: then it moves */

            if (entry->n >= n) {
                return intern->entries[k];
            }

            entry->series = 0;
            break;
        }
    }

    /* an even number of words keeps generations aligned */

    want = (PROM_ENTRY_WORDS + n + 1) & ~(size_t) 1;

    if (intern->words.n + want > PROM_INTERN_WORDS
        || !prom_vec_reserve(&intern->words, want + 2, sizeof(uint32_t)))
    {
        return 0;
    }

    offset = (uint32_t) prom_max(intern->words.n, (size_t) 2);
    intern->words.n = offset + want;

    if (intern->entries[k] == 0) {
        intern->entries_used++;
    }

    intern->entries[k] = offset;
    prom_intern_entry(intern, offset)->next = 0;

    return offset;
}


void
prom_intern_learn(prom_intern_t *intern, prom_intern_run_t *run,
    uint32_t series, uint64_t generation)
{
    uint32_t              offset;
    prom_intern_entry_t  *entry;

    if (run->n == 0) {
        return;
    }

    offset = prom_intern_place(intern, series, run->n);

    if (offset == 0) {
        run->last = 0;
        return;
    }

    entry = prom_intern_entry(intern, offset);
    entry->series = series;
    entry->generation = generation;
    entry->n = run->n;
    memcpy(entry->numbers, run->wanted, run->n * sizeof(uint32_t));

    if (run->last != 0) {
        prom_intern_entry(intern, run->last)->next = offset;
    }

    run->last = offset;
}
