package Prom::Proto;

# Copyright (C) the ngx_http_prom_module authors
#
# Bodies of remote write, written by hand from the published schemas and
# sharing nothing with the code under test.
#
#     my $series = series('up', { job => 'node' }, [ 1, $now ]);
#     my $body = snappy(write_v1([ $series ]));
#     my $body = snappy(write_v2([ $series ], wide => 1));
#
# A series is { labels => [ [ name, value ], ... ] or { name => value },
# samples => [ [ value, ms ], ... ], exemplars, histograms }, in version 2
# also metadata => { type, help, unit }.  A value is a number, 'NaN', '+Inf',
# '-Inf', or a reference to eight bytes: STALE.
#
# Options make encodings that are legal but unusual:
#
#     wide => n      varints n bytes longer than they must be
#     unpacked => 1  repeated numbers one by one
#     split => 1     packed numbers in two runs
#     zeros => 1     fields that are zero written out
#     unknown => 1   fields of unheard-of numbers, all wire types, in between
#     groups => 1    the same as the obsolete start and end of a group
#     reverse => 1   fields by descending number

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(encode series write_v1 write_v2 symbols_v2 snappy
    snappy_copies varint STALE);

use constant STALE => \pack('H16', '020000000000f07f');


# number, name, type; * is repeated, ! is written whenever it is given

my @histogram = (
    [ 1, 'count_int', 'int', '!' ],
    [ 2, 'count_float', 'double', '!' ],
    [ 3, 'sum', 'double' ],
    [ 4, 'schema', 'sint' ],
    [ 5, 'zero_threshold', 'double' ],
    [ 6, 'zero_count_int', 'int', '!' ],
    [ 7, 'zero_count_float', 'double', '!' ],
    [ 8, 'negative_spans', 'BucketSpan', '*' ],
    [ 9, 'negative_deltas', 'sint', '*' ],
    [ 10, 'negative_counts', 'double', '*' ],
    [ 11, 'positive_spans', 'BucketSpan', '*' ],
    [ 12, 'positive_deltas', 'sint', '*' ],
    [ 13, 'positive_counts', 'double', '*' ],
    [ 14, 'reset_hint', 'int' ],
    [ 15, 'timestamp', 'int' ],
    [ 16, 'custom_values', 'double', '*' ],
);

my %schema = (
    'BucketSpan' => [ [ 1, 'offset', 'sint' ], [ 2, 'length', 'int' ] ],

    'v1.WriteRequest' => [
        [ 1, 'timeseries', 'v1.TimeSeries', '*' ],
        [ 3, 'metadata', 'v1.MetricMetadata', '*' ],
    ],
    'v1.TimeSeries' => [
        [ 1, 'labels', 'v1.Label', '*' ],
        [ 2, 'samples', 'v1.Sample', '*' ],
        [ 3, 'exemplars', 'v1.Exemplar', '*' ],
        [ 4, 'histograms', 'v1.Histogram', '*' ],
    ],
    'v1.Label' => [ [ 1, 'name', 'bytes' ], [ 2, 'value', 'bytes' ] ],
    'v1.Sample' => [ [ 1, 'value', 'double' ], [ 2, 'timestamp', 'int' ] ],
    'v1.Exemplar' => [
        [ 1, 'labels', 'v1.Label', '*' ],
        [ 2, 'value', 'double' ],
        [ 3, 'timestamp', 'int' ],
    ],
    'v1.MetricMetadata' => [
        [ 1, 'type', 'int' ],
        [ 2, 'metric_family_name', 'bytes' ],
        [ 4, 'help', 'bytes' ],
        [ 5, 'unit', 'bytes' ],
    ],
    'v1.Histogram' => \@histogram,

    'v2.Request' => [
        [ 4, 'symbols', 'bytes', '*' ],
        [ 5, 'timeseries', 'v2.TimeSeries', '*' ],
    ],
    'v2.TimeSeries' => [
        [ 1, 'labels_refs', 'int', '*' ],
        [ 2, 'samples', 'v2.Sample', '*' ],
        [ 3, 'histograms', 'v2.Histogram', '*' ],
        [ 4, 'exemplars', 'v2.Exemplar', '*' ],
        [ 5, 'metadata', 'v2.Metadata', '!' ],
        [ 6, 'created_timestamp', 'int' ],
    ],
    'v2.Sample' => [
        [ 1, 'value', 'double' ],
        [ 2, 'timestamp', 'int' ],
        [ 3, 'start_timestamp', 'int' ],
    ],
    'v2.Exemplar' => [
        [ 1, 'labels_refs', 'int', '*' ],
        [ 2, 'value', 'double' ],
        [ 3, 'timestamp', 'int' ],
    ],
    'v2.Metadata' => [
        [ 1, 'type', 'int' ],
        [ 3, 'help_ref', 'int' ],
        [ 4, 'unit_ref', 'int' ],
    ],
    'v2.Histogram' => [ @histogram, [ 17, 'start_timestamp', 'int' ] ],
);


