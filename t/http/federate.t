#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# /federate as Prometheus answers it: methods, parameters, selectors, what of a
# series is shown, and how.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../lib";

use Prom::Proto;
use Prom::Test;
use Prom::Text;
use Prom::Write;

my $t = Prom::Test->new();

$t->write_conf(<<'EOF');
%%GLOBALS%%
http {
    %%GLOBALS_HTTP%%
    prom_tsdb m {
        size 16m;
        lookback 4s;
        external_label zone ie;
        external_label Alpha ext;
    }
    prom_tsdb own { size 4m; external_label instance us; }
    prom_tsdb wide { size 4m; }
    prom_tsdb clash { size 4m; external_label e.f ext; }
    server {
        listen 127.0.0.1:8080;
        location /write { prom_remote_write m; }
        location /federate { prom_federate m; }
    }
    server {
        listen 127.0.0.1:8081;
        location /write { prom_remote_write own; }
        location /federate { prom_federate own; }
    }
    server {
        listen 127.0.0.1:8082;
        location /write { prom_remote_write wide; }
        location /federate { prom_federate wide; }
    }
    server {
        listen 127.0.0.1:8083;
        location /write { prom_remote_write clash; }
        location /federate { prom_federate clash; }
    }
}
EOF

$t->start();

my $port = $t->port(8082);
my $now = now_ms();
my $type = 'text/plain; version=0.0.4; charset=utf-8; escaping=';


sub get {
    my ($query, @headers) = @_;

    return http_get($port, "/federate$query", @headers);
}


