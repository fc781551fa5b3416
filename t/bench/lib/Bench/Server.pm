package Bench::Server;

# Copyright (C) the ngx_http_prom_module authors
#
# The servers that are compared, each with a directory and ports of its own.
#
#     for my $kind (Bench::Server->kinds()) {
#         my $server = Bench::Server->start($kind, series => 100000);
#         $server->args();                        for load and read
#         $server->path('{job="a"}');             of /federate
#         $server->stop();
#     }
#
# Peers that are not installed are no kinds.  The lookback is 30 minutes, so
# that the slowest has time to take what the fastest takes.

use strict;
use warnings;

use File::Path qw(remove_tree);

use Prom::Daemon;
use Prom::Test;

my %name = (
    ours => 'this module',
    prometheus => 'Prometheus',
    victoria => 'VictoriaMetrics',
);


sub kinds {
    return grep { defined version($_) } qw(ours prometheus victoria);
}


sub name {
    my ($kind) = @_;

    return $name{$kind};
}


sub victoria_binary {
    return $ENV{VICTORIA_METRICS} || 'victoria-metrics';
}


# undef where there is no such program.  One that does not know its version
# may have come in a package that does.

sub version {
    my ($kind) = @_;

    return nginx_version() if $kind eq 'ours';

    my $victoria = $kind eq 'victoria';
    my ($out, $status) = run($victoria ? (victoria_binary(), '-version')
        : (Prom::Daemon::prometheus_binary(), '--version'));

    return if $status;
    return $1 if $out =~ /(?:version |tags-v|\bv)(\d+\.\d+\.\d+)/;

    if ($victoria && !$ENV{VICTORIA_METRICS}) {
        ($out) = run('dpkg-query', '-W', '-f', '${Version}',
            'victoria-metrics');
        return $1 if $out =~ /^(\d[\d.]*)/;
    }

    return 'of unknown version';
}


sub nginx_version {
    my ($out) = run(Prom::Test::binary(), '-v');

    return $out =~ m{nginx/(\S+)} ? $1 : 'of unknown version';
}


# Options: series, the most there will be; workers, of nginx.

sub start {
    my ($class, $kind, %opt) = @_;

    my $t = Prom::Test->new(workers => $opt{workers} || 1, log => 'error');
    my $self = bless { kind => $kind, test => $t }, $class;

    # one core each, as a worker of nginx has

    local $ENV{GOMAXPROCS} = $ENV{GOMAXPROCS} || 1;

    $self->can("start_$kind")->($self, $t, $opt{series});

    if ($kind ne 'ours') {
        $self->{daemon}->wait_ready($kind eq 'prometheus' ? '/-/ready'
            : '/health')
            or die "$name{$kind} does not start: " . $self->{daemon}->log();
        sleep 1;
    }

    return $self;
}


sub start_ours {
    my ($self, $t, $series) = @_;

    my $size = 64 + int($series / 1000) . 'm';

    $t->write_conf(<<"EOF");
%%GLOBALS%%
http {
    %%GLOBALS_HTTP%%
    keepalive_requests 1000000;
    prom_tsdb m { size $size; lookback 30m; }
    server {
        listen 127.0.0.1:8080;
        location = /api/v1/write { prom_remote_write m; }
        location = /federate { prom_federate m; }
    }
}
EOF

    $t->start();
    $self->{port} = $t->port(8080);
    $self->{pids} = [ $t->workers() ];
}


sub start_prometheus {
    my ($self, $t) = @_;

    $self->daemon(prometheus($t,
        args => [ '--web.enable-remote-write-receiver',
                  '--query.lookback-delta=30m' ]));
}


sub start_victoria {
    my ($self, $t, $series) = @_;

    my $port = $t->port(8899);
    my $most = 2 * $series;

    $self->daemon(Prom::Daemon->new($t, victoria_binary(), $port,
        "-httpListenAddr=127.0.0.1:$port",
        '-storageDataPath=' . $t->dir() . '/victoria',
        "-search.maxFederateSeries=$most",
        "-search.maxUniqueTimeseries=$most"));
}


sub daemon {
    my ($self, $daemon) = @_;

    $self->{daemon} = $daemon;
    $self->{port} = $daemon->port();
    $self->{pids} = [ $daemon->{pid} ];
}


sub pids {
    my ($self) = @_;

    return @{ $self->{pids} };
}


sub args {
    my ($self) = @_;

    return ('--port', $self->{port}, map { ('--pid', $_) } $self->pids());
}


sub path {
    my ($self, $selector) = @_;

    return '/federate?match[]=' . Prom::Daemon::escape($selector)
        . ($self->{kind} eq 'victoria' ? '&max_lookback=30m' : '');
}


sub rss {
    my ($self) = @_;

    my $sum = 0;
    $sum += $self->{test}->rss($_) for $self->pids();

    return $sum;
}


sub stop {
    my ($self) = @_;

    if ($self->{daemon}) {
        $self->{daemon}->stop();

    } else {
        $self->{test}->stop() or die "nginx does not stop\n";
    }

    remove_tree($self->{test}->dir());
}


1;
