
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * A keyed 64-bit hash of short byte runs: 128-bit products folded to 64 bits,
 * two independent lanes.  The key is secret and made per segment, so nobody
 * outside can choose collisions; it is not a cryptographic hash and identity
 * is never decided by it.
 */


#ifndef _PROM_HASH_H_INCLUDED_
#define _PROM_HASH_H_INCLUDED_


#include "prom_base.h"


static inline uint64_t
prom_hash_read64(const uint8_t *p)
{
    uint64_t  v;

    memcpy(&v, p, 8);

    return v;
}


static inline uint64_t
prom_hash_read32(const uint8_t *p)
{
    uint32_t  v;

    memcpy(&v, p, 4);

    return v;
}


static inline uint64_t
prom_hash_fold(uint64_t a, uint64_t b)
{
    unsigned __int128  m;

    m = (unsigned __int128) a * b;

    return (uint64_t) m ^ (uint64_t) (m >> 64);
}


static inline uint64_t
prom_hash(const uint64_t key[4], const uint8_t *p, size_t len)
{
    size_t    left;
    uint64_t  a, b, h, g;

    h = key[0] ^ len;
    g = key[1];
    left = len;

    while (left > 32) {
        h = prom_hash_fold(prom_hash_read64(p) ^ key[2],
                           prom_hash_read64(p + 8) ^ h);
        g = prom_hash_fold(prom_hash_read64(p + 16) ^ key[3],
                           prom_hash_read64(p + 24) ^ g);
        p += 32;
        left -= 32;
    }

    if (left > 16) {
        h = prom_hash_fold(prom_hash_read64(p) ^ key[2],
                           prom_hash_read64(p + 8) ^ h);
        p += 16;
        left -= 16;
    }

    if (left >= 8) {
        a = prom_hash_read64(p);
        b = prom_hash_read64(p + left - 8);

    } else if (left >= 4) {
        a = prom_hash_read32(p);
        b = prom_hash_read32(p + left - 4);

    } else if (left > 0) {
        a = (uint64_t) p[0] << 16 | (uint64_t) p[left >> 1] << 8 | p[left - 1];
        b = 0;

    } else {
        a = 0;
        b = 0;
    }

    h = prom_hash_fold(a ^ key[3], b ^ h);

    /* g may still be key[1]: what it is combined with must not be the same,
       a product with zero forgets everything */

    return prom_hash_fold(h ^ key[2], g ^ key[0]);
}


#endif /* _PROM_HASH_H_INCLUDED_ */
