package Prom::Load;

# Copyright (C) the ngx_http_prom_module authors
#
# Writers and readers in processes of their own, each watching what the other
# side promised.
#
#     my $load = Prom::Load->new($t, $port);
#
#     $load->writer(version => 1, series => 100);
#     $load->reader();
#     ... what is to happen meanwhile ...
#     is($load->stop(), '', 'no failures');
#     is($load->check_end(), '', 'every acknowledged sample');
#
# A writer sends its series over and over, all with the timestamp base + n in
# its n-th request, and a value made of n and the number of the series.  Two
# of them change: one is new every few requests, one comes in turns, so that
# a request that is lost is not covered up by the next.  The writer puts n
# into a file before it sends and again when it was acknowledged.  So of any
# answer of /federate one can tell whether it has all that it must have: what
# was acknowledged before it was asked for, and nothing that was not sent
# before it ended.
#
# spoiler() starts one whose requests are refused as a whole: they have a bad
# sample, and besides it a series that a writer is about to make.
#
# The locations are /write and /federate, the store's lookback is to be 30m.
# new(..., broken => 'never' | 'reused' | 'any') says which connections may
# break without an answer: none; only those that were kept alive after an
# answer, as between the requests of a worker that quits; any, as when a
# worker is killed.  What was on such a connection is sent again.

use strict;
use warnings;

use POSIX ();
use Time::HiRes qw(sleep time);

use Prom::HTTP;
use Prom::Proto;
use Prom::Text;

use constant {
    PER_NAME => 25,
    TURNS => 200,
    TIME => 4_000_000_000_000,
};

my @all;


sub new {
    my ($class, $t, $port, %opt) = @_;

    my $self = bless {
        dir => $t->dir() . '/load',
        port => $port,
        owner => $$,
        base => int(time() * 1000) - 120_000,
        broken => 'never',
        writers => [],
        readers => [],
        pids => {},
        %opt,
    }, $class;

    mkdir $self->{dir} or die "$self->{dir}: $!\n";
    push @all, $self;

    return $self;
}


# The last two of the `series' are those that change.

sub writer {
    my ($self, %opt) = @_;

    my $w = {
        id => scalar @{ $self->{writers} },
        version => 1,
        series => 100,
        state => "$self->{dir}/writer." . @{ $self->{writers} },
        %opt,
    };

    state($w->{state}, 0, 0);
    push @{ $self->{writers} }, $w;
    $self->spawn("writer $w->{id}", sub { $self->write_on($w) });
}


sub reader {
    my ($self) = @_;

    my $r = {
        id => scalar @{ $self->{readers} },
        state => "$self->{dir}/reader." . @{ $self->{readers} },
    };

    state($r->{state}, 0, 0);
    push @{ $self->{readers} }, $r;
    $self->spawn("reader $r->{id}", sub { $self->read_on($r) });
}


sub spoiler {
    my ($self) = @_;

    $self->spawn('spoiler', sub { $self->spoil() });
}


# What went wrong, '' when nothing did.

sub stop {
    my ($self) = @_;

    open my $file, '>', "$self->{dir}/stop" or die "stop: $!\n";
    close $file;

    my $till = time() + 60;
    my @failures;

    while (%{ $self->{pids} } && time() < $till) {
        push @failures, $self->failures();
        sleep 0.01;
    }

    for my $pid (keys %{ $self->{pids} }) {
        push @failures, "$self->{pids}{$pid} hangs\n";
        kill 'KILL', $pid;
        waitpid $pid, 0;
        delete $self->{pids}{$pid};
    }

    return join '', @failures;
}


# Those that ended before their time are among them.

sub failures {
    my ($self) = @_;

    my @failures;

    for my $pid (keys %{ $self->{pids} }) {

        next if waitpid($pid, POSIX::WNOHANG()) == 0;

        my $name = delete $self->{pids}{$pid};
        my $said = Prom::HTTP::slurp("$self->{dir}/$name.failed");

        push @failures, "$name: $said" if $said ne '';
        push @failures, "$name: status $?\n" if $said eq '' && $?;
    }

    return @failures;
}


# [ n that was sent, n that was acknowledged ], or of a reader [ answers,
# those that broke off ].

sub progress {
    my ($self, $kind, $id) = @_;

    return [ state($self->{$kind}[$id]{state}) ];
}


sub acknowledged {
    my ($self) = @_;

    return map { (state($_->{state}))[1] } @{ $self->{writers} };
}


sub answers {
    my ($self) = @_;

    return map { (state($_->{state}))[0] } @{ $self->{readers} };
}


# After stop(): the store holds what was acknowledged, all and nothing else.

