#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# What the write location looks at before it looks into a body: method,
# Content-Type, Content-Encoding, and how it says no.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../lib";

use Prom::Proto;
use Prom::Test;
use Prom::Write;

my $t = Prom::Test->new();

$t->write_conf(<<'EOF');
%%GLOBALS%%
http {
    %%GLOBALS_HTTP%%
    prom_tsdb m { size 8m; }
    server {
        listen 127.0.0.1:8080;
        location /write { prom_remote_write m; }
        location /federate { prom_federate m; }
    }
}
EOF

$t->start();

my $port = $t->port(8080);
my $now = now_ms();
my $written = 0;

my $type = 'application/x-protobuf';
my $v1 = "$type;proto=prometheus.WriteRequest";
my $v2 = "$type;proto=io.prometheus.write.v2.Request";


# A body of its own for each attempt, so that what was written is seen.

sub body {
    my ($version) = @_;

    my @series = series('n' . ++$written, {}, [ 1, $now ]);

    return snappy($version == 2 ? write_v2(\@series) : write_v1(\@series));
}


sub stored {
    return exists federate($port, "n$written")->{"n$written\{instance=\"\"}"};
}


sub is_error {
    my ($r, $status, $text, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($r->{status}, $status, "$name: status");
    if (ref $text) {
        like($r->{body}, $text, "$name: text");
        like($r->{body}, qr/[^\n]\n\z/, "$name: ends in a newline");

    } else {
        is($r->{body}, "$text\n", "$name: text");
    }

    is($r->{headers}{'content-type'}, 'text/plain; charset=utf-8',
        "$name: type");
    is($r->{headers}{'x-content-type-options'}, 'nosniff', "$name: nosniff");
    is($r->{headers}{'content-length'}, length $r->{body}, "$name: length");
}


# methods

for my $method ('GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'PROPFIND', 'FOO') {
    my $r = Prom::HTTP->new($port)->request($method, '/write',
        [ write_headers(1) ], body(1));

    is($r->{status}, 405, "$method: status");
    is($r->{headers}{allow}, 'POST, OPTIONS', "$method: Allow");
    is($r->{body}, $method eq 'HEAD' ? '' : "Method Not Allowed\n",
        "$method: body");
    ok(!stored(), "$method: nothing written");
}

my $r = Prom::HTTP->new($port)->request('OPTIONS', '/write', []);

is($r->{status}, 204, 'OPTIONS: status');
is($r->{headers}{allow}, 'POST, OPTIONS', 'OPTIONS: Allow');

# what a good answer looks like

$r = http_post($port, '/write', body(1), write_headers(1));

is($r->{status}, 204, '1.0: status');
is($r->{body}, '', '1.0: no body');
is(counts($r), '', '1.0: no counts');
is($r->{headers}{'content-type'}, undef, '1.0: no type');
ok(stored(), '1.0: stored');

$r = http_post($port, '/write', body(2), write_headers(2));

is($r->{status}, 204, '2.0: status');
is($r->{body}, '', '2.0: no body');
is(counts($r), '1/0/0', '2.0: counts');
ok(stored(), '2.0: stored');

# Content-Type: the version, or 0 for a 415

my @types = (
    [ undef, 1 ], [ '', 1 ], [ $type, 1 ], [ $v1, 1 ], [ $v2, 2 ],
    [ "  $v2\t ", 2 ],
    [ "$type; proto=prometheus.WriteRequest", 1 ],
    [ "$type; proto=io.prometheus.write.v2.Request", 2 ],
    [ "$type ; proto=io.prometheus.write.v2.Request", 2 ],
    [ "$type\t;\tproto = io.prometheus.write.v2.Request", 2 ],
    [ "$type;Proto=io.prometheus.write.v2.Request", 2 ],
    [ "$type;PROTO=\"io.prometheus.write.v2.Request\"", 2 ],
    [ "$type;proto=\"prometheus.WriteRequest\"", 1 ],
    [ 'APPLICATION/X-Protobuf;proto=io.prometheus.write.v2.Request', 2 ],
    [ "$type;charset=utf-8", 1 ],
    [ "$type;charset=utf-8;proto=io.prometheus.write.v2.Request", 2 ],
    [ "$type;a=\";proto=x\";proto=io.prometheus.write.v2.Request", 2 ],
    [ "$v2;charset=utf-8", 2 ],
    [ "$type;proto=", 0 ],
    [ "$type;proto=\"\"", 0 ],
    [ "$type;proto=prometheus.writerequest", 0 ],
    [ "$type;proto=io.prometheus.write.v2.request", 0 ],
    [ "$type;proto=io.prometheus.write.v3.Request", 0 ],
    [ "$type;proto=io.prometheus.write.v2.Request2", 0 ],
    [ "$type;proto=io.prometheus.write.v2.Requests;proto=prometheus", 0 ],
    [ "$type;", 0 ], [ "$type;a", 0 ], [ "$type;a=b=c", 0 ],
    [ "$type;;proto=io.prometheus.write.v2.Request", 0 ],
    [ "$type;=io.prometheus.write.v2.Request", 0 ],
    [ "$type;proto=\"io.prometheus.write.v2.Request", 0 ],
    [ 'application/json', 0 ], [ 'image/png', 0 ], [ 'text/plain', 0 ],
    [ 'application/x-protobufs', 0 ], [ 'application/x-protobu', 0 ],
    [ 'application/protobuf', 0 ], [ 'x', 0 ], [ ';', 0 ], [ '*/*', 0 ],
    [ "$type,$v2", 0 ],
    [ "application/x-www-form-urlencoded", 0 ],
    [ 'application/vnd.google.protobuf', 0 ],
);

for my $case (@types) {
    my ($value, $version) = @$case;
    my $name = defined $value ? "type '$value'" : 'no type';
    my @headers = defined $value ? ('Content-Type' => $value) : ();

    $r = http_post($port, '/write', body($version || 2), @headers);

    if ($version == 0) {
        is_error($r, 415, qr/content.type/i, $name);
        is(counts($r), '', "$name: no counts");
        ok(!stored(), "$name: nothing written");
        next;
    }

    is($r->{status}, 204, "$name: status") or diag($r->{raw});
    is(counts($r), $version == 2 ? '1/0/0' : '', "$name: version $version");
    ok(stored(), "$name: stored");
}

is_error(http_post($port, '/write', body(1), 'Content-Type' => 'image/png'),
    415, 'expected application/x-protobuf as the first (media) part, got '
    . 'image/png content-type', 'the words of Prometheus: type');
is_error(http_post($port, '/write', body(1), 'Content-Type' => "$type;proto=x"),
    415, "got $type;proto=x content type; unknown remote write protobuf "
    . 'message x, supported: prometheus.WriteRequest, '
    . 'io.prometheus.write.v2.Request',
    'the words of Prometheus: message');

# a header is echoed, but not without bound

$r = http_post($port, '/write', body(1), 'Content-Type' => 'x' x 4000);
is_error($r, 415, qr/x{100}/, 'long type');
cmp_ok(length $r->{body}, '<', 1000, 'is cut');

# Content-Encoding

for my $case ([ undef, 1 ], [ '', 1 ], [ 'snappy', 1 ], [ ' snappy ', 1 ],
    [ 'Snappy', 1 ], [ 'SNAPPY', 1 ], [ 'gzip', 0 ], [ 'deflate', 0 ],
    [ 'zstd', 0 ], [ 'identity', 0 ], [ 'snappy, gzip', 0 ],
    [ 'gzip, snappy', 0 ], [ 'snappy,snappy', 0 ], [ 'snappyx', 0 ],
    [ 'snapp', 0 ], [ 'x-snappy-framed', 0 ])
{
    my ($value, $good) = @$case;
    my $name = defined $value ? "encoding '$value'" : 'no encoding';
    my @headers = defined $value ? ('Content-Encoding' => $value) : ();

    $r = http_post($port, '/write', body(1), 'Content-Type' => $type,
        @headers);

    if (!$good) {
        is_error($r, 415, "$value encoding (compression) is not accepted by "
            . 'this server; only snappy is acceptable', $name);
        ok(!stored(), "$name: nothing written");
        next;
    }

    is($r->{status}, 204, "$name: status");
    ok(stored(), "$name: stored");
}

$r = http_post($port, '/write', body(1), 'Content-Encoding' => 'snappy',
    'Content-Encoding' => 'gzip');
is_error($r, 415, qr/encoding/, 'two encodings');
ok(!stored(), 'two encodings: nothing written');

# the order of the checks

like(http_post($port, '/write', '0broken', 'Content-Type' => 'image/png',
    'Content-Encoding' => 'gzip')->{body}, qr/content-type/,
    'type before encoding');
is(http_post($port, '/write', '0broken', 'Content-Type' => $type,
    'Content-Encoding' => 'gzip')->{status}, 415, 'encoding before body');
is(http_post($port, '/write', '0broken', 'Content-Type' => 'image/png')
    ->{status}, 415, 'type before body');
is(Prom::HTTP->new($port)->request('PUT', '/write',
    [ 'Content-Type' => 'image/png' ], 'x')->{status}, 405,
    'method before type');

# bodies that are none

for my $version (1, 2) {
    is_error(send_body($port, $version, ''), 400, 'snappy: corrupt input',
        "$version.0: empty body");
    is_error(http_post($port, '/write', undef, write_headers($version)), 400,
        qr/^snappy: corrupt input$/, "$version.0: no body");
    is_error(Prom::HTTP->new($port)->request('POST', '/write',
        [ write_headers($version) ], '', chunked => 1), 400,
        qr/^snappy: corrupt input$/, "$version.0: empty chunked body");
    is_error(send_body($port, $version, 'broken'), 400,
        qr/^snappy: corrupt input$/, "$version.0: not snappy");

    $r = send_body($port, $version, "\0");
    is($r->{status}, 204, "$version.0: an empty block is an empty request");
    is(counts($r), $version == 2 ? '0/0/0' : '', "$version.0: its counts");

    # a known field of the wrong wire type

    is_error(send_body($port, $version, snappy("\x08\x01\x28\x01")), 400,
        qr/^cannot decode the body as /, "$version.0: not a request");
}

is(counts(send_body($port, 2, 'broken')), '', 'no counts before decoding');
is(counts(send_body($port, 2, snappy("\x28\x01"))), '0/0/0',
    'counts after it, errors too');
is(counts(send_body($port, 1, snappy("\x08\x01"))), '', 'never for 1.0');

# the other version's body is an empty request, unknown fields and no more

$r = http_post($port, '/write', body(1), write_headers(2));
is("$r->{status} " . counts($r), '204 0/0/0', 'a body of 1.0 sent as 2.0');
ok(!stored(), 'writes nothing');

# a connection goes on after an error, with a body that nobody read

my $c = Prom::HTTP->new($port);

for my $case (
    [ 405, 'PUT', [ write_headers(1) ], 'x' x 100000 ],
    [ 415, 'POST', [ 'Content-Type' => 'image/png' ], 'x' x 100000 ],
    [ 415, 'POST', [ 'Content-Encoding' => 'gzip' ], 'x' x 300000 ],
    [ 400, 'POST', [ write_headers(1) ], 'broken' ],
    [ 400, 'POST', [ write_headers(1) ], '' ],
    [ 400, 'POST', [ write_headers(2) ], snappy("\x28\x01") ],
    [ 405, 'GET', [], undef ],
    [ 204, 'OPTIONS', [], undef ])
{
    my ($status, $method, $headers, $body) = @$case;

    for my $chunked (defined $body ? (0, 1) : 0) {
        my $name = "$method $status" . ($chunked ? ', chunked' : '');

        $r = $c->request($method, '/write', [ @$headers ], $body,
            chunked => $chunked);
        is($r->{status}, $status, $name);
        is($r->{headers}{connection}, 'keep-alive', "$name: is kept alive");

        $r = $c->request('POST', '/write', [ write_headers(1) ], body(1));
        is($r->{status}, 204, "$name: and the next request is served");
        ok(stored(), "$name: and stored");
    }
}

# who waits for "100 Continue" is not made to send what is refused

$c = Prom::HTTP->new($port);
$c->send("POST /write HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\n"
    . "Content-Length: 100000\r\nExpect: 100-continue\r\n\r\n");
$r = $c->response();
is($r->{status}, 415, 'refused before it is sent');
unlike($r->{raw}, qr/100 Continue/, 'and not asked for');
$c->close();

$t->done();
