
/*
 * Copyright (C) the ngx_http_prom_module authors
 */


#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "push_help.h"
#include "push_mem.h"
#include "push_options.h"


#define PUSH_BATCH_DEFAULT    2000
#define PUSH_TIMEOUT_DEFAULT  30000


enum {
    push_opt_v1 = 256,
    push_opt_v2,
    push_opt_label,
    push_opt_override,
    push_opt_user,
    push_opt_token,
    push_opt_header,
    push_opt_cacert,
    push_opt_cert,
    push_opt_key,
    push_opt_insecure,
    push_opt_timeout,
    push_opt_batch,
    push_opt_stale,
    push_opt_timestamp,
    push_opt_no_metadata,
    push_opt_dry_run,
    push_opt_dump,
    push_opt_version
};


static int push_option(push_options_t *options, int option, char *value);
static int push_option_label(push_options_t *options, char *value);
static int push_option_header(push_options_t *options, const char *value);
static int push_option_timeout(push_options_t *options, const char *value);
static int push_option_integer(const char *name, const char *value,
    long long min, long long max, long long *to);
static int push_options_arguments(push_options_t *options, int argc,
    char **argv);
static int push_options_check(const push_options_t *options);
static bool push_options_is_url(const char *text);
static int64_t push_options_now(void);
static int push_options_error(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));


static const struct option  push_long_options[] = {
    { "v1", no_argument, NULL, push_opt_v1 },
    { "v2", no_argument, NULL, push_opt_v2 },
    { "label", required_argument, NULL, push_opt_label },
    { "override", no_argument, NULL, push_opt_override },
    { "user", required_argument, NULL, push_opt_user },
    { "token", required_argument, NULL, push_opt_token },
    { "header", required_argument, NULL, push_opt_header },
    { "cacert", required_argument, NULL, push_opt_cacert },
    { "cert", required_argument, NULL, push_opt_cert },
    { "key", required_argument, NULL, push_opt_key },
    { "insecure", no_argument, NULL, push_opt_insecure },
    { "timeout", required_argument, NULL, push_opt_timeout },
    { "batch", required_argument, NULL, push_opt_batch },
    { "stale", no_argument, NULL, push_opt_stale },
    { "timestamp", required_argument, NULL, push_opt_timestamp },
    { "no-metadata", no_argument, NULL, push_opt_no_metadata },
    { "dry-run", no_argument, NULL, push_opt_dry_run },
    { "dump", required_argument, NULL, push_opt_dump },
    { "quiet", no_argument, NULL, 'q' },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, push_opt_version },
    { NULL, 0, NULL, 0 }
};


int
push_options_parse(push_options_t *options, int argc, char **argv)
{
    int  option, rc;

    memset(options, 0, sizeof(push_options_t));

    options->send.version = PUSH_V1;
    options->send.timeout = PUSH_TIMEOUT_DEFAULT;
    options->encode.metadata = true;
    options->batch = PUSH_BATCH_DEFAULT;
    options->now = push_options_now();

    for ( ;; ) {
        option = getopt_long(argc, argv, "qh", push_long_options, NULL);
        if (option == -1) {
            break;
        }

        rc = push_option(options, option, optarg);
        if (rc != PUSH_OPTIONS_OK) {
            return rc;
        }
    }

    options->encode.version = options->send.version;

    rc = push_options_arguments(options, argc - optind, argv + optind);
    if (rc != PUSH_OPTIONS_OK) {
        return rc;
    }

    return push_options_check(options);
}


void
push_options_free(push_options_t *options)
{
    free(options->labels);
    free(options->send.headers);
}


static int
push_option(push_options_t *options, int option, char *value)
{
    int        rc;
    long long  n;

    switch (option) {

    case push_opt_v1:
        options->send.version = PUSH_V1;
        break;

    case push_opt_v2:
        options->send.version = PUSH_V2;
        break;

    case push_opt_label:
        return push_option_label(options, value);

    case push_opt_override:
        options->override = true;
        break;

    case push_opt_user:
        if (strchr(value, ':') == NULL) {
            return push_options_error("--user wants USER:PASSWORD");
        }

        options->send.user = value;
        break;

    case push_opt_token:
        if (value[0] == '\0' || strpbrk(value, "\r\n") != NULL) {
            return push_options_error("bad --token");
        }

        options->send.token = value;
        break;

    case push_opt_header:
        return push_option_header(options, value);

    case push_opt_cacert:
        options->send.cacert = value;
        break;

    case push_opt_cert:
        options->send.cert = value;
        break;

    case push_opt_key:
        options->send.key = value;
        break;

    case push_opt_insecure:
        options->send.insecure = true;
        break;

    case push_opt_timeout:
        return push_option_timeout(options, value);

    case push_opt_batch:
        rc = push_option_integer("batch", value, 1, UINT32_MAX - 1, &n);
        options->batch = (rc == PUSH_OPTIONS_OK) ? n : 0;
        return rc;

    case push_opt_stale:
        options->encode.stale = true;
        break;

    case push_opt_timestamp:
        rc = push_option_integer("timestamp", value, INT64_MIN, INT64_MAX, &n);
        options->now = (rc == PUSH_OPTIONS_OK) ? n : 0;
        return rc;

    case push_opt_no_metadata:
        options->encode.metadata = false;
        break;

    case push_opt_dry_run:
        options->dry_run = true;
        break;

    case push_opt_dump:
        options->dump = value;
        break;

    case 'q':
        options->quiet = true;
        break;

    case 'h':
        fputs(push_help, stdout);
        return PUSH_OPTIONS_DONE;

    case push_opt_version:
        printf("prom-push %s\n", PUSH_VERSION);
        return PUSH_OPTIONS_DONE;

    default:
        return push_options_error(NULL);
    }

    return PUSH_OPTIONS_OK;
}


