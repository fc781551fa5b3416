#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# Remote write 2.0: symbols and references, what of a request is stored when
# some of it is bad, and what the counts say.

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
        prom_max_expanded_size 1k;
        location /write { prom_remote_write few; }
        location /federate { prom_federate few; }
    }
}
EOF

$t->start();

my $port = $t->port(8080);
my $now = now_ms();
my $names = 0;


sub fresh {
    return 'm' . ++$names;
}


# "value@time" of what a selector finds, sorted; times relative to now.

sub newest {
    my ($name) = @_;

    my @found = values %{ federate($port, $name) };

    return join ' ', sort map { "$_->[0]\@" . ($_->[1] - $now) } @found;
}


sub sent {
    my ($name, @samples) = @_;

    my @absolute = map { [ $_->[0], $now + $_->[1] ] } @samples;

    return send_v2($port, [ series($name, {}, @absolute) ]);
}


# A request of symbols and series as they stand.

sub send_raw {
    my ($symbols, @timeseries) = @_;

    return send_body($port, 2, snappy(encode('v2.Request',
        { symbols => $symbols, timeseries => \@timeseries })));
}


sub is_taken {
    my ($r, $counts, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is("$r->{status} $r->{body}", '204 ', $name);
    is(counts($r), $counts, "$name: counts");
}


sub is_refused {
    my ($r, $counts, $text, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($r->{status}, 400, $name);
    is($r->{body}, "$text\n", "$name: text");
    is(counts($r), $counts, "$name: counts");
}


# labels

for my $case (
    [ 'one', [ [ '__name__', 'A' ] ], 'A{instance=""}' ],
    [ 'in order', [ [ '__name__', 'B' ], [ 'a', 1 ], [ 'b', 2 ] ],
        'B{a="1",b="2",instance=""}' ],
    [ 'unsorted', [ [ 'z', 1 ], [ '__name__', 'C' ], [ 'a', 2 ] ],
        'C{a="2",z="1",instance=""}' ],
    [ 'an empty value', [ [ '__name__', 'D' ], [ 'a', '' ], [ 'b', 1 ] ],
        'D{b="1",instance=""}' ],
    [ 'UTF-8', [ [ '__name__', 'E' ], [ 'a', 'é花' ] ],
        'E{a="é花",instance=""}' ],
    [ 'equal symbols', [ [ '__name__', 'same' ], [ 'a', 'a' ], [ 'b', 'a' ],
        [ 'same', 'b' ] ], 'same{a="a",b="a",same="b",instance=""}' ],
    [ 'long value', [ [ '__name__', 'I' ], [ 'a', 'x' x 4096 ] ],
        'I{a="' . 'x' x 4096 . '",instance=""}' ])
{
    my ($name, $labels, $line) = @$case;

    is_taken(send_v2($port, [ { labels => $labels,
        samples => [ [ 1, $now ] ] } ]), '1/0/0', $name);
    is_deeply(federate($port, substr $line, 0, index $line, '{'),
        { $line => [ 1, $now ] }, "$name: what is stored");
}

# both versions make the same series

my $m = fresh();

is(send_v1($port, [ series($m, { b => 1, a => 2 }, [ 1, $now - 2 ]) ])
    ->{status}, 204, 'sent as 1.0');
is_taken(send_v2($port, [ series($m, { b => 1, a => 2 }, [ 2, $now - 1 ]) ]),
    '1/0/0', 'sent as 2.0');
is(newest($m), '2@-1', 'is one series');

# bad labels: the series is refused and named, the others are stored

for my $case (
    [ 'no name', [ [ 'a', 1 ] ],
        'invalid metric name or labels, got {a="1"}' ],
    [ 'no labels', [], 'invalid metric name or labels, got {}' ],
    [ 'an empty name', [ [ '__name__', '' ], [ 'a', 1 ] ],
        'invalid metric name or labels, got {__name__="", a="1"}' ],
    [ 'an empty label name', [ [ '', 1 ], [ '__name__', 'bad' ] ],
        'invalid metric name or labels, got {""="1", __name__="bad"}' ],
    [ 'a name that is not UTF-8', [ [ '__name__', "bad\xff" ] ],
        'invalid metric name or labels, got {__name__="bad\xff"}' ],
    [ 'a value that is not UTF-8', [ [ '__name__', 'bad' ], [ 'a', "\xc3" ] ],
        'invalid metric name or labels, got {__name__="bad", a="\xc3"}' ],
    [ 'a label twice', [ [ 'a', 1 ], [ '__name__', 'bad' ], [ 'a', 2 ] ],
        'invalid labels for series, labels {__name__="bad", a="1", a="2"}, '
        . 'duplicated label a' ],
    [ 'a label twice, once empty',
        [ [ '__name__', 'bad' ], [ 'a', '' ], [ 'a', 1 ] ],
        'invalid labels for series, labels {__name__="bad", a="", a="1"}, '
        . 'duplicated label a' ])
{
    my ($name, $labels, $text) = @$case;
    my $good = fresh();

    is_refused(send_v2($port, [
        series($good, { n => 1 }, [ 1, $now ]),
        { labels => $labels, samples => [ [ 1, $now - 1 ], [ 1, $now ] ] },
        series($good, { n => 2 }, [ 1, $now ]),
    ]), '2/0/0', $text, $name);
    is(keys %{ federate($port, $good) }, 2, "$name: the others are stored");
    is_deeply(federate($port, '{__name__=~"bad.*"}'), {}, "$name: not stored");
}

# references

my @symbols = ('', '__name__', 'ref', 'a', 'b');

for my $case (
    [ 'a value out of range', [ 1, 999 ], 'parsing labels for series [1 999]: '
        . 'labelRefs 1 (name) = 999 (value) outside of symbols table (size 6)'
        ],
    [ 'a name just out of range', [ 1, 2, 6, 4 ],
        'parsing labels for series [1 2 6 4]: '
        . 'labelRefs 6 (name) = 4 (value) outside of symbols table (size 6)' ],
    [ 'far out of range', [ 1, 4294967295 ],
        'parsing labels for series [1 4294967295]: labelRefs 1 (name) = '
        . '4294967295 (value) outside of symbols table (size 6)' ],
    [ 'an odd number', [ 1, 2, 3 ],
        'parsing labels for series [1 2 3]: invalid labelRefs length 3' ],
    [ 'one', [ 1 ],
        'parsing labels for series [1]: invalid labelRefs length 1' ])
{
    my ($name, $refs, $text) = @$case;
    my $good = fresh();

    is_refused(send_raw([ @symbols, $good ],
        { labels_refs => [ 1, 5 ], samples => [ [ 1, $now ] ] },
        { labels_refs => $refs, samples => [ [ 1, $now ] ] },
        { labels_refs => [ 1, 5, 3, 4 ], samples => [ [ 1, $now ] ] }),
        '2/0/0', $text, $name);
    is(newest($good), '1@0 1@0', "$name: the others are stored");
}

is(newest('ref'), '', 'none of these is stored');

# a symbol is a symbol: doubles, unused ones, none that is empty

$m = fresh();

is_taken(send_raw([ '', '__name__', '__name__', 'unused', "\xff", 'a', 'a',
    $m, '' ], { labels_refs => [ 2, 7, 6, 1 ], samples => [ [ 1, $now ] ] }),
    '1/0/0', 'doubles, and one that is not UTF-8 and not used');
is_deeply(federate($port, $m),
    { "$m\{a=\"__name__\",instance=\"\"}" => [ 1, $now ] }, 'are stored');

$m = fresh();

is_taken(send_raw([ '__name__', $m ],
    { labels_refs => [ 0, 1 ], samples => [ [ 1, $now ] ],
        metadata => { type => 1 } }), '1/0/0', 'the first symbol is not empty');
is(newest($m), '1@0', 'is stored');

is_refused(send_raw([], { labels_refs => [ 0, 0 ], samples => [ [ 1, $now ] ]
    }), '0/0/0', 'parsing labels for series [0 0]: labelRefs 0 (name) = 0 '
    . '(value) outside of symbols table (size 0)', 'no symbols at all');

# symbols after the series that use them

$m = fresh();

is_taken(send_body($port, 2, snappy(
    encode('v2.Request', { timeseries => [ { labels_refs => [ 1, 2 ],
        samples => [ [ 1, $now ] ] } ] })
    . encode('v2.Request', { symbols => [ '', '__name__', $m ] }))), '1/0/0',
    'symbols after the series');
is(newest($m), '1@0', 'are found');

# references of metadata

for my $case ([ 'help_ref', 999 ], [ 'unit_ref', 4 ],
    [ 'help_ref', 4294967295 ])
{
    my ($field, $ref) = @$case;
    my $bad = fresh();
    my $good = fresh();

    is_refused(send_raw([ '', '__name__', $bad, $good ],
        { labels_refs => [ 1, 2 ], samples => [ [ 1, $now ] ],
            metadata => { type => 1, $field => $ref } },
        { labels_refs => [ 1, 3 ], samples => [ [ 1, $now ] ],
            metadata => { type => 1, help_ref => 3, unit_ref => 3 } }),
        '1/0/0', "parsing metadata for series [1 2]: metadata $field "
        . "$ref outside of symbols table (size 4)", "$field $ref");
    is(newest($bad), '', "$field $ref: not stored");
}

# samples: before, what is sent, counts, what is newest then, texts

my $h = 3600000;

for my $case (
    [ 'the first', [], [ [ 1, 0 ] ], 1, '1@0' ],
    [ 'several', [ [ 1, -10 ] ], [ [ 2, -5 ], [ 3, 0 ] ], 2, '3@0' ],
    [ 'the same', [ [ 1, 0 ] ], [ [ 1, 0 ] ], 1, '1@0' ],
    [ 'another value', [ [ 1, -7 ] ], [ [ 2, -7 ] ], 0, '1@-7',
        [ -7, 'duplicate sample for timestamp %d; overrides not allowed: '
        . 'existing 1, new value 2' ] ],
    [ 'minus zero', [ [ 0, -7 ] ], [ [ \pack('d<', -0.0), -7 ] ], 0, '0@-7',
        [ -7, 'duplicate sample for timestamp %d; overrides not allowed: '
        . 'existing 0, new value -0' ] ],
    [ 'an older one', [ [ 1, -7 ] ], [ [ 1, -8 ] ], 0, '1@-7',
        [ -8, 'out of order sample: timestamp %d' ] ],
    [ 'an old one and a new one', [ [ 1, -7 ] ], [ [ 1, -8 ], [ 2, -6 ] ], 1,
        '2@-6', [ -8, 'out of order sample: timestamp %d' ] ],
    [ 'older than an hour', [], [ [ 1, -$h - 10000 ], [ 2, 0 ] ], 1, '2@0',
        [ -$h - 10000, 'out of bounds: timestamp %d' ] ],
    [ 'too far ahead', [], [ [ 1, 0 ], [ 2, 700000 ] ], 1, '1@0',
        [ 700000, 'out of bounds: timestamp is too far in the future: '
        . 'timestamp %d' ] ],
    [ 'unsorted in a request', [], [ [ 1, -5 ], [ 2, -6 ], [ 3, -4 ] ], 2,
        '3@-4', [ -6, 'out of order sample: timestamp %d' ] ],
    [ 'twice in a request', [], [ [ 1, -5 ], [ 1, -5 ] ], 2, '1@-5' ],
    [ 'twice in a request, differing', [], [ [ 1, -5 ], [ 2, -5 ] ], 1,
        '1@-5', [ -5, 'duplicate sample for timestamp %d; overrides not '
        . 'allowed: existing 1, new value 2' ] ],
    [ 'two that are bad', [ [ 1, -5 ] ], [ [ 2, -6 ], [ 3, -7 ], [ 4, -4 ] ],
        1, '4@-4', [ -6, 'out of order sample: timestamp %d' ],
        [ -7, 'out of order sample: timestamp %d' ] ])
{
    my ($name, $before, $samples, $count, $newest, @texts) = @$case;
    my $m = fresh();

    if (@$before) {
        is_taken(sent($m, @$before), @$before . '/0/0', "$name: before");
    }

    my $r = sent($m, @$samples);

    if (@texts) {
        is_refused($r, "$count/0/0", join("\n", map {
            sprintf "$_->[1] for series {__name__=\"$m\"}", $now + $_->[0]
        } @texts), $name);

    } else {
        is_taken($r, "$count/0/0", $name);
    }

    is(newest($m), $newest, "$name: newest");
}

# one of several series: the others are stored, old and new

$m = fresh();

is_taken(send_v2($port, [ series($m, { n => 1 }, [ 1, $now - 5 ]),
    series($m, { n => 2 }, [ 1, $now - 5 ]) ]), '2/0/0', 'two old series');
is_refused(send_v2($port, [
    series($m, { n => 1 }, [ 2, $now ]),
    series($m, { n => 2 }, [ 2, $now - 9 ]),
    series($m, { n => 3 }, [ 2, $now ]), series($m, { n => 4 }, [ 2, 1 ]),
]), '2/0/0', 'out of order sample: timestamp ' . ($now - 9)
    . " for series {__name__=\"$m\", n=\"2\"}\nout of bounds: timestamp 1 "
    . "for series {__name__=\"$m\", n=\"4\"}", 'two of four are bad');
is(newest($m), '1@-5 2@0 2@0', 'three are there');
is(newest("{__name__=\"$m\",n=\"4\"}"), '', 'no series without samples');

# stale markers

$m = fresh();

is_taken(sent($m, [ 1, -10 ], [ STALE, -5 ]), '2/0/0', 'the stale marker');
is(newest($m), '', 'hides the series');
is_taken(sent($m, [ STALE, -5 ]), '1/0/0', 'again: same bits');
is_taken(sent($m, [ 7, -3 ]), '1/0/0', 'the next value');
is(newest($m), '7@-3', 'shows again');

# one series in several parts

$m = fresh();

is_taken(send_v2($port, [ series($m, {}, [ 1, $now - 3 ]),
    series("$m\_x", {}, [ 1, $now ]), series($m, {}, [ 2, $now - 2 ]) ]),
    '3/0/0', 'a series in two parts');
is(newest($m), '2@-2', 'is one');
is_refused(send_v2($port, [ series($m, {}, [ 4, $now ]),
    series($m, {}, [ 5, $now ]) ]), '1/0/0', "duplicate sample for timestamp "
    . "$now; overrides not allowed: existing 4, new value 5 for series "
    . "{__name__=\"$m\"}", 'two values in two parts');
is(newest($m), '4@0', 'the first is stored');

# a long list of errors is cut

$m = fresh();

is_taken(send_v2($port, [ map { series($m, { n => $_ }, [ 1, $now ]) }
    1 .. 1000 ]), '1000/0/0', 'many series');

my $r = send_v2($port, [ map { series($m, { n => $_ }, [ 1, $now - 1 ]) }
    1 .. 1000 ]);
my @lines = split /\n/, $r->{body};

is($r->{status}, 400, '1000 bad samples');
is(counts($r), '0/0/0', '1000 bad samples: counts');
cmp_ok(length $r->{body}, '<', 4096, '1000 bad samples: the text is bounded');
cmp_ok(@lines, '>', 10, '1000 bad samples: but has some lines');
is($lines[0], 'out of order sample: timestamp ' . ($now - 1)
    . " for series {__name__=\"$m\", n=\"1\"}", '1000 bad samples: the first');
like($lines[-1], qr/^(\d+) more$/, '1000 bad samples: the last line');
is($lines[-1] =~ /^(\d+)/ ? $1 + @lines - 1 : 0, 1000,
    '1000 bad samples: all are counted');

$r = send_v2($port, [ map { { labels => [ [ 'a', 'x' x 500 ] ],
    samples => [ [ 1, $now ] ] } } 1 .. 1000 ]);
cmp_ok(length $r->{body}, '<', 4096, '1000 bad series: the text is bounded');
like($r->{body}, qr/\n(\d+) more\n\z/, '1000 bad series: the last line');

# odd encodings mean the same

for my $odd ([ wide => 2 ], [ unpacked => 1 ], [ split => 1 ], [ zeros => 1 ],
    [ unknown => 1 ], [ groups => 1 ], [ reverse => 1 ],
    [ unpacked => 1, wide => 1, unknown => 1, reverse => 1, groups => 1 ])
{
    $m = fresh();
    is_taken(send_v2($port, [ series($m, { b => 1, a => 2 }, [ 3, $now ]),
        series($m, { c => 3, a => 2 }, [ 4, $now ]) ], @$odd), '2/0/0',
        "@$odd");
    is_deeply(federate($port, $m),
        { "$m\{a=\"2\",b=\"1\",instance=\"\"}" => [ 3, $now ],
          "$m\{a=\"2\",c=\"3\",instance=\"\"}" => [ 4, $now ] },
        "@$odd: stored");
}

# created and start timestamps are skipped

$m = fresh();

is_taken(send_v2($port, [ { labels => { __name__ => $m },
    samples => [ [ 1, $now, $now - 1000 ] ], created_timestamp => $now - 1000,
    metadata => { type => 1, help => 'h', unit => 'u' } } ]), '1/0/0',
    'start timestamps and metadata');
is(newest($m), '1@0', 'the sample is stored');

# what is no float sample is refused, not passed over in silence

my $exemplar = { labels => { trace_id => 'x' }, value => 1, timestamp => $now };
my $histogram = { count_int => 3, sum => 1, schema => 0, timestamp => $now,
    positive_spans => [ [ 0, 1 ] ], positive_deltas => [ 3 ] };

for my $case (
    [ 'a histogram', 0, [], [ $histogram ], [],
        'native histograms are not stored: 1' ],
    [ 'two histograms', 0, [], [ $histogram, $histogram ], [],
        'native histograms are not stored: 2' ],
    [ 'a sample and a histogram', 1, [ [ 1, $now ] ], [ $histogram ], [],
        'native histograms are not stored: 1' ],
    [ 'an exemplar', 0, [], [], [ $exemplar ],
        'exemplars are not stored: 1' ],
    [ 'a sample and an exemplar', 1, [ [ 1, $now ] ], [], [ $exemplar ],
        'exemplars are not stored: 1' ])
{
    my ($name, $count, $samples, $histograms, $exemplars, $text) = @$case;
    my $m = fresh();

    is_refused(send_v2($port, [ { labels => { __name__ => $m },
        samples => $samples, histograms => $histograms,
        exemplars => $exemplars } ]), "$count/0/0",
        "$text for series {__name__=\"$m\"}", $name);
    is(newest($m), $count ? '1@0' : '', "$name: the sample is stored");
}

is_taken(send_v2($port, [ { labels => { __name__ => 'none' } } ]), '0/0/0',
    'a series with nothing at all');
is_taken(send_v2($port, []), '0/0/0', 'no series');

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

    $r = send_v2($few, [ series('ok', {}, [ 1, $now ]),
        series('m', $labels, [ 1, $now ]) ]);
    is($r->{status}, 400, "$name: status");
    like($r->{body}, $text, "$name: text");
    is(counts($r), '1/0/0', "$name: counts");
    is_deeply([ keys %{ federate($few) } ], [ 'ok{instance=""}' ],
        "$name: the other is stored");
}

# a small body that stands for a large one, in keys that are possible, and in
# keys that are too long until the empty values go

for my $case ([ 'a little of it, often', 100, 30, 0 ],
    [ 'too long for a key', 1, 2000, 20 ])
{
    my ($name, $n, $len, $empty) = @$case;

    my @series = map {
        series('x', { n => $_, v => 'v' x ($len / 100),
            map { ('e' x $len . $_ => '') } 1 .. $empty }, [ 1, $now ])
    } 1 .. $n;

    is_refused(send_v2($few, \@series), '0/0/0', 'the labels of the request, '
        . 'written out, pass prom_max_expanded_size', $name);
    is(keys %{ federate($few) }, 1, "$name: nothing is stored");
}

$r = send_v2($few, [ series('ok', {}, [ 2, $now + 1 ]),
    map { series('x', { n => $_ }, [ 1, $now ]) } 1 .. 3 ]);
is($r->{status}, 503, 'a series too many');
is($r->{body}, "the store has as many series as max_series allows\n",
    'a series too many: text');
is(counts($r), '0/0/0', 'a series too many: counts');
like($r->{headers}{'retry-after'}, qr/^[1-9][0-9]*$/, 'come back later');
is_deeply(federate($few), { 'ok{instance=""}' => [ 1, $now ] },
    'nothing of it is stored');
is_taken(send_v2($few, [ map { series('x', { n => $_ }, [ 1, $now ]) } 1, 2 ]),
    '2/0/0', 'room for two');

# more labels than a series can ever have

$r = send_v2($port, [ series('ok', {}, [ 1, $now ]),
    series('m', { map { ("l$_" => 1) } 1 .. 2000 }, [ 1, $now ]) ]);
is($r->{status}, 400, '2000 labels');
is(counts($r), '1/0/0', '2000 labels: counts');
like($r->{body}, qr/^a series has more than 1024 labels, the limit is 128$/,
    '2000 labels: text');

$t->done();
