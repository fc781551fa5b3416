#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# Every C file beside this one is a fuzzer that prints TAP.  Each runs once,
# with sanitizers, for a short while and from the same seed every time; for
# longer: FUZZ_ROUNDS=10000000 FUZZ_SEED=7 build/asan/t/fuzz/wire

use strict;
use warnings;

use FindBin;
use Test::More;

$| = 1;
chdir "$FindBin::Bin/../..";

$ENV{UBSAN_OPTIONS} = 'print_stacktrace=1';

for my $source (sort glob 't/fuzz/*.c') {
    my ($name) = $source =~ /(\w+)\.c$/;
    my $program = "build/asan/t/fuzz/$name";

    if (!-x $program) {
        fail("$program is not built, run `make asan'");
        next;
    }

    if (-M $program > -M $source) {
        fail("$program is older than its source, run `make asan'");
        next;
    }

    run($program, $name);
}

done_testing();


# As for unit tests: the plan is kept, all went well, the status is zero.

sub run {
    my ($program, $name) = @_;

    my ($plan, $count, $bad) = (-1, 0, 0);

    open my $out, '-|', $program or die "$program: $!\n";

    while (<$out>) {
        print "    $_";

        $count++ if /^(?:not )?ok\b/;
        $bad++ if /^not ok\b/;
        $plan = $1 if /^1\.\.(\d+)/;
    }

    close $out;

    ok($? == 0 && $bad == 0 && $plan == $count, $name)
        or diag("$program: $bad of $count failed, planned $plan, status $?");
}
