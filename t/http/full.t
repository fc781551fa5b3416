#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# A store that is full: new series are refused and nothing of their request
# stays, those that are there go on, and when the old ones are past retention
# there is room again.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/../lib";

use Prom::Proto;
use Prom::Test;
use Prom::Text;
use Prom::Write;

my $t = Prom::Test->new();

$t->write_conf(<<'EOF');
%%GLOBALS%%
http {
    %%GLOBALS_HTTP%%
    prom_tsdb m { size 4m; retention 3s; lookback 1h; }
    prom_tsdb long { size 4m; retention 1h; lookback 1h; }
    server {
        listen 127.0.0.1:8080;
        location /write { prom_remote_write m; }
        location /federate { prom_federate m; }
    }
    server {
        listen 127.0.0.1:8081;
        location /write { prom_remote_write long; }
        location /federate { prom_federate long; }
    }
}
EOF

$t->start();

my $port = $t->port(8081);
my $now = now_ms();
my $padding = 'x' x 500;


sub batch {
    my ($from, $n, @samples) = @_;

    return [ map { series('m', { n => $_, padding => $padding }, @samples) }
        $from .. $from + $n - 1 ];
}


# Fills a store in batches of 500; returns how many series it has taken and the
# answer to the one that it did not take.

sub fill {
    my ($port, $version, $time) = @_;

    for (my $from = 0; $from < 20000; $from += 500) {
        my $batch = batch($from, 500, [ 1, $time ]);
        my $r = $version == 1 ? send_v1($port, $batch)
            : send_v2($port, $batch);

        return ($from, $r) if $r->{status} != 204;
    }

    BAIL_OUT('the store does not become full');
}


# full

my ($n, $r) = fill($port, 1, $now - 100000);

cmp_ok($n, '>', 1000, "$n series of half a kilobyte fit into 4m");
cmp_ok($n, '<', 8000, 'not more than there is memory');
is($r->{status}, 503, 'then the store is full');
is($r->{body}, "the store is full: no memory for new series\n", 'and says so');
like($r->{headers}{'retry-after'}, qr/^[1-9][0-9]*$/, 'come back later');
is(counts($r), '', 'no counts for 1.0');
is(keys %{ federate($port) }, $n, 'nothing of the refused request is stored');
like($t->log(), qr/\[warn\] .*store "long": remote write refused: the store is/,
    'the log says so');

# some room is left in pages that others have begun, not for so many

$r = send_v2($port, batch(30000, 3000, [ 1, $now ]));
is("$r->{status} " . counts($r), '503 0/0/0', '2.0: status and counts');
is(keys %{ federate($port) }, $n, '2.0: nothing is stored');

# old series with new ones: all or nothing, also for 2.0, since it is repeated

for my $version (1, 2) {
    my $mixed = [ @{ batch(0, 10, [ 2, $now - 90000 ]) },
        @{ batch(40000, 3000, [ 2, $now ]) } ];

    $r = $version == 1 ? send_v1($port, $mixed) : send_v2($port, $mixed);
    is($r->{status}, 503, "$version.0: old series and new ones");
    is(scalar(grep { $_->[0] == 2 } values %{ federate($port) }), 0,
        "$version.0: nothing of it is stored");
}

# old ones go on and on: the oldest samples make room

my $failed = 0;
my @samples = map { [ rand, $now - 60000 + 1000 * $_ ] } 1 .. 60;
my $run = encode('v1.TimeSeries', { samples => \@samples });

for (my $from = 0; $from < $n; $from += 500) {
    my $raw = '';

    for my $i ($from .. $from + 499) {
        my $labels = encode('v1.TimeSeries', { labels => [ [ '__name__', 'm' ],
            [ 'n', $i ], [ 'padding', $padding ] ] });
        $raw .= "\x0a" . varint(length $labels . $run) . $labels . $run;
    }

    $failed++ if send_body($port, 1, snappy($raw))->{status} != 204;
}

is($failed, 0, 'old series take 60 samples more each');

my @newest = values %{ federate($port) };

is(@newest, $n, 'all series are still there');
is(scalar(grep { $_->[1] == $now } @newest), $n, 'and show the newest');

# room again

$port = $t->port(8080);
$now = now_ms();
($n, $r) = fill($port, 2, $now);

is($r->{status}, 503, 'another store, full');
is(counts($r), '0/0/0', 'counts for 2.0');

ok(wait_for(20, sub {
    send_v1($port, batch(0, 100, [ 2, now_ms() ]));
    sleep 0.2;
    return send_v1($port, batch(50000, 500, [ 1, now_ms() ]))
        ->{status} == 204;
}), 'there is room when the old ones are past retention');

my $after = federate($port, '{n=~"[0-9]|[1-9][0-9]"}');

is(keys %$after, 100, 'those that went on are still there');
is(scalar(grep { $_->[0] == 2 } values %$after), 100, 'with what was sent');

ok(wait_for(20, sub { keys %{ federate($port) } <= 600 }),
    'the others are gone');

my $same = 0;

for my $round (1 .. 3) {
    $same++ if send_v1($port, batch(50000, 500, [ $round, now_ms() ]))
        ->{status} == 204;
}

is($same, 3, 'and so it goes on');

$t->done();
