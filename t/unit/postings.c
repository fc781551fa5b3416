
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Postings against a plain bitmap: random changes around the sizes where the
 * representation changes, reads from any position, rollbacks.
 */


#include "store.h"
#include "tap.h"
#include "tsdb/prom_postings.h"


#define IDS  (12 * 8192)


static store_t          store;
static prom_shard_t    *shard;
static prom_segment_t  *seg;
static prom_postings_t *set;

static bool      want[IDS];
static uint32_t  count;
static uint64_t  seed = 1;


static uint32_t
below(uint32_t n)
{
    return (uint32_t) (store_random(&seed) % n);
}


static bool
read_from(uint32_t from, size_t max)
{
    size_t            i, n;
    uint32_t          id;
    static uint32_t   ids[IDS];

    n = prom_postings_read(seg, set, from, ids, max);
    i = 0;

    for (id = from; id < IDS && i < max; id++) {
        if (want[id] && (i == n || ids[i++] != id)) {
            printf("# %u from %u is missing or out of place\n", id, from);
            return false;
        }
    }

    if (i != n) {
        printf("# %zu ids from %u, not %zu\n", n, from, i);
        return false;
    }

    return true;
}


static bool
same(void)
{
    uint32_t  i, id;

    if (set->n != count) {
        printf("# n is %u, not %u\n", set->n, count);
        return false;
    }

    for (i = 0; i < 8; i++) {
        id = below(IDS);

        if (prom_postings_has(seg, set, id) != want[id]) {
            printf("# %u should%s be there\n", id, want[id] ? "" : " not");
            return false;
        }

        if (!read_from(id, 1 + below(600))) {
            return false;
        }
    }

    return read_from(0, IDS);
}


static void
toggle(uint32_t id)
{
    if (want[id]) {
        prom_postings_remove(seg, shard, set, id);
        count--;

    } else {
        if (prom_postings_add(seg, shard, set, id) != PROM_OK) {
            printf("Bail out! no memory\n");
            exit(1);
        }

        count++;
    }

    want[id] = !want[id];
    prom_txn_commit(shard);
}


static uint32_t
random_member(void)
{
    uint32_t  id;

    do {
        (void) prom_postings_read(seg, set, below(IDS), &id, 1);
    } while (prom_postings_read(seg, set, below(IDS), &id, 1) == 0);

    return id;
}


static void
clear(void)
{
    uint32_t  id;

    for (id = 0; id < IDS; id++) {
        if (want[id]) {
            toggle(id);
        }
    }
}


static void
small(void)
{
    bool      ok;
    uint32_t  i;

    /* 0 to 6 ids, in one range and over many, hence and forth */

    ok = true;

    for (i = 0; i < 4000 && ok; i++) {

        if (count < 6 && (count == 0 || below(2))) {
            toggle(below(i & 64 ? IDS : 64));

        } else {
            toggle(random_member());
        }

        ok = set->n == count && read_from(below(i & 64 ? IDS : 64), 10);
    }

    tap_ok(ok, "few ids");
    clear();
    tap_ok(same() && set->n == 0, "none left");
}


static void
boundary(uint32_t size, uint32_t range, uint32_t steps)
{
    bool      ok;
    uint32_t  i, base;

    base = below(IDS / 8192) * 8192;
    ok = true;

    while (count < size) {
        i = base + below(range);

        if (!want[i]) {
            toggle(i);
        }
    }

    ok = same();

    for (i = 0; i < steps && ok; i++) {
        toggle(base + below(range));
        ok = i % 128 != 0 || same();
    }

    tap_ok(ok && same(), "about %u ids out of %u", size, range);

    /* down again, through all sizes */

    for (i = 0; i < range && ok; i++) {

        if (want[base + i]) {
            toggle(base + i);
            ok = i % 128 != 0 || same();
        }
    }

    clear();
    tap_ok(ok && same(), "and down to none");
}


static void
full(void)
{
    bool      ok;
    uint32_t  i;

    for (i = 0; i < 3 * 8192; i++) {
        toggle(i);
    }

    tap_ok(same(), "three whole ranges");

    ok = true;

    for (i = 0; i < 3 * 8192 && ok; i++) {
        toggle(3 * 8192 - 1 - i);
        ok = i % 512 != 0 || same();
    }

    tap_ok(ok && count == 0 && same(), "removed from the end");
}


static void
spread(void)
{
    bool      ok;
    uint32_t  i;

    ok = true;

    for (i = 0; i < 30000 && ok; i++) {
        toggle(below(IDS));
        ok = i % 2048 != 0 || same();
    }

    tap_ok(ok && same(), "ids everywhere");
    clear();
    tap_ok(same(), "and gone");
}


/* Everything a change does is taken back by a rollback, blocks included. */

static void
rollback(void)
{
    bool             ok;
    uint32_t         i, id, before;
    prom_postings_t  old;

    ok = true;

    for (i = 0; i < 4000 && ok; i++) {
        id = i % 3 ? below(1200) : below(IDS);
        before = shard->log_len;
        old = *set;

        if (want[id]) {
            prom_postings_remove(seg, shard, set, id);

        } else if (prom_postings_add(seg, shard, set, id) != PROM_OK) {
            ok = false;
        }

        ok &= before == 0 && shard->log_len > 0;
        prom_txn_rollback(seg, shard);
        prom_page_reclaim(seg, shard);

        ok &= memcmp(&old, set, sizeof(old)) == 0
              && (i % 16 != 0 || same());

        toggle(id);
    }

    tap_ok(ok && same(), "rollbacks in between");
    clear();
}


int
main(void)
{
    uint32_t    used;
    prom_ref_t  ref;

    store_open(&store, 16 << 20);
    seg = store.db.segment;
    shard = prom_shard_lock(seg, 0);

    ref = prom_alloc(seg, shard, 64);
    set = prom_at(seg, ref);
    memset(set, 0, 64);
    prom_txn_commit(shard);

    used = prom_page_free_count(seg);

    small();
    boundary(512, 1500, 8000);
    boundary(384, 900, 8000);
    boundary(450, 8192, 8000);
    boundary(4000, 8192, 4000);
    boundary(8190, 8192, 200);
    full();
    spread();
    rollback();
    small();

    (void) prom_page_trim_all(seg, shard);
    tap_is_int(prom_page_free_count(seg), used, "all memory came back");

    prom_shard_unlock(seg, shard);
    store_close(&store);

    return tap_done();
}
