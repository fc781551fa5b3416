#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# A /federate of 50000 series, some 15 megabytes: it comes complete whatever is
# between it and the client, a client that is slow or goes away costs nothing,
# and others are served meanwhile.

use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use FindBin;
use IO::Uncompress::Gunzip qw(gunzip $GunzipError);
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/../lib";

use Prom::Proto;
use Prom::Test;
use Prom::Text;
use Prom::Write;

my $t = Prom::Test->new(workers => 1);

$t->write_conf(<<'EOF');
%%GLOBALS%%
http {
    %%GLOBALS_HTTP%%
    prom_tsdb m { size 64m; lookback 1h; }
    prom_tsdb evil { size 16m; lookback 1h; }
    server {
        listen 127.0.0.1:8080 sndbuf=64k;
        send_timeout 2s;
        location /write { prom_remote_write m; }
        location /federate { prom_federate m; }
        location /gzip/federate {
            prom_federate m;
            gzip on;
            gzip_types text/plain;
            gzip_vary on;
            gzip_comp_level 1;
        }
        location /limited/federate {
            prom_federate m;
            limit_rate 10m;
        }
        location /hello { return 200 "hello\n"; }
    }
    server {
        listen 127.0.0.1:8081 http2;
        location /federate { prom_federate m; }
        location /gzip/federate {
            prom_federate m;
            gzip on;
            gzip_types text/plain;
            gzip_comp_level 1;
        }
    }
    server {
        listen 127.0.0.1:8082;
        location /write { prom_remote_write evil; }
        location /federate { prom_federate evil; }
    }
}
EOF

$t->start();

my $port = $t->port(8080);
my $now = now_ms();
my $families = 100;
my $n = 50000;
my $query = '/federate?match[]={__name__!=""}';


sub label {
    my $bytes = encode('v1.Label', [ @_ ]);

    return "\x0a" . varint(length $bytes) . $bytes;
}


# Many series, made quicker than series() would.

my $common = join '', map { label(@$_) } [ 'container', 'node-exporter' ],
    [ 'endpoint', 'https-metrics' ], [ 'instance', 'host-17.example.com:9100' ],
    [ 'job', 'kubernetes-nodes' ], [ 'mountpoint', '/var/lib/kubelet/plugins' ],
    [ 'namespace', 'monitoring' ],
    [ 'service', 'prometheus-node-exporter-with-a-long-name' ];
my $sample = encode('v1.Sample', [ 1.5, $now ]);
$sample = "\x12" . varint(length $sample) . $sample;

my @names = map { sprintf 'family_%03d', $_ } 0 .. $families - 1;

for my $part (0 .. 9) {
    my $raw = '';

    for my $i ($part * $n / 10 .. ($part + 1) * $n / 10 - 1) {
        my $bytes = label('__name__', $names[$i % $families]) . $common
            . label('zone', "zone-$i") . $sample;

        $raw .= "\x0a" . varint(length $bytes) . $bytes;
    }

    my $r = send_body($port, 1, snappy($raw));
    $r->{status} == 204 or BAIL_OUT("write: $r->{raw}");
}

# complete and in order

my $r = http_get($port, $query);

is($r->{status}, 200, 'status');
ok(!$r->{cut}, 'it ends as it should');
cmp_ok(length $r->{body}, '>', 11e6, 'size');

my (%zones, @order, $lines);

for my $line (split /\n/, $r->{body}) {

    if ($line =~ /^# TYPE (\S+) untyped$/) {
        push @order, $1;
        next;
    }

    my ($name, $zone) = $line =~
        /^([a-z_0-9]+)\{container="node-exporter",endpoint="https-metrics",
        instance="host-17\.example\.com:9100",job="kubernetes-nodes",
        mountpoint="[^"]+",namespace="monitoring",service="[^"]+",
        zone="zone-(\d+)"\}[ ]1\.5[ ]$now$/x or die "bad line: $line\n";

    $name eq $order[-1] or die "not of the family $order[-1]: $line\n";
    $name eq $names[$zone % $families] or die "two lines in one: $line\n";
    $zones{$zone}++;
    $lines++;
}

is($lines, $n, 'all series');
is(keys %zones, $n, 'each once');
is_deeply(\@order, \@names, 'families by name, each in one piece');

# The order within a family may differ from time to time, the lines may not.

sub digest {
    return md5_hex(join "\n", sort split /\n/, $_[0]);
}


my $digest = digest($r->{body});
my $size = length $r->{body};


