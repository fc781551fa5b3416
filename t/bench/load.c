
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Load for any remote-write receiver, one connection, one request after the
 * other, and the CPU time that the receiver's processes took for it.
 *
 *     load --port P [--path /api/v1/write] [--pid PID ...] [--first N]
 *          [--series N] [--rounds N] [--batch N] [--v2] [--generation N]
 *          [--skip N] [--start MS] [--step MS] [--gap US]
 *
 * Prints one line: samples, CPU ns a sample (all processes named by --pid,
 * rounds before --skip left out), p50, p99, p99.9 and the longest of a request
 * in us.  Exit status 3: the receiver does not count as version 2.0 demands,
 * so it takes what it does not understand.
 */


#define _GNU_SOURCE                     /* strcasestr() */

#include <getopt.h>

#include "bodies.h"
#include "server.h"


static int          v2, gap;
static size_t       first, series = 100000, rounds = 5, batch = 2000, skip;
static int64_t      start_time, step = 15000;
static server_t     server;
static unsigned     generation;
static const char  *path = "/api/v1/write";


/* Old receivers of version 1.0 find nothing in a body of 2.0, and say 204. */

static bool
counts(const char *answer, const body_t *body)
{
    const char  *p;

    static const char  name[] = "X-Prometheus-Remote-Write-Samples-Written:";

    p = strcasestr(answer, name);

    return p != NULL && strtoul(p + sizeof(name) - 1, NULL, 10) == body->n;
}


static int
post(int *fd, const body_t *body)
{
    int      n, status;
    char     head[512], answer[8192];
    size_t   sent, len;
    ssize_t  rc;

    n = snprintf(head, sizeof(head),
                 "POST %s HTTP/1.1\r\nHost: localhost\r\n"
                 "Content-Encoding: snappy\r\nContent-Type: %s\r\n"
                 "X-Prometheus-Remote-Write-Version: %s\r\n"
                 "Content-Length: %zu\r\n\r\n", path,
                 v2 ? "application/x-protobuf;"
                      "proto=io.prometheus.write.v2.Request"
                    : "application/x-protobuf",
                 v2 ? "2.0.0" : "0.1.0", body->packed_len);

    if (send(*fd, head, (size_t) n, MSG_MORE|MSG_NOSIGNAL) != n) {
        return -1;
    }

    for (sent = 0; sent < body->packed_len; sent += (size_t) rc) {
        rc = send(*fd, body->packed + sent, body->packed_len - sent,
                  MSG_NOSIGNAL);
        if (rc <= 0) {
            return -1;
        }
    }

    for (len = 0; len < sizeof(answer) - 1; len += (size_t) rc) {
        rc = recv(*fd, answer + len, sizeof(answer) - 1 - len, 0);
        if (rc <= 0) {
            return -1;
        }

        answer[len + (size_t) rc] = '\0';

        if (strstr(answer, "\r\n\r\n") != NULL) {
            break;
        }
    }

    status = atoi(answer + 9);

    if (status / 100 != 2) {
        fprintf(stderr, "%s\n", answer);
    }

    if (v2 && status / 100 == 2 && !counts(answer, body)) {
        fprintf(stderr, "the answer does not count the samples\n");
        exit(3);
    }

    if (strstr(answer, "Connection: close") != NULL) {
        close(*fd);
        *fd = server_connect(&server);
    }

    return status;
}


static int
compare(const void *a, const void *b)
{
    double  x, y;

    x = *(const double *) a;
    y = *(const double *) b;

    return (x > y) - (x < y);
}


static void
options(int argc, char **argv)
{
    int  c;

    static const struct option  long_options[] = {
        { "port", 1, NULL, 'p' }, { "path", 1, NULL, 'a' },
        { "pid", 1, NULL, 'i' }, { "first", 1, NULL, 'f' },
        { "series", 1, NULL, 's' }, { "rounds", 1, NULL, 'r' },
        { "batch", 1, NULL, 'b' }, { "v2", 0, &v2, 1 },
        { "generation", 1, NULL, 'g' },
        { "skip", 1, NULL, 'k' }, { "start", 1, NULL, 't' },
        { "step", 1, NULL, 'e' }, { "gap", 1, NULL, 'u' },
        { NULL, 0, NULL, 0 }
    };

    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {

        switch (c) {
        case 'p': server.port = atoi(optarg); break;
        case 'a': path = optarg; break;
        case 'i': server_add_pid(&server, atoi(optarg)); break;
        case 'f': first = strtoul(optarg, NULL, 10); break;
        case 's': series = strtoul(optarg, NULL, 10); break;
        case 'r': rounds = strtoul(optarg, NULL, 10); break;
        case 'b': batch = strtoul(optarg, NULL, 10); break;
        case 'g': generation = (unsigned) atoi(optarg); break;
        case 'k': skip = strtoul(optarg, NULL, 10); break;
        case 't': start_time = atoll(optarg); break;
        case 'e': step = atoll(optarg); break;
        case 'u': gap = atoi(optarg); break;
        case 0: break;
        default: exit(2);
        }
    }
}


int
main(int argc, char **argv)
{
    int      fd;
    double   before, used, started, *times;
    size_t   i, n, round, asked;
    body_t  *bodies;

    options(argc, argv);

    n = series / batch;
    bodies = calloc(n, sizeof(body_t));
    times = calloc(n * rounds + 1, sizeof(double));

    for (i = 0; i < n; i++) {
        if (v2) {
            body_v2(bodies + i, first + i * batch, batch, generation);

        } else {
            body_v1(bodies + i, first + i * batch, batch, generation,
                    false);
        }
    }

    if (start_time == 0) {
        start_time = (int64_t) time(NULL) * 1000
                     - (int64_t) rounds * step;
    }

    fd = server_connect(&server);
    asked = 0;
    before = server_ns(&server);

    for (round = 0; round < rounds; round++) {

        if (round == skip) {
            before = server_ns(&server);
            asked = 0;
        }

        for (i = 0; i < n; i++) {
            body_tick(bodies + i, start_time + (int64_t) round * step);

            if (gap > 0) {
                usleep((useconds_t) gap);
            }

            started = server_wall_us();

            if (post(&fd, bodies + i) / 100 != 2) {
                fprintf(stderr, "request refused\n");
                return 1;
            }

            times[asked++] = server_wall_us() - started;
        }
    }

    /* what the receiver does behind the answer belongs to it */

    usleep(500000);
    used = server_ns(&server) - before;

    qsort(times, asked, sizeof(double), compare);

    printf("samples %zu cpu_ns %.1f p50 %.0f p99 %.0f p999 %.0f "
           "max %.0f raw %.0f\n",
           asked * batch, used / (double) (asked * batch), times[asked / 2],
           times[asked * 99 / 100], times[asked * 999 / 1000],
           times[asked - 1],
           (double) bodies[0].len / (double) batch);

    return 0;
}