sub is_error {
    my ($r, $status, $body, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is("$r->{status} $r->{body}", "$status $body\n", $name);
    is($r->{headers}{'content-type'}, 'text/plain; charset=utf-8',
        "$name: type");
    is($r->{headers}{'x-content-type-options'}, 'nosniff', "$name: nosniff");
}


# an empty store

my $r = get('?match[]={a!="x"}');

is("$r->{status} $r->{body}", '200 ', 'an empty store');
is($r->{headers}{'content-type'}, $type . 'underscores', 'has a type');
is($r->{headers}{'content-length'}, 0, 'and a length');

# a set of series

my %set = (
    F1 => [ 'foo', { a => 1, job => 'x' } ], F2 => [ 'foo', { a => 2 } ],
    F3 => [ 'foo', { a => 3, instance => 'own' } ],
    F4 => [ 'foo', { b => 'b1' } ], F5 => [ 'foo', { b => 'b2' } ],
    F6 => [ 'foo', {} ],
    G => [ 'foobar', { zz => "multi\nline" } ],
    C => [ 'bar:baz_total', { a => 1 } ],
    B => [ 'Bar', { Abc => 'u', zone => 'z1' } ],
    S => [ 'sum', {} ],
    L => [ 'lv', { v => 'café' } ], L0 => [ 'lv', {} ],
    Q => [ 'lv', { v => 'quo"te' } ], K => [ 'lv', { v => 'back\\slash' } ],
    D1 => [ 'my.name', { 'a.b' => 'x', c => 'y' } ], D2 => [ 'my.name', {} ],
    P => [ 'plain', { 'dot.ted' => 'q' } ],
    H => [ '花火', {} ],
);

my %value;
my @series;

for my $id (sort keys %set) {
    my ($name, $labels) = @{ $set{$id} };

    $value{@series + 1} = $id;
    push @series, series($name, { instance => 'T', job => 't', %$labels },
        [ @series + 1, $now ]);
}

is(send_v1($port, \@series)->{status}, 204, 'the set is written');

my $all = federate_text($port, '{x!="y"}');

# methods

is(get('?match[]=foo')->{status}, 200, 'GET');

$r = Prom::HTTP->new($port)->request('HEAD', '/federate?match[]=foo');
is("$r->{status} $r->{body}", '200 ', 'HEAD');
is($r->{headers}{'content-type'}, $type . 'underscores', 'HEAD: type');

$r = http_post($port, '/federate?match[]=sum', 'match%5B%5D=foo&match[]=lv',
    'Content-Type' => 'application/x-www-form-urlencoded');
is($r->{status}, 200, 'POST');
is_deeply([ sort keys %{ text_parse($r->{body})->{types} } ],
    [ 'foo', 'lv', 'sum' ], 'POST: selectors of the form and of the query');
is(http_post($port, '/federate?match[]=sum', undef)->{body} =~ /^sum/m, 1,
    'POST without a body');

$r = Prom::HTTP->new($port)->request('POST', '/federate', [ 'Content-Type' =>
    'application/x-www-form-urlencoded; charset=utf-8', Connection => 'close' ],
    [ 'mat', \0.02, 'ch[]=s', \0.02, 'um' ], chunked => 1);
is($r->{body} =~ /^sum/m, 1, 'POST in chunks');

is_error(http_post($port, '/federate', 'match[]=%zz',
    'Content-Type' => 'application/x-www-form-urlencoded'), 400,
    'error parsing form values: invalid URL escape "%zz"', 'POST: bad form');
is(http_post($port, '/federate', 'match[]=sum')->{status}, 415,
    'POST: no form');
is(http_post($port, '/federate', 'x' x 1100000,
    'Content-Type' => 'application/x-www-form-urlencoded')->{status}, 413,
    'POST: too large');

for my $method ('PUT', 'DELETE', 'PATCH') {
    $r = Prom::HTTP->new($port)->request($method, '/federate?match[]=foo', []);
    is_error($r, 405, 'Method Not Allowed', $method);
    is($r->{headers}{allow}, 'GET, HEAD, POST, OPTIONS', "$method: Allow");
}

$r = Prom::HTTP->new($port)->request('OPTIONS', '/federate', []);
is("$r->{status} $r->{body}", '200 ', 'OPTIONS');
is($r->{headers}{allow}, 'GET, HEAD, POST, OPTIONS', 'OPTIONS: Allow');

$r = Prom::HTTP->new($port)->request('GET', '/federate?match[]=sum',
    [ Connection => 'close' ], 'match[]=foo');
is(join(' ', sort keys %{ text_parse($r->{body})->{types} }), 'sum',
    'the body of a GET is ignored');

# parameters

my $sum = get('?match[]=sum')->{body};

for my $query ('?match%5B%5D=sum', '?match%5b%5d=%73um', '?&&match[]=sum&',
    '?match[]=+sum+', '?time=5&match[]=sum&limit=1&timeout=x',
    '?match[]=sum&match[]=sum', '?match[]=sum&match=foo&match[0]=foo',
    '?MATCH[]=foo&match[]=sum', '?match[]=su%6D#foo')
{
    is(get($query)->{body}, $sum, "query $query");
}

for my $query ('', '?', '?match=foo', '?match[0]=foo', '?time=1', '?Match[]=x')
{
    $r = get($query);
    is("$r->{status} $r->{body}", '200 ', "no selector: '$query'");
    is($r->{headers}{'content-length'}, 0, "no selector: '$query': length");
}

is(get('?match[]=' . '%20' x 1000 . 'sum')->{body}, $sum, 'many blanks');

for my $case (
    [ '?match[]=', 'unknown position: parse error: unexpected end of input' ],
    [ '?match[]', 'unknown position: parse error: unexpected end of input' ],
    [ '?match[]=sum&match[]=', 'unknown position: parse error: unexpected end '
        . 'of input' ],
    [ '?match[]=sum&x=%zz',
        'error parsing form values: invalid URL escape "%zz"' ],
    [ '?match[]=sum&%z=1',
        'error parsing form values: invalid URL escape "%z"' ],
    [ '?match[]=sum%', 'error parsing form values: invalid URL escape "%"' ],
    [ '?match[]=sum%5', 'error parsing form values: invalid URL escape "%5"' ],
    [ '?match[]=sum;x=1',
        'error parsing form values: invalid semicolon separator in query' ],
    [ '?match[]=foo{&match[]=bar}', '1:5: parse error: unexpected end of input '
        . 'inside braces' ],
    [ '?match[]=sum&match[]=(&match[]=)', '1:1: parse error: unexpected "("' ])
{
    my ($query, $text) = @$case;

    is_error(get($query), 400, $text, "bad query $query");
}

for my $case ([ 9999, 200 ], [ 10000, 400 ]) {
    my ($n, $status) = @$case;

    $r = http_post($port, '/federate', 'match[]=sum' . '&' x $n,
        'Content-Type' => 'application/x-www-form-urlencoded');
    is($r->{status}, $status, "$n separators");
}

is($r->{body}, 'error parsing form values: number of URL query parameters '
    . "exceeded limit\n", 'too many parameters');

# union: each series once, order of parameters without effect

my $union = get('?match[]=foo&match[]=sum&match[]={a="1"}')->{body};

is(get('?match[]={a="1"}&match[]=sum&match[]=foo&match[]=foo')->{body}, $union,
    'the order of selectors has no effect');
is(join(' ', sort map { $value{$_->{value}} }
    @{ text_parse($union)->{series} }), 'C F1 F2 F3 F4 F5 F6 S',
    'each series once');

# order and form

is_deeply([ $all =~ /^# TYPE (\S+) untyped$/mg ], [ 'Bar', 'bar:baz_total',
    'foo', 'foobar', 'lv', '"my.name"', 'plain', 'sum', '"花火"' ],
    'families by name, bytewise, once each');
is(scalar(() = $all =~ /^#/mg), 9, 'no other comments');
unlike($all, qr/# EOF/, 'no EOF');

# selectors that match

my @foo = qw(F1 F2 F3 F4 F5 F6);

for my $case (
    [ [ @foo ], 'foo', 'foo{}', ' foo ', 'foo#', "# c\nfoo", 'foo # c',
        "\tfoo\r\n", 'foo{nope=""}', 'foo{nope!="x"}', 'foo{a=~".*"}',
        'foo{a=~".?"}', 'foo{"foo"}' ],
    [ [ 'F1' ], 'foo{a="1",}', "foo{a='1'}", 'foo{a=`1`}',
        'foo { a = "1" , job = "x" }', "foo{a=\"1\" # c\n}",
        'foo{a=~"1|2",a!="2"}', 'foo{a=~"^1$"}', 'foo{a=~"\\\\Q1\\\\E"}',
        'foo{a=~"(?i:1)"}', '{"foo","a"="1"}', '{a="1","foo"}',
        "{'foo',a=\"1\"}" ],
    [ [ qw(F4 F5 F6) ], 'foo{a=""}', 'foo{a=~""}', 'foo{a!~".+"}',
        'foo{a=~"^$"}', 'foo{a=~"()"}' ],
    [ [ qw(F1 F2 F3) ], 'foo{a!=""}', 'foo{a=~".+"}', 'foo{a!~""}' ],
    [ [], 'foo{nope!=""}', 'foo{a!~".*"}', 'foo{a="1",a="2"}',
        'foo{__name__="bar"}', '{}', 'SUM', '{zone="ie"}',
        'foobar{zz=~"(?-s)multi.line"}', 'foobar{zz=~"multi"}',
        'foobar{zz=~"multi$.line"}', '{"foo","foobar"}', '{""}',
        'foo{"\\xff"="1"}', 'foo{on="1"}', 'foo{bool="1",inf="2"}', 'by',
        'and{a="1"}', '::a' ],
    [ [ qw(F1 F4 F5 F6) ], 'foo{a=~"1|"}', 'foo{a=~"|1"}', 'foo{a=~"(|1)"}' ],
    [ [ qw(F1 F2) ], 'foo{a=~"^1|2$"}', 'foo{a=~"[12]"}' ],
    [ [ @foo, 'G' ], '{__name__=~"foo.*"}' ],
    [ [ 'C' ], 'bar:baz_total', '{__name__=~"bar:.*"}' ],
    [ [ 'S' ], 'sum', 'sum{}' ],
    [ [ 'B' ], '{zone="z1"}' ],
    [ [ 'G' ], 'foobar{zz="multi\\nline"}', "foobar{zz=`multi\nline`}",
        'foobar{zz=~"multi\\\\sline"}', 'foobar{zz=~"multi.line"}',
        'foobar{zz=~"(?m)multi$\\\\n^line"}' ],
    [ [ 'L' ], 'lv{v="caf\\u00e9"}', 'lv{v="caf\\xc3\\xa9"}', 'lv{v=~"caf."}',
        'lv{v=~"(?i)CAFÉ"}', 'lv{v=~"caf\\\\x{e9}"}' ],
    [ [ 'Q' ], 'lv{v="quo\\"te"}', "lv{v='quo\"te'}" ],
    [ [ 'K' ], 'lv{v="back\\\\slash"}', 'lv{v=`back\\slash`}' ],
    [ [ qw(D1 D2) ], '{"my.name"}', '{"my.name",}', '{__name__="my.name"}',
        '{"my\\x2ename"}' ],
    [ [ 'D1' ], '{"my.name","a.b"=~"x|y"}', '{"a.b"="x"}' ],
    [ [ 'P' ], 'plain{"dot.ted"="q"}' ],
    [ [ 'H' ], '{"花火"}', '{"\\u82b1\\u706b"}' ],
    [ [ sort keys %set ], '{a!="x"}', '{a=~".*"}', '{nope=""}' ])
{
    my ($expected, @selectors) = @$case;

    for my $selector (@selectors) {
        my $name = $selector =~ s/\n/\\n/gr;
        my @found = map { $value{$_->[0]} } values %{ federate($port,
            $selector) };

        is(join(' ', sort @found), join(' ', sort @$expected),
            "selector $name");
    }
}

# selectors that are no selectors

for my $case (
    [ 'foo{a="1"', '1:10: unexpected end of input inside braces' ],
    [ 'foo{,}', '1:5: unexpected "," in label matching, expected identifier '
        . 'or "}"' ],
    [ 'foo{a="1" job="x"}', '1:11: unexpected identifier "job" in label '
        . 'matching, expected "," or "}"' ],
    [ 'foo{a=b}', '1:7: unexpected identifier "b" in label matching, expected '
        . 'string' ],
    [ 'foo{a}', '1:6: unexpected "}" in label matching, expected label '
        . 'matching operator' ],
    [ 'foo{a:b="c"}', "1:6: unexpected character inside braces: ':'" ],
    [ 'foo[5m]', '1:4: unexpected "["' ],
    [ 'foo offset 5m', '1:5: unexpected <offset>' ],
    [ '(foo)', '1:1: unexpected "("' ], [ '-foo', '1:1: unexpected <op:->' ],
    [ 'foo.bar', "1:4: unexpected character: '.'" ],
    [ "foo#x\nbar", '2:1: unexpected identifier "bar"' ],
    [ 'on', '1:1: unexpected <on>' ],
    [ 'inf', '1:1: unexpected number "inf"' ],
    [ '"foo"', '1:1: unexpected string "\\"foo\\""' ],
    [ 'lv{v="\\q"}', "1:6: unknown escape sequence U+0071 'q'" ],
    [ 'lv{v="\\\'"}', "1:6: unknown escape sequence U+0027 '''" ],
    [ 'lv{v="\\uD800"}', '1:6: escape sequence is an invalid Unicode code '
        . 'point' ],
    [ 'lv{v="\\400"}', '1:6: escape sequence is an invalid Unicode code point'
        ],
    [ "lv{v=\"\xef\xbf\xbd\"}", '1:6: invalid UTF-8 rune' ],
    [ "lv{v=\"\xff\"}", '1:6: invalid UTF-8 rune' ],
    [ 'foo{a=~"("}', '1:5: error parsing regexp: missing closing ): `(`' ],
    [ 'foo{a=~"a{1001}"}', '1:5: error parsing regexp: invalid repeat count: '
        . '`{1001}`' ],
    [ 'foo{a=~"(?=x)"}', '1:5: error parsing regexp: invalid or unsupported '
        . 'Perl syntax: `(?=`' ],
    [ 'foo{a=~"a**"}', '1:5: error parsing regexp: invalid nested repetition '
        . 'operator: `**`' ],
    [ 'foo{a=~"\\\\Z"}', '1:5: error parsing regexp: invalid escape sequence: '
        . '`\\Z`' ])
{
    my ($selector, $text) = @$case;
    my $name = $selector =~ s/\n/\\n/gr;

    $text =~ s/^(\d+:\d+): /$1: parse error: /;
    is_error(get('?' . query($selector)), 400, $text, "no selector: $name");
    is_error(get('?' . query($selector), Accept =>
        'application/vnd.google.protobuf;proto=io.prometheus.client.'
        . 'MetricFamily;encoding=delimited'), 400, $text,
        "no selector: $name, for who wants protobuf") if $name eq 'on';
}

# Content-Type and escaping by Accept

my $p = 'application/vnd.google.protobuf;proto=io.prometheus.client.'
    . 'MetricFamily';

for my $case (
    [ undef, 'underscores' ], [ '', 'underscores' ], [ '*/*', 'underscores' ],
    [ 'text/html', 'underscores' ],
    [ 'application/openmetrics-text;version=1.0.0', 'underscores' ],
    [ "$p;encoding=bogus", 'underscores' ],
    [ 'text/plain;version=1.0.0;escaping=allow-utf-8', 'allow-utf-8' ],
    [ 'application/openmetrics-text;version=1.0.0;escaping=values,'
        . 'text/plain;version=0.0.4;q=0.5', 'values' ],
    [ 'application/openmetrics-text;version=1.0.0;escaping=values;q=0.2,'
        . 'text/plain;version=0.0.4;q=0.5', 'underscores' ],
    [ 'text/plain;escaping=bogus', 'underscores' ],
    [ 'text/plain;escaping=DOTS', 'underscores' ],
    [ 'text/plain;escaping=dots;escaping=values', 'values' ],
    [ 'text/plain;version="0.0.4";escaping=dots', 'dots' ],
    [ 'text/html;escaping=values;q=0.9,text/plain;q=0.5', 'values' ],
    [ 'text/plain;q=0.9,text/html;escaping=values;q=0.5', 'underscores' ],
    [ 'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,'
        . 'application/openmetrics-text;version=0.0.1;q=0.5,'
        . 'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,'
        . 'text/plain;version=0.0.4;q=0.3,*/*;q=0.2', 'allow-utf-8' ])
{
    my ($accept, $escaping) = @$case;
    my $name = defined $accept ? "Accept: $accept" : 'no Accept';

    $r = get('?match[]=sum', defined $accept ? (Accept => $accept) : ());
    is($r->{headers}{'content-type'}, "$type$escaping", $name);
}

$r = get('?match[]=sum', Accept => 'text/plain;escaping=dots',
    Accept => 'text/plain;escaping=values');
is($r->{headers}{'content-type'}, "${type}dots", 'only the first Accept');

for my $case (
    [ 'underscores', 'my_name', 'a_b', '__' ],
    [ 'dots', 'my_dot_name', 'a_dot_b', '____' ],
    [ 'values', 'U__my_2e_name', 'U__a_2e_b', 'U___82b1__706b_' ])
{
    my ($escaping, $name, $label, $fire) = @$case;

    my $text = get('?' . query('{"my.name"}', '{"花火"}'),
        Accept => "text/plain;escaping=$escaping")->{body};

    is(join("\n", sort grep { s/ \d+ $now$// || /^#/ } split /\n/, $text),
        join("\n", sort "# TYPE $name untyped", "# TYPE $fire untyped",
        "$name\{instance=\"T\",job=\"t\"}",
        "$name\{$label=\"x\",c=\"y\",instance=\"T\",job=\"t\"}",
        "$fire\{instance=\"T\",job=\"t\"}"), "names: $escaping");
}

# names that escaping would make one

my $clash = $t->port(8083);

is(send_v1($clash, [
    series('c1', { 'a.b' => 1, a_b => 2, 'a b' => 3, z => 4 }, [ 1, $now ]),
    series('c2', { 'a.b' => 1, 'a b' => 3, 'é' => 'x="' }, [ 2, $now ]),
    series('c3', { 'e.f' => 'own', 'U__a_2e_b' => 5, 'a.b' => 6 },
        [ 3, $now ]),
    series('c4', { e_f => 'own', 'a:b' => 1 }, [ 4, $now ]),
])->{status}, 204, 'names that are alike');

for my $case (
    [ 'underscores', 'c1{a_b="2",z="4",e_f="ext",instance=""}',
        'c2{a_b="3",_="x=\"",e_f="ext",instance=""}',
        'c3{U__a_2e_b="5",a_b="6",e_f="own",instance=""}',
        'c4{a_b="1",e_f="own",instance=""}' ],
    [ 'values', 'c1{U__a_20_b="3",U__a_2e_b="1",a_b="2",z="4",'
        . 'U__e_2e_f="ext",instance=""}',
        'c2{U__a_20_b="3",U__a_2e_b="1",U___e9_="x=\"",U__e_2e_f="ext",'
        . 'instance=""}',
        'c3{U__a_2e_b="5",U__e_2e_f="own",instance=""}',
        'c4{U__a_3a_b="1",e_f="own",U__e_2e_f="ext",instance=""}' ],
    [ 'allow-utf-8', 'c1{"a b"="3","a.b"="1",a_b="2",z="4","e.f"="ext",'
        . 'instance=""}',
        'c2{"a b"="3","a.b"="1","é"="x=\"","e.f"="ext",instance=""}',
        'c3{U__a_2e_b="5","a.b"="6","e.f"="own",instance=""}',
        'c4{"a:b"="1",e_f="own","e.f"="ext",instance=""}' ])
{
    my ($escaping, @expected) = @$case;
    my $text = http_get($clash, '/federate?match[]={n!="x"}',
        Accept => "text/plain;escaping=$escaping")->{body};

    is(join("\n", sort keys %{ text_series($text) }), join("\n",
        sort @expected), "no name twice: $escaping");
}

# metric names that escaping makes one have one TYPE line

is(send_v1($clash, [
    map { series($_, { alike => 1, from => $_ }, [ 1, $now ]) }
        'same.name', 'same_name', 'same~name', 'other'
])->{status}, 204, 'metric names that are alike');

my $alike = http_get($clash, '/federate?match[]={alike="1"}',
    Accept => 'text/plain;escaping=underscores')->{body};

is(join("\n", grep { /^#/ } split /\n/, $alike),
    "# TYPE other untyped\n# TYPE same_name untyped",
    'one TYPE line for names that are printed alike');
is(scalar(() = $alike =~ /^same_name\{/mg), 3, 'and all their series');

like($all, qr/^\{"my\.name","a\.b"="x",c="y",instance="T",job="t"\} \d+ $now$/m,
    'names: allow-utf-8');
like($all, qr/^\{"花火",instance="T",job="t"\} \d+ $now$/m,
    'names: allow-utf-8, without labels of its own');
like($all, qr/^foobar\{instance="T",job="t",zz="multi\\nline"\} /m,
    'a newline in a value');
like($all, qr/^lv\{instance="T",job="t",v="quo\\"te"\} /m, 'a quote');
like($all, qr/^lv\{instance="T",job="t",v="back\\\\slash"\} /m, 'a backslash');

# floats

my @floats = (
    [ -0.0, '0' ], [ 100000, '100000' ], [ 999999, '999999' ],
    [ 1000000, '1e+06' ], [ 1234567, '1.234567e+06' ],
    [ 12345678.9, '1.23456789e+07' ], [ 123456.7, '123456.7' ],
    [ 999999.5, '999999.5' ], [ 1e21, '1e+21' ], [ 0.0001, '0.0001' ],
    [ 0.00001, '1e-05' ], [ 0.000123, '0.000123' ], [ 1e-7, '1e-07' ],
    [ 1e100, '1e+100' ], [ 5e-324, '5e-324' ],
    [ 0.1 + 0.2, '0.30000000000000004' ],
    [ 1.7976931348623157e308, '1.7976931348623157e+308' ],
    [ 2 ** 24, '1.6777216e+07' ], [ 2 ** 53 + 1, '9.007199254740992e+15' ],
    [ 33.333333333333336, '33.333333333333336' ],
    [ 2 ** -44, '5.684341886080802e-14' ], [ '+Inf', '+Inf' ],
    [ '-Inf', '-Inf' ], [ 'NaN', 'NaN' ], [ 299792458, '2.99792458e+08' ],
    [ -1234567, '-1.234567e+06' ],
);

is(send_v1($port, [ map { series('float', { n => $_ },
    [ $floats[$_][0], $now ]) } 0 .. $#floats ])->{status}, 204, 'floats');

my $found = federate($port, 'float');

for my $i (0 .. $#floats) {
    is($found->{"float{n=\"$i\",instance=\"\"}"}[0], $floats[$i][1],
        "float $floats[$i][1]");
}

# external labels

my $us = $t->port(8081);
my $m = $t->port(8080);

is(send_v1($_, [ series('a', { b => 'c' }, [ 1, $now ]),
    series('a', { instance => 'own' }, [ 2, $now ]),
    series('a', { job => 't', zone => 'z1', Alpha => 'A' }, [ 3, $now ]) ])
    ->{status}, 204, 'series with and without these labels') for $us, $m;

is(get('?match[]=a')->{body}, '', 'another store has none of them');

is(join("\n", $now, sort keys %{ federate($us, 'a') }), join("\n", $now,
    'a{Alpha="A",job="t",zone="z1",instance="us"}', 'a{b="c",instance="us"}',
    'a{instance="own"}'), 'a configured instance');
is(join("\n", sort keys %{ federate($m, 'a') }), join("\n",
    'a{Alpha="A",job="t",zone="z1",instance=""}',
    'a{b="c",Alpha="ext",instance="",zone="ie"}',
    'a{instance="own",Alpha="ext",zone="ie"}'),
    'external labels stand at the end, where the series lacks them');
is(join(' ', federate_text($m, '{zone="ie"}'), federate_text($m,
    '{instance=""}') =~ /^a/mg), ' a a', 'selectors do not see them');

# which sample: the window of four seconds, both its ends, and the future

$now = now_ms();

is(send_v1($m, [
    series('w_old', {}, [ 1, $now - 60000 ]),
    series('w_in', {}, [ 1, $now - 60000 ], [ 2, $now - 500 ]),
    series('w_future', {}, [ 1, $now - 500 ], [ 2, $now + 60000 ],
        [ 3, $now + 120000 ]),
    series('w_only_future', {}, [ 1, $now + 60000 ]),
    series('w_old_and_future', {}, [ 1, $now - 60000 ], [ 2, $now + 60000 ]),
    series('w_stale', {}, [ 1, $now - 500 ], [ STALE, $now - 400 ]),
    series('w_stale_past', {}, [ STALE, $now - 500 ], [ 1, $now - 400 ]),
    series('w_stale_future', {}, [ 1, $now - 500 ], [ STALE, $now + 60000 ]),
    series('w_before_stale_future', {}, [ STALE, $now - 500 ],
        [ 1, $now + 60000 ]),
    series('w_nan', {}, [ 'NaN', $now - 500 ]),
])->{status}, 204, 'samples in and around the window');

is_deeply({ map { $_ =~ s/\{.*//r => $_[0] } keys %{ federate($m,
    '{__name__=~"w_.*"}') } }, { map { $_ => $_[0] } qw(w_in w_future
    w_stale_past w_stale_future w_nan) }, 'the series that show')
    or diag(federate_text($m, '{__name__=~"w_.*"}'));
is(federate($m, 'w_future')->{'w_future{Alpha="ext",instance="",zone="ie"}'}[1],
    $now - 500, 'the newest that is not in the future');

# the ends of the window, to the millisecond as far as the clock tells: a
# sample whose age is certainly less than four seconds shows, one whose age is
# certainly more does not

my ($shown, $wrong) = (0, 0);
my $sent = now_ms();

send_v1($m, [ map { series('edge', { n => $_ }, [ 1, $sent - $_ ]) }
    map { 3800 + 5 * $_ } 0 .. 60 ]);

for (1 .. 20) {
    my $from = now_ms();
    my $edge = federate($m, 'edge');
    my $to = now_ms();

    for my $n (map { 3800 + 5 * $_ } 0 .. 60) {
        my $has = exists
            $edge->{"edge{n=\"$n\",Alpha=\"ext\",instance=\"\",zone=\"ie\"}"};

        $shown += $has;
        $wrong++ if $has && $from - $sent + $n > 4010;
        $wrong++ if !$has && $to - $sent + $n <= 4000;
    }
}

cmp_ok($shown, '>', 0, 'some samples are within the window');
is($wrong, 0, 'none that should not be');

# conditions on an answer mean nothing

$r = get('?match[]=sum', 'If-None-Match' => '*', 'If-Modified-Since' =>
    'Fri, 01 Jan 2100 00:00:00 GMT', Range => 'bytes=0-3');
is("$r->{status} $r->{body}", "200 $sum", 'conditions and ranges are ignored');

# a client may keep the connection

my $c = Prom::HTTP->new($port);

for my $query ('?match[]=sum', '?match[]=(', '?match[]=sum', '', '?%zz',
    '?match[]=none', '?match[]=sum')
{
    $r = $c->request('GET', "/federate$query", []);
    is($r->{headers}{connection}, 'keep-alive', "'$query' and on");
}

$t->done();
