package Prom::Test;

# Copyright (C) the ngx_http_prom_module authors
#
# An nginx of one's own in a directory of its own.
#
#     my $t = Prom::Test->new();
#
#     $t->write_conf(<<'EOF');
#     %%GLOBALS%%
#     http {
#         %%GLOBALS_HTTP%%
#         prom_tsdb m { size 16m; }
#         server {
#             listen 127.0.0.1:8080;
#             location /write { prom_remote_write m; }
#         }
#     }
#     EOF
#
#     $t->start();
#     is(http_get($t->port(8080), '/')->{status}, 404, 'nothing there');
#     $t->done();
#
# Numbers from 8000 to 8999 behind "127.0.0.1:" stand for free ports.
# %%DIR%% is the directory.  finish() stops nginx and looks for alerts,
# crashes and sanitizers' words in what it logged; done() does that and ends
# the test.
#
# new(workers => 2, user => 'root', log => 'debug', alerts => qr/.../):
# workers 0 is a single process without a master; `alerts' matches lines of
# level alert, crit and emerg that are expected.
#
# Environment: TEST_NGINX_BINARY, TEST_NGINX_MODULE (the .so; "static" where
# the binary has it), TEST_NGINX_LEAVE (keep the directory), TEST_NGINX_CATLOG,
# TEST_NGINX_VERBOSE (debug log), TEST_NGINX_GLOBALS, TEST_NGINX_GLOBALS_HTTP
# (more configuration).

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter 'import';
use File::Basename qw(dirname);
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);

use Prom::HTTP;

our @EXPORT = (qw(top build wait_for run), @Prom::HTTP::EXPORT);

my $top = abs_path(dirname(__FILE__) . '/../../..');
my $binary = $ENV{TEST_NGINX_BINARY};
my $module = $ENV{TEST_NGINX_MODULE} || "$top/build/ngx_http_prom_module.so";

my @all;


# The directory of the project, and that of what was built.

sub top {
    return $top;
}


sub build {
    return "$top/build";
}


sub new {
    my ($class, %opt) = @_;

    my $dir = tempdir('prom-test-XXXXXXXX', TMPDIR => 1);
    chmod 0755, $dir;
    mkdir "$dir/logs";

    my $self = bless {
        dir => $dir,
        owner => $$,
        workers => 2,
        log => $ENV{TEST_NGINX_VERBOSE} ? 'debug' : 'info',
        ports => {},
        %opt,
    }, $class;

    push @all, $self;

    return $self;
}


sub dir {
    my ($self) = @_;

    return $self->{dir};
}


sub write_file {
    my ($self, $name, $text) = @_;

    my $path = "$self->{dir}/$name";

    open my $file, '>:raw', $path or die "$path: $!\n";
    print $file $text;
    close $file or die "$path: $!\n";

    return $path;
}


sub write_conf {
    my ($self, $text) = @_;

    return $self->write_file('nginx.conf', $self->expand($text));
}


sub expand {
    my ($self, $text) = @_;

    my $load = $module eq 'static' ? '' : "load_module $module;";
    my $user = $self->{user} && $> == 0 ? "user $self->{user};" : '';
    my $processes = $self->{workers} == 0 ? 'master_process off;'
        : "worker_processes $self->{workers};";
    my $more = $ENV{TEST_NGINX_GLOBALS} || '';
    my $more_http = $ENV{TEST_NGINX_GLOBALS_HTTP} || '';

    my $globals = <<"EOF";
$load
$user
daemon off;
$processes
pid nginx.pid;
error_log logs/error.log $self->{log};
events { }
$more
EOF

    my $globals_http = <<"EOF";
access_log logs/access.log;
client_body_temp_path client_body_temp;
proxy_temp_path proxy_temp;
fastcgi_temp_path fastcgi_temp;
uwsgi_temp_path uwsgi_temp;
scgi_temp_path scgi_temp;
$more_http
EOF

    $text =~ s/%%GLOBALS%%/$globals/;
    $text =~ s/%%GLOBALS_HTTP%%/$globals_http/;
    $text =~ s/%%DIR%%/$self->{dir}/g;
    $text =~ s/\b127\.0\.0\.1:(8\d\d\d)\b/'127.0.0.1:' . $self->port($1)/ge;

    return $text;
}