sub check_end {
    my ($self) = @_;

    my @acked = $self->acknowledged();
    my $r = http_get($self->{port}, all_of_it());
    my $error = $self->check($r->{body}, \@acked, \@acked);

    return $error if $error ne '';

    my $expected = 0;

    for my $w (@{ $self->{writers} }) {
        my $n = $acked[$w->{id}];
        $expected += $w->{series} - 2 + last_name($n) + 1 + turns($n) if $n;
    }

    my $got = () = $r->{body} =~ /^load_/mg;

    return $got == $expected ? '' : "$got series instead of $expected\n";
}


sub all_of_it {
    return '/federate?match[]=' . '%7B__name__%3D~%22.%2B%22%7D';
}


sub spawn {
    my ($self, $name, $work) = @_;

    my $pid = fork();
    die "fork: $!\n" if !defined $pid;

    if ($pid) {
        $self->{pids}{$pid} = $name;
        return;
    }

    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);

    if (!eval { $work->(); 1 }) {
        open my $file, '>', "$self->{dir}/$name.failed";
        print $file $@;
        close $file;
        POSIX::_exit(1);
    }

    POSIX::_exit(0);
}


sub stopped {
    my ($self) = @_;

    return -e "$self->{dir}/stop" || getppid() != $self->{owner};
}


# The two numbers in a file; sets them if there are any.

sub state {
    my ($path, @numbers) = @_;

    if (@numbers) {
        open my $file, '+>>:raw', $path or die "$path: $!\n";
        close $file;
        open $file, '+<:raw', $path or die "$path: $!\n";
        syswrite $file, pack 'Q<2', @numbers;
        return;
    }

    open my $file, '<:raw', $path or die "$path: $!\n";
    sysread($file, my $bytes, 16) == 16 or die "$path: short\n";

    return unpack 'Q<2', $bytes;
}


sub write_on {
    my ($self, $w) = @_;

    my $body = $self->template($w);
    my $type = 'application/x-protobuf' . ($w->{version} == 2
        ? ';proto=io.prometheus.write.v2.Request' : '');

    open my $file, '+<:raw', $w->{state} or die "$w->{state}: $!\n";

    for (my $n = 1; !$self->stopped(); $n++) {
        note_state($file, 0, $n);
        $self->post($w, $type, $self->fill_in($body, $n));
        note_state($file, 1, $n);

        sleep $w->{pause} if $w->{pause};
    }
}


sub note_state {
    my ($file, $index, $n) = @_;

    sysseek $file, 8 * $index, 0;
    syswrite $file, pack 'Q<', $n;
}


sub post {
    my ($self, $w, $type, $body) = @_;

    my $till = time() + 30;

    for ( ;; ) {

        my $reused = $w->{client} && $w->{requests};

        if (!$w->{client}) {
            $w->{client} = Prom::HTTP->new($self->{port});
            $w->{requests} = 0;
        }

        my $client = $w->{client};

        my $r = $client->request('POST', '/write', [
            'Content-Type' => $type, 'Content-Encoding' => 'snappy' ], $body);

        if ($r->{status} == 204) {
            $w->{requests}++;

            my $written =
                $r->{headers}{'x-prometheus-remote-write-samples-written'};

            die "$written samples written instead of $w->{series}\n"
                if defined $written && $written != $w->{series};

            if (($r->{headers}{connection} || '') eq 'close') {
                $w->{client} = undef;
            }

            return;
        }

        die "status $r->{status}: $r->{body}\n" if $r->{status};

        die "connection closed without an answer\n"
            if $self->{broken} eq 'never'
               || $self->{broken} eq 'reused'
                  && (!$reused || $client->{buffer} ne '');

        die "never acknowledged\n" if time() > $till;

        $w->{client} = undef;
    }
}


# Where in the bytes of a request stand samples and the name that changes.

sub template {
    my ($self, $w) = @_;

    my @series = map {
        series("load_" . $_ % 10, { writer => $w->{id}, n => $_ },
            [ -0.5 - $_, TIME ])
    } 0 .. $w->{series} - 3;

    push @series, series('load_turn', { writer => $w->{id}, n => '!!!!!!' },
        [ -0.5 - @series, TIME ]);
    push @series, series('load_new', { writer => $w->{id}, n => '??????' },
        [ -0.5 - @series, TIME ]);

    my $raw = $w->{version} == 2 ? write_v2(\@series) : write_v1(\@series);
    my @at;

    for my $n (0 .. $#series) {
        my $found = index $raw, sample(-0.5 - $n, TIME);
        die "sample $n not found\n" if $found < 0;
        push @at, $found;
    }

    return { raw => $raw, at => \@at, turn => index($raw, '!!!!!!'),
             name => index($raw, '??????') };
}


sub sample {
    my ($value, $time) = @_;

    return pack 'C d< C a*', 0x09, $value, 0x10, varint($time);
}