static int
push_option_label(push_options_t *options, char *value)
{
    char          *name;
    size_t         i;
    push_label_t  *label;

    name = value;
    value = strchr(value, '=');

    if (value == NULL || value == name) {
        return push_options_error("--label wants NAME=VALUE");
    }

    *value++ = '\0';

    if (!push_utf8_valid(name, strlen(name))
        || !push_utf8_valid(value, strlen(value)))
    {
        return push_options_error("--label is not valid UTF-8");
    }

    for (i = 0; i < options->nlabels; i++) {
        if (strcmp(options->labels[i].name, name) == 0) {
            return push_options_error("duplicate --label \"%s\"", name);
        }
    }

    options->labels = push_grow(options->labels, options->nlabels,
                                &options->labels_cap, sizeof(push_label_t));

    label = &options->labels[options->nlabels++];

    label->name = name;
    label->value = value;

    return PUSH_OPTIONS_OK;
}


static int
push_option_header(push_options_t *options, const char *value)
{
    size_t             name;
    push_send_conf_t  *conf;

    name = strcspn(value, ": \t");

    if (name == 0 || value[name] != ':' || strpbrk(value, "\r\n") != NULL) {
        return push_options_error("--header wants 'NAME: VALUE'");
    }

    conf = &options->send;

    conf->headers = push_grow(conf->headers, conf->nheaders,
                              &options->headers_cap, sizeof(char *));

    conf->headers[conf->nheaders++] = value;

    return PUSH_OPTIONS_OK;
}


static int
push_option_timeout(push_options_t *options, const char *value)
{
    char    *end;
    double   seconds;

    seconds = strtod(value, &end);

    if (end == value || *end != '\0' || !(seconds >= 0.001)
        || seconds > INT_MAX / 1000)
    {
        return push_options_error("bad --timeout \"%s\", it is a number of "
                                  "seconds", value);
    }

    options->send.timeout = seconds * 1000 + 0.5;

    return PUSH_OPTIONS_OK;
}


static int
push_option_integer(const char *name, const char *value, long long min,
    long long max, long long *to)
{
    char  *end;

    errno = 0;
    *to = strtoll(value, &end, 10);

    if (end == value || *end != '\0' || errno != 0 || *to < min || *to > max) {
        return push_options_error("bad --%s \"%s\"", name, value);
    }

    return PUSH_OPTIONS_OK;
}


static int
push_options_arguments(push_options_t *options, int argc, char **argv)
{
    if (argc > 0 && push_options_is_url(argv[0])) {
        options->send.url = argv[0];
        argc--;
        argv++;

    } else if (!options->dry_run && options->dump == NULL) {

        if (argc == 0) {
            return push_options_error("no URL");
        }

        return push_options_error("the first argument is \"%s\", not an http "
                                  "or https URL", argv[0]);
    }

    options->files = argv;
    options->nfiles = argc;

    return PUSH_OPTIONS_OK;
}


static int
push_options_check(const push_options_t *options)
{
    if (options->send.user != NULL && options->send.token != NULL) {
        return push_options_error("--user and --token exclude each other");
    }

    if (options->dry_run && options->dump != NULL) {
        return push_options_error("--dry-run and --dump exclude each other");
    }

    return PUSH_OPTIONS_OK;
}


static bool
push_options_is_url(const char *text)
{
    return strncasecmp(text, "http://", 7) == 0
           || strncasecmp(text, "https://", 8) == 0;
}


static int64_t
push_options_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


/* without a format getopt_long() has said it already */

static int
push_options_error(const char *fmt, ...)
{
    va_list  args;

    if (fmt != NULL) {
        fprintf(stderr, "prom-push: ");

        va_start(args, fmt);
        vfprintf(stderr, fmt, args);
        va_end(args);

        fputc('\n', stderr);
    }

    fprintf(stderr, "usage: prom-push [options] URL [file...], see --help\n");

    return PUSH_OPTIONS_ERROR;
}
