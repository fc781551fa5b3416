
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * The samples of one request, gathered by series: the series in the order of
 * their first sample, the samples of a series in the order of the input.
 * Requests follow the input's order, so that a text sorted by time is sent
 * sorted by time.
 *
 *     batch = push_batch_create(data, 2000);
 *     while (push_batch_next(batch)) { ... }
 *     push_batch_free(batch);
 *
 * The data must stay and not change meanwhile.
 */


#ifndef _PUSH_BATCH_H_INCLUDED_
#define _PUSH_BATCH_H_INCLUDED_


#include <stdbool.h>
#include <stddef.h>

#include "push_data.h"


typedef struct {
    const push_series_t  *series;
    push_sample_t        *samples;      /* "n" of them, n > 0 */
    size_t                n;
} push_group_t;


typedef struct {
    const push_data_t    *data;
    size_t                number;       /* from 1 */

    push_group_t         *groups;
    size_t                ngroups;
    size_t                nsamples;
    size_t                nlabels;      /* of all groups */

    /*
     * Families with metadata that no batch before had; a server keeps what
     * version 1 tells it, so once is enough.
     */
    const push_family_t **families;
    size_t                nfamilies;

    size_t                max;
    size_t                pos;          /* in data->samples */
    push_sample_t        *samples;
    uint32_t             *group_of;     /* by series: group + 1, or 0 */
    bool                 *told;         /* by family */
} push_batch_t;


push_batch_t *push_batch_create(const push_data_t *data, size_t max);

/* False: there are no samples left. */
bool push_batch_next(push_batch_t *batch);

/* How many samples no batch has held yet. */
size_t push_batch_left(const push_batch_t *batch);

void push_batch_free(push_batch_t *batch);


#endif /* _PUSH_BATCH_H_INCLUDED_ */
