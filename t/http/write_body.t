#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# How a body may arrive: at once or byte by byte, with a length or chunked, in
# one buffer, in two or in a file, over HTTP/2, or only half of it.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/../lib";

use Prom::Proto;
use Prom::Test;
use Prom::Write;

my $t = Prom::Test->new();

$t->write_conf(<<'EOF');
%%GLOBALS%%
http {
    %%GLOBALS_HTTP%%
    prom_tsdb m { size 64m; }
    server {
        listen 127.0.0.1:8080;
        location /write { prom_remote_write m; }
        location /federate { prom_federate m; }
        location /small {
            client_body_buffer_size 256k;
            client_max_body_size 2m;
            prom_remote_write m;
        }
        location /decoded {
            prom_max_decoded_size 10k;
            prom_remote_write m;
        }
        location /slow {
            client_body_timeout 1s;
            prom_remote_write m;
        }
    }
    server {
        listen 127.0.0.1:8081 http2;
        location /write { prom_remote_write m; }
        location /small {
            client_body_buffer_size 256k;
            client_max_body_size 2m;
            prom_remote_write m;
        }
    }
}
EOF

$t->start();

my $port = $t->port(8080);
my $now = now_ms();
my $attempt = 0;


# Series that no other attempt has; the longer ones with labels as usual.

sub batch {
    my ($n) = @_;

    $attempt++;

    return map {
        series('up', { attempt => $attempt, n => $_,
            $n > 1 ? (instance => "host-$_.example.com:9100",
                job => 'kubernetes-nodes', namespace => 'monitoring',
                pod => sprintf('node-exporter-%08x', $_ * 2654435761 % 2 ** 32),
                container => 'node-exporter', endpoint => 'https-metrics',
                service => 'prometheus-node-exporter',
                device => 'nvme0n1p2', fstype => 'ext4',
                mountpoint => '/var/lib/kubelet/plugins') : () },
            [ $_, $now ])
    } 1 .. $n;
}


sub body {
    my ($n) = @_;

    return snappy(write_v1([ batch($n || 1) ]));
}


# The same in 100 series, larger than client_body_buffer_size of /small.

sub long_body {
    my @series = batch(100);

    $_->{labels}{long} = 'x' x 4000 for @series;

    return snappy(write_v1(\@series));
}


# The number of series of this attempt that are there.

sub stored {
    return scalar keys %{ federate($port, "up{attempt=\"$attempt\"}") };
}


sub post {
    my ($path, $body, %opt) = @_;

    return Prom::HTTP->new($port)->request('POST', $path,
        [ write_headers(1), Connection => 'close',
        @{ $opt{headers} || [] } ], $body, %opt);
}


sub spilled {
    return scalar(() = $t->log() =~
        /a client request body is buffered to a temporary file/g);
}


