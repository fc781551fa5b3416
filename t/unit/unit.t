#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# Every C file beside this one is a program that prints TAP.  Each runs twice,
# plain and with sanitizers, as a subtest.

use strict;
use warnings;

use FindBin;
use Test::More;

$| = 1;
chdir "$FindBin::Bin/../..";

$ENV{UBSAN_OPTIONS} = 'print_stacktrace=1';

for my $source (sort glob 't/unit/*.c') {
    my ($name) = $source =~ /(\w+)\.c$/;

    for my $kind ('', 'asan/') {
        my $program = "build/${kind}t/unit/$name";

        if (!-x $program) {
            fail("$program is not built, run `make programs asan'");
            next;
        }

        if (-M $program > -M $source) {
            fail("$program is older than its source, run `make'");
            next;
        }

        run($program, $kind . $name);
    }
}

done_testing();


# The subtest counts when the program says how many tests it wanted, did as
# many, all went well, and it ended with zero.

sub run {
    my ($program, $title) = @_;

    my ($plan, $count, $bad) = (-1, 0, 0);

    open my $out, '-|', $program or die "$program: $!\n";

    while (<$out>) {
        print "    $_";

        $count++ if /^(?:not )?ok\b/;
        $bad++ if /^not ok\b(?!.*# (?:TODO|todo))/;
        $plan = $1 if /^1\.\.(\d+)/;
    }

    close $out;

    ok($? == 0 && $bad == 0 && $plan == $count, $title)
        or diag("$program: $bad of $count failed, planned $plan, status $?");
}
