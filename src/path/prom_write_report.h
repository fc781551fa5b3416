
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * What a write request is told about its errors: a line for each refused
 * series or sample up to about 2 KiB (senders read the first KiB), the others
 * are counted; or one text about the request as a whole.
 */


#ifndef _PROM_WRITE_REPORT_H_INCLUDED_
#define _PROM_WRITE_REPORT_H_INCLUDED_


#include "../base/prom_base.h"
#include "../base/prom_msg.h"
#include "../base/prom_sample.h"


#define PROM_REPORT_SIZE  2048


typedef struct {
    prom_msg_t  msg;                    /* the lines; append to the last */
    prom_msg_t  whole;                  /* about the request, if not empty */
    size_t      lines;
    size_t      hidden;                 /* lines that found no room */
    size_t      start;                  /* of the last line */
    char        text[PROM_REPORT_SIZE + 64];
    char        whole_text[512];
} prom_write_report_t;


void prom_write_report_init(prom_write_report_t *report);

/* Begins a line, and takes it back. */
void prom_write_report_line(prom_write_report_t *report);
void prom_write_report_drop_line(prom_write_report_t *report);

bool prom_write_report_is_full(const prom_write_report_t *report);

/*
 * Why a sample was refused (prom_verdict_e), up to where the series' labels
 * follow.  `replaced' is the value there already, or NULL.
 */
void prom_write_report_verdict(prom_write_report_t *report, uint8_t verdict,
    const prom_sample_t *sample, const uint64_t *replaced);

/* Ends in a newline; lives as long as the report. */
prom_str_t prom_write_report_text(prom_write_report_t *report);


#endif /* _PROM_WRITE_REPORT_H_INCLUDED_ */
