#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# Bodies that nobody should send: each is answered with 400 (or, where it
# happens to be a request still, with 204) in a bounded time, and leaves in
# the store what was there.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(time);

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
    prom_tsdb m { size 32m; }
    server {
        listen 127.0.0.1:8080;
        location /write { prom_remote_write m; }
        location /federate { prom_federate m; }
    }
}
EOF

$t->start();

my $port = $t->port(8080);
my $now = now_ms();
my @workers = $t->workers();

srand 1;

send_v1($port,
    [ map { series('kept', { n => $_ }, [ $_, $now - 9 ]) } 1 .. 50 ]);

my $before = federate($port);
is(keys %$before, 50, 'what is there');


sub unchanged {
    my ($name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is_deeply(federate($port), $before, "$name: nothing has changed");
}


# The answer to a body that is refused as a whole.

sub refused {
    my ($version, $body, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $started = time();
    my $r = send_body($port, $version, $body);

    is($r->{status}, 400, "$version.0, $name: status");
    like($r->{body}, qr/\A[^\n]+\n/, "$version.0, $name: says why");
    cmp_ok(time() - $started, '<', 2, "$version.0, $name: soon");
}


# A field that is a message.

sub message {
    my ($number, $bytes) = @_;

    return chr($number << 3 | 2) . varint(length $bytes) . $bytes;
}


# snappy

for my $case (
    [ 'a claim of 4 GiB - 1', "\xff\xff\xff\xff\x0f" . 'x' x 10 ],
    [ 'a claim of 4 GiB', "\x80\x80\x80\x80\x10" . 'x' x 10 ],
    [ 'a claim of 2^63', "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01x" ],
    [ 'a claim just within the limit', "\x80\x80\x80\x10" . 'x' x 10 ],
    [ 'a claim just beyond the limit', "\x81\x80\x80\x10" . 'x' x 10 ],
    [ 'an endless length', "\xff" x 1000 ],
    [ 'half a length', "\x80" ],
    [ 'a length and no more', "\x05" ],
    [ 'more than claimed', "\x01\x10hello" ],
    [ 'less than claimed', "\x09\x10hello" ],
    [ 'a literal that ends early', "\x09\x20hell" ],
    [ 'a copy from before the beginning', "\x08\x00x\x1e\x05\x00" ],
    [ 'a copy from nowhere', "\x08\x1e\x00\x00" ],
    [ 'a stream instead of a block', "\xff\x06\x00\x00sNaPpY\x01\x05\x00\x00"
        . "\0\0\0\0x" ],
    [ 'bytes behind the end', snappy(write_v1([])) . 'x' ],
    [ 'gzip', "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" ],
    [ 'text', 'up 1' ])
{
    my ($name, $body) = @$case;

    refused($_, $body, "snappy, $name") for 1, 2;
}

unchanged('snappy');

my $rss = (sort { $b <=> $a } map { $t->rss($_) } $t->workers())[0];
cmp_ok($rss, '<', 100e6, "no memory was taken for a claim ($rss)");

# protobuf

my $good = write_v1([ series('bad', { a => 'b' }, [ 1, $now ]) ]);

for my $case (
    [ 'an endless varint', "\xff" x 100 ],
    [ 'an endless tag in a series', "\x0a\x0b" . "\xff" x 11 ],
    [ 'field 0', "\x00\x00" ],
    [ 'group that does not end', "\x0b\x08\x01" ],
    [ 'group that ends twice', "\x0c" ],
    [ 'groups in groups', "\x0b" x 100000 ],
    [ 'wire type 6', "\x0e" ], [ 'wire type 7', "\x0f" ],
    [ 'a length beyond the end', "\x0a\x7f\x0a" ],
    [ 'a length of 2^63', "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" ],
    [ 'a length of 2^32', "\x0a\x80\x80\x80\x80\x10xx" ],
    [ 'a series that is a number', "\x08\x01" ],
    [ 'a label that is a number', "\x0a\x02\x08\x01" ],
    [ 'a name that is a number', "\x0a\x04\x0a\x02\x08\x01" ],
    [ 'a sample that is a number', "\x0a\x02\x10\x01" ],
    [ 'a value that is a number', "\x0a\x04\x12\x02\x08\x01" ],
    [ 'a time that is a double', "\x0a\x0b\x12\x09\x11" . 'x' x 8 ],
    [ 'half a value', "\x0a\x06\x12\x04\x09xxx" ],
    [ 'a bad series behind a good one', $good . "\x0a\x02\x08\x01" ],
    [ 'a bad field behind a good one', $good . "\xff" ])
{
    my ($name, $raw) = @$case;

    refused(1, snappy($raw), $name);
}

$good = write_v2([ series('bad', { a => 'b' }, [ 1, $now ]) ]);

for my $case (
    [ 'an endless varint', "\xff" x 100 ],
    [ 'field 0', "\x00\x00" ],
    [ 'groups in groups', "\x0b" x 100000 ],
    [ 'a symbol that is a number', "\x20\x01" ],
    [ 'a series that is a number', "\x28\x01" ],
    [ 'references that are doubles', "\x2a\x09\x09" . 'x' x 8 ],
    [ 'half a reference', "\x2a\x03\x0a\x01\x80" ],
    [ 'a sample that is a number', "\x2a\x02\x10\x01" ],
    [ 'an endless reference', "\x2a\x0e\x0a\x0c" . "\xff" x 12 ],
    [ 'half a value', "\x2a\x06\x12\x04\x09xxx" ],
    [ 'metadata that is a number', "\x2a\x02\x28\x01" ],
    [ 'a bad series behind a good one', $good . "\x2a\x02\x08" ],
    [ 'a bad symbol behind a good series', $good . "\x20\x01" ])
{
    my ($name, $raw) = @$case;

    refused(2, snappy($raw), $name);
}

unchanged('protobuf');

# labels without measure

for my $case (
    [ 'a value of 1 MiB', { a => 'x' x (1 << 20) } ],
    [ 'a name of 1 MiB', { 'a' x (1 << 20) => 'x' } ],
    [ '16 values of 2000 bytes', { map { ("a$_" => 'x' x 2000) } 1 .. 16 } ],
    [ '100000 labels', { map { ("a$_" => 'x') } 1 .. 100000 } ],
    [ '100000 empty values', { map { ("a$_" => '') } 1 .. 100000 } ])
{
    my ($name, $labels) = @$case;
    my @series = series('bad', $labels, [ 1, $now ]);

    refused(1, snappy(write_v1(\@series)), $name);
    refused(2, snappy(write_v2(\@series)), $name);
}

# references to a long symbol, over and over

my $ts = encode('v2.TimeSeries', { labels_refs => [ 1, 2,
    map { (3, 3) } 1 .. 1000 ], samples => [ [ 1, $now ] ] });
my $request = encode('v2.Request', { symbols => [ '', '__name__', 'bad',
    'x' x 4000 ] });

refused(2, snappy($request . message(5, $ts) x 200), 'a small body of 1.6 GB');
refused(2, snappy($request . message(5, message(1, "\1" x 1000000)
    . message(2, ''))), 'a million references');
refused(2, snappy("\x22\0" x 1000000 . message(5, message(1, "\1\2")
    . message(2, ''))), 'a million symbols');

# samples without measure

my $sample = encode('v1.Sample', [ 1, $now ]);

refused(1, snappy(message(1, message(1, encode('v1.Label', [ '__name__', 'bad'
    ])) . message(2, $sample) x 1000000
    . message(2, encode('v1.Sample', [ 2, $now ])))),
    'a million and one samples of which the last is bad');

unchanged('without measure');

# what is cut off anywhere, in snappy and in protobuf

my $raw1 = write_v1([ map { series('kept', { n => $_ }, [ $_, $now - 99 ]) }
    1 .. 3 ]);
my $raw2 = write_v2([ map { series('kept', { n => $_ }, [ $_, $now - 99 ]) }
    1 .. 3 ]);
my $c = Prom::HTTP->new($port);
my %seen;


sub post {
    my ($version, $body) = @_;

    my $r = $c->request('POST', '/write', [ write_headers($version) ], $body);
    $seen{$r->{status}}++;

    if (($r->{headers}{connection} || '') ne 'keep-alive') {
        $c = Prom::HTTP->new($port);
    }

    return $r->{status};
}


for my $version (1, 2) {
    my $raw = $version == 1 ? $raw1 : $raw2;
    my $whole = snappy($raw);

    is(post($version, $whole), 400, "$version.0: out of order as it stands");

    my @bad = grep { post($version, substr $whole, 0, $_) != 400 }
        1 .. length($whole) - 1;
    is("@bad", '', "$version.0: cut off after so many bytes of snappy");

    @bad = grep { my $s = post($version, snappy(substr $raw, 0, $_));
        $s != 400 && $s != 204 } 0 .. length($raw) - 1;
    is("@bad", '', "$version.0: cut off after so many bytes of protobuf");
}

unchanged('cut off');

# each byte changed, and some bodies changed in several places; a new name may
# come of it, but no answer other than these two

for my $version (1, 2) {
    my $raw = $version == 1 ? $raw1 : $raw2;
    my @bad;

    for my $i (0 .. length($raw) - 1) {
        for my $byte (0, 1, 0x7f, 0x80, 0xff) {
            my $mutant = $raw;
            substr($mutant, $i, 1) = chr $byte;
            my $status = post($version, snappy($mutant));
            push @bad, "$i:$byte:$status" if $status !~ /^(?:204|400)$/;
        }
    }

    my $whole = snappy($raw);

    for my $i (1 .. 500) {
        my $mutant = $whole;
        substr($mutant, rand length $mutant, 1) = chr rand 256
            for 0 .. rand 4;
        my $status = post($version, $mutant);
        push @bad, "random $i:$status" if $status !~ /^(?:204|400)$/;
    }

    is(scalar @bad, 0, "$version.0: mutants") or diag("@bad[0 .. 9]");
}

note(join ', ', map { "$seen{$_} answers $_" } sort keys %seen);

my $after = federate($port, 'kept');
delete $after->{$_} for grep { !exists $before->{$_} } keys %$after;
is(keys %$after, 50, 'the series of before are all there');

# samples of a mutant may be newer, never older

my @older = grep { $after->{$_}[1] < $before->{$_}[1] } keys %$after;
is("@older", '', 'and none has gone back in time');

is_deeply([ $t->workers() ], \@workers, 'no worker has died');
is(send_v1($port, [ series('good', {}, [ 1, $now ]) ])->{status}, 204,
    'all is well at the end');

$t->done();
