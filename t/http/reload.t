#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# Reloads while there are writers and readers.  No request fails: a worker
# that quits may close a connection between two requests, which a client
# notices when it sends the next one, but it answers what it has begun and
# what came on a connection that is new.
#
# RELOADS: how many, 20.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/../lib";

use Prom::Load;
use Prom::Test;

my $reloads = $ENV{RELOADS} || 20;

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

my $load = Prom::Load->new($t, $t->port(8080), broken => 'reused');

# those that take more than one turn of the event loop, and those that do not

$load->writer(version => 1, series => 9000);
$load->writer(version => 2, series => 6000);
$load->writer(version => 1, series => 100);
$load->writer(version => 2, series => 100);
$load->reader() for 1 .. 2;
$load->spoiler();

wait_for(20, sub { !grep { $_ < 100 } $load->acknowledged() })
    or diag('writers are slow');

my $failures = '';
my $done = 0;

while ($done < $reloads && $failures eq '') {
    my %old = map { $_ => 1 } $t->workers();

    $t->reload(wait => $done % 2) or last;
    $done++;

    my @still = grep { $old{$_} } $t->workers();
    $failures .= "workers @still stayed\n" if @still;

    sleep rand 0.1;
    $failures .= join '', $load->failures();
}

is($done, $reloads, 'reloads');
is($failures . $load->stop(), '',
    'writers and readers have nothing to complain of');
is($load->check_end(), '', 'what was acknowledged is there, and no more');

unlike($t->log(), qr/\[(?:warn|error)\]/, 'no warnings, no errors in the log');

diag("requests acknowledged: @{[ $load->acknowledged() ]}, answers read: "
    . "@{[ $load->answers() ]}") if $ENV{TEST_NGINX_VERBOSE};

$t->done();
