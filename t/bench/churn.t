#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# Series that come and go do not make the store grow; the short form of what
# `make bench' does.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../lib";

use Prom::Test;

my @churn = (build() . '/t/bench/churn', '--series', 20000, '--step', 60,
    '--size', 256);

my ($out, $status) = run(@churn);

is($status, 0, 'no more pages after six turnovers than after one')
    or diag($out);
like($out, qr/^turn 6 series 30000 created 140000 removed 110000 evicted 0 /m,
    'series went away with their last samples, none before');

($out, $status) = run(@churn, '--resident');

is($status, 0, 'nor more memory touched') or diag($out);

($out, $status) = run(@churn, '--no-sweep');

is($status >> 8, 1, 'but without housekeeping');
like($out, qr/^pages grew from \d+ to \d+$/m, 'which says so');

done_testing();
