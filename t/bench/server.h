
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * What both clients of a server under test need: a connection, the wall clock,
 * and the CPU time of the server's processes.
 */


#ifndef _SERVER_H_INCLUDED_
#define _SERVER_H_INCLUDED_


#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define SERVER_PIDS  16


typedef struct {
    int  port;
    int  pids[SERVER_PIDS];
    int  n;
} server_t;


static inline double
server_wall_us(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}


static inline void
server_add_pid(server_t *server, int pid)
{
    if (server->n == SERVER_PIDS) {
        fprintf(stderr, "too many processes\n");
        exit(2);
    }

    server->pids[server->n++] = pid;
}


/* ns on a CPU of all threads of a process. */

static inline double
server_process_ns(int pid)
{
    DIR            *dir;
    FILE           *file;
    char            name[320];
    double          sum;
    struct dirent  *entry;
    unsigned long long  ns;

    snprintf(name, sizeof(name), "/proc/%d/task", pid);
    dir = opendir(name);
    sum = 0;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {

        if (entry->d_name[0] == '.') {
            continue;
        }

        snprintf(name, sizeof(name), "/proc/%d/task/%.20s/schedstat", pid,
                 entry->d_name);
        file = fopen(name, "r");

        if (file != NULL) {
            if (fscanf(file, "%llu", &ns) == 1) {
                sum += (double) ns;
            }

            fclose(file);
        }
    }

    if (dir != NULL) {
        closedir(dir);
    }

    return sum;
}


static inline double
server_ns(const server_t *server)
{
    int     i;
    double  sum;

    sum = 0;

    for (i = 0; i < server->n; i++) {
        sum += server_process_ns(server->pids[i]);
    }

    return sum;
}


static inline int
server_connect(const server_t *server)
{
    int                 fd, one;
    struct sockaddr_in  addr;

    one = 1;
    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    addr.sin_port = htons((uint16_t) server->port);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

    if (connect(fd, (struct sockaddr *) &addr, sizeof(addr)) != 0) {
        perror("connect");
        exit(1);
    }

    return fd;
}


#endif /* _SERVER_H_INCLUDED_ */