# The real port for a number.  A UDP socket on the same number is the lock
# that other tests respect; the number itself is tried first.

sub port {
    my ($self, $wanted) = @_;

    my $ports = $self->{ports};

    return $ports->{$wanted}{port} if $ports->{$wanted};

    for my $try (0 .. 99) {
        my $port = $try ? 8000 + int rand 10000 : $wanted;

        my $lock = IO::Socket::INET->new(
            LocalAddr => "127.0.0.1:$port", Proto => 'udp') or next;

        my $free = IO::Socket::INET->new(
            LocalAddr => "127.0.0.1:$port", Proto => 'tcp', Listen => 1,
            ReuseAddr => 1) or next;

        close $free;
        $ports->{$wanted} = { port => $port, lock => $lock };

        return $port;
    }

    die "no free port for $wanted\n";
}


sub binary {
    if (!defined $binary) {
        ($binary) = grep { -x } map { "$_/nginx" }
            split(/:/, $ENV{PATH}), '/usr/local/sbin', '/usr/sbin';
        defined $binary or die "no nginx in the path\n";
    }

    return $binary;
}


# True when `nginx -V' has these words, as "http_v3_module".

sub has {
    my ($self, @words) = @_;

    my ($out) = run(binary(), '-V');

    return !grep { $out !~ /\b\Q$_\E\b/ } @words;
}


# What `nginx -t' says of a configuration; '' when it is fine.

sub conf_error {
    my ($self, $text) = @_;

    my $path = $self->write_file('try.conf', $self->expand($text));
    my ($out, $status) = run(binary(), '-t', '-q', '-p', "$self->{dir}/",
        '-c', $path, '-e', 'stderr', '-g', 'error_log stderr warn;');

    return $status == 0 ? '' : $out || "exit status $status";
}


sub start {
    my ($self) = @_;

    my $dir = $self->{dir};
    my $pid = fork();
    die "fork: $!\n" if !defined $pid;

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$dir/logs/stderr.log";
        open STDERR, '>&', \*STDOUT;
        exec binary(), '-p', "$dir/", '-c', "$dir/nginx.conf",
            '-e', 'logs/error.log'
            or POSIX::_exit(127);
    }

    $self->{pid} = $pid;

    my $ready = wait_for(30, sub {
        return 1 if $self->gone();
        return -s "$dir/nginx.pid"
            && $self->workers() >= $self->{workers};
    });

    if (!$ready || !$self->{pid}) {
        my $log = $self->log() . $self->stderr();
        $self->kill_all();
        die "nginx does not start:\n" . substr($log, -2000) . "\n";
    }

    return $self;
}


# Reaps the master if it is dead.

sub gone {
    my ($self) = @_;

    return 1 if !$self->{pid};
    return 0 if waitpid($self->{pid}, WNOHANG) == 0;

    $self->{status} = $?;
    $self->{pid} = undef;

    return 1;
}


# The processes of this nginx whose title has the words, as "worker process"
# (those that are shutting down are not among them) or "cache manager".

sub processes {
    my ($self, $words) = @_;

    my @found;

    for my $pid ($self->children()) {
        open my $file, '<', "/proc/$pid/cmdline" or next;
        my $title = <$file>;

        push @found, $pid if defined $title
            && $title =~ /^nginx: \Q$words\E/
            && $title !~ /shutting down/;
    }

    return @found;
}


sub workers {
    my ($self) = @_;

    return $self->processes('worker process');
}


# A signal to the master, or to one of its children.

sub signal {
    my ($self, $signal, @pids) = @_;

    my %own = map { $_ => 1 } $self->{pid}, $self->children();

    for my $pid (@pids ? @pids : $self->{pid}) {
        $own{$pid} or die "$pid is not ours\n";
        kill $signal, $pid;
    }
}


# Kills a worker and waits for the one that takes its place.

sub kill_worker {
    my ($self, $pid) = @_;

    $pid = ($self->workers())[0] if !defined $pid;
    my %old = map { $_ => 1 } $self->workers();

    $self->signal('KILL', $pid);

    return wait_for(10, sub {
        my ($new) = grep { !$old{$_} } $self->workers();
        return $new;
    });
}


