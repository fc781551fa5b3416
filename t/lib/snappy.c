
/*
 * Copyright (C) the ngx_http_prom_module authors
 *
 * One snappy block from standard input to standard output, so that tests can
 * look into bodies and make them: "snappy -d" decompresses, "snappy -c"
 * compresses.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <snappy-c.h>


static char *read_all(size_t *len);
static int write_all(const char *p, size_t len);
static int compress(const char *in, size_t len);
static int decompress(const char *in, size_t len);


int
main(int argc, char **argv)
{
    int      rc;
    char    *in;
    size_t   len;

    if (argc != 2
        || (strcmp(argv[1], "-d") != 0 && strcmp(argv[1], "-c") != 0))
    {
        fprintf(stderr, "usage: snappy -c|-d <in >out\n");
        return 2;
    }

    in = read_all(&len);
    if (in == NULL) {
        perror("snappy");
        return 2;
    }

    rc = (argv[1][1] == 'c') ? compress(in, len) : decompress(in, len);

    free(in);

    return rc;
}


static int
compress(const char *in, size_t len)
{
    int      rc;
    char    *out;
    size_t   n;

    n = snappy_max_compressed_length(len);

    out = malloc(n);
    if (out == NULL || snappy_compress(in, len, out, &n) != SNAPPY_OK) {
        fprintf(stderr, "snappy: cannot compress\n");
        free(out);
        return 1;
    }

    rc = write_all(out, n);

    free(out);

    return rc;
}


static int
decompress(const char *in, size_t len)
{
    int      rc;
    char    *out;
    size_t   n;

    if (snappy_uncompressed_length(in, len, &n) != SNAPPY_OK) {
        fprintf(stderr, "snappy: corrupt input\n");
        return 1;
    }

    out = malloc(n + 1);
    if (out == NULL || snappy_uncompress(in, len, out, &n) != SNAPPY_OK) {
        fprintf(stderr, "snappy: corrupt input\n");
        free(out);
        return 1;
    }

    rc = write_all(out, n);

    free(out);

    return rc;
}


static char *
read_all(size_t *len)
{
    char    *p, *q;
    size_t   n, cap;

    cap = 65536;
    *len = 0;

    p = malloc(cap);

    while (p != NULL) {
        n = fread(p + *len, 1, cap - *len, stdin);
        *len += n;

        if (n == 0) {
            break;
        }

        if (*len == cap) {
            cap *= 2;

            q = realloc(p, cap);
            if (q == NULL) {
                free(p);
            }

            p = q;
        }
    }

    if (p != NULL && ferror(stdin)) {
        free(p);
        return NULL;
    }

    return p;
}


static int
write_all(const char *p, size_t len)
{
    if (fwrite(p, 1, len, stdout) != len || fflush(stdout) != 0) {
        perror("snappy");
        return 1;
    }

    return 0;
}