sub is_whole {
    my ($r, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($r->{status}, 200, $name);
    ok(!$r->{cut}, "$name: not cut off");
    is(length $r->{body}, $size, "$name: size");
    is(digest($r->{body}), $digest, "$name: the same lines");
}


is($r->{headers}{'transfer-encoding'}, 'chunked', 'a long answer is chunked');

my $small = http_get($port, '/federate?match[]=family_007{zone="zone-7"}');
is($small->{headers}{'content-length'}, length $small->{body},
    'a short answer has a length');

# other ways

$r = http_raw($port, "GET $query HTTP/1.0\r\n\r\n");
is($r->{headers}{'transfer-encoding'}, undef, 'HTTP/1.0: not chunked');
is_whole($r, 'HTTP/1.0');

is_whole(http_get($port, "/limited$query"), 'limit_rate');

my $h2 = 'http://127.0.0.1:' . $t->port(8081);

$r = http_curl('-g', '--http2-prior-knowledge', "$h2$query");
is($r->{version}, 2, 'this is HTTP/2');
is_whole($r, 'HTTP/2');
is_whole(http_curl('-g', '--compressed', '--http2-prior-knowledge',
    "$h2/gzip$query"), 'HTTP/2, gzip');

$r = http_get($port, "/gzip$query", 'Accept-Encoding' => 'gzip');
is($r->{headers}{'content-encoding'}, 'gzip', 'gzip');
is($r->{headers}{vary}, 'Accept-Encoding', 'gzip: Vary');
cmp_ok(length $r->{body}, '<', $size / 5, 'gzip: is smaller');
my $text;
gunzip(\$r->{body}, \$text) or diag($GunzipError);
$r->{body} = $text;
is_whole($r, 'gzip');
is_whole(http_get($port, "/gzip$query"), 'gzip that is not asked for');

my $head = Prom::HTTP->new($port)->request('HEAD', $query);
is("$head->{status} $head->{body}", '200 ', 'HEAD');

# a connection goes on after such an answer

my $c = Prom::HTTP->new($port);
is(length $c->request('GET', $query)->{body}, $size, 'the first of two');
is($c->request('GET', '/hello')->{body}, "hello\n", 'the second of two');

# a slow reader gets all of it, and holds up nobody

$c = Prom::HTTP->new($port);
$c->send("GET $query HTTP/1.0\r\n\r\n");
$r = $c->response(0, body => 0);
$r->{body} = '';

my $slowest = 0;

for (1 .. 20) {
    $r->{body} .= $c->read(100000);
    sleep 0.03;

    my $started = time();
    my $hello = http_get($port, '/hello')->{body};
    my $took = time() - $started;
    $slowest = $took if $took > $slowest;
}

$r->{body} .= $c->read();
is_whole($r, 'a slow reader');
cmp_ok($slowest, '<', 0.2, 'others are served meanwhile');

# one that reads nothing at all is left after send_timeout

my @lazy = map { Prom::HTTP->new($port) } 1 .. 5;
$_->send("GET $query HTTP/1.0\r\n\r\n") for @lazy;
ok(wait_for(10, sub { 5 == (() = $t->access_log() =~
    /GET \/federate\S* HTTP\/1.0" 408 |client timed out/g)
    || 5 == (() = $t->log() =~ /client timed out/g) }),
    'clients that fall asleep are left');
$_->close() for @lazy;

# clients that go away

my ($worker) = $t->workers();
my $rss;

for my $round (1 .. 3) {

    for my $i (1 .. 40) {
        $c = Prom::HTTP->new($port);
        $c->send("GET $query HTTP/1.0\r\n\r\n");
        $c->read($i % 4 * 50000) if $i % 4;
        $c->close();
    }

    http_get($port, '/hello');
    $rss = $t->rss($worker) if $round == 1;
}

cmp_ok($t->rss($worker) - $rss, '<', 4e6, 'who goes away leaves nothing');
is_deeply([ $t->workers() ], [ $worker ], 'and does no harm');

# many at once

my $started = time();
my @many = map { Prom::HTTP->new($port) } 1 .. 8;

$_->send("GET $query HTTP/1.0\r\n\r\n") for @many;
is(http_get($port, '/hello')->{body}, "hello\n", 'others are served');
cmp_ok(time() - $started, '<', 1, 'soon');

my @bodies = map { my $r = $_->response(0, body => 0); $_->read() } @many;
is(scalar(grep { length == $size } @bodies), 8, 'many at once: size');
is(scalar(grep { digest($_) eq $digest } @bodies[0, 7]), 2,
    'many at once: the same lines');

# writes while it is read: nothing is torn, nothing twice

$c = Prom::HTTP->new($port);
$c->send("GET $query HTTP/1.0\r\n\r\n");
$r = $c->response(0, body => 0);
$r->{body} = $c->read(1000000);

for my $i (1 .. 20) {
    send_v1($port, [ map { series('family_050', { zone => "new-$i-$_" },
        [ 1, $now ]) } 1 .. 50 ]);
    $r->{body} .= $c->read(100000);
}

$r->{body} .= $c->read();
my $lines_read = eval { keys %{ text_series($r->{body}) } };
cmp_ok($lines_read || 0, '>=', $n, 'writes while it is read') or diag($@);

# a pattern that never ends, on values that it nearly matches (without the "b"
# an optimization would see that it cannot)

my $evil = $t->port(8082);

is(send_v1($evil, [ map { series('evil', { n => $_, v => 'a' x 4000 . 'b!' },
    [ 1, $now ]) } 1 .. 500 ])->{status}, 204, 'long values');

for my $pattern ('(a+)+b', '(a|aa)+b', '(.*a){20}b', '(a*)*b',
    '((a+)+)+[bc]', '(?i)(a+)+B', '([a-z]+)*[0-9]')
{
    for my $op ('=~', '!~') {
        $c = Prom::HTTP->new($evil);
        $started = time();
        $c->send('GET /federate?' . query("evil{v$op\"$pattern\"}")
            . " HTTP/1.0\r\n\r\n");

        my $hello = time();
        http_get($port, '/hello');
        cmp_ok(time() - $hello, '<', 0.5, "$op $pattern: others are served");

        $r = $c->response();
        cmp_ok(time() - $started, '<', 3, "$op $pattern: it ends");

        # what has hit a limit is an error, not an answer that is wrong

        my $rows = () = $r->{body} =~ /^evil\{/mg;
        ok($r->{status} == 400
            || $r->{status} == 200 && $rows == ($op eq '=~' ? 0 : 500),
            "$op $pattern: status $r->{status}, $rows series");
    }
}

$t->done();
