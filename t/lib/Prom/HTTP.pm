package Prom::HTTP;

# Copyright (C) the ngx_http_prom_module authors
#
# A client that does what it is told, byte by byte if need be.
#
#     my $r = http_get($port, '/federate?match[]=up', Accept => '*/*');
#     my $r = http_post($port, '/write', $body, 'Content-Type' => ...);
#
#     my $c = Prom::HTTP->new($port);             one connection, kept alive
#     my $r = $c->request('POST', '/write', [ Header => value ],
#                         [ 'one piece', \0.2, 'another' ], chunked => 1);
#
#     my $r = http_raw($port, "GET / HTTP/1.0\r\n", \0.5, "\r\n");
#     my $r = http_curl('--http2-prior-knowledge', $url);
#
# A body is a string or a list of pieces, each sent by itself; a reference to
# a number is a pause in seconds.  The answer is { status, headers, body, raw
# }, names of headers in lower case, several values joined by ", ".  When the
# other side closes without an answer status is 0; `cut' is true where the
# body is shorter than announced.

use strict;
use warnings;

use Exporter 'import';
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(sleep time);

our @EXPORT = qw(http_get http_post http_raw http_curl);


sub new {
    my ($class, $port, %opt) = @_;

    my $socket = IO::Socket::INET->new(
        PeerAddr => "127.0.0.1:$port",
        Proto => 'tcp',
    ) or die "cannot connect to port $port: $!\n";

    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;

    return bless {
        socket => $socket,
        timeout => $opt{timeout} || 30,
        buffer => '',
    }, $class;
}


sub http_get {
    my ($port, $path, @headers) = @_;

    return Prom::HTTP->new($port)->request('GET', $path,
        [ Connection => 'close', @headers ]);
}


sub http_post {
    my ($port, $path, $body, @headers) = @_;

    return Prom::HTTP->new($port)->request('POST', $path,
        [ Connection => 'close', @headers ], $body);
}


# Sends just these bytes and reads one response.

sub http_raw {
    my ($port, @pieces) = @_;

    my $client = Prom::HTTP->new($port);
    $client->send(@pieces);

    return $client->response($pieces[0] =~ /^HEAD /);
}


sub request {
    my ($self, $method, $path, $headers, $body, %opt) = @_;

    my @pieces = ref $body eq 'ARRAY' ? @$body : defined $body ? $body : ();
    my @headers = (Host => 'localhost', @{ $headers || [] });

    if ($opt{chunked}) {
        push @headers, 'Transfer-Encoding' => 'chunked';
        @pieces = map { ref $_ || $_ eq '' ? $_ : chunk($_) } @pieces;
        push @pieces, "0\r\n\r\n";

    } elsif (defined $body && !grep { /^content-length\z/i } @headers) {
        my $length = 0;
        $length += length for grep { !ref } @pieces;
        push @headers, 'Content-Length' => $length;
    }

    my $head = "$method $path HTTP/1.1\r\n";

    while (my ($name, $value) = splice @headers, 0, 2) {
        $head .= "$name: $value\r\n";
    }

    $self->send("$head\r\n", @pieces);

    return $self->response($method eq 'HEAD');
}


sub chunk {
    my ($piece) = @_;

    return sprintf("%x\r\n", length $piece) . $piece . "\r\n";
}


# Stops early when the other side answers or closes before all is sent.

sub send {
    my ($self, @pieces) = @_;

    local $SIG{PIPE} = 'IGNORE';

    for my $piece (@pieces) {

        if (ref $piece) {
            sleep $$piece;
            next;
        }

        for (my $sent = 0; $sent < length $piece; ) {
            my $n = syswrite $self->{socket}, $piece, 65536, $sent;
            return if !defined $n;
            $sent += $n;
        }
    }
}


sub close {
    my ($self) = @_;

    CORE::close $self->{socket};
}


# Without %opt the whole response; `body' 0 leaves the body unread, for tests
# of slow readers, who go on with read().

