package Prom::Text;

# Copyright (C) the ngx_http_prom_module authors
#
# A strict reader of the text formats of Prometheus and OpenMetrics.  Dies on
# a line that is neither, on a series that comes twice and on a family that
# comes in two pieces.
#
#     my $series = text_series($body);
#     is($series->{'up{job="node"}'}[0], 1);
#
# The keys are as they stand in the text, values and timestamps too.

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(text_series text_parse);

my $name = qr/[a-zA-Z_:][a-zA-Z0-9_:]*/;
my $quoted = qr/"(?:[^"\\\n]|\\[\\"n])*"/;
my $label = qr/(?:[a-zA-Z_][a-zA-Z0-9_]*|$quoted)=$quoted/;
my $labels = qr/$label(?:,$label)*,?/;
my $number = qr/[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+|Inf|NaN)/;


# { series => [ value, timestamp ] }

sub text_series {
    my ($text) = @_;

    my %series;

    for my $s (@{ text_parse($text)->{series} }) {
        $series{$s->{key}} = [ $s->{value}, $s->{timestamp} ];
    }

    return \%series;
}


# { series => [ { key, name, value, timestamp } ], types => { name => type },
#   eof => whether "# EOF" ended it }

sub text_parse {
    my ($text) = @_;

    my (@series, %types, %seen, %families, $family, $eof);

    die "no newline at the end\n" if $text ne '' && $text !~ /\n\z/;

    my @lines = split /\n/, $text, -1;
    pop @lines;

    for my $line (@lines) {

        die "text after # EOF: $line\n" if $eof;

        if ($line eq '# EOF') {
            $eof = 1;
            next;
        }

        if ($line =~ /^# TYPE ($name|$quoted) (\S+)\z/) {
            die "second type: $line\n" if exists $types{$1};
            $types{$1} = $2;
            next;
        }

        next if $line =~ /^#/;

        $line =~ /^($name(?:\{(?:$labels)?\})?|\{$quoted(?:,$labels)?\})
                  [ ]($number)(?:[ ](-?[0-9.]+))?
                  (?:[ ]\#[ ]\{.*\}[ ].*)?\z/x
            or die "bad line: $line\n";

        my ($key, $value, $timestamp) = ($1, $2, $3);
        my $metric = $key =~ /^($name)/ ? $1 : ($key =~ /^\{($quoted)/)[0];

        die "series twice: $line\n" if $seen{$key}++;

        if (!defined $family || $family ne $metric) {
            die "family in two pieces: $line\n" if $families{$metric}++;
            $family = $metric;
        }

        push @series, { key => $key, name => $metric, value => $value,
                        timestamp => $timestamp };
    }

    return { series => \@series, types => \%types, eof => $eof };
}


1;
