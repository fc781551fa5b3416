#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# Prometheus scrapes itself and writes to the module, a second one federates
# from there: the three have the same series, timestamps and values.
#
# PROMETHEUS, PROMTOOL: binaries to take instead of those in the path.  From
# 3.0 on Prometheus speaks version 2.0 of remote write, then that is tried
# too.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/../lib";

use Prom::Daemon;
use Prom::Test;
use Prom::Text;

my $version = prometheus_version() or plan skip_all => 'no prometheus';
my $all = '{__name__=~".+"}';
my $federate = '/federate?match[]=' . Prom::Daemon::escape($all);

my @messages = ('');
push @messages, 'io.prometheus.write.v2.Request' if $version >= 3;

my $t = Prom::Test->new(workers => 2);

$t->write_conf(<<'EOT');
%%GLOBALS%%
http {
    %%GLOBALS_HTTP%%
    prom_tsdb m0 { size 16m; }
    prom_tsdb m1 { size 16m; }
    server {
        listen 127.0.0.1:8080;
        location = /0/write { prom_remote_write m0; }
        location = /0/federate { prom_federate m0; }
        location = /1/write { prom_remote_write m1; }
        location = /1/federate { prom_federate m1; }
    }
}
EOT

$t->start();

my $port = $t->port(8080);

round_trip($_, $messages[$_]) for 0 .. $#messages;

unlike($t->log(), qr/\[(?:warn|error)\]/, 'no warnings, no errors in the log');

$t->done();


sub round_trip {
    my ($n, $message) = @_;

    my $begin = time();
    my $named = $message || 'version 1.0';
    my $scrape = <<'EOT';
  - job_name: itself
    static_configs:
      - targets: ['127.0.0.1:%%PORT%%']
EOT
    my $write = <<"EOT";
  - url: http://127.0.0.1:$port/$n/write
    queue_config:
      batch_send_deadline: 200ms
EOT

    $write .= "    protobuf_message: $message\n" if $message;

    my $first = prometheus($t, scrape => $scrape, remote_write => $write);
    my $second = prometheus($t, scrape => <<"EOT");
  - job_name: federate
    honor_labels: true
    metrics_path: /$n/federate
    params:
      'match[]': ['$all']
    static_configs:
      - targets: ['127.0.0.1:$port']
EOT

    for ($first, $second) {
        $_->wait_ready() or die 'prometheus does not start: ' . $_->log();
    }

    ok(wait_for(30, sub { rounds($first) >= 5 }), "$named: scrapes");

    # the first stands still from here on, so that the others catch up

    $first->signal('STOP');
    sleep 0.5;

    my $text = http_get($port, "/$n$federate")->{body};
    my $now = time();

    is(wait_for(10, sub { caught_up($second, $text) }), 1,
        'the second one has the newest samples');
    is(http_get($port, "/$n$federate")->{body}, $text,
        'federate says the same as long as nothing is written');

    $first->signal('CONT');

    my %federated = federated($text);
    my $own = $first->samples($all, 60, $now);
    my $theirs = $second->samples($all, 60, $now);

    cmp_ok(scalar keys %federated, '>', 300,
        scalar(keys %federated) . ' series');
    is(differences(\%federated, $own), '',
        'the samples are those of the first one');
    is(differences(\%federated, $theirs), '',
        'the samples are those of the second one');
    is(missing($first, \%federated, $now), '', 'none is missing');
    is(strangers($theirs, $own), '',
        'the second one has nothing that the first had not');

    promtool($n, $text);

    # a target that goes away: Prometheus marks its series as stale

    $scrape =~ s/'127.*'//;
    $first->reconfigure(scrape => $scrape, remote_write => $write);

    ok(wait_for(20, sub { http_get($port, "/$n$federate")->{body} eq '' }),
        'what is stale is not served');

    my @words = grep { /level=(?:error|warn)/i && /remote|scrape/ }
        split /\n/, $first->log() . $second->log();

    is(join("\n", @words), '', 'neither complains');
    ok($first->stop() && $second->stop(), 'both end');
    cmp_ok(time() - $begin, '<', 30, 'in time');
}


sub rounds {
    my ($prometheus) = @_;

    my $up = $prometheus->samples('up', 60, time());

    return scalar keys %{ (values %$up)[0] || {} };
}


# { series => [ value, ms ] }

sub federated {
    my ($text) = @_;

    my $series = text_series($text);
    my %by_key;

    for my $key (keys %$series) {
        my $plain = $key;
        $plain =~ s/([{,])instance="",?/$1/;
        $plain .= '{}' if $plain !~ /\}\z/;
        $by_key{$plain} = $series->{$key};
    }

    return %by_key;
}


# Whether all that is in the text has arrived there.

sub caught_up {
    my ($second, $text) = @_;

    my %federated = federated($text);

    return %federated && differences(\%federated,
        $second->samples($all, 60, time())) eq '';
}


# The series of a text that have no such sample there.

sub differences {
    my ($federated, $samples) = @_;

    my @differ;

    for my $key (sort keys %$federated) {
        my ($value, $ms) = @{ $federated->{$key} };
        my $there = $samples->{$key}{$ms};

        if (!defined $there || !same_value($there, $value)) {
            my $instead = defined $there ? $there : 'nothing';
            push @differ, "$key $value $ms: $instead";
        }
    }

    return join "\n", @differ;
}


# What the first one has, and had two scrapes before: what began or went stale
# just now may or may not be on its way.

sub missing {
    my ($first, $federated, $now) = @_;

    my $newest = $first->instant($all, $now);
    my $before = $first->instant($all, $now - 3);

    return join "\n", grep { exists $before->{$_} && !$federated->{$_} }
        sort keys %$newest;
}


# Samples of the second one's that the first does not have; what Prometheus
# itself says of a scrape is not federated.

sub strangers {
    my ($theirs, $own) = @_;

    my @strangers;

    for my $key (grep { !/job="federate"/ } sort keys %$theirs) {
        for my $ms (keys %{ $theirs->{$key} }) {
            my $value = $own->{$key}{$ms};

            push @strangers, "$key $ms"
                if !defined $value
                   || !same_value($value, $theirs->{$key}{$ms});
        }
    }

    return join "\n", @strangers;
}


# Its remarks on names and missing help are not on the syntax.

sub promtool {
    my ($n, $text) = @_;

    my $path = $t->write_file("federate.$n", $text);
    my ($out, $status) = run('sh', '-c', '"$1" check metrics < "$2"', 'sh',
        $ENV{PROMTOOL} || 'promtool', $path);

    unlike($out, qr/error while linting|parsing error/,
        'promtool can read it');
    ok($status == 0 || $status >> 8 == 3, 'and says so')
        or diag("status $status: $out");
}
