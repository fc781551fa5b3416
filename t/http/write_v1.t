#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# Remote write 1.0: which labels and samples are taken, and that a request is
# stored as a whole or not at all.

use strict;
use warnings;

use FindBin;
use Test::More;

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
    prom_tsdb m { size 16m; }
    prom_tsdb few { size 4m; max_series 3; }
    server {
        listen 127.0.0.1:8080;
        location /write { prom_remote_write m; }
        location /federate { prom_federate m; }
    }
    server {
        listen 127.0.0.1:8081;
        prom_max_labels 4;
        prom_max_label_name_length 20;
        prom_max_label_value_length 30;
        location /write { prom_remote_write few; }
        location /federate { prom_federate few; }
    }
}
EOF

$t->start();

my $port = $t->port(8080);
my $now = now_ms();
my $names = 0;


# A name that nothing else has.

sub fresh {
    return 'm' . ++$names;
}


# "value@time" of the only series that a selector finds, '' without any; times
# are relative to now.

sub newest {
    my ($name) = @_;

    my @found = values %{ federate($port, $name) };

    return join ' ', map { "$_->[0]\@" . ($_->[1] - $now) } @found;
}


sub sent {
    my ($name, @samples) = @_;

    my @absolute = map { [ $_->[0], $now + $_->[1] ] } @samples;

    return send_v1($port, [ series($name, {}, @absolute) ]);
}


