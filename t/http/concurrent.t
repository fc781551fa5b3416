#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# Four writers, two readers, and one whose requests are refused, at two workers:
# every answer on the way has what was acknowledged before it, and so has the
# store at the end.
#
# CONCURRENT_SECONDS: how long, 20.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/../lib";

use Prom::Load;
use Prom::Test;

my $seconds = $ENV{CONCURRENT_SECONDS} || 20;

my $t = Prom::Test->new(workers => 2);

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

my $load = Prom::Load->new($t, $t->port(8080));

$load->writer(version => 1);
$load->writer(version => 2);
$load->writer(version => 1, series => 400);
$load->writer(version => 2, series => 2000);
$load->reader() for 1 .. 2;
$load->spoiler();

my $till = time() + $seconds;
my $failures = '';

while (time() < $till && $failures eq '') {
    $failures = join '', $load->failures();
    sleep 0.1;
}

$failures .= $load->stop();

is($failures, '', 'writers and readers have nothing to complain of');
is($load->check_end(), '', 'what was acknowledged is there, and no more');

my @acked = $load->acknowledged();
my @answers = $load->answers();

cmp_ok((sort { $a <=> $b } @acked)[0], '>', 10 * $seconds,
    "requests acknowledged: @acked");
cmp_ok((sort { $a <=> $b } @answers)[0], '>', $seconds / 2,
    "answers read: @answers");

unlike($t->log(), qr/\[(?:warn|error)\]/, 'no warnings, no errors in the log');

$t->done();