# True when new workers run and the old ones are gone (or, with wait => 0, do
# not accept any more); false when nginx refused the configuration.

sub reload {
    my ($self, %opt) = @_;

    my $from = length $self->log();
    my @old = $self->workers();
    my $wait = !defined $opt{wait} || $opt{wait};
    my $refused = 0;

    $self->signal('HUP');

    wait_for(30, sub {
        return $refused = 1 if substr($self->log(), $from) =~ /\[emerg\]/;

        my %now = map { $_ => 1 } $self->workers();
        return 0 if !%now || grep { $now{$_} } @old;
        return !$wait || !grep { kill 0, $_ } @old;
    }) or die "reload takes too long:\n" . substr($self->log(), -1000) . "\n";

    return !$refused;
}


# Gracefully; what hangs is killed and a failure.

sub stop {
    my ($self) = @_;

    $self->signal('QUIT') if !$self->gone();

    if (wait_for(30, sub { $self->gone() })) {
        return !$self->{status};
    }

    $self->signal('TERM');
    wait_for(10, sub { $self->gone() });
    $self->kill_all();

    return 0;
}


# At once, no goodbye.

sub kill_all {
    my ($self) = @_;

    return if $self->gone();

    my @all = ($self->{pid}, $self->children());
    kill 'KILL', @all;
    waitpid $self->{pid}, 0;
    $self->{pid} = undef;
}


sub children {
    my ($self) = @_;

    my @found;

    for my $path ($self->{pid} ? glob '/proc/[0-9]*/stat' : ()) {
        open my $file, '<', $path or next;
        my ($pid, $parent) = (<$file> || '') =~ /^(\d+) \(.*\) \S (\d+)/s;
        push @found, $pid if $pid && $parent == $self->{pid};
    }

    @found = sort { $a <=> $b } @found;

    return @found;
}


sub log {
    my ($self) = @_;

    return Prom::HTTP::slurp("$self->{dir}/logs/error.log");
}


sub access_log {
    my ($self) = @_;

    return Prom::HTTP::slurp("$self->{dir}/logs/access.log");
}


sub stderr {
    my ($self) = @_;

    return Prom::HTTP::slurp("$self->{dir}/logs/stderr.log");
}


# Resident bytes of a process.

sub rss {
    my ($self, $pid) = @_;

    open my $file, '<', "/proc/$pid/status" or return 0;

    for (<$file>) {
        return $1 * 1024 if /^VmRSS:\s+(\d+) kB/;
    }

    return 0;
}


sub finish {
    my ($self) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok($self->stop(), 'nginx quits gracefully');

    my $expected = $self->{alerts};
    my $log = $self->log() . $self->stderr();
    my @alerts = grep { !defined $expected || $_ !~ $expected }
        $log =~ /^(.*\[(?:alert|crit|emerg)\].*)$/mg;

    is(join("\n", @alerts), '', 'no alerts in the log');

    my @sanitizer = $log =~ /^(.*(?:Sanitizer|runtime error:).*)$/mg;

    is(join("\n", @sanitizer), '', 'no words of a sanitizer');

    diag($log) if $ENV{TEST_NGINX_CATLOG};
}


sub done {
    my ($self) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $self->finish();
    done_testing();
}


# Calls back every few milliseconds until that is true; its value, or false
# when time is up.

sub wait_for {
    my ($seconds, $check) = @_;

    my $till = time() + $seconds;
    my $pause = 0.005;

    for ( ;; ) {
        my $value = $check->();
        return $value if $value;
        return 0 if time() > $till;

        sleep $pause;
        $pause *= 1.5 if $pause < 0.1;
    }
}


# Output (both streams) and exit status of a command, no shell in between.

sub run {
    my (@command) = @_;

    my $pid = open my $out, '-|';
    die "fork: $!\n" if !defined $pid;

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        exec @command
            or POSIX::_exit(127);
    }

    local $/;
    my $text = <$out>;
    close $out;

    return (defined $text ? $text : '', $?);
}


# Whatever happens, nothing of ours stays behind.

$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);

END {
    my $status = $?;

    for my $self (grep { $_->{owner} == $$ } @all) {
        $self->kill_all();
        remove_tree($self->{dir}) if !$ENV{TEST_NGINX_LEAVE};
    }

    $? = $status;
}


1;
