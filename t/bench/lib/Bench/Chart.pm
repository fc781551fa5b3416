package Bench::Chart;

# Copyright (C) the ngx_http_prom_module authors
#
# Bars in panels, as SVG; those of one scale share it.
#
#     svg(title => $text, names => [ $name, ... ],
#         panels => [ { title => $text, scale => $name,
#                       bars => [ [ $is_ours, $value, $text ], ... ] }, ... ]);
#
# A value that is undefined has a text and no bar.

use strict;
use warnings;

my $width = 760;
my $left = 170;                         # of the bars
my $bar = 380;                          # the longest
my $line = 20;                          # a bar and the space below


sub svg {
    my (%of) = @_;

    my $y = 30;
    my $body = text(10, $y, $of{title}, 'font-weight="bold"');
    my %most;

    for my $panel (@{ $of{panels} }) {
        my $most = \$most{$panel->{scale}};

        for my $value (map { $_->[1] || 0 } @{ $panel->{bars} }) {
            $$most = $value if !$$most || $value > $$most;
        }
    }

    for my $panel (@{ $of{panels} }) {
        $y += 34;
        $body .= text(10, $y, $panel->{title}, 'font-weight="bold"');
        $y += 8;
        $body .= bars($y, $of{names}, $most{$panel->{scale}},
            @{ $panel->{bars} });
        $y += $line * @{ $panel->{bars} };
    }

    $y += 16;

    return <<"EOF";
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $width $y"
     width="$width" height="$y" font-family="sans-serif" font-size="13">
<rect width="$width" height="$y" fill="#ffffff"/>
$body</svg>
EOF
}


sub bars {
    my ($y, $names, $most, @bars) = @_;

    my $out = '';

    for my $i (0 .. $#bars) {
        my ($ours, $value, $label) = @{ $bars[$i] };
        my $length = $value && $most ? $bar * $value / $most : 0;
        my $middle = $y + $line * $i + 14;

        $length = 1 if $value && $length < 1;

        $out .= text($left - 8, $middle, $names->[$i], 'text-anchor="end"');
        $out .= sprintf "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" "
            . "fill=\"%s\"/>\n", $left, $middle - 12, $length, $line - 5,
            $ours ? '#009639' : '#8a9499';
        $out .= text($left + $length + 6, $middle, $label, '');
    }

    return $out;
}


sub text {
    my ($x, $y, $text, $more) = @_;

    $text =~ s/&/&amp;/g;
    $text =~ s/</&lt;/g;
    $more = " $more" if $more ne '';

    return sprintf "<text x=\"%.1f\" y=\"%d\"%s fill=\"#222222\">%s</text>\n",
        $x, $y, $more, $text;
}


1;