sub is_taken {
    my ($r, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is("$r->{status} $r->{body}", '204 ', $name);
    is(counts($r), '', "$name: no counts");
}


sub is_refused {
    my ($r, $text, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($r->{status}, 400, $name);
    is($r->{body}, "$text\n", "$name: text");
    is(counts($r), '', "$name: no counts");
}


# labels: what is sent, and the line it becomes

for my $case (
    [ 'one', { labels => [ [ '__name__', 'A' ] ] }, 'A{instance=""}' ],
    [ 'in order', { labels => [ [ '__name__', 'B' ], [ 'a', 1 ], [ 'b', 2 ] ] },
        'B{a="1",b="2",instance=""}' ],
    [ 'unsorted', { labels => [ [ 'z', 1 ], [ '__name__', 'C' ], [ 'a', 2 ] ] },
        'C{a="2",z="1",instance=""}' ],
    [ 'upper case before the name',
        { labels => [ [ 'A', 1 ], [ '__name__', 'C2' ], [ 'a', 2 ] ] },
        'C2{A="1",a="2",instance=""}' ],
    [ 'an empty value',
        { labels => [ [ '__name__', 'D' ], [ 'a', '' ], [ 'b', 1 ] ] },
        'D{b="1",instance=""}' ],
    [ 'UTF-8', { labels => [ [ '__name__', 'E' ], [ 'a', 'é花' ] ] },
        'E{a="é花",instance=""}' ],
    [ 'a newline', { labels => [ [ '__name__', 'F' ], [ 'a', "x\ny" ] ] },
        'F{a="x\ny",instance=""}' ],
    [ 'quotes', { labels => [ [ '__name__', 'G' ], [ 'a', 'x"\\y' ] ] },
        'G{a="x\"\\\\y",instance=""}' ],
    [ 'a label with a colon',
        { labels => [ [ '__name__', 'H' ], [ 'a:b', 1 ] ] },
        'H{"a:b"="1",instance=""}' ],
    [ 'long value', { labels => [ [ '__name__', 'I' ], [ 'a', 'x' x 4096 ] ] },
        'I{a="' . 'x' x 4096 . '",instance=""}' ])
{
    my ($name, $series, $line) = @$case;

    $series->{samples} = [ [ 1, $now ] ];
    is_taken(send_v1($port, [ $series ]), $name);
    my $metric = substr $line, 0, index $line, '{';
    is_deeply(federate($port, $metric), { $line => [ 1, $now ] },
        "$name: what is stored");
}

# other orders and empty values are the same series

my $m = fresh();

is_taken(send_v1($port, [ { labels => [ [ '__name__', $m ], [ 'a', 1 ],
    [ 'b', 2 ] ], samples => [ [ 1, $now ] ] } ]), 'a series');
is_taken(send_v1($port, [ { labels => [ [ 'b', 2 ], [ 'c', '' ], [ 'a', 1 ],
    [ '__name__', $m ] ], samples => [ [ 2, $now + 1 ] ] } ]),
    'the same in another order');
is(newest($m), '2@1', 'is one series');

# series with bad labels are left out, the others are stored

my @bad = (
    [ 'no name', [ [ 'a', 1 ] ], 'invalid metric name or labels' ],
    [ 'no labels', [], 'invalid metric name or labels' ],
    [ 'an empty name', [ [ '__name__', '' ], [ 'a', 1 ] ],
        'invalid metric name or labels' ],
    [ 'an empty label name', [ [ '', 1 ], [ '__name__', 'bad' ] ],
        'invalid metric name or labels' ],
    [ 'a name that is not UTF-8', [ [ '__name__', "bad\xff" ] ],
        'invalid metric name or labels' ],
    [ 'a label that is not UTF-8', [ [ '__name__', 'bad' ], [ "\xc3", 1 ] ],
        'invalid metric name or labels' ],
    [ 'a value that is not UTF-8',
        [ [ '__name__', 'bad' ], [ 'a', "\xed\xa0\x80" ] ],
        'invalid metric name or labels' ],
    [ 'a label twice', [ [ '__name__', 'bad' ], [ 'a', 1 ], [ 'a', 2 ] ],
        'duplicated label a' ],
    [ 'a label twice, equal', [ [ '__name__', 'bad' ], [ 'a', 1 ], [ 'a', 1 ] ],
        'duplicated label a' ],
    [ 'a label twice, once empty',
        [ [ '__name__', 'bad' ], [ 'a', '' ], [ 'a', 1 ] ],
        'duplicated label a' ],
    [ 'a label twice, far apart',
        [ [ 'a', 1 ], [ '__name__', 'bad' ], [ 'a', 2 ] ],
        'duplicated label a' ],
    [ 'two names', [ [ '__name__', 'bad' ], [ '__name__', 'bad2' ] ],
        'duplicated label __name__' ],
);

for my $case (@bad) {
    my ($name, $labels, $text) = @$case;
    my $good = fresh();

    is_taken(send_v1($port, [
        series($good, { n => 1 }, [ 1, $now ]),
        { labels => $labels, samples => [ [ 1, $now ] ] },
        series($good, { n => 2 }, [ 1, $now ]),
    ]), $name);
    is_deeply([ keys %{ federate($port, '{__name__=~"bad.*"}') } ], [],
        "$name: left out");
    is(keys %{ federate($port, $good) }, 2, "$name: the others are stored");
    like($t->log(), qr/\[warn\] .*left out 1 series with bad labels, .*\Q$text/,
        "$name: the log says why");

    my $r = send_v1($port,
        [ { labels => $labels, samples => [ [ 1, $now ] ] } ]);
    is($r->{status}, 400, "$name: alone it is an error");
    like($r->{body}, qr/\A.*\Q$text\E.*\n\z/, "$name: of this text");
}

# a name may be anything in UTF-8

for my $name ('my.name', 'sp ace', '1digit', '花火', "new\nline") {
    is_taken(send_v1($port, [ series($name, { 'a.b' => 'ü' }, [ 1, $now ]) ]),
        "name '$name'");

    my $quoted = $name =~ s/\n/\\n/r;
    is(keys %{ federate($port, "{\"$quoted\"}") }, 1, "'$name' is stored");
}

# samples: before, what is sent, and what comes of it

my $h = 3600000;

for my $case (
    [ 'the first', [], [ [ 1, 0 ] ], '1@0' ],
    [ 'a later one', [ [ 1, -10 ] ], [ [ 2, 0 ] ], '2@0' ],
    [ 'several', [ [ 1, -10 ] ], [ [ 2, -5 ], [ 3, 0 ] ], '3@0' ],
    [ 'the same', [ [ 1, 0 ] ], [ [ 1, 0 ] ], '1@0' ],
    [ 'the same NaN', [ [ 'NaN', 0 ] ], [ [ 'NaN', 0 ] ], 'NaN@0' ],
    [ 'another value', [ [ 1, -7 ] ], [ [ 2, -7 ] ],
        'duplicate sample for timestamp %d; overrides not allowed: existing '
        . '1, new value 2', -7 ],
    [ 'minus zero', [ [ 0, -7 ] ], [ [ \pack('d<', -0.0), -7 ] ],
        'duplicate sample for timestamp %d; overrides not allowed: existing '
        . '0, new value -0', -7 ],
    [ 'another NaN', [ [ 'NaN', -7 ] ],
        [ [ \pack('H16', '000000000000f87f'), -7 ] ],
        'duplicate sample for timestamp %d; overrides not allowed: existing '
        . 'NaN, new value NaN', -7 ],
    [ 'an older one', [ [ 1, -7 ] ], [ [ 1, -8 ] ],
        'out of order sample: timestamp %d', -8 ],
    [ 'older than an hour', [ [ 1, -7 ] ], [ [ 1, -$h - 10000 ] ],
        'out of bounds: timestamp %d', -$h - 10000 ],
    [ 'a new one, older than an hour', [], [ [ 1, -$h - 10000 ] ],
        'out of bounds: timestamp %d', -$h - 10000 ],
    [ 'a new one, younger than an hour', [], [ [ 1, -$h + 60000 ] ], '' ],
    [ 'from the beginning of time', [], [ [ 1, -$now ] ],
        'out of bounds: timestamp %d', -$now ],
    [ 'ahead', [ [ 1, 0 ] ], [ [ 2, 590000 ] ], '1@0' ],
    [ 'too far ahead', [ [ 1, -7 ] ], [ [ 2, 700000 ] ],
        'out of bounds: timestamp is too far in the future: timestamp %d',
        700000 ],
    [ 'unsorted in a request', [], [ [ 1, -5 ], [ 2, -6 ] ],
        'out of order sample: timestamp %d', -6 ],
    [ 'twice in a request', [], [ [ 1, -5 ], [ 1, -5 ] ], '1@-5' ],
    [ 'twice in a request, differing', [], [ [ 1, -5 ], [ 2, -5 ] ],
        'duplicate sample for timestamp %d; overrides not allowed: existing '
        . '1, new value 2', -5 ],
    [ 'good, bad, good', [], [ [ 1, -5 ], [ 2, -9 ], [ 3, -1 ] ],
        'out of order sample: timestamp %d', -9 ])
{
    my ($name, $before, $samples, $result, $time) = @$case;
    my $m = fresh();

    if (@$before) {
        is_taken(sent($m, @$before), "$name: before");
    }

    my $r = sent($m, @$samples);

    if (!defined $time) {
        is_taken($r, $name);
        is(newest($m), $result, "$name: newest");
        next;
    }

    is_refused($r, sprintf("$result for series {__name__=\"$m\"}",
        $now + $time), $name);

    my $old = join ' ', map { "$_->[0]\@$_->[1]" } @$before;
    is(newest($m), $old, "$name: nothing changed");
}

# extreme times do not do what they should not

for my $time ('9223372036854775807', -9223372036854775807 - 1, 0) {
    my $m = fresh();
    my $r = send_v1($port, [ series($m, {}, [ 1, $time ]) ]);

    is($r->{status}, 400, "timestamp $time");
    like($r->{body}, qr/^out of bounds: timestamp /, "timestamp $time: text");
    is(newest($m), '', "timestamp $time: nothing stored");
}

# values, bit for bit as far as text shows them

for my $case ([ '+Inf', '+Inf' ], [ '-Inf', '-Inf' ], [ 'NaN', 'NaN' ],
    [ 1e-320, '1e-320' ], [ -1.5, '-1.5' ],
    [ 0.1 + 0.2, '0.30000000000000004' ],
    [ \pack('H16', '010000000000f07f'), 'NaN' ],
    [ \pack('H16', '030000000000f07f'), 'NaN' ],
    [ \pack('H16', '020000000000f0ff'), 'NaN' ],
    [ \pack('H16', '020000000000f87f'), 'NaN' ])
{
    my ($value, $text) = @$case;
    my $m = fresh();

    is_taken(sent($m, [ $value, 0 ]), "value $text");
    is(newest($m), "$text\@0", "value $text is stored");
    is_taken(sent($m, [ $value, 0 ]), "value $text again: same bits");
}

# the stale marker

$m = fresh();

is_taken(sent($m, [ 1, -10 ], [ STALE, -5 ]), 'a value and the stale marker');
is(newest($m), '', 'the series is hidden');
is_taken(sent($m, [ STALE, -5 ]), 'the marker again: same bits');
is_refused(sent($m, [ 'NaN', -5 ]), 'duplicate sample for timestamp '
    . ($now - 5) . '; overrides not allowed: existing NaN, new value NaN '
    . "for series {__name__=\"$m\"}", 'another NaN is another value');
is_taken(sent($m, [ 7, -3 ]), 'the next value');
is(newest($m), '7@-3', 'shows again');

# all or nothing

$m = fresh();
my ($old, $new) = ("$m\_old", "$m\_new");

is_taken(sent($old, [ 1, -5 ]), 'an old series');

my $r = send_v1($port, [
    series("$m\_a", {}, [ 1, $now ]), series($old, {}, [ 2, $now ]),
    series($new, { b => 'c"' }, [ 1, $now - 5 ], [ 2, $now - 6 ]),
    series("$m\_z", {}, [ 1, $now - 5 ], [ 2, $now - 6 ]),
]);

is_refused($r, 'out of order sample: timestamp ' . ($now - 6)
    . " for series {__name__=\"$new\", b=\"c\\\"\"}",
    'one bad sample: the first is named');
is_deeply([ keys %{ federate($port, "{__name__=~\"$m\_.*\"}") } ],
    [ "$old\{instance=\"\"}" ], 'no new series');
is(newest($old), '1@-5', 'no new sample in an old one');
is_taken(sent($old, [ 3, -4 ]), 'of which nothing is remembered');
is(newest($old), '3@-4', 'it goes on as if nothing had been');

# good and bad in blocks: the bad one last of many

$m = fresh();

my @many = map { series($m, { n => $_ }, [ 1, $now ]) } 1 .. 1000;
is(send_v1($port, [ @many, series($m, { n => 1 }, [ 2, $now ]) ])->{status},
    400, 'the last of 1001 is bad');
is_deeply(federate($port, $m), {}, 'none is stored');
is_taken(send_v1($port, \@many), 'without it');
is(keys %{ federate($port, $m) }, 1000, 'all are stored');
is_taken(send_v1($port, \@many), 'sent again');
is_taken(send_v1($port, [ reverse @many ]), 'sent again, in another order');
is(keys %{ federate($port, $m) }, 1000, 'nothing is there twice');

# one series several times in a request

$m = fresh();

is_taken(send_v1($port, [ series($m, {}, [ 1, $now - 3 ]),
    series("$m\_x", {}, [ 1, $now ]), series($m, {}, [ 2, $now - 2 ]),
    { labels => [ [ 'a', '' ], [ '__name__', $m ] ],
        samples => [ [ 3, $now - 1 ] ] } ]), 'a series in three parts');
is(newest($m), '3@-1', 'is one');
is(send_v1($port, [ series($m, {}, [ 4, $now ]),
    series($m, {}, [ 5, $now ]) ])->{status}, 400,
    'two values in two parts');
is(newest($m), '3@-1', 'nothing stored of either');
is_taken(send_v1($port, [ series($m, {}, [ 5, $now ]),
    series($m, {}, [ 5, $now ]) ]), 'the same value in two parts');
is(newest($m), '5@0', 'is stored');

# odd encodings mean the same

for my $odd ([ wide => 2 ], [ zeros => 1 ], [ unknown => 1 ], [ groups => 1 ],
    [ reverse => 1 ], [ wide => 1, unknown => 1, reverse => 1, groups => 1 ])
{
    $m = fresh();
    is_taken(send_v1($port, [
        series($m, { b => 1, a => 2 }, [ 1, $now - 2 ], [ 2, $now - 1 ]),
    ], @$odd), "@$odd") if !grep { $_ eq 'reverse' } @$odd;
    is_taken(send_v1($port, [ series($m, { b => 1, a => 2 }, [ 3, $now ]) ],
        @$odd), "@$odd, one sample");
    is_deeply(federate($port, $m),
        { "$m\{a=\"2\",b=\"1\",instance=\"\"}" => [ 3, $now ] },
        "@$odd: stored");
}

# what is no float sample

$m = fresh();

is_taken(send_v1($port, [], metadata => [ { type => 1, help => 'h',
    metric_family_name => $m } ]), 'metadata alone');
is_taken(send_v1($port, [ { labels => { __name__ => $m } } ]),
    'a series without samples');
is_taken(send_v1($port, [ { labels => { __name__ => $m }, exemplars =>
    [ { labels => { trace_id => 'x' }, value => 1, timestamp => $now } ] } ]),
    'a series with an exemplar alone');
is_taken(send_v1($port, [ { labels => { __name__ => $m }, histograms =>
    [ { count_int => 3, sum => 1, schema => 0, timestamp => $now,
        positive_spans => [ [ 0, 1 ] ], positive_deltas => [ 3 ] } ] } ]),
    'a histogram');
is_deeply(federate($port, $m), {}, 'none of which makes a series');
like($t->log(), qr/left out 1 exemplars and histograms/, 'the log says so');

is_taken(send_v1($port, [ { labels => { __name__ => $m },
    samples => [ [ 1, $now ] ], exemplars =>
    [ { labels => { trace_id => 'x' }, value => 1, timestamp => $now } ] } ]),
    'a sample with an exemplar');
is(newest($m), '1@0', 'is stored');

# the limits of a location and of a store

my $few = $t->port(8081);

for my $case (
    [ 'five labels', { a => 1, b => 1, c => 1, d => 1 },
        qr/^number of labels 5 exceeds the limit of 4 for series \{/ ],
    [ 'a long label name', { 'a' x 21 => 1 },
        qr/^label name length 21 exceeds the limit of 20 in label "a{21}"/ ],
    [ 'a long value', { a => 'x' x 31 },
        qr/^label value length 31 exceeds the limit of 30 in label "a"/ ])
{
    my ($name, $labels, $text) = @$case;

    $r = send_v1($few, [ series('ok', {}, [ 1, $now ]),
        series('m', $labels, [ 1, $now ]) ]);
    is($r->{status}, 400, "$name: status");
    like($r->{body}, $text, "$name: text");
    is_deeply(federate($few), {}, "$name: nothing is stored");
}

is_taken(send_v1($few, [ series('m', { a => 1, b => 1, c => 'x' x 30, d => '' },
    [ 1, $now ]) ]), 'an empty value does not count');
is_taken(send_v1($few, [ series('m2', { 'a' x 20 => 1 }, [ 1, $now ]) ]),
    'just within');

$r = send_v1($few, [ series('m3', {}, [ 1, $now ]),
    series('m4', {}, [ 1, $now ]), series('m2', { 'a' x 20 => 1 },
    [ 2, $now + 1 ]) ]);
is($r->{status}, 503, 'a series too many');
is($r->{body}, "the store has as many series as max_series allows\n",
    'a series too many: text');
like($r->{headers}{'retry-after'}, qr/^[1-9][0-9]*$/, 'come back later');
is(keys %{ federate($few) }, 2, 'nothing of it is stored');
is(federate($few, 'm2')->{'m2{' . 'a' x 20 . '="1",instance=""}'}[0], 1,
    'not in old series either');
is_taken(send_v1($few, [ series('m3', {}, [ 1, $now ]) ]), 'room for a third');
is_taken(send_v1($few, [ series('m2', { 'a' x 20 => 1 }, [ 2, $now + 1 ]) ]),
    'old series go on');

# more labels than a series can ever have

for my $n (1025, 5000) {
    $r = send_v1($port, [ series('m', { map { ("l$_" => 1) } 1 .. $n },
        [ 1, $now ]) ]);
    is($r->{status}, 400, "$n labels");
    like($r->{body}, qr/more than 1024 labels|labels \d+ exceeds|has $n labels/,
        "$n labels: text");
}

$t->done();