sub response {
    my ($self, $head_only, %opt) = @_;

    my ($status, %headers);
    my $raw = '';

    do {
        my $head = $self->line_block();

        return { status => 0, headers => {}, body => '', raw => $raw }
            if !defined $head;

        $raw .= $head;
        ($status) = $head =~ m{^HTTP/1\.[01] (\d{3})};
        die "not an answer: $head\n" if !defined $status;

        %headers = ();

        while ($head =~ /^([^:\r\n]+):[ \t]*([^\r\n]*)/mg) {
            my ($name, $value) = (lc $1, $2);
            $headers{$name} = exists $headers{$name}
                ? "$headers{$name}, $value" : $value;
        }
    } while ($status < 200);

    my $response = { status => $status, headers => \%headers, body => '' };

    if (!$head_only && $status != 204 && $status != 304
        && (!defined $opt{body} || $opt{body}))
    {
        $self->body($response, \%headers);
    }

    $response->{raw} = $raw . $response->{body};

    return $response;
}


sub body {
    my ($self, $response, $headers) = @_;

    if (($headers->{'transfer-encoding'} || '') eq 'chunked') {
        for ( ;; ) {
            my $size = $self->line();

            if (!defined $size || $size !~ /^([0-9a-fA-F]+)/) {
                $response->{cut} = 1;
                return;
            }

            my $n = hex $1;
            my $piece = $self->read($n);
            $response->{body} .= $piece;
            $response->{cut} = 1, return if length $piece < $n;

            $self->line();
            return if $n == 0;
        }
    }

    my $length = $headers->{'content-length'};

    $response->{body} = $self->read($length);
    $response->{cut} = 1
        if defined $length && length $response->{body} < $length;
}


# One read of what is there or comes in time; false at the end.

sub fill {
    my ($self) = @_;

    IO::Select->new($self->{socket})->can_read($self->{timeout})
        or die "timeout waiting for a response\n";

    return sysread $self->{socket}, $self->{buffer}, 65536,
        length $self->{buffer};
}


sub line_block {
    my ($self) = @_;

    while ($self->{buffer} !~ /\r\n\r\n/) {
        return if !$self->fill();
    }

    $self->{buffer} =~ s/\A(.*?\r\n\r\n)//s;
    return $1;
}


sub line {
    my ($self) = @_;

    while ($self->{buffer} !~ /\n/) {
        return if !$self->fill();
    }

    $self->{buffer} =~ s/\A(.*?)\r?\n//s;
    return $1;
}


# $n bytes, fewer at the end; all without $n.

sub read {
    my ($self, $n) = @_;

    while (!defined $n || length $self->{buffer} < $n) {
        last if !$self->fill();
    }

    return substr $self->{buffer}, 0,
        defined $n ? $n : length $self->{buffer}, '';
}


# True when the other side has closed and nothing is left to read.

sub closed {
    my ($self, $wait) = @_;

    my $till = time() + ($wait || 5);

    while (time() < $till) {
        next if !IO::Select->new($self->{socket})->can_read(0.1);
        return 1 if !sysread $self->{socket}, $self->{buffer}, 65536,
            length $self->{buffer};
    }

    return 0;
}


# TLS and HTTP/2; a body goes in with --data-binary @file.  In `error' stands
# what curl says of a failure.

sub http_curl {
    my (@args) = @_;

    my $dir = File::Temp->newdir();

    my $pid = fork();
    die "fork: $!\n" if !defined $pid;

    if ($pid == 0) {
        open STDERR, '>', "$dir/error";
        exec 'curl', '-sS', '--max-time', 60, '-o', "$dir/body",
            '-D', "$dir/head", @args
            or POSIX::_exit(127);
    }

    waitpid $pid, 0;

    my $raw = slurp("$dir/head");
    my $head = (split /\r\n\r\n/, $raw)[-1] || '';
    my ($status) = $head =~ m{^HTTP/[0-9.]+ (\d{3})};
    my %headers;

    $headers{lc $1} = $2 while $head =~ /^([^:\r\n]+):[ \t]*([^\r\n]*)/mg;

    return {
        status => $status || 0,
        version => $head =~ m{^HTTP/([0-9.]+)} ? $1 : '',
        headers => \%headers,
        body => slurp("$dir/body"),
        raw => $raw,
        error => slurp("$dir/error"),
    };
}


sub slurp {
    my ($path) = @_;

    open my $file, '<:raw', $path or return '';
    local $/;

    return scalar <$file>;
}


1;
