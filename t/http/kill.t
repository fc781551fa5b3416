#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# Workers killed while they write and read: the others go on, every writer
# goes on after each death, nothing that was acknowledged is missing.
#
# KILLS: how many, 100.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/../lib";

use Prom::Load;
use Prom::Test;

my $kills = $ENV{KILLS} || 100;

my $t = Prom::Test->new(workers => 2,
    alerts => qr/worker process \d+ exited on signal 9/);

$t->write_conf(<<'EOT');
%%GLOBALS%%
http {
    %%GLOBALS_HTTP%%
    keepalive_requests 1000000;
    prom_tsdb m {
        size 64m;
        lookback 30m;
    }
    server {
        listen 127.0.0.1:8080;
        access_log off;
        location /write { prom_remote_write m; }
        location /federate { prom_federate m; }
    }
}
EOT

$t->start();

my $load = Prom::Load->new($t, $t->port(8080), broken => 'any');

$load->writer(version => 1, series => 3000);
$load->writer(version => 2, series => 3000);
$load->writer(version => 1, series => 100);
$load->writer(version => 2, series => 100);
$load->reader();
$load->spoiler();

my $failures = '';
my $killed = 0;
my %dead;

ok(all_go_on(), 'writers start');

while ($killed < $kills) {
    sleep rand 0.03;

    my @workers = grep { !$dead{$_} } $t->workers();
    next if @workers < 2;

    my $pid = $workers[rand @workers];
    $t->signal('KILL', $pid);
    $dead{$pid} = 1;
    $killed++;

    last if !all_go_on();
}

is($killed, $kills, 'workers killed');
is($failures, '', 'every writer goes on after each');
is($load->stop(), '', 'writers and readers have nothing to complain of');
is($load->check_end(), '', 'what was acknowledged is there, and no more');

ok(wait_for(5, sub { $kills == (() = $t->log() =~ /exited on signal 9/g) }),
    'deaths in the log');
unlike($t->log(), qr/\[(?:warn|error)\]/, 'no warnings, no errors in the log');

diag("requests acknowledged: @{[ $load->acknowledged() ]}, answers read: "
    . "@{[ $load->answers() ]}") if $ENV{TEST_NGINX_VERBOSE};

$t->done();


# Two more acknowledged for each: the first may have been on its way before.

sub all_go_on {
    my @before = $load->acknowledged();

    my $ok = wait_for(20, sub {
        my @now = $load->acknowledged();

        $failures .= join '', $load->failures();
        return 1 if $failures ne '';

        return !grep { $now[$_] < $before[$_] + 2 } 0 .. $#now;
    });

    $failures .= "acknowledged @before, then "
        . join(' ', $load->acknowledged()) . "\n" if !$ok;

    return $failures eq '';
}
