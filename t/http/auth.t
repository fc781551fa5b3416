#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# What nginx has for keeping people out, in front of the module: who has no
# right gets an error, and nothing of what was sent is stored.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../lib";

use Prom::Cert;
use Prom::Proto;
use Prom::Test;
use Prom::Text;
use Prom::Write;

my $t = Prom::Test->new();
my $dir = $t->dir();

certificates($dir);
$t->write_file('htpasswd', "me:{PLAIN}secret\n");

$t->write_conf(<<'EOF');
%%GLOBALS%%
http {
    %%GLOBALS_HTTP%%
    prom_tsdb m { size 8m; }
    limit_req_zone $server_port zone=slow:1m rate=1r/m;
    server {
        listen 127.0.0.1:8080;
        location /write { prom_remote_write m; }
        location /federate { prom_federate m; }
    }
    server {
        listen 127.0.0.1:8443 ssl http2;
        ssl_certificate server.crt;
        ssl_certificate_key server.key;
        ssl_client_certificate ca.crt;
        ssl_verify_client on;
        location /write { prom_remote_write m; }
        location /federate { prom_federate m; }
    }
    server {
        listen 127.0.0.1:8081;
        auth_basic "remote write";
        auth_basic_user_file htpasswd;
        location /write { prom_remote_write m; }
        location /federate { prom_federate m; }
    }
    server {
        listen 127.0.0.1:8082;
        location /write { limit_req zone=slow burst=1 nodelay;
            prom_remote_write m; }
    }
    server {
        listen 127.0.0.1:8083;
        location /write { deny all; prom_remote_write m; }
        location /federate { deny all; prom_federate m; }
        location /read_only {
            limit_except GET { deny all; }
            prom_remote_write m;
        }
        location /any {
            satisfy any;
            deny all;
            auth_basic "remote write";
            auth_basic_user_file htpasswd;
            prom_remote_write m;
        }
        location /ask {
            auth_request /answer;
            prom_remote_write m;
        }
        location = /answer {
            internal;
            if ($http_x_key = secret) { return 204; }
            return 403;
        }
    }
}
EOF

$t->start();

my $port = $t->port(8080);
my $now = now_ms();
my $attempt = 0;


sub body {
    return snappy(write_v1([ series('m', { n => ++$attempt }, [ 1, $now ]) ]));
}


sub stored {
    return scalar keys %{ federate($port, "m{n=\"$attempt\"}") };
}


sub is_written {
    my ($r, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($r->{status}, 204, $name) or diag($r->{raw});
    is(stored(), 1, "$name: it is stored");
}


sub is_kept_out {
    my ($r, $status, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($r->{status}, $status, $name) or diag($r->{raw});
    is(stored(), 0, "$name: nothing is stored");
}


# TLS

my $url = 'https://localhost:' . $t->port(8443);
my @ca = ('--cacert', "$dir/ca.crt");
my @cert = ('--cert', "$dir/client.crt", '--key', "$dir/client.key");
my @other = ('--cert', "$dir/other.crt", '--key', "$dir/other.key");


sub post_tls {
    my (@args) = @_;

    my $file = $t->write_file('body', body());

    return http_curl(@args, '--data-binary', "\@$file",
        '-H', 'Content-Type: application/x-protobuf', "$url/write");
}


for my $version ('--http1.1', '--http2') {
    is_written(post_tls($version, @ca, @cert), "$version, with a certificate");
    is_kept_out(post_tls($version, @ca), 400, "$version, without one");
    is_kept_out(post_tls($version, @ca, @other), 400,
        "$version, with one of another CA");
    is(http_curl('-g', $version, @ca, "$url/federate?match[]=m")->{status}, 400,
        "$version, federate without a certificate");
    is(keys %{ text_series(http_curl('-g', $version, @ca, @cert,
        "$url/federate?match[]=m")->{body}) }, $version eq '--http2' ? 2 : 1,
        "$version, federate with one");
}

# passwords

my $secret = $t->port(8081);
my @me = (Authorization => 'Basic bWU6c2VjcmV0');
my @not_me = (Authorization => 'Basic bWU6d3Jvbmc=');
my @type = write_headers(1);

is_written(http_post($secret, '/write', body(), @type, @me), 'a password');
is_kept_out(http_post($secret, '/write', body(), @type), 401, 'no password');
is_kept_out(http_post($secret, '/write', body(), @type, @not_me), 401,
    'a wrong password');
is_kept_out(http_post($secret, '/write', snappy(write_v2([ series('m',
    { n => ++$attempt }, [ 1, $now ]) ])), write_headers(2)), 401,
    'no password, 2.0');
is(http_get($secret, '/federate?match[]=m')->{status}, 401,
    'federate, no password');
is(http_get($secret, '/federate?match[]=m', @me)->{status}, 200,
    'federate, a password');

# who has no right does not learn whether his request is good

is(http_post($secret, '/write', 'broken', 'Content-Type' => 'x')->{status},
    401, 'the right comes before the type');

# a large body of one without a right, on a connection that goes on

my $c = Prom::HTTP->new($secret);

is_kept_out($c->request('POST', '/write', [ @type ], 'x' x 500000), 401,
    'a large body');
is_written($c->request('POST', '/write', [ @type, @me ], body()),
    'then a password');

# limit_req

my $limited = $t->port(8082);

is_written(http_post($limited, '/write', body(), @type), 'within the limit');
is_written(http_post($limited, '/write', body(), @type), 'the burst');
is_kept_out(http_post($limited, '/write', body(), @type), 503,
    'beyond the limit');

# access

my $closed = $t->port(8083);

is_kept_out(http_post($closed, '/write', body(), @type), 403, 'deny');
is(http_get($closed, '/federate?match[]=m')->{status}, 403, 'deny, federate');
is_kept_out(http_post($closed, '/read_only', body(), @type), 403,
    'limit_except');
is(http_get($closed, '/read_only')->{status}, 405,
    'limit_except: what is let through is answered as ever');
is_written(http_post($closed, '/any', body(), @type, @me), 'satisfy any');
is_kept_out(http_post($closed, '/any', body(), @type), 401,
    'satisfy any, none is');

SKIP: {
    skip('no auth_request', 4) if !$t->has('http_auth_request_module');

    is_written(http_post($closed, '/ask', body(), @type, 'X-Key' => 'secret'),
        'auth_request');
    is_kept_out(http_post($closed, '/ask', body(), @type), 403,
        'auth_request says no');
}

$t->done();
