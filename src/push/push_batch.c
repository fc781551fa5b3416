
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include <stdlib.h>
#include <string.h>

#include "push_batch.h"
#include "push_mem.h"


static void push_batch_gather(push_batch_t *batch, const push_sample_t *in);
static void push_batch_families(push_batch_t *batch);


push_batch_t *
push_batch_create(const push_data_t *data, size_t max)
{
    push_batch_t  *batch;

    batch = push_alloc(1, sizeof(push_batch_t));

    if (max > data->nsamples) {
        max = data->nsamples;
    }

    batch->data = data;
    batch->max = max;

    batch->samples = push_alloc(max, sizeof(push_sample_t));
    batch->groups = push_alloc(max, sizeof(push_group_t));
    batch->families = push_alloc(max, sizeof(push_family_t *));

    batch->group_of = push_alloc(push_data_nseries(data), sizeof(uint32_t));
    batch->told = push_alloc(push_data_nfamilies(data), sizeof(bool));

    return batch;
}


bool
push_batch_next(push_batch_t *batch)
{
    size_t                i, left;
    uint32_t             *g;
    push_group_t         *group;
    const push_sample_t  *in;

    left = push_batch_left(batch);
    if (left == 0) {
        return false;
    }

    in = &batch->data->samples[batch->pos];

    batch->number++;
    batch->nsamples = (left < batch->max) ? left : batch->max;
    batch->pos += batch->nsamples;

    batch->ngroups = 0;
    batch->nlabels = 0;

    for (i = 0; i < batch->nsamples; i++) {
        g = &batch->group_of[in[i].series];

        if (*g == 0) {
            group = &batch->groups[batch->ngroups++];
            *g = batch->ngroups;

            group->series = &batch->data->series[in[i].series];
            group->n = 0;

            batch->nlabels += group->series->nlabels;
        }

        batch->groups[*g - 1].n++;
    }

    push_batch_gather(batch, in);
    push_batch_families(batch);

    return true;
}


size_t
push_batch_left(const push_batch_t *batch)
{
    return batch->data->nsamples - batch->pos;
}


void
push_batch_free(push_batch_t *batch)
{
    free(batch->samples);
    free(batch->groups);
    free(batch->families);
    free(batch->group_of);
    free(batch->told);
    free(batch);
}


/* the groups have their sizes; leaves group_of as zeros */

static void
push_batch_gather(push_batch_t *batch, const push_sample_t *in)
{
    size_t          i;
    push_group_t   *group;
    push_sample_t  *p;

    p = batch->samples;

    for (i = 0; i < batch->ngroups; i++) {
        group = &batch->groups[i];

        group->samples = p;
        p += group->n;
        group->n = 0;
    }

    for (i = 0; i < batch->nsamples; i++) {
        group = &batch->groups[batch->group_of[in[i].series] - 1];
        group->samples[group->n++] = in[i];
    }

    for (i = 0; i < batch->nsamples; i++) {
        batch->group_of[in[i].series] = 0;
    }
}


static void
push_batch_families(push_batch_t *batch)
{
    size_t                i;
    uint32_t              family;
    const push_family_t  *families;

    families = batch->data->families;
    batch->nfamilies = 0;

    for (i = 0; i < batch->ngroups; i++) {
        family = batch->groups[i].series->family;

        if (family != PUSH_TABLE_NONE && !batch->told[family]) {
            batch->told[family] = true;
            batch->families[batch->nfamilies++] = &families[family];
        }
    }
}
