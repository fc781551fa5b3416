package Prom::Write;

# Copyright (C) the ngx_http_prom_module authors
#
# What a sender and a scraper of the module do, in a word each.  The locations
# are /write and /federate.
#
#     my $now = now_ms();
#     my $r = send_v1($port, [ series('up', {}, [ 1, $now ]) ]);
#     my $r = send_v2($port, [ ... ], unpacked => 1);
#     my $r = send_body($port, 2, snappy($raw));
#
#     my $series = federate($port, 'up', '{job="node"}');
#     is($series->{'up{instance=""}'}[0], 1);
#
# counts($r) are the three headers of remote write 2.0, "1/0/0", or '' where
# there is none.

use strict;
use warnings;

use Exporter 'import';
use Time::HiRes ();

use Prom::HTTP;
use Prom::Proto;
use Prom::Text;

our @EXPORT = qw(now_ms write_headers send_body send_v1 send_v2 counts query
    federate federate_text);

my $v2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';


sub now_ms {
    return int(Time::HiRes::time() * 1000);
}


sub write_headers {
    my ($version) = @_;

    return ('Content-Type' => $version == 2 ? $v2 : 'application/x-protobuf',
        'Content-Encoding' => 'snappy');
}


sub send_body {
    my ($port, $version, $body, @headers) = @_;

    return http_post($port, '/write', $body, write_headers($version),
        @headers);
}


sub send_v1 {
    my ($port, $series, %odd) = @_;

    return send_body($port, 1, snappy(write_v1($series, %odd)));
}


sub send_v2 {
    my ($port, $series, %odd) = @_;

    return send_body($port, 2, snappy(write_v2($series, %odd)));
}


sub counts {
    my ($r) = @_;

    my @counts = map { $r->{headers}{"x-prometheus-remote-write-$_-written"} }
        qw(samples histograms exemplars);

    return join '/', map { defined $_ ? $_ : '-' } @counts
        if grep { defined } @counts;

    return '';
}


# A query string of selectors.

sub query {
    my (@match) = @_;

    return join '&', map {
        my $value = $_;
        utf8::encode($value) if utf8::is_utf8($value);
        'match[]=' . $value =~ s/([^A-Za-z0-9_.])/sprintf '%%%02X', ord $1/gre
    } @match;
}


# With names as they are, quoted where need be, so that no two become one.

sub federate_text {
    my ($port, @match) = @_;

    my $r = http_get($port, '/federate?' . query(@match),
        Accept => 'text/plain;escaping=allow-utf-8');

    die "federate: $r->{status} $r->{body}\n" if $r->{status} != 200;

    return $r->{body};
}


# What the selectors find, all without any: { series => [ value, time ] }.

sub federate {
    my ($port, @match) = @_;

    @match = '{__name__!=""}' if !@match;

    return text_series(federate_text($port, @match));
}


1;