sub is_written {
    my ($r, $n, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($r->{status}, 204, $name) or diag($r->{raw});
    is(stored(), $n, "$name: all of it is stored");
}


# in pieces

for my $chunked (0, 1) {
    my $how = $chunked ? 'chunked' : 'with a length';

    is_written(post('/write', body(), chunked => $chunked), 1, $how);
    is_written(post('/write', [ split //, body() ], chunked => $chunked), 1,
        "byte by byte, $how");
    is_written(post('/write', [ map { ($_, \0.002) } split //, body() ],
        chunked => $chunked), 1, "slowly, $how");

    for my $size (1000, 4096, 8191, 65537) {
        my @pieces = unpack "(a$size)*", body(300);
        is_written(post('/write', \@pieces, chunked => $chunked), 300,
            "in pieces of $size, $how");
    }

    my @odd = map { ($_, \0.001) } unpack 'a1 a2 a3 a1000 a1 a30000 a*',
        body(300);
    is_written(post('/write', \@odd, chunked => $chunked), 300,
        "in odd pieces, $how");
}

# the first part comes with the headers, in another buffer than the rest

my $body = body(300);

is_written(http_raw($port, join("\r\n", 'POST /write HTTP/1.1', 'Host: a',
    'Connection: close', 'Content-Length: ' . length $body,
    '', '') . substr($body, 0, 500), \0.1, substr($body, 500)), 300,
    'a body in two buffers');

$body = body();
is_written(http_raw($port, join("\r\n", 'POST /write HTTP/1.1', 'Host: a',
    'Connection: close', 'Content-Length: ' . length $body, '', $body)), 1,
    'a body with the headers');

$body = body();
is_written(http_raw($port, join("\r\n", 'POST /write HTTP/1.1', 'Host: a',
    'Connection: close', 'Transfer-Encoding: chunked', '',
    '1;ext=1', substr($body, 0, 1),
    sprintf('%x', length($body) - 1), substr($body, 1), '0', 'Trailer: x', '',
    '')), 1, 'chunks with extensions and a trailer');

is(http_raw($port, join("\r\n", 'POST /write HTTP/1.1', 'Host: a',
    'Connection: close', 'Transfer-Encoding: chunked', '', 'zz', 'x', '')
    )->{status}, 400, 'bad chunks');

# one request after the other in one go

my @bodies = map { body() } 1 .. 3;
my $c = Prom::HTTP->new($port);

$c->send(join '', map { "POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: "
    . length($_) . "\r\n\r\n$_" } @bodies);
is(join(' ', map { $c->response()->{status} } @bodies), '204 204 204',
    'pipelined requests');
is(stored(), 1, 'the last one is stored');

# batches as they are sent do not touch the disk

my $filter = build() . '/t/lib/snappy';

for my $n (2000, 10000) {
    my $raw = write_v1([ batch($n) ]);

    my $file = $t->write_file('raw', $raw);
    $body = $n == 2000 ? snappy($raw) : `$filter -c < $file`;
    cmp_ok(length $body, '<', 1024 * 1024, "$n samples in " . length $body);

    is_written(post('/write', $body), $n, "$n samples");
    is_written(post('/write', $body, chunked => 1), $n, "$n samples, chunked");
}

is(spilled(), 0, 'no temporary file so far');

# a body that is larger than the buffer

for my $chunked (0, 1) {
    my $how = $chunked ? 'chunked' : 'with a length';
    my $before = spilled();

    $body = long_body();
    cmp_ok(length $body, '>', 1.25 * 256 * 1024, 'larger than the buffer');

    is_written(post('/small', $body, chunked => $chunked), 100,
        "through a file, $how");
    is(spilled(), $before + 1, "there was a file, $how");

    $body = long_body();
    $body =~ s/.\z//s;
    is(post('/small', $body, chunked => $chunked)->{status}, 400,
        "a bad body through a file, $how");
    is(stored(), 0, "of which nothing is stored, $how");
}

# Expect

$body = body();
$c = Prom::HTTP->new($port);
$c->send("POST /write HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
    . 'Content-Length: ' . length($body) . "\r\n\r\n");
is($c->line(), 'HTTP/1.1 100 Continue', '100 before the body');
$c->line();
$c->send($body);
is_written($c->response(), 1, 'after 100');

# HTTP/2

my $h2 = 'http://127.0.0.1:' . $t->port(8081);


sub post_h2 {
    my ($path, $body, @args) = @_;

    my $file = $t->write_file('body', $body);

    return http_curl('--http2-prior-knowledge', '-X', 'POST',
        '-H', 'Content-Type: application/x-protobuf',
        '-H', 'Content-Encoding: snappy', @args,
        @args ? '-T' : '--data-binary', @args ? $file : "\@$file",
        "$h2$path");
}


for my $case ([ 'with a length' ], [ 'without', '-H', 'Content-Length:' ]) {
    my ($how, @args) = @$case;

    my $r = post_h2('/write', body(), @args);
    is($r->{version}, 2, 'this is HTTP/2');
    is_written($r, 1, "HTTP/2, $how");
    is_written(post_h2('/write', body(2000), @args), 2000,
        "HTTP/2, $how, 2000 samples");

    my $before = spilled();
    is_written(post_h2('/small', long_body(), @args), 100,
        "HTTP/2, $how, through a file");
    is(spilled(), $before + 1, "HTTP/2, $how, there was a file");

    # nginx resets the stream, which may overtake the answer

    post_h2('/small', 'x' x 2100000, @args);
    ok(wait_for(5, sub { $t->access_log() =~ m{/small HTTP/2.0" 413 .*\n\z} }),
        "HTTP/2, $how, too large");
}

# too large

is(post('/small', 'x' x 2100000)->{status}, 413, 'too large');
is(post('/small', 'x' x 2100000, chunked => 1)->{status}, 413,
    'too large, chunked');
is(post('/small', '', headers => [ 'Content-Length' => '9' x 18 ])->{status},
    413, 'a claim that is too large');

my $r = post('/decoded', 'x' x 20000);
is($r->{status}, 413, 'larger than anything that fits the decoded size');
is($r->{body}, "request body too large\n", 'in our words');

$r = post('/decoded', body(100));
is($r->{status}, 413, 'literals larger than the decoded size');

$r = post('/decoded', snappy_copies("\x0a", 20000));
is($r->{status}, 400, 'a block that decodes to too much');
like($r->{body}, qr/decodes to 20001 bytes, prom_max_decoded_size is 10240/,
    'is told so');

# half a body

for my $version (1, 2) {
    for my $chunked (0, 1) {
        $body = body(300);
        $c = Prom::HTTP->new($port);
        $c->send("POST /write HTTP/1.1\r\nHost: a\r\n"
            . ($chunked ? "Transfer-Encoding: chunked\r\n\r\n"
                . Prom::HTTP::chunk(substr $body, 0, 20000)
                : 'Content-Length: ' . length($body) . "\r\n\r\n"
                . substr $body, 0, 20000));
        sleep 0.05;
        $c->close();
        is(stored(), 0, 'a client that goes away in a body stores nothing');
    }
}

$c = Prom::HTTP->new($port);
$c->send("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab");
ok($c->closed(5), 'a client that falls asleep is left');

# who does not wait for the answer has written all of it or nothing; 5000 new
# series take several turns of the event loop

for my $pause (0, 0.001, 0.003, 0.01) {
    $attempt++;
    $body = snappy(write_v1([ map { series('up', { attempt => $attempt,
        n => $_ }, [ 1, $now ]) } 1 .. 5000 ]));
    $c = Prom::HTTP->new($port);
    $c->send("POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body", \$pause);
    $c->close();
    sleep 0.1;

    my $n = stored();
    ok($n == 0 || $n == 5000, "all or nothing, left after $pause s: $n");
}

is_written(post('/write', body()), 1, 'all is well at the end');

$t->done();
