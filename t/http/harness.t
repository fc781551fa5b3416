#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# The harness against what nginx itself does, so that the other tests can be
# believed when they say that something is missing.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../lib";

use Prom::Test;
use Prom::Text;

my $t = Prom::Test->new(alerts => qr/exited on signal 9|directive "nonsense"/);

$t->write_conf(<<'EOF');
%%GLOBALS%%
http {
    %%GLOBALS_HTTP%%
    server {
        listen 127.0.0.1:8080;
        client_body_timeout 1s;
        location /hello { return 200 "hello\n"; }
        location /files { alias %%DIR%%/files; gzip on; gzip_types *; }
        location /post { proxy_pass http://127.0.0.1:8080/length; }
        location /length { add_header Len $content_length; return 200; }
    }
    server {
        listen 127.0.0.1:8081 http2;
        location / { return 200 "hello\n"; }
    }
}
EOF

mkdir $t->dir() . '/files';
$t->write_file('files/x', 'x' x 3000000);
$t->start();

my $port = $t->port(8080);

# the client

my $r = http_get($port, '/hello');

is($r->{status}, 200, 'status');
is($r->{body}, "hello\n", 'body');
is($r->{headers}{connection}, 'close', 'header');
is(http_get($port, '/none')->{status}, 404, 'error');

my $c = Prom::HTTP->new($port);

is($c->request('GET', '/hello')->{body}, "hello\n", 'first of a connection');
is($c->request('HEAD', '/hello')->{body}, '', 'HEAD has no body');
is(length $c->request('GET', '/files/x')->{body}, 3000000, 'long body');

$r = $c->request('GET', '/files/x', [ 'Accept-Encoding' => 'gzip' ]);

is($r->{headers}{'transfer-encoding'}, 'chunked', 'chunked response');
is(substr($r->{body}, 0, 2), "\x1f\x8b", 'its body has no chunk headers');
ok(!$r->{cut}, 'and is whole');

my @pieces = ('a' x 1000, \0.05, 'b' x 10);

is($c->request('POST', '/post', [], \@pieces)->{headers}{len}, 1010,
    'body in pieces');
is($c->request('POST', '/post', [], \@pieces, chunked => 1)->{headers}{len},
    1010, 'chunked body');

is(http_raw($port, "GET /hel", \0.05, "lo HTTP/1.0\r\n\r\n")->{body},
    "hello\n", 'raw request in pieces');
is(http_raw($port, "POST /post HTTP/1.1\r\nHost: a\r\n"
    . "Content-Length: 5\r\n\r\nab")->{status}, 0,
    'closed without an answer');

$r = http_curl('--http2-prior-knowledge',
    'http://127.0.0.1:' . $t->port(8081) . '/');

is("$r->{status} $r->{version} $r->{body}", "200 2 hello\n", 'HTTP/2');
like(http_curl("http://127.0.0.1:1/")->{error}, qr/connect/i,
    'what curl says of a failure');

# the processes

my @workers = $t->workers();

is(@workers, 2, 'two workers');
ok($t->kill_worker($workers[0]), 'a killed worker is replaced');
is(scalar $t->workers(), 2, 'two workers again');

ok($t->reload(), 'reload');
is_deeply([ grep { my $pid = $_; grep { $_ == $pid } @workers }
    $t->workers() ], [], 'all workers are new');

is($t->conf_error("%%GLOBALS%%\nhttp { }"), '', 'conf_error: nothing wrong');
like($t->conf_error('nonsense;'), qr/unknown directive "nonsense"/,
    'conf_error: what nginx says');

$t->write_conf('nonsense;');
ok(!$t->reload(), 'a refused reload');
is(http_get($port, '/hello')->{status}, 200, 'the old workers serve on');

my $single = Prom::Test->new(workers => 0);

$single->write_conf(<<'EOF');
%%GLOBALS%%
http {
    %%GLOBALS_HTTP%%
    server { listen 127.0.0.1:8080; return 204; }
}
EOF

$single->start();

isnt($single->port(8080), $port, 'another server, another port');
is(http_get($single->port(8080), '/')->{status}, 204, 'a single process');

$single->finish();

# the reader of text

is_deeply(text_series(<<'EOF'), {
# TYPE up gauge
up{a="b\"",c="d"} 1 123
up 2
{"a b",x="y"} +Inf -5
EOF
    'up{a="b\"",c="d"}' => [ 1, 123 ],
    'up' => [ 2, undef ],
    '{"a b",x="y"}' => [ '+Inf', -5 ],
}, 'text is read');

for my $bad ("up 1", "up{a} 1\n", "up 1\nup 1\n", "\n", "up{a=\"\xb0\n\"} 1\n",
    "a 1\nb 1\na{x=\"y\"} 1\n", "# TYPE a gauge\n# TYPE a gauge\n")
{
    my $name = $bad =~ s/\n/\\n/gr;
    ok(!eval { text_series($bad); 1 }, "text is refused: $name");
}

$t->done();
