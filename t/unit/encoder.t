#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# The encoders of the harness against protoc: what they write, in all their
# odd ways, decodes to the same message.

use strict;
use warnings;

use File::Temp;
use FindBin;
use Test::More;

use lib "$FindBin::Bin/../lib";

use Prom::Proto;

chdir "$FindBin::Bin/../..";

my $series = [
    series('up', { job => 'node' }, [ 1, 1700000000000 ],
        [ STALE, 1700000001000 ], [ '+Inf', -1 ], [ 0, 0 ]),
    {
        labels => { __name__ => 'h', le => "\0" },
        metadata => { type => 3, help => 'H', unit => 's' },
        exemplars => [ { labels => { trace => 'x' }, value => 1 } ],
        histograms => [ {
            count_int => 0,
            sum => 2.5,
            schema => -3,
            positive_spans => [ [ -1, 2 ], [ 3, 1 ] ],
            positive_deltas => [ 1, -1, 5 ],
            timestamp => -7,
            custom_values => [ 1.5, '-Inf', 'NaN' ],
        } ],
    },
];

my %bodies = (
    v1 => sub { write_v1($series, @_, metadata => [ [ 1, 'up', 'help' ] ]) },
    v2 => sub { write_v2($series, @_) },
);

my %messages = (
    v1 => 'prometheus.WriteRequest',
    v2 => 'io.prometheus.write.v2.Request',
);

for my $version (sort keys %bodies) {
    my $plain = decode($version, $bodies{$version}->());

    like($plain, qr/value: "up"|symbols: "up"/, "$version decodes");
    like($plain, qr/positive_deltas: -1/, "$version: negative numbers");

    for my $odd ([ wide => 1 ], [ wide => 9 ], [ unpacked => 1 ],
        [ split => 1 ], [ zeros => 1 ], [ unknown => 1 ], [ groups => 1 ],
        [ reverse => 1 ], [ reverse => 1, wide => 2, unknown => 1 ])
    {
        my $body = $bodies{$version}->(@$odd);

        ok($body ne $bodies{$version}->(), "$version @$odd: other bytes");
        is(decode($version, $body), $plain, "$version @$odd: same message");
    }
}

is(unsnappy(snappy('')), '', 'snappy: nothing');

for my $n (1, 60, 61, 65536, 200000) {
    ok(unsnappy(snappy('x' x $n)) eq 'x' x $n, "snappy: $n bytes");
}

ok(unsnappy(snappy_copies('abc', 1000)) eq 'ab' . 'c' x 1001,
    'snappy: copies');

done_testing();


# protoc's text without the unknown fields.

sub decode {
    my ($version, $body) = @_;

    my $file = File::Temp->new();
    binmode $file;
    print $file $body;
    close $file;

    my $schema = "proto/remote_write_$version.proto";
    my $text = `protoc --decode=$messages{$version} $schema < $file 2>&1`;

    1 while $text =~ s/^ *1004 \{\n(?: *100\d: .*\n)*? *\}\n//m;
    $text =~ s/^ *100\d: .*\n//mg;

    return $text;
}


# A reader of the few elements that the harness writes.

sub unsnappy {
    my ($in) = @_;

    my ($length, $out) = (0, '');

    $in =~ s/\A([\x80-\xff]*[\x00-\x7f])//;
    $length = $length << 7 | $_ & 0x7f for reverse unpack 'C*', $1;

    while ($in ne '') {
        my $tag = unpack 'C', substr $in, 0, 1, '';

        if (($tag & 3) == 2) {
            my $offset = unpack 'v', substr $in, 0, 2, '';
            $out .= substr $out, -$offset, 1 for 0 .. $tag >> 2;
            next;
        }

        my $n = $tag >> 2;
        $n = unpack 'v', substr $in, 0, 2, '' if $n == 61;
        $out .= substr $in, 0, $n + 1, '';
    }

    return length $out == $length ? $out : "announced $length";
}
