package Prom::Daemon;

# Copyright (C) the ngx_http_prom_module authors
#
# Programs of others, in a directory and with ports of their own.
#
#     my $p = prometheus($t, scrape => $scrape_config,
#                        remote_write => $remote_write_config);
#     my $v = Prom::Daemon->new($t, 'victoria-metrics', $port, @args);
#
#     $p->wait_ready() or die $p->log();
#     my $data = $p->api('/api/v1/query', query => 'up');
#     $p->stop();
#
#     my $page = Prom::Daemon->page($t, $text);       serves one text for ever
#
# Ports come from $t->port().  prometheus() takes the binary that PROMETHEUS
# names.  What still runs at the end is killed.

use strict;
use warnings;

use Exporter 'import';
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();

use Prom::HTTP;
use Prom::Test;

our @EXPORT = qw(prometheus prometheus_version series_key same_value);

my $free = 8900;
my $count = 0;
my @all;


sub new {
    my ($class, $t, $program, $port, @args) = @_;

    my $self = bless {
        port => $port,
        owner => $$,
        log => $t->dir() . '/daemon.' . $count++ . '.log',
    }, $class;

    $self->spawn(sub {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', $self->{log};
        open STDERR, '>&', \*STDOUT;
        exec $program, @args;
    });

    return $self;
}


sub page {
    my ($class, $t, $text) = @_;

    my $port = free_port($t);
    my $socket = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port",
        Listen => 16, ReuseAddr => 1) or die "port $port: $!\n";

    my $self = bless { port => $port, owner => $$ }, $class;

    $self->spawn(sub {
        while (my $client = $socket->accept()) {
            my $head = '';

            while ($head !~ /\r\n\r\n/) {
                sysread $client, $head, 4096, length $head or last;
            }

            print $client "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                . "Content-Type: text/plain; version=0.0.4\r\n"
                . 'Content-Length: ' . length($text) . "\r\n\r\n$text";
            close $client;
        }
    });

    return $self;
}


sub spawn {
    my ($self, $work) = @_;

    my $pid = fork();
    die "fork: $!\n" if !defined $pid;

    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        $work->();
        POSIX::_exit(127);
    }

    $self->{pid} = $pid;
    push @all, $self;
}


sub free_port {
    my ($t) = @_;

    return $t->port($free++);
}


sub prometheus_binary {
    return $ENV{PROMETHEUS} || 'prometheus';
}


# As a number that compares: 2.042, 3.005.

sub prometheus_version {
    my ($out) = run(prometheus_binary(), '--version');

    return $out =~ /version (\d+)\.(\d+)/ ? $1 + $2 / 1000 : 0;
}


# Options: scrape, a list of scrape configurations, and remote_write, one,
# both in YAML; args, more of the command line.

sub prometheus {
    my ($t, %opt) = @_;

    my $port = free_port($t);
    my $name = "prometheus.$port";

    my $self = Prom::Daemon->new($t, prometheus_binary(), $port,
        '--config.file=' . prometheus_config($t, $name, $port, %opt),
        '--storage.tsdb.path=' . $t->dir() . "/$name",
        "--web.listen-address=127.0.0.1:$port",
        @{ $opt{args} || [] });

    $self->{test} = $t;
    $self->{name} = $name;

    return $self;
}


# %%PORT%% is its own port.

sub prometheus_config {
    my ($t, $name, $port, %opt) = @_;

    my $text = "global:\n  scrape_interval: 1s\n";

    $text .= "scrape_configs:\n$opt{scrape}" if $opt{scrape};
    $text .= "remote_write:\n$opt{remote_write}" if $opt{remote_write};
    $text =~ s/%%PORT%%/$port/g;

    return $t->write_file("$name.yml", $text);
}


# A Prometheus takes another configuration.

sub reconfigure {
    my ($self, %opt) = @_;

    prometheus_config($self->{test}, $self->{name}, $self->{port}, %opt);
    $self->signal('HUP');
}


sub port {
    my ($self) = @_;

    return $self->{port};
}


sub log {
    my ($self) = @_;

    return Prom::HTTP::slurp($self->{log});
}


# True when a path is answered with 200.

sub wait_ready {
    my ($self, $path) = @_;

    return wait_for(20, sub {
        my $r = eval { http_get($self->{port}, $path || '/-/ready') };
        return $r && $r->{status} == 200;
    });
}


# `data' of an answer of the HTTP API.

sub api {
    my ($self, $path, %args) = @_;

    my $query = join '&', map { "$_=" . escape($args{$_}) } sort keys %args;
    my $r = http_get($self->{port}, "$path?$query");
    my $answer = eval { JSON::PP::decode_json($r->{body}) };

    die "$path: $r->{status} $r->{body}\n"
        if !$answer || $answer->{status} ne 'success';

    return $answer->{data};
}


# All samples within the seconds before a moment: { series => { ms => value } }

sub samples {
    my ($self, $selector, $seconds, $time) = @_;

    my %samples;
    my $data = $self->api('/api/v1/query', query => "$selector\[${seconds}s]",
        time => sprintf('%.3f', $time));

    for my $s (@{ $data->{result} }) {
        $samples{series_key($s->{metric})} = {
            map { int($_->[0] * 1000 + 0.5) => $_->[1] } @{ $s->{values} }
        };
    }

    return \%samples;
}


# The series that an instant query finds: { series => value }

sub instant {
    my ($self, $selector, $time) = @_;

    my $data = $self->api('/api/v1/query', query => $selector,
        time => sprintf('%.3f', $time));

    return { map { series_key($_->{metric}) => $_->{value}[1] }
             @{ $data->{result} } };
}


sub escape {
    my ($text) = @_;

    utf8::encode($text) if utf8::is_utf8($text);
    $text =~ s/([^A-Za-z0-9_.-])/sprintf '%%%02X', ord $1/ge;

    return $text;
}


# A series as /federate writes it: the name, the labels sorted.  An external
# label that is empty is none.

sub series_key {
    my ($labels) = @_;

    my %labels = %$labels;
    my $name = delete $labels{__name__};

    return $name . '{' . join(',', map { label($_, $labels{$_}) }
        grep { $labels{$_} ne '' } sort keys %labels) . '}';
}


sub label {
    my ($name, $value) = @_;

    utf8::encode($value) if utf8::is_utf8($value);
    $value =~ s/(["\\])/\\$1/g;
    $value =~ s/\n/\\n/g;

    return "$name=\"$value\"";
}


# Two texts of one number.

sub same_value {
    my ($a, $b) = @_;

    return $a eq $b if "$a$b" =~ /N/i;
    return pack('d', $a) eq pack('d', $b);
}


sub signal {
    my ($self, $signal) = @_;

    kill $signal, $self->{pid} if $self->{pid};
}


# False when it had to be killed.

sub stop {
    my ($self) = @_;

    return 1 if !$self->{pid};

    $self->signal('TERM');

    my $gone = wait_for(15, sub {
        return waitpid $self->{pid}, POSIX::WNOHANG();
    });

    $self->kill_it() if !$gone;
    $self->{pid} = undef;

    return $gone;
}


sub kill_it {
    my ($self) = @_;

    return if !$self->{pid};

    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
    $self->{pid} = undef;
}


END {
    my $status = $?;

    $_->kill_it() for grep { $_->{owner} == $$ } @all;
    $? = $status;
}


1;