# A series from a name, other labels and samples; canonical label order.

sub series {
    my ($name, $labels, @samples) = @_;

    return {
        labels => { __name__ => $name, %{ $labels || {} } },
        samples => \@samples,
    };
}


sub write_v1 {
    my ($series, %odd) = @_;

    my $metadata = delete $odd{metadata} || [];
    my @timeseries = map { { %$_, labels => pairs($_->{labels}) } } @$series;

    for my $s (@timeseries) {
        $s->{exemplars} = [
            map { { %$_, labels => pairs($_->{labels}) } }
            @{ $s->{exemplars} || [] } ];
    }

    return encode('v1.WriteRequest',
        { timeseries => \@timeseries, metadata => $metadata }, %odd);
}


sub write_v2 {
    my ($series, %odd) = @_;

    return encode('v2.Request', symbols_v2($series), %odd);
}


# The structure of a v2 request, for those who want to spoil it before they
# encode it.

sub symbols_v2 {
    my ($series) = @_;

    my @symbols = ('');
    my %refs = ('' => 0);

    my $ref = sub {
        my ($symbol) = @_;

        if (!exists $refs{$symbol}) {
            $refs{$symbol} = @symbols;
            push @symbols, $symbol;
        }

        return $refs{$symbol};
    };

    my $labels = sub {
        return [ map { $ref->($_->[0]), $ref->($_->[1]) } @{ pairs($_[0]) } ];
    };

    my @timeseries;

    for my $s (@$series) {
        my %ts = (%$s, labels_refs => $labels->($s->{labels}));

        $ts{exemplars} = [
            map { { %$_, labels_refs => $labels->($_->{labels}) } }
            @{ $s->{exemplars} || [] } ];

        if (my $m = $s->{metadata}) {
            $ts{metadata} = {
                type => $m->{type} || 0,
                help_ref => $ref->(defined $m->{help} ? $m->{help} : ''),
                unit_ref => $ref->(defined $m->{unit} ? $m->{unit} : ''),
            };
        }

        push @timeseries, \%ts;
    }

    return { symbols => \@symbols, timeseries => \@timeseries };
}


sub pairs {
    my ($labels) = @_;

    return $labels || [] if ref $labels ne 'HASH';
    return [ map { [ $_, $labels->{$_} ] } sort keys %$labels ];
}


# A message is a hash by field names, or an array in the order of the schema.

