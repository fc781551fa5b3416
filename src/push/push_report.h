
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * What an answer means, and what the user is told about it.
 */


#ifndef _PUSH_REPORT_H_INCLUDED_
#define _PUSH_REPORT_H_INCLUDED_


#include <stdint.h>
#include <stddef.h>

#include "push_send.h"


typedef enum {
    PUSH_STORED = 0,
    PUSH_REFUSED,                       /* in part or whole; the same body
                                           would be refused again */
    PUSH_FAILED                         /* nobody knows; later it may work */
} push_verdict_e;


/* All count samples, but "requests". */

typedef struct {
    size_t             requests;        /* that were answered or tried */
    uint64_t           stored;
    uint64_t           refused;
    uint64_t           failed;          /* in no request that was answered */
} push_totals_t;


/*
 * Judges the answer to a request of "sent" samples, adds to the totals and,
 * where not all is well, writes to stderr what the server said.
 */
push_verdict_e push_report(push_totals_t *totals, push_version_e version,
    uint64_t sent, const push_reply_t *reply);

/* One line on stdout. */
void push_report_totals(const push_totals_t *totals);


#endif /* _PUSH_REPORT_H_INCLUDED_ */
