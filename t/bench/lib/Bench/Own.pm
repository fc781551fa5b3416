package Bench::Own;

# Copyright (C) the ngx_http_prom_module authors
#
# What is measured of this module alone.
#
#     my $own = Bench::Own::measure($runs, $quick, @series);

use strict;
use warnings;

use Time::HiRes qw(sleep);

use Bench::Server;
use Bench::Tools;

my $all = '{__name__=~".+"}';


sub measure {
    my ($runs, $quick, @series) = @_;

    my ($most) = sort { $b <=> $a } @series;
    my %own = (most => $most);

    for my $series (@series) {
        say_step("the library alone, $series series");
        $own{library}{$series} = library($runs, $series);
    }

    $own{long_series} = $quick ? 20_000 : 50_000;
    say_step("two hours of $own{long_series} series");
    $own{long} = two_hours($own{long_series});
    $own{calm} = two_hours($own{long_series}, '--calm');

    say_step("requests while $most series are read");
    $own{latency} = latency($runs, $most);

    for my $workers (1, 2) {
        say_step("two senders, workers: $workers");
        $own{workers}{$workers} = median(
            map { workers($workers) } 1 .. $runs);
    }

    say_step('many writers on one store');
    $own{locks} = locks($runs);

    say_step('series that come and go');
    $own{churn} = churn($quick);

    return \%own;
}


# CPU ns and bytes, without nginx.

sub library {
    my ($runs, $series) = @_;

    my %seen;

    for my $run (1 .. $runs) {
        for my $version ('', '--v2') {
            my $found = write_bench('--series', $series, '--rounds', 20,
                $version ? $version : ());

            push @{ $seen{"steady$version"} }, $found->{19}{ns};
            next if $version;

            push @{ $seen{new} }, $found->{0}{ns};
            push @{ $seen{bytes} }, $found->{19}{bytes};
            push @{ $seen{all} }, $found->{all};
            push @{ $seen{turn} }, $found->{turn};
        }
    }

    return { map { $_ => median(@{ $seen{$_} }) } keys %seen };
}


sub write_bench {
    my (@args) = @_;

    my ($text, $status) = tool_text('write', '--size', 4096, @args);
    die "write @args: exit status $status\n" if $status;

    my %found;

    while ($text =~ /^round (\d+): (\d+) ns a sample, (\d+) bytes/mg) {
        $found{$1} = { ns => $2, bytes => $3 };
    }

    ($found{all}, $found{turn}) = $text
        =~ /^federate \{__name__\S+\s+(\d+) ns.* longest turn (\d+) us/m;
    ($found{encoded}, $found{blocks}) = $text
        =~ /^chunks: (\S+) bytes a sample, (\S+) with/m;

    return \%found;
}


# Bytes of a sample.  Of pages, what 480 samples take more than none: a chunk's
# first block, 48 bytes, is there after the first sample.

sub two_hours {
    my ($series, @more) = @_;

    my $found = write_bench('--series', $series, '--rounds', 480, @more);

    $found->{pages} = ($found->{479}{bytes} - $found->{0}{bytes} + 48) / 480;

    return $found;
}


# Two thousand requests, one by one, with pauses: alone, and while a reader
# gets everything again and again.

sub latency {
    my ($runs, $series) = @_;

    my $server = Bench::Server->start('ours', series => $series);
    my $time = int(time()) * 1000 - 120_000;
    my %seen;

    tool('load', $server->args(), '--series', $series, '--rounds', 1,
        '--start', $time);

    for my $run (1 .. $runs) {
        for my $kind ('idle', 'busy') {
            my $reader = $kind eq 'busy' && tool_start('read', 10,
                '--port', $server->{port}, '--path', $server->path($all),
                '--loop');

            sleep 0.2;
            $time += 1000;

            my $r = tool('load', $server->args(), '--series', 100_000,
                '--rounds', 40, '--start', $time, '--step', 100,
                '--gap', 1000);

            $time += 40 * 100;
            push @{ $seen{$kind}{$_} }, $r->{$_} for qw(p50 p99 p999 max);
            tool_kill($reader) if $reader;
        }
    }

    $server->stop();

    return { map {
        my $kind = $_;
        $kind => { map { $_ => median(@{ $seen{$kind}{$_} }) }
                   keys %{ $seen{$kind} } }
    } keys %seen };
}


# CPU ns a sample of all workers when two senders send at once.  Which worker
# a connection comes to is the kernel's choice, so try until each has one.

sub workers {
    my ($workers) = @_;

    my $series = 100_000;
    my $rounds = 10;
    my $server = Bench::Server->start('ours', series => 2 * $series,
        workers => $workers);
    my $time = int(time()) * 1000 - 3_000_000;
    my ($ns, $share);

    tool('load', $server->args(), '--series', 2 * $series, '--rounds', 2,
        '--start', $time, '--step', 1000);

    for my $try (1 .. 10) {
        my @pids = $server->pids();
        my @before = map { cpu_ns($_) } @pids;

        $time += 100_000;

        tool_end($_) for map { tool_start('load', 0,
            '--port', $server->{port}, '--series', $series,
            '--first', $_ * $series, '--rounds', $rounds, '--start', $time,
            '--step', 1000) } 0, 1;

        my @used = map { cpu_ns($pids[$_]) - $before[$_] } 0 .. $#pids;
        my ($least) = sort { $a <=> $b } @used;

        $ns = 0;
        $ns += $_ for @used;
        $share = $least / $ns;

        last if $share > 0.3 / $workers;
    }

    $server->stop();
    die "one worker gets all connections\n" if $share <= 0.3 / $workers;

    return $ns / (2 * $series * $rounds);
}


# [ { threads, cpu_ns, waits, waited, held }, ... ]

sub locks {
    my ($runs) = @_;

    my (%seen, @threads);

    for my $run (1 .. $runs) {
        my @lines = tool_lines('locks');

        @threads = map { $_->{threads} } @lines;

        for my $line (@lines) {
            push @{ $seen{$line->{threads}}{$_} }, $line->{$_} for keys %$line;
        }
    }

    return [ map {
        my $seen = $seen{$_};
        +{ map { $_ => median(@{ $seen->{$_} }) } keys %$seen }
    } @threads ];
}


# [ { turn, series, pages, shmem_mib, ... }, ... ]

sub churn {
    my ($quick) = @_;

    my ($text, $status) = tool_text('churn', $quick ? ('--step', 60) : ());

    # 1 says that memory grew, which the numbers show

    die "churn: exit status $status\n" if $status > 1;

    return [ map { Bench::Tools::pairs($_) } $text =~ /^(turn .*)$/mg ];
}


1;