sub encode {
    my ($type, $value, %odd) = @_;

    my $fields = $schema{$type} or die "no message $type\n";

    if (ref $value eq 'ARRAY') {
        $value = { map { $fields->[$_][1] => $value->[$_] } 0 .. $#$value };
    }

    my @parts;

    for my $field (@$fields) {
        my ($number, $name, $kind, $how) = (@$field, '');

        next if !defined $value->{$name};

        push @parts, join '', $how eq '*'
            ? repeated($number, $kind, $value->{$name}, %odd)
            : single($number, $kind, $value->{$name}, $how, %odd);
    }

    if ($odd{reverse}) {
        @parts = reverse @parts;
    }

    if ($odd{unknown} || $odd{groups}) {
        @parts = map { (unknown(%odd), $_) } @parts, '';
    }

    return join '', @parts;
}


sub single {
    my ($number, $kind, $value, $how, %odd) = @_;

    my ($wire, $bytes) = scalar_bytes($kind, $value, %odd);

    my $zero = $wire == 2 ? $bytes eq '' : $bytes =~ /\A\0*\z/;

    if ($zero && $how ne '!' && !$odd{zeros}) {
        return '';
    }

    if ($wire == 2) {
        $bytes = short(length $bytes, %odd) . $bytes;
    }

    return tag($number, $wire, %odd) . $bytes;
}


sub repeated {
    my ($number, $kind, $values, %odd) = @_;

    my $packs = $kind =~ /^(?:int|sint|double)\z/ && !$odd{unpacked};

    if (!$packs) {
        return map { single($number, $kind, $_, '!', %odd) } @$values;
    }

    my @all = map { (scalar_bytes($kind, $_, %odd))[1] } @$values;
    my @runs = $odd{split} && @all > 1
        ? ([ @all[0 .. $#all / 2] ], [ @all[$#all / 2 + 1 .. $#all] ])
        : @all ? ([ @all ]) : ();

    return map {
        my $run = join '', @$_;
        tag($number, 2, %odd) . short(length $run, %odd) . $run;
    } @runs;
}


# The wire type and the bytes; a length is not yet among them.

sub scalar_bytes {
    my ($kind, $value, %odd) = @_;

    if ($kind eq 'double') {
        return (1, double($value));
    }

    if ($kind eq 'int') {
        return (0, varint($value, $odd{wide}));
    }

    if ($kind eq 'sint') {
        my $zigzag = $value < 0 ? -2 * $value - 1 : 2 * $value;
        return (0, varint($zigzag, $odd{wide}));
    }

    if ($kind ne 'bytes') {
        return (2, encode($kind, $value, %odd));
    }

    utf8::encode($value) if utf8::is_utf8($value);
    return (2, $value);
}


sub double {
    my ($value) = @_;

    return $$value if ref $value;
    return pack 'H16', '010000000000f87f' if $value =~ /^nan\z/i;

    $value = 9 ** 9 ** 9 if $value =~ /^\+?inf\z/i;
    $value = -9 ** 9 ** 9 if $value =~ /^-inf\z/i;

    return pack 'd<', $value;
}


# Ten bytes hold 64 bits; beyond that a varint is not legal any more.

sub varint {
    my ($value, $wide) = @_;

    my $n = unpack 'Q', pack 'q', $value;
    $n = $value if $value > 0;

    my @bytes;

    do {
        push @bytes, $n & 0x7f;
        $n >>= 7;
    } while ($n);

    for (1 .. $wide || 0) {
        push @bytes, 0 if @bytes < 10;
    }

    my $last = pop @bytes;

    return pack 'C*', (map { $_ | 0x80 } @bytes), $last;
}


sub tag {
    my ($number, $wire, %odd) = @_;

    return short($number << 3 | $wire, %odd);
}


# Decoders take tags and lengths of at most five bytes.

sub short {
    my ($value, %odd) = @_;

    my $wide = $odd{wide} || 0;
    my $room = 5 - length varint($value);

    return varint($value, $wide < $room ? $wide : $room);
}


sub unknown {
    my (%odd) = @_;

    my $bytes = tag(1000, 0, %odd) . varint(1 << 40)
        . tag(1001, 1, %odd) . 'eight by'
        . tag(1002, 2, %odd) . varint(5) . 'bytes'
        . tag(1003, 5, %odd) . 'four';

    if ($odd{groups}) {
        $bytes .= tag(1004, 3, %odd) . $bytes . tag(1004, 4, %odd);
    }

    return $bytes;
}


# The block format, literals alone: legal, if not small.

sub snappy {
    my ($raw) = @_;

    my $out = varint(length $raw);

    for (my $i = 0; $i < length $raw; $i += 65536) {
        my $piece = substr $raw, $i, 65536;
        my $n = length($piece) - 1;

        $out .= $n < 60 ? pack('C', $n << 2) : pack('C v', 61 << 2, $n);
        $out .= $piece;
    }

    return $out;
}


# A block that expands about twentyfold: $raw and $n copies of its last byte.

sub snappy_copies {
    my ($raw, $n) = @_;

    my $out = snappy($raw);
    $out =~ s/\A[\x80-\xff]*[\x00-\x7f]//;
    $out = varint(length($raw) + $n) . $out;

    for ( ; $n > 0; $n -= 64) {
        my $len = $n < 64 ? $n : 64;
        $out .= pack 'C v', ($len - 1) << 2 | 2, 1;
    }

    return $out;
}


1;
