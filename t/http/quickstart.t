#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# docs/quickstart/nginx.conf as it stands, and with all that is commented out
# in it: TLS, certificates of clients, passwords, limits.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../lib";

use Prom::Cert;
use Prom::Proto;
use Prom::Test;
use Prom::Text;

my $quickstart = Prom::HTTP::slurp(top() . '/docs/quickstart/nginx.conf');
$quickstart =~ s/127\.0\.0\.1:9009/127.0.0.1:8080/;

my @write = ('Content-Type' => 'application/x-protobuf',
    'Content-Encoding' => 'snappy');
my $up = 'up{instance="a:1",job="node",cluster="eu-1"}';
my $body = snappy(write_v1([
    series('up', { instance => 'a:1', job => 'node' }, [ 1, time() * 1000 ])
]));
my $federate = '/federate?match[]=up';

# as it stands

my $t = server($quickstart);
my $port = $t->port(8080);

is(http_post($port, '/api/v1/write', $body, @write)->{status}, 204, 'write');

my $r = http_get($port, $federate);

is_deeply([ keys %{ text_series($r->{body}) } ], [ $up ],
    'federate, with the external label') or diag($r->{raw});

$t->finish();

# with all of it

my $n = ($quickstart =~ s/^( +)# (\w.*;)$/$1$2/mg);
cmp_ok($n, '>=', 9, "$n lines that are commented out");

$quickstart =~ s/listen 9443 ssl/listen 127.0.0.1:8443 ssl/;

$t = server($quickstart);
$port = $t->port(8080);

my $url = 'https://localhost:' . $t->port(8443);
my $dir = $t->dir();
my $payload = $t->write_file('payload', $body);

my @ca = ('--cacert', "$dir/ca.crt");
my @cert = ('--cert', "$dir/client.crt", '--key', "$dir/client.key");
my @post = ('--data-binary', "\@$payload",
    '-H', 'Content-Type: application/x-protobuf',
    '-H', 'Content-Encoding: snappy');
my @federate = ('-g', "$url$federate");

is(http_get($port, $federate)->{status}, 401, 'no password');
is(http_curl(@ca, '--user', 'me:secret', @federate)->{status}, 400,
    'no certificate');
is(http_curl(@ca, @cert, '--user', 'me:wrong', @federate)->{status}, 401,
    'a wrong password');
is(http_curl(@ca, @cert, @post, "$url/api/v1/write")->{status}, 401,
    'write without a password');

$r = http_curl(@ca, @cert, '--user', 'me:secret', @post,
    "$url/api/v1/write");
is($r->{status}, 204, 'write over TLS with certificate and password')
    or diag($r->{raw}, $r->{error});

$r = http_curl(@ca, @cert, '--user', 'me:secret', @federate);
is($r->{status}, 200, 'federate likewise') or diag($r->{raw}, $r->{error});
like($r->{body}, qr/^\Q$up\E 1 \d+$/m, 'its text');

$t->done();


sub server {
    my ($conf) = @_;

    my $t = Prom::Test->new(workers => 1);
    my $dir = $t->dir();

    mkdir "$dir/$_" for qw(modules tmp);
    symlink build() . '/ngx_http_prom_module.so',
        "$dir/modules/ngx_http_prom_module.so";

    certificates($dir);
    $t->write_file('htpasswd', "me:{PLAIN}secret\n");
    $t->write_conf("daemon off;\n$conf");

    return $t->start();
}
