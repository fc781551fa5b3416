#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# The ways nginx runs: one worker, several, none but a single process; over
# reloads, also with another size; and beside modules that handle the same
# requests.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep);

use lib "$FindBin::Bin/../lib";

use Prom::Proto;
use Prom::Test;
use Prom::Text;
use Prom::Write;

my $conf = <<'EOF';
%%GLOBALS%%
http {
    %%GLOBALS_HTTP%%
    prom_tsdb m { size 8m; %%MORE%% }
    prom_tsdb other { size %%SIZE%%; }
    server {
        listen 127.0.0.1:8080 reuseport;
        location /write { prom_remote_write m; }
        location /federate { prom_federate m; }
        location /both {
            mirror /mirrored;
            prom_remote_write m;
        }
        location = /mirrored {
            internal;
            prom_remote_write other;
        }
        location /if {
            if ($http_x_if) { set $a 1; }
            prom_remote_write m;
        }
        location /nested {
            prom_remote_write m;
            location /nested/inner { return 404; }
        }
        location /rewritten { rewrite ^ /write; }
        location /proxied { proxy_pass http://127.0.0.1:8080/write; }
    }
    server {
        listen 127.0.0.1:8081 reuseport;
        location /write { prom_remote_write other; }
        location /federate { prom_federate other; }
    }
}
EOF


sub expand {
    my ($size, $more) = @_;

    return $conf =~ s/%%SIZE%%/$size/r =~ s/%%MORE%%/$more || ''/er;
}


# As many requests as need be so that every worker has had some.

sub works {
    my ($t, $mode) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $port = $t->port(8080);
    my $now = now_ms();
    my ($bad, $missing) = (0, 0);

    for my $i (1 .. 40) {
        my $r = $i % 2 ? send_v1($port, [ series('m', { n => $i },
                [ $i, $now ]) ])
            : send_v2($port, [ series('m', { n => $i }, [ $i, $now ]) ]);

        $bad++ if $r->{status} != 204;
        $missing++ if keys %{ federate($port, 'm') } != $i;
    }

    is($bad, 0, "$mode: all is written");
    is($missing, 0, "$mode: and seen at once, by every worker");
}


for my $workers (1, 2, 4, 0) {
    my $mode = $workers ? "$workers workers" : 'master_process off';
    my $t = Prom::Test->new(workers => $workers);

    $t->write_conf(expand('4m'));
    $t->start();
    is(scalar $t->workers(), $workers, $mode);
    works($t, $mode);
    is_deeply(federate($t->port(8081)), {}, "$mode: the other store is empty");
    $t->finish();
}

# reload

my $t = Prom::Test->new();

$t->write_conf(expand('4m'));
$t->start();

my $port = $t->port(8080);
my $other = $t->port(8081);
my $now = now_ms();
my @series = map { series('kept', { n => $_ }, [ $_, $now ]) } 1 .. 2000;

is(send_v1($_, \@series)->{status}, 204, 'before the reload') for $port, $other;

my $before = federate($port);
is(keys %$before, 2000, 'what is there');

ok($t->reload(), 'reload');
is_deeply(federate($port), $before, 'keeps all');
unlike($t->log(), qr/starts empty/, 'and says nothing');
is(send_v2($port, \@series)->{status}, 204, 'the same series go on');

$t->write_conf(expand('4m', 'retention 1h; lookback 1h; '
    . 'external_label new label; max_series 2000;'));
ok($t->reload(), 'reload with all else changed');
is(join(' ', map { scalar keys %$_ } federate($port), $before), '2000 2000',
    'keeps all');
is(federate($port)->{'kept{n="7",instance="",new="label"}'}[0], 7,
    'with the new label');
is(send_v1($port, [ series('new', {}, [ 1, $now ]) ])->{status}, 503,
    'and the new limit');

$t->write_conf(expand('5m'));
ok($t->reload(), 'reload with another size');
like($t->log(), qr/\[warn\] .*store "other": size changed from 4m to 5m, the/,
    'says so');
is_deeply(federate($other), {}, 'starts that store empty');
is_deeply(federate($port), $before, 'and leaves the other one alone');
is(send_v1($other, \@series)->{status}, 204, 'which works');

# a request that is being sent or received while nginx reloads

my $body = snappy(write_v1([ series('during', {}, [ 1, $now ]) ]));
my $c = Prom::HTTP->new($port);

$c->send("POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: "
    . length($body) . "\r\n\r\n" . substr $body, 0, 10);

my $reader = Prom::HTTP->new($port);
$reader->send("GET /federate?match[]=kept HTTP/1.0\r\n\r\n");
sleep 0.1;
ok($t->reload(wait => 0), 'reload in the middle of requests');

$c->send(substr $body, 10);
is($c->response()->{status}, 204, 'one that was being sent is served');
$c->close();
is(keys %{ federate($port, 'during') }, 1, 'and stored');
is(keys %{ text_series($reader->response()->{body}) }, 2000,
    'one that was being read ends as it should');

# a configuration that is refused

$t->write_conf(expand('1m'));
ok(!$t->reload(), 'a bad configuration is refused');
is_deeply(federate($port, 'kept'), $before, 'the data is there still');
is($t->conf_error(expand('6m')), '', 'nginx -t beside a running one');
is_deeply(federate($port, 'kept'), $before, 'does no harm');

$t->{alerts} = qr/size "1m" of prom_tsdb "other" is too small/;

# a worker that dies

ok($t->kill_worker(), 'a worker is killed');
is_deeply(federate($port, 'kept'), $before, 'the data is there still');
is(send_v1($port, [ series('after', {}, [ 1, $now ]) ])->{status}, 204,
    'and the store is open');

$t->{alerts} = qr/size "1m" of prom_tsdb|exited on signal 9/;

# beside other modules

my $attempt = 0;


sub post {
    my ($path, @headers) = @_;

    return http_post($port, $path, snappy(write_v1([ series('beside',
        { n => ++$attempt }, [ 1, $now ]) ])), write_headers(1),
        @headers)->{status};
}


sub stored {
    my ($port) = @_;

    return scalar keys %{ federate($port, "beside{n=\"$attempt\"}") };
}


is(post('/both'), 204, 'mirror');
is(stored($port), 1, 'mirror: the original is stored');
ok(wait_for(5, sub { stored($other) }), 'mirror: the copy is stored');
is(post('/if'), 204, 'if, not true');
is(stored($port), 1, 'if, not true: stored');
is(post('/if', 'X-If' => 1), 204, 'if, true');
is(stored($port), 1, 'if, true: stored');
is(post('/rewritten'), 204, 'rewrite');
is(stored($port), 1, 'rewrite: stored');
is(post('/proxied'), 204, 'proxy_pass');
is(stored($port), 1, 'proxy_pass: stored');
is(post('/nested/x'), 204, 'around a nested location');
is(post('/nested/inner'), 404, 'a nested location inherits no endpoint');
is(stored($port), 0, 'and stores nothing');

$t->done();
