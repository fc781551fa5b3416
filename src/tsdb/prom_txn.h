
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Transactions of a shard: an undo log.
 *
 * A record is the old bytes (a multiple of 8) and after them one word with
 * their offset and length, so the log can be read backwards.  log_len is
 * raised only when the record is complete, and the caller changes the bytes
 * only after that:
 *
 *     prom_txn_save(seg, shard, &series->key, sizeof(series->key));
 *     series->key = key;
 *     ...
 *     prom_txn_commit(shard);
 *
 * A process killed anywhere leaves either an empty log and a finished change,
 * or a log that takes everything back.  The killed process's stores are all in
 * memory by the time another one gets its lock, so only the order of
 * instructions matters, and compiler barriers keep it.
 *
 * Taking back may itself be killed and starts over: records hold old bytes,
 * applying them twice is the same as once, log_len is cleared last.
 */


#ifndef _PROM_TXN_H_INCLUDED_
#define _PROM_TXN_H_INCLUDED_


#include "prom_segment.h"


#define prom_txn_barrier()  atomic_signal_fence(memory_order_seq_cst)


/*
 * Room for a record of `len' bytes, a multiple of 8.  The log is sized for the
 * largest transaction there is; passing it is a bug and aborts.
 */
static inline uint64_t *
prom_txn_record(prom_shard_t *shard, size_t len)
{
    if (prom_unlikely(shard->log_len + len / 8 + 1 > PROM_LOG_WORDS)) {
        __builtin_trap();
    }

    return shard->log + shard->log_len;
}


static inline void
prom_txn_recorded(prom_shard_t *shard, uint64_t *record, uint64_t offset,
    size_t len)
{
    record[len / 8] = offset << 20 | len;

    prom_txn_barrier();
    shard->log_len += len / 8 + 1;
    prom_txn_barrier();
}


/* Saves the aligned words that cover `len' bytes at `p'. */

static inline void
prom_txn_save(const prom_segment_t *seg, prom_shard_t *shard, const void *p,
    size_t len)
{
    uint64_t  end, offset, *record;

    offset = (uint64_t) ((const uint8_t *) p - (const uint8_t *) seg);
    end = (offset + len + 7) & ~UINT64_C(7);
    offset &= ~UINT64_C(7);
    len = end - offset;

    record = prom_txn_record(shard, len);
    memcpy(record, prom_offset(seg, offset), len);
    prom_txn_recorded(shard, record, offset, len);
}


/* The same for a number at its natural alignment: one word. */

static inline void
prom_txn_save_word(const prom_segment_t *seg, prom_shard_t *shard,
    const void *p)
{
    uint64_t  offset, *record;

    offset = (uint64_t) ((const uint8_t *) p - (const uint8_t *) seg)
             & ~UINT64_C(7);

    record = prom_txn_record(shard, 8);
    memcpy(record, prom_offset(seg, offset), 8);
    prom_txn_recorded(shard, record, offset, 8);
}


/* The same for `words' aligned words, a constant. */

static inline void
prom_txn_save_words(const prom_segment_t *seg, prom_shard_t *shard,
    const void *p, size_t words)
{
    uint64_t  *record;

    record = prom_txn_record(shard, words * 8);
    memcpy(record, __builtin_assume_aligned(p, 8), words * 8);
    prom_txn_recorded(shard, record,
                      (uint64_t) ((const uint8_t *) p
                                  - (const uint8_t *) seg), words * 8);
}


#define prom_txn_set(seg, shard, lvalue, value)                               \
    do {                                                                      \
        _Static_assert(sizeof(lvalue) <= 8, "a number");                      \
        prom_txn_save_word(seg, shard, &(lvalue));                            \
        (lvalue) = (value);                                                   \
    } while (0)


static inline void
prom_txn_commit(prom_shard_t *shard)
{
    prom_txn_barrier();
    shard->log_len = 0;
    prom_txn_barrier();
}


/* Takes back everything since the last commit. */

void prom_txn_rollback(prom_segment_t *seg, prom_shard_t *shard);


#endif /* _PROM_TXN_H_INCLUDED_ */
