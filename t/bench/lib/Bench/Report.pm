package Bench::Report;

# Copyright (C) the ngx_http_prom_module authors
#
# Results as text between the markers of benchmarks.md, and as a chart.
#
#     Bench::Report::write(dir => 'docs', results => ..., own => ...,
#                          runs => 3, load => '0.12',
#                          samples => { $series => 20 });
#
# In a directory without benchmarks.md the text is all that is written.

use strict;
use warnings;

use File::Path qw(make_path);
use POSIX qw(strftime uname);

use Bench::Chart;
use Bench::Server;
use Bench::Tools;
use Prom::HTTP;
use Prom::Test;

my $begin = "<!-- results: written by `make bench' -->\n";
my $end = "<!-- end of results -->\n";

my @measures = (
    [ v1 => 'steady remote write 1.0, CPU per sample', 'ns' ],
    [ v2 => 'steady remote write 2.0, CPU per sample', 'ns' ],
    [ new => 'new series, CPU per series', 'ns' ],
    [ all => 'federate everything, CPU per series', 'ns' ],
    [ job => 'federate one job of twenty, CPU per series', 'ns' ],
    [ memory => 'memory per series after %d samples', 'bytes' ],
    [ p50 => 'request of 2000 samples, p50', 'us' ],
    [ p99 => 'request of 2000 samples, p99', 'us' ],
);


sub write {
    my (%of) = @_;

    my $path = "$of{dir}/benchmarks.md";
    my $text = $begin . "\n" . machine(%of) . "\n" . table(%of) . "\n"
        . "![The table as a chart](benchmarks.svg)\n\n" . own($of{own})
        . "\n" . locks($of{own}{locks}) . "\n" . churn($of{own}{churn}) . "\n"
        . $end;

    print $text;

    my $page = Prom::HTTP::slurp($path);

    if ($page =~ s/\Q$begin\E.*?\Q$end\E/$text/s) {
        $text = $page;
    }

    make_path($of{dir});
    save($path, $text);
    save("$of{dir}/benchmarks.svg", chart(%of));
}


sub save {
    my ($path, $text) = @_;

    open my $file, '>', $path or die "$path: $!\n";
    print $file $text;
    close $file or die "$path: $!\n";

    print STDERR "written: $path\n";
}


sub machine {
    my (%of) = @_;

    my ($model) = Prom::HTTP::slurp('/proc/cpuinfo')
        =~ /^model name\s*:\s*(.*)$/m;
    my $cores = () = Prom::HTTP::slurp('/proc/cpuinfo') =~ /^processor\b/mg;
    my ($kib) = Prom::HTTP::slurp('/proc/meminfo') =~ /^MemTotal:\s+(\d+)/m;
    my ($system) = Prom::HTTP::slurp('/etc/os-release')
        =~ /^PRETTY_NAME="?([^"\n]*)/m;
    my ($revision, $failed) = run('git', '-C', top(), 'describe', '--always',
        '--dirty');
    my ($gcc) = run('gcc', '-dumpfullversion');

    chomp($revision, $gcc);

    my @rows = (
        [ 'command', '`' . command() . '`' ],
        [ 'date', strftime('%Y-%m-%d', gmtime) ],
        [ 'machine', sprintf('%s, %d cores, %.0f GiB', $model || 'unknown',
            $cores, $kib / 1048576) ],
        [ 'system', ($system || 'unknown') . ', Linux ' . (uname())[2] ],
        [ 'this module', ($failed ? '' : "revision $revision, ")
            . 'nginx ' . Bench::Server::version('ours') . ", gcc $gcc" ],
        [ 'runs', "$of{runs}, medians" ],
        [ 'load average before', $of{load} ],
    );

    for my $kind (grep { $_ ne 'ours' } Bench::Server->kinds()) {
        push @rows, [ Bench::Server::name($kind),
            Bench::Server::version($kind) ];
    }

    return "| | |\n|---|---|\n" . join '', map { "| $_->[0] | $_->[1] |\n" }
        @rows;
}


# As it was typed, but for directories.

sub command {
    my $command = 'make bench';

    for my $name (qw(PROMETHEUS VICTORIA_METRICS BENCH_SERIES BENCH_RUNS
                     BENCH_QUICK GOMAXPROCS))
    {
        my $value = $ENV{$name};
        next if !defined $value || $value eq '';

        $value =~ s{^.*/}{} if $name =~ /^[PV]/;
        $value = "\"$value\"" if $value =~ / /;
        $command .= " $name=$value";
    }

    return $command;
}


sub table {
    my (%of) = @_;

    my @kinds = Bench::Server->kinds();
    my $text = '| |' . join('', map {
        ' ' . Bench::Server::name($_)
            . ($_ eq 'ours' ? '' : ' ' . Bench::Server::version($_)) . ' |'
    } @kinds) . "\n|---|" . '---:|' x @kinds . "\n";

    for my $series (sort { $a <=> $b } keys %{ $of{results} }) {

        my $found = $of{results}{$series};

        $text .= '| **' . quantity($series) . ' series** |'
            . ' |' x @kinds . "\n";

        for my $measure (@measures) {
            my ($key, $title, $unit) = @$measure;

            $text .= '| ' . title($title, $of{samples}{$series}) . ' |'
                . join('', map { ' ' . cell($found, $_, $key, $unit) . ' |' }
                       @kinds) . "\n";
        }
    }

    return $text;
}