sub fill_in {
    my ($self, $body, $n) = @_;

    my $time = varint($self->{base} + $n);
    my $i = 0;

    for my $at (@{ $body->{at} }) {
        substr $body->{raw}, $at + 1, 15,
            pack 'd< C a6', value($n, $i++), 0x10, $time;
    }

    substr $body->{raw}, $body->{turn}, 6, sprintf '%06d', $n % TURNS;
    substr $body->{raw}, $body->{name}, 6, sprintf '%06d', last_name($n);

    return snappy($body->{raw});
}


sub value {
    my ($n, $i) = @_;

    return $n * 10000 + $i;
}


sub last_name {
    my ($n) = @_;

    return int(($n - 1) / PER_NAME);
}


# How many had their turn.

sub turns {
    my ($n) = @_;

    return $n < TURNS ? $n : TURNS;
}


sub spoil {
    my ($self) = @_;

    while (!$self->stopped()) {

        my $w = $self->{writers}[rand @{ $self->{writers} }];
        my (undef, $n) = state($w->{state});

        next if !$n;

        my @new = map {
            series('load_new', { writer => $w->{id}, n => sprintf '%06d', $_ },
                [ -1, $self->{base} + $n + PER_NAME * 10 ])
        } last_name($n) + 1 .. last_name($n) + 3;

        my $bad = series('load_0', { writer => $w->{id}, n => 0 },
            [ -1, $self->{base} - 1 ]);

        my $r = http_post($self->{port}, '/write',
            snappy(write_v1([ @new, $bad ])),
            'Content-Type' => 'application/x-protobuf',
            'Content-Encoding' => 'snappy');

        next if !$r->{status} && $self->{broken} eq 'any';

        die "spoiled, but status $r->{status}\n" if $r->{status} != 400;
    }
}


sub read_on {
    my ($self, $r) = @_;

    my ($answers, $broken) = (0, 0);

    while (!$self->stopped()) {

        my @low = $self->acknowledged();
        my $answer = eval { http_get($self->{port}, all_of_it()) };
        my @high = map { (state($_->{state}))[0] } @{ $self->{writers} };

        if (!$answer || !$answer->{status} || $answer->{cut}) {
            die $answer ? "answer broken off\n" : $@
                if $self->{broken} ne 'any' || !$answer;
            $broken++;

        } else {
            my $error = $answer->{status} == 200
                ? $self->check($answer->{body}, \@low, \@high)
                : "status $answer->{status}: $answer->{body}\n";

            die "answer $answers: $error" if $error ne '';
            $answers++;
        }

        state($r->{state}, $answers, $broken);
    }
}


# Whether an answer holds everything that was acknowledged as @$low says, and
# nothing beyond @$high.

sub check {
    my ($self, $text, $low, $high) = @_;

    my $parsed = eval { text_parse($text) } or return "not the format: $@";
    my $last = '';
    my %seen;

    for my $s (@{ $parsed->{series} }) {

        return "$s->{name} after $last\n" if $s->{name} lt $last;
        $last = $s->{name};

        my ($n, $id) = $s->{key} =~ /\bn="(\d+)",writer="(\d+)"/
            or return "unknown series $s->{key}\n";
        my $w = $self->{writers}[$id] or return "unknown series $s->{key}\n";
        my $number = $s->{timestamp} - $self->{base};
        my $new = $s->{name} eq 'load_new';
        my $turn = $s->{name} eq 'load_turn';

        return "$s->{key} $number was never sent\n"
            if $number < 1 || $number > $high->[$id]
               || $new && $n != last_name($number)
               || $turn && $n != $number % TURNS;

        my $i = $new ? $w->{series} - 1 : $turn ? $w->{series} - 2 : $n;

        return "$s->{key} $s->{value} is not what was sent\n"
            if $s->{value} != value($number, $i);

        my $due = $low->[$id];
        $due = ($n + 1) * PER_NAME if $new && $due > ($n + 1) * PER_NAME;
        $due -= ($due - $n) % TURNS if $turn;

        return "$s->{key} is at $number, acknowledged was $due\n"
            if $number < $due;

        $seen{$id}{$new ? 'new' : $turn ? 'turn' : 'old'}++;
    }

    for my $w (@{ $self->{writers} }) {

        my $n = $low->[$w->{id}] or next;
        my ($old, $new, $turn) =
            map { $seen{$w->{id}}{$_} || 0 } qw(old new turn);

        return "$old, $new and $turn series of writer $w->{id}, "
            . "acknowledged $n\n"
            if $old != $w->{series} - 2 || $new < last_name($n) + 1
               || $turn < turns($n);
    }

    return '';
}


END {
    my $status = $?;

    for my $self (grep { $_->{owner} == $$ } @all) {
        kill 'KILL', keys %{ $self->{pids} };
        waitpid $_, 0 for keys %{ $self->{pids} };
    }

    $? = $status;
}


1;
