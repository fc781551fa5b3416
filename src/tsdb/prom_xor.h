
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Prometheus's XOR chunk encoding (tsdb/chunkenc/xor.go), bit for bit.
 *
 *     u16 big-endian     number of samples
 *     sample 0           time: zigzag varint; value: 64 bits
 *     sample 1           time delta: varint; value
 *     sample n           delta of delta; value
 *
 *     delta of delta     0 | 10 +14 bits | 110 +17 | 1110 +20 | 1111 +64
 *     value, xored with  0 | 10 + bits of the old window
 *     the one before       | 11 + 5 bits lead + 6 bits length + bits
 *
 * Bits go from the most significant down.  A delta must fit 32 bits unsigned;
 * who appends cuts the chunk before it does not.
 */


#ifndef _PROM_XOR_H_INCLUDED_
#define _PROM_XOR_H_INCLUDED_


#include "../base/prom_base.h"


#define PROM_XOR_HEADER     2           /* bytes before the first sample */
#define PROM_XOR_NO_WINDOW  0xff
#define PROM_XOR_SAMPLE     24          /* bytes any sample fits into, from a
                                           byte boundary at or before it */
#define PROM_XOR_DELTA_MAX  INT32_MAX


/* What has to be known of a chunk to append to it. */

typedef struct {
    int64_t   time;
    uint64_t  value;
    uint32_t  delta;
    uint16_t  samples;
    uint16_t  bits;                     /* with the header's */
    uint8_t   lead;
    uint8_t   trail;
} prom_xor_t;


/*
 * Encodes one more sample.  `out' has room for PROM_XOR_SAMPLE bytes and
 * begins with the byte that holds the chunk's last bits; returns how many
 * bytes of it are to be stored from there on.  *xor is moved on.  With no
 * samples yet out[0] is the first byte after the header.
 */
size_t prom_xor_append(prom_xor_t *xor, int64_t time, uint64_t value,
    uint8_t out[PROM_XOR_SAMPLE]);

void prom_xor_set_count(uint8_t *chunk, uint16_t samples);


typedef struct {
    const uint8_t  *data;
    uint64_t        pos;                /* bits */
    uint64_t        end;
    uint32_t        left;               /* samples */
    uint32_t        read;
    int64_t         time;
    uint64_t        value;
    uint64_t        delta;
    uint8_t         lead;
    uint8_t         trail;
} prom_xor_reader_t;


/* `samples' counts, whatever the header of the chunk says. */
void prom_xor_read(prom_xor_reader_t *reader, const uint8_t *chunk,
    size_t bytes, uint32_t samples);

/* The next sample into reader->time and ->value; false at the end, or where
   the bytes end too soon. */
bool prom_xor_next(prom_xor_reader_t *reader);


#endif /* _PROM_XOR_H_INCLUDED_ */
