#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors
#
# Makes prom_pow10.inc:  perl prom_pow10.pl > prom_pow10.inc
#
# For e from MIN to MAX the table has G(e), the 128 most significant bits of
# 10^e, rounded up where there are more.  prom_double.c multiplies G(-k) with
# m << h, m being four times the significand of a double or a bound beside it,
# and wants to know of the exact product m * 2^q * 10^-k its whole part and
# whether there is a fraction.  The rounding makes the product, which has its
# point at bit 128, too large by less than m << h units of 2^-128, which is
# less than 2^-68.  So all is well if no product comes closer to a whole number
# than that, from above or below, without being one.  This script does not
# trust theory: it walks through every binary exponent q and looks for the m
# whose product comes closest.  Each gap must be wider than 2^-66 (the narrowest
# is 2^-65.44, for q = 664): then a fraction of less than 2^-68 means none.
#
# The logarithms that prom_double.c takes by multiplication are checked here
# for every argument they can get, too.

use 5.014;
use strict;
use warnings;

use Math::BigInt try => 'GMP,Pari';

use constant {
    MIN => -292,
    MAX => 324,

    Q_MIN => -1074,
    Q_MAX => 971,
};


# An arithmetic right shift needs signed integers.

use integer;

sub log10_pow2 { return ($_[0] * 1262611) >> 22 }
sub log10_pow2_34 { return ($_[0] * 1262611 - 524031) >> 22 }
sub log2_pow10 { return ($_[0] * 1741647) >> 19 }

no integer;


# The fraction 2^q * 10^-k, as two whole numbers.

sub scale {
    my ($q, $k) = @_;
    my ($num, $den) = (Math::BigInt->new(1), Math::BigInt->new(1));

    ($q < 0 ? $den : $num)->blsft(abs($q));
    ($k < 0 ? $num : $den)->bmul(Math::BigInt->new(10)->bpow(abs($k)));

    return ($num, $den);
}


# Least distance, as a fraction of $den, of num/den * m from a whole number
# where it is none, for m from 1 to $max.  Euclid's algorithm: $below is the
# smallest remainder seen, at m = $u; $above the smallest rest to the next
# whole number, at $v; the next record stands at $u + $v.

sub gap {
    my ($num, $den, $max) = @_;
    my ($below, $above, $u, $v, $steps);

    $below = $num % $den;

    return $den if $below->is_zero();

    $above = $den - $below;
    $u = $v = Math::BigInt->new(1);

    while ($u + $v <= $max && $below != $above) {

        if ($below > $above) {
            $steps = ($below - 1) / $above;
            $steps = ($max - $u) / $v if $u + $v * $steps > $max;
            $below = $below - $above * $steps;
            $u = $u + $v * $steps;

        } else {
            $steps = ($above - 1) / $below;
            $steps = ($max - $v) / $u if $v + $u * $steps > $max;
            $above = $above - $below * $steps;
            $v = $v + $u * $steps;
        }
    }

    return $below < $above ? $below : $above;
}


sub check {
    my ($q, $k, $num34, $least) = @_;
    my ($h, $max, $num, $den, $gap);

    ($num, $den) = scale($q, $k);

    die "log10 of $q" if $num * $num34 < $den * 4
                         || $num * $num34 >= $den * 40;

    $h = $q + log2_pow10(-$k) + 1;

    die "shift for $q" if $h < 1 || $h > 4 || -$k < MIN || -$k > MAX;

    $max = Math::BigInt->new(1)->blsft(55) + 2;
    $gap = gap($num, $den, $max);

    die "fraction of 2^$q too small" if ($gap << 66) <= $den;
}


sub high {
    my ($e) = @_;
    my ($num, $den) = scale(0, -$e);
    my ($shift, $g, $rest);

    $shift = 127 - log2_pow10($e);
    ($shift < 0 ? $den : $num)->blsft(abs($shift));

    ($g, $rest) = $num->copy()->bdiv($den);
    $g = $g + 1 unless $rest->is_zero();

    die "log2 of 10^$e" if $g->as_hex() !~ /^0x[89a-f].{31}$/;

    return $g;
}


for my $q (Q_MIN .. Q_MAX) {
    check($q, log10_pow2($q), 4);
    check($q, log10_pow2_34($q), 3) if $q > Q_MIN;
}

print "/* made by prom_pow10.pl, which says what it is */\n\n";

for my $e (MIN .. MAX) {
    my ($hi, $lo) = high($e)->as_hex() =~ /^0x(.{16})(.{16})$/;

    printf "    { 0x%s, 0x%s },  /* %d */\n", $hi, $lo, $e;
}
