#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# prom-push sends one text to the module, to Prometheus and to VictoriaMetrics:
# the same is stored in all of them, and read back with the same values.
#
# PROMETHEUS, VICTORIA_METRICS: binaries to take instead of those in the path.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../lib";

use Prom::Daemon;
use Prom::Test;
use Prom::Text;

my $victoria = $ENV{VICTORIA_METRICS} || 'victoria-metrics';

plan skip_all => 'no prometheus' if !prometheus_version();
plan skip_all => 'no victoria-metrics' if (run($victoria, '-version'))[1];

my $t = Prom::Test->new(workers => 2);

$t->write_conf(<<'EOT');
%%GLOBALS%%
http {
    %%GLOBALS_HTTP%%
    prom_tsdb m { size 16m; }
    server {
        listen 127.0.0.1:8080;
        location = /api/v1/write { prom_remote_write m; }
        location = /federate { prom_federate m; }
    }
}
EOT

$t->start();

my $port = $t->port(8080);
my $listen = $t->port(8898);
my %peers = (
    Prometheus => prometheus($t, args => [ '--web.enable-remote-write-receiver'
        ]),
    VictoriaMetrics => Prom::Daemon->new($t, $victoria, $listen,
        "-httpListenAddr=127.0.0.1:$listen", '-memory.allowedBytes=64MB',
        '-storageDataPath=' . $t->dir() . '/victoria'),
);

for my $name (sort keys %peers) {
    $peers{$name}->wait_ready($name eq 'Prometheus' ? '/-/ready' : '/health')
        or die "$name does not start: " . $peers{$name}->log();
}

my $now = int(time()) * 1000;

# VictoriaMetrics keeps no more than some fifteen decimal digits

my %pushed = map { $_->[0] => $_->[1] } (
    [ 'one{}', '1' ],
    [ 'half{a="b"}', '0.5' ],
    [ 'large{}', '1.5e+300' ],
    [ 'digits{}', '0.12345678901234' ],
    [ 'negative{x="y",z="1"}', '-3' ],
    [ 'inf{}', '+Inf' ],
    [ 'escapes{q="\\"",s="\\\\",t="a\\nb"}', '4' ],
    [ "utf8{city=\"K\xc3\xb8benhavn\"}", '5' ],
    map { [ "many{n=\"$_\"}", $_ * 1.25 ] } 1 .. 500,
);

my $path = $t->write_file('pushed',
    join '', map { "$_ $pushed{$_} $now\n" } sort keys %pushed);

my %urls = ('the module' => "http://127.0.0.1:$port/api/v1/write");

for my $name (sort keys %peers) {
    $urls{$name} = 'http://127.0.0.1:' . $peers{$name}->port()
        . '/api/v1/write';
}

for my $name (sort keys %urls) {

    my $totals = @{[ keys %pushed ]} . ' samples stored, 0 refused, 0 failed';

    for my $time ('', ', again') {
        my ($out, $status) = run(build() . '/prom-push', $urls{$name}, $path);

        is($status, 0, "pushed to $name$time");
        like($out, qr/\b$totals$/m, 'and all stored');
    }
}

my %stored = ('the module' => module());

for my $name (sort keys %peers) {
    $stored{$name} = peer($peers{$name});
}

for my $name (sort keys %stored) {
    my $found = $stored{$name};

    is_deeply([ sort keys %$found ], [ sort keys %pushed ],
        "the series in $name");
    is_deeply([ grep { !defined $found->{$_}
                       || !same_value($found->{$_}, $pushed{$_}) }
                sort keys %pushed ], [], 'their values');
}

# a sample that is in the past, which two of the three refuse

my $late = $t->write_file('late', "one 2 " . ($now - 1000) . "\n");

for my $name ('Prometheus', 'the module') {
    my ($out, $status) = run(build() . '/prom-push', $urls{$name}, $late);

    is($status >> 8, 1, "out of order in $name");
    like($out, qr/out of order/, 'which says so');
}

ok($peers{$_}->stop(), "$_ ends") for sort keys %peers;

$t->done();


sub module {
    my $r = http_get($port, '/federate?match[]='
        . Prom::Daemon::escape('{__name__=~".+"}'));
    my $series = text_series($r->{body});
    my %found;

    for my $key (keys %$series) {
        my $plain = $key;
        $plain =~ s/([{,])instance="",?/$1/;
        $plain =~ s/,\}\z/}/;
        $found{$plain} = $series->{$key}[0] if $series->{$key}[1] == $now;
    }

    return \%found;
}


# VictoriaMetrics takes a moment until what is new can be found.

sub peer {
    my ($peer) = @_;

    my $found;

    wait_for(15, sub {
        my $samples = $peer->samples('{__name__=~".+"}', 60, $now / 1000 + 30);

        $found = { map { $_ => $samples->{$_}{$now} } keys %$samples };

        return keys %$found >= keys %pushed;
    });

    return $found;
}