sub title {
    my ($title, $samples) = @_;

    $title =~ s/%d/$samples/;

    return $title;
}


# "7 700 ns (38×)": what a peer takes, and how much more that is.

sub cell {
    my ($found, $kind, $key, $unit) = @_;

    my $value = median(@{ $found->{$kind}{$key} || [] });
    return '-' if !defined $value;

    my $text = quantity($value) . ' ' . unit($unit);
    my $ours = median(@{ $found->{ours}{$key} || [] });

    return $text if $kind eq 'ours' || !$ours;
    return "$text (" . quantity($value / $ours) . '×)';
}


sub unit {
    my ($unit) = @_;

    return $unit eq 'us' ? 'µs' : $unit;
}


# What only this module has, with what it aims at.

sub own {
    my ($own) = @_;

    my $idle = $own->{latency}{idle};
    my $busy = $own->{latency}{busy};
    my @rows;

    for my $series (sort { $a <=> $b } keys %{ $own->{library} }) {
        my $found = $own->{library}{$series};
        my $n = quantity($series);

        push @rows,
            [ "the library alone, $n series: steady 1.0",
              ns($found->{steady}), '200 ns' ],
            [ "steady 2.0", ns($found->{'steady--v2'}), '200 ns' ],
            [ "new series", ns($found->{new}), '1 500 ns' ],
            [ "federate everything", ns($found->{all}), '250 ns' ],
            [ "pages per series with 20 samples",
              quantity($found->{bytes}) . ' bytes', '600 bytes' ];
    }

    for my $load ([ 'calm', 'calm', '2 bytes' ], [ 'long', 'as above', '' ]) {
        my ($key, $name, $aim) = @$load;
        my $found = $own->{$key};

        push @rows,
            [ '2 h at 15 s, ' . quantity($own->{long_series})
                . " series, values $name: pages per sample, labels and index "
                . 'left out', quantity($found->{pages}) . ' bytes', $aim ],
            [ 'of that, as encoded (what Prometheus would put into chunks)',
              quantity($found->{encoded}) . ' bytes', '' ],
            [ 'with chunk headers, and what is not filled of their blocks',
              quantity($found->{blocks}) . ' bytes', '' ];
    }

    push @rows,
        [ 'longest turn of a federate of ' . quantity($own->{most})
            . ' series, CPU', quantity($own->{library}{$own->{most}}{turn})
            . ' µs', '2 000 µs' ];

    for my $key (qw(p50 p99 p999 max)) {
        my %name = (p999 => 'p99.9', max => 'longest');

        push @rows, [ ($key eq 'p50' ? 'request of 2000 samples, nothing else '
            . 'to do / while ' . quantity($own->{most})
            . ' series are read in a loop: ' : '') . ($name{$key} || $key),
            quantity($idle->{$key}) . ' / ' . quantity($busy->{$key}) . ' µs',
            '' ];
    }

    push @rows,
        [ 'steady 1.0, two senders: one worker / two workers',
          ns($own->{workers}{1}) . ' / ' . ns($own->{workers}{2}), '' ];

    return "| this module | measured | aim |\n|---|---:|---:|\n"
        . join '', map { "| $_->[0] | $_->[1] | $_->[2] |\n" } @rows;
}


sub ns {
    my ($value) = @_;

    return quantity($value) . ' ns';
}


sub locks {
    my ($lines) = @_;

    my $text = "| writers | CPU per sample | lock waits per request "
        . "| time with a waiter | the busiest lock is held |\n"
        . "|---:|---:|---:|---:|---:|\n";

    for my $line (@$lines) {
        $text .= sprintf "| %d | %s | %.2f | %.0f%% | %.0f%% of CPU time |\n",
            $line->{threads}, ns($line->{cpu_ns}), $line->{waits},
            100 * $line->{waited}, 100 * $line->{held};
    }

    return $text;
}


sub churn {
    my ($lines) = @_;

    my $text = "| turnovers | series | removed so far | pages | in use "
        . "| resident |\n|---:|---:|---:|---:|---:|---:|\n";

    for my $line (@$lines) {
        $text .= sprintf "| %d | %s | %s | %s | %.1f MiB | %.1f MiB |\n",
            $line->{turn}, quantity($line->{series}),
            quantity($line->{removed}), quantity($line->{pages}),
            $line->{pages} / 64, $line->{shmem_mib};
    }

    return $text;
}


# The largest number of series.

sub chart {
    my (%of) = @_;

    my ($series) = sort { $b <=> $a } keys %{ $of{results} };
    my $found = $of{results}{$series};
    my @kinds = Bench::Server->kinds();

    my @panels = map {
        my ($key, $title, $unit) = @$_;
        {
            scale => $key =~ /^v[12]\z/ ? 'steady' : $key,
            title => title($title, $of{samples}{$series}),
            bars => [ map {
                my $value = median(@{ $found->{$_}{$key} || [] });
                [ $_ eq 'ours', $value, defined $value
                    ? quantity($value) . ' ' . unit($unit) : 'not supported' ]
            } @kinds ],
        }
    } grep { $_->[0] !~ /^p\d/ } @measures;

    return Bench::Chart::svg(
        title => quantity($series) . ' series; shorter is better',
        names => [ map { Bench::Server::name($_) . ($_ eq 'ours' ? ''
            : ' ' . Bench::Server::version($_)) } @kinds ],
        panels => \@panels);
}


1;
