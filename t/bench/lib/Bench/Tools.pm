package Bench::Tools;

# Copyright (C) the ngx_http_prom_module authors
#
# Programs of t/bench, and what they print: words and numbers in turn.
#
#     my $r = tool('load', '--port', $port, ...);     { samples => ..., ... }
#     my @r = tool_lines('locks');                    one for each line
#     my $pid = tool_start('read', '--loop', ...);
#     tool_end($pid); tool_kill($pid);

use strict;
use warnings;

use Exporter 'import';
use POSIX ();

use Prom::Test;

our @EXPORT = qw(tool tool_try tool_lines tool_text tool_start tool_end
    tool_kill cpu_ns median quantity say_step);

my %running;


sub program {
    my ($name) = @_;

    my $path = build() . "/t/bench/$name";

    -x $path or die "$path is not built: run `make bench'\n";

    return $path;
}


# Standard output and the exit status; what goes wrong is seen on the terminal.

sub tool_text {
    my ($name, @args) = @_;

    my $program = program($name);
    my $pid = open my $out, '-|';
    die "fork: $!\n" if !defined $pid;

    if ($pid == 0) {
        exec $program, @args
            or POSIX::_exit(127);
    }

    local $/;
    my $text = <$out>;
    close $out;

    return (defined $text ? $text : '', $? >> 8 || $? & 127);
}


sub pairs {
    my ($line) = @_;

    my @words = split ' ', $line;
    pop @words if @words % 2;

    return { @words };
}


# undef where the program fails.

sub tool_try {
    my ($name, @args) = @_;

    my ($text, $status) = tool_text($name, @args);

    return if $status;
    return pairs($text);
}


sub tool_lines {
    my ($name, @args) = @_;

    my ($text, $status) = tool_text($name, @args);
    die "$name @args: exit status $status\n" if $status;

    return map { pairs($_) } grep { /^\w/ } split /\n/, $text;
}


sub tool {
    my @lines = tool_lines(@_);

    return $lines[-1];
}


# In the background, with nice 10: a reader shares a core with the sender whose
# requests are timed.

sub tool_start {
    my ($name, $nice, @args) = @_;

    my $program = program($name);
    my $pid = fork();
    die "fork: $!\n" if !defined $pid;

    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        POSIX::nice($nice);
        exec $program, @args
            or POSIX::_exit(127);
    }

    $running{$pid} = $name;

    return $pid;
}


sub tool_end {
    my ($pid) = @_;

    waitpid $pid, 0;
    my $name = delete $running{$pid};
    die "$name: status $?\n" if $?;
}


sub tool_kill {
    my ($pid) = @_;

    my $gone = waitpid $pid, POSIX::WNOHANG();

    if (!$gone) {
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }

    my $name = delete $running{$pid};
    die "$name ended early\n" if $gone;
}


# ns on a CPU of all threads of these processes.

sub cpu_ns {
    my (@pids) = @_;

    my $sum = 0;

    for my $path (map { glob "/proc/$_/task/*/schedstat" } @pids) {
        open my $file, '<', $path or next;
        $sum += $1 if (<$file> || '') =~ /^(\d+)/;
    }

    return $sum;
}


sub median {
    my @sorted = sort { $a <=> $b } grep { defined } @_;

    return if !@sorted;
    return ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2;
}


# A number with three digits that count, or all of a larger one in groups.

sub quantity {
    my ($n) = @_;

    return '-' if !defined $n;

    my $text = $n == 0 ? '0'
        : $n < 1 ? sprintf('%.2g', $n)
        : $n < 10 ? sprintf('%.2f', $n)
        : $n < 100 ? sprintf('%.1f', $n) : sprintf('%.0f', $n);

    1 while $text =~ s/^(\d+)(\d{3})\b/$1 $2/;

    return $text;
}


my $began = time();

sub say_step {
    my ($text) = @_;

    printf STDERR "%4d s  %s\n", time() - $began, $text;
}


END {
    my $status = $?;

    for my $pid (keys %running) {
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }

    $? = $status;
}


1;
