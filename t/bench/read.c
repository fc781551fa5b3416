
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * Reads /federate, throws it away, and tells what the server took for it.
 *
 *     read --port P [--path PATH] [--pid PID ...] [--times N | --loop]
 *
 * Prints a line for each time: samples, bytes of the answer with its head, CPU
 * ns a sample (all processes named by --pid), wall ms.  With --loop it prints
 * nothing and goes on until it is killed.
 */


#include <getopt.h>

#include "server.h"


static int          times = 1, loop;
static server_t     server;
static const char  *path = "/federate?match[]={__name__=~\".%2b\"}";


static void
ask(int fd)
{
    int   len;
    char  head[1024];

    len = snprintf(head, sizeof(head), "GET %s HTTP/1.0\r\n"
                   "Host: localhost\r\n\r\n", path);

    if (send(fd, head, (size_t) len, MSG_NOSIGNAL) != len) {
        perror("send");
        exit(1);
    }
}


/* A sample is where a label set ends: no value of the load has a brace. */

static void
fetch(size_t *samples, size_t *bytes)
{
    int      fd;
    char    *p;
    ssize_t  n;

    static char  buf[262144];

    fd = server_connect(&server);
    ask(fd);

    *samples = 0;
    *bytes = 0;

    while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {

        if (*bytes == 0 && (n < 13 || memcmp(buf + 8, " 200 ", 5) != 0)) {
            fprintf(stderr, "%.*s\n", (int) n, buf);
            exit(1);
        }

        *bytes += (size_t) n;

        for (p = buf;
             (p = memchr(p, '}', (size_t) (buf + n - p))) != NULL;
             p++)
        {
            (*samples)++;
        }
    }

    close(fd);
}


static void
measure(void)
{
    double  before, started, took;
    size_t  samples, bytes;

    before = server_ns(&server);
    started = server_wall_us();

    fetch(&samples, &bytes);

    took = server_wall_us() - started;

    /* what the server does behind the answer belongs to it */

    usleep(500000);

    printf("samples %zu bytes %zu cpu_ns %.1f ms %.1f\n", samples, bytes,
           (server_ns(&server) - before) / (double) (samples ? samples : 1),
           took / 1e3);
}


int
main(int argc, char **argv)
{
    int     c;
    size_t  samples, bytes;

    static const struct option  long_options[] = {
        { "port", 1, NULL, 'p' }, { "path", 1, NULL, 'a' },
        { "pid", 1, NULL, 'i' }, { "times", 1, NULL, 't' },
        { "loop", 0, &loop, 1 }, { NULL, 0, NULL, 0 }
    };

    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {

        switch (c) {
        case 'p': server.port = atoi(optarg); break;
        case 'a': path = optarg; break;
        case 'i': server_add_pid(&server, atoi(optarg)); break;
        case 't': times = atoi(optarg); break;
        case 0: break;
        default: return 2;
        }
    }

    while (loop) {
        fetch(&samples, &bytes);
    }

    while (times-- > 0) {
        measure();
    }

    return 0;
}
