#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# Twenty thousand requests of all sorts, good and bad: the memory of the
# worker that is its own, and its open files, stay what they were after the
# first few thousand.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../lib";

use Prom::Proto;
use Prom::Test;

use constant {
    ROUND => 2000,
    ROUNDS => 10,
    WARM => 3,
    SLACK => 256 * 1024,
};

my $t = Prom::Test->new(workers => 1, log => 'error');

$t->write_conf(<<'EOT');
%%GLOBALS%%
http {
    %%GLOBALS_HTTP%%
    keepalive_requests 1000000;
    prom_tsdb m {
        size 16m;
        max_series 1000;
    }
    server {
        listen 127.0.0.1:8080;
        access_log off;
        location /write {
            client_body_buffer_size 256k;
            prom_remote_write m;
            prom_max_decoded_size 512k;
        }
        location /federate { prom_federate m; }
    }
}
EOT

$t->start();

my $port = $t->port(8080);
my ($worker) = $t->workers();
my $now = int(time() * 1000);
my $type = 'application/x-protobuf';
my %proto = (1 => $type, 2 => "$type;proto=io.prometheus.write.v2.Request");

# what is asked for, and the status that it is due

my @requests = (
    good(1), good(2),
    bad(), odd(),
    federate('{__name__=~".%2B"}', 200),
    federate('{__name__=~"many_[0-4]",n!~".*(7|8)"}', 200),
    federate('up{', 400),
    federate('{a=~"(("}', 400),
    federate('{a=~"[0-9]{1000}{1000}"}', 400),
    [ 'GET', '/write', [], undef, 405 ],
    [ 'HEAD', '/federate?match[]=up', [], undef, 200 ],
    [ 'POST', '/federate', [ 'Content-Type' =>
        'application/x-www-form-urlencoded' ], 'match%5B%5D=up', 200 ],
    [ 'POST', '/federate', [ 'Content-Type' => 'text/plain' ], 'up', 415 ],
);

my %wrong;
my (@private, @files);
my $client;

for my $round (1 .. ROUNDS) {
    for my $i (1 .. ROUND) {
        ask($requests[$i % @requests], $i);
    }

    push @private, private();
    push @files, files();
}

is(join(', ', map { "$_: $wrong{$_}" } sort keys %wrong), '',
    'answers as they are due');
is(join(' ', $t->workers()), $worker, 'by the same worker');

my $growth = $private[-1] - $private[WARM - 1];

SKIP: {
    skip 'a sanitizer keeps what was freed', 1
        if Prom::HTTP::slurp("/proc/$worker/maps") =~ /libasan|libclang_rt/;

    cmp_ok($growth, '<=', SLACK, 'private memory does not grow')
        or diag("bytes after each " . ROUND . ": @private");
}

cmp_ok($files[-1], '<=', $files[WARM - 1] + 1, 'open files do not grow')
    or diag("@files");

$t->done();


# Every tenth request has a connection to itself, some are broken off: only
# those whose body is awaited, for nginx lingers on others.

sub ask {
    my ($request, $i) = @_;

    my ($method, $path, $headers, $body, $due) = @$request;

    if (!$client || $i % 10 == 0) {
        $client = Prom::HTTP->new($port);
    }

    if ($due == 204 && $i % 23 == 0) {
        $client->send("$method $path HTTP/1.1\r\nHost: localhost\r\n"
            . "Content-Encoding: snappy\r\n"
            . "Content-Length: 100000\r\n\r\n", substr $body, 0, 50);
        $client = undef;
        return;
    }

    my $r = $client->request($method, $path, $headers, $body);

    $wrong{"$method $path $r->{status} not $due"}++ if $r->{status} != $due;

    if (!$r->{status} || ($r->{headers}{connection} || '') eq 'close') {
        $client = undef;
    }
}


sub write_request {
    my ($version, $raw, $due, %headers) = @_;

    %headers = ('Content-Type' => $proto{$version},
        'Content-Encoding' => 'snappy', %headers);

    return [ 'POST', '/write', [ %headers ], $raw, $due ];
}


sub encoded {
    my ($version, @series) = @_;

    return snappy($version == 1 ? write_v1(\@series) : write_v2(\@series));
}


# Known series, some of them with several samples, one with an exemplar (which
# is not stored), and a body that goes through a file.

sub good {
    my ($version) = @_;

    my @many = map { series('many_' . $_ % 7, { n => $_ }, [ $_, $now ]) }
        1 .. 300;
    my @large = map { series('large', { n => $_, x => 'x' x 3000 },
        [ $_, $now ]) } 1 .. 100;
    my $exemplar = { %{ series('up', { a => 1 }, [ 1, $now ]) },
        exemplars => [ { labels => { id => 'x' }, value => 1,
                         timestamp => $now } ] };

    return (
        write_request($version, encoded($version, @many), 204),
        write_request($version, encoded($version, @large), 204),
        write_request($version, encoded($version, $exemplar),
            $version == 1 ? 204 : 400),
        write_request($version, encoded($version,
            series('three', {}, ([ 1, $now ]) x 3)), 204),
    );
}


# Refused: the body as a whole, a series that is new, one that is known.

sub bad {
    my @requests;

    for my $version (1, 2) {
        my $good = encoded($version, series('up', { a => 1 }, [ 1, $now ]));
        my $new = join '', 'new', $version;

        push @requests,
            write_request($version, substr($good, 0, -3), 400),
            write_request($version, snappy("\xff" x 100), 400),
            write_request($version, '', 400),
            write_request($version, snappy_copies('x', 600_000), 400),
            write_request($version, $good, 415, 'Content-Type' => 'text/css'),
            write_request($version, $good, 415, 'Content-Encoding' => 'zstd'),
            write_request($version, encoded($version,
                series($new, {}, [ 1, $now ]),
                series('up', { a => 1 }, [ 2, $now ])),
                400),
            write_request($version, encoded($version,
                series($new, { a => 1 }, [ 1, $now + 3_600_000 ])), 400);
    }

    return @requests;
}


# A body that is too large, more series than the store may have, labels that
# are no labels.

sub odd {
    my @too_many = map { series('over', { n => $_ }, [ 1, $now ]) } 1 .. 2000;

    return (
        write_request(1, 'x' x 800_000, 413),
        write_request(1, encoded(1, @too_many), 503),
        write_request(2, encoded(2, @too_many), 503),
        write_request(1, encoded(1, series('up', { '' => 'x' }, [ 1, $now ]),
            series('up', { a => 1 }, [ 1, $now ])), 204),
        write_request(2, encoded(2, series('up', { '' => 'x' }, [ 1, $now ])),
            400),
    );
}


sub federate {
    my ($selector, $due) = @_;

    $selector =~ s/([{}"\[\] ])/sprintf '%%%02X', ord $1/ge;

    return [ 'GET', "/federate?match[]=$selector", [], undef, $due ];
}


# Bytes that no other process shares.

sub private {
    my $maps = Prom::HTTP::slurp("/proc/$worker/status");

    return $maps =~ /^RssAnon:\s+(\d+) kB/m ? $1 * 1024 : 0;
}


sub files {
    return scalar(() = glob "/proc/$worker/fd/*");
}
