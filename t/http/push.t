#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# prom-push against a server of a few lines, which writes down what it gets
# and answers as the path says.  Bodies are opened by snappy and read by
# protoc: nothing here knows how prom-push makes them.

use warnings;
use strict;

use File::Temp qw/ tempdir /;
use FindBin;
use IO::Socket::INET;
use MIME::Base64 qw/ encode_base64 /;
use POSIX qw/ _exit WNOHANG /;
use Test::More;
use Time::HiRes qw/ time sleep /;

my $top = "$FindBin::Bin/../..";
my $push = $ENV{PROM_PUSH} || "$top/build/prom-push";
my ($snappy) = grep { -x } "$top/build/t/lib/snappy", "$top/build/t/snappy";

plan(skip_all => "no $push") unless -x $push;
plan(skip_all => 'no build/t/lib/snappy') unless defined $snappy;
plan(skip_all => 'no protoc') if system('protoc --version >/dev/null 2>&1');

delete @ENV{qw/ http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY
	ALL_PROXY /};

my $v2type = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';
my $written = 'X-Prometheus-Remote-Write-Samples-Written';

# what a path is answered with: status, headers, body

my %replies = (
	'/ok'		=> [204],
	'/200'		=> [200, '', "fine\n"],
	'/400'		=> [400, '', "out of order sample\nfor series x\n"],
	'/escape'	=> [400, '', "a\e[31mb\n"],
	'/404'		=> [404, '', "not here\n"],
	'/429'		=> [429, '', "slow down\n"],
	'/503'		=> [503, '', "full\n"],
	'/301'		=> [301, "Location: /ok\r\n", ''],
	'/count'	=> [204, "$written: 1000000\r\n"],
	'/2of3'		=> [400, "$written: 2\r\n", "one is bad\n"],
	'/none'		=> [400, "$written: 0\r\n", "all are bad\n"],
	'/less'		=> [204, "$written: 1\r\n"],
	'/junk'		=> [204, "$written: many\r\n"],
	'/case'		=> [204, lc($written) . ":  3  \r\n"],
);

my $dir = tempdir(CLEANUP => 1);
my ($port, $server) = start_server();
my $url = "http://127.0.0.1:$port";

###############################################################################

# version 1

my $text = <<'END';
# HELP requests_total All the \\ and "requests"\nof a day.
# TYPE requests_total counter
requests_total{method="post",code="200"} 1027 1395066363000
requests_total{method="post",code="400",}    3	1395066363000

#HELP
# HELPER requests_total no
# just a comment
requests_total { code = "200" , method = "post" } 1028 1395066364000
  up 1 1000
END

my $r = push_text($text, "$url/ok");

is($r->{status}, 0, 'v1 stored');
is($r->{err}, '', 'v1 no complaint');
is($r->{out}, "1 request: 4 samples stored, 0 refused, 0 failed\n",
	'v1 totals');
is(scalar @{$r->{requests}}, 1, 'v1 one request');

my $q = $r->{requests}[0];

is($q->{line}, 'POST /ok HTTP/1.1', 'v1 request line');
is($q->{h}{'content-encoding'}, 'snappy', 'v1 content encoding');
is($q->{h}{'content-type'}, 'application/x-protobuf', 'v1 content type');
is($q->{h}{'x-prometheus-remote-write-version'}, '0.1.0', 'v1 version');
like($q->{h}{'user-agent'}, qr!^prom-push/\d+\.\d+\.\d+$!, 'user agent');
is($q->{h}{'content-length'}, length($q->{body}), 'content length');
ok(!exists $q->{h}{expect}, 'no expect');
ok(!exists $q->{h}{authorization}, 'no authorization');

is_deeply(series($q), [
	'__name__=requests_total code=200 method=post:'
		. ' 1027@1395066363000 1028@1395066364000',
	'__name__=requests_total code=400 method=post: 3@1395066363000',
	'__name__=up: 1@1000',
], 'v1 series');

is_deeply(metadata($q), [
	"requests_total COUNTER [All the \\ and \"requests\"\nof a day.] []",
], 'v1 metadata');

is_deeply(metadata(push_text($text, '--no-metadata', "$url/ok")), [],
	'v1 no metadata');

# version 2

$r = push_text($text, '--v2', "$url/count");

is($r->{status}, 0, 'v2 stored');
is($r->{out}, "1 request: 4 samples stored, 0 refused, 0 failed\n",
	'v2 totals');

$q = $r->{requests}[0];

is($q->{h}{'content-encoding'}, 'snappy', 'v2 content encoding');
is($q->{h}{'content-type'}, $v2type, 'v2 content type');
is($q->{h}{'x-prometheus-remote-write-version'}, '2.0.0', 'v2 version');

is_deeply(series($q), [
	'__name__=requests_total code=200 method=post:'
		. ' 1027@1395066363000 1028@1395066364000',
	'__name__=requests_total code=400 method=post: 3@1395066363000',
	'__name__=up: 1@1000',
], 'v2 series');

is_deeply(metadata($q), [
	"requests_total COUNTER [All the \\ and \"requests\"\nof a day.] []",
	"requests_total COUNTER [All the \\ and \"requests\"\nof a day.] []",
	'up UNSPECIFIED [] []',
], 'v2 metadata');

my $symbols = decode($q)->{symbols};
my %seen;

is($symbols->[0], '', 'v2 first symbol');
is(scalar(grep { $seen{$_}++ } @$symbols), 0, 'v2 no symbol twice');
is(scalar(grep { !exists $_->{metadata} } @{decode($q)->{timeseries}}), 0,
	'v2 metadata message always there');

is_deeply(metadata(push_text($text, '--v2', '--no-metadata', "$url/count")), [
	'requests_total UNSPECIFIED [] []',
	'requests_total UNSPECIFIED [] []',
	'up UNSPECIFIED [] []',
], 'v2 no metadata');

# types; which series belong to a family

my $types = <<'END';
# TYPE h histogram
# UNIT h seconds
h_bucket{le="1"} 1 1
h_sum 1 1
h_count 1 1
h_created 1 1
h_total 1 1
# TYPE s summary
s{quantile="0.5"} 1 1
s_sum 1 1
s_bucket 1 1
# TYPE c counter
c_total 1 1
# TYPE c_sum gauge
c_sum 1 1
# TYPE gh gaugehistogram
gh_gsum 1 1
# TYPE i info
i_info 1 1
# TYPE e stateset
e 1 1
# TYPE u untyped
u 1 1
# HELP later about it
later 1 1
# TYPE later gauge
# TYPE later gauge
END

is_deeply([ sort @{metadata(push_text($types, "$url/ok"))} ], [
	'c COUNTER [] []', 'c_sum GAUGE [] []', 'e STATESET [] []',
	'gh GAUGEHISTOGRAM [] []', 'h HISTOGRAM [] [seconds]', 'i INFO [] []',
	'later GAUGE [about it] []', 's SUMMARY [] []', 'u UNKNOWN [] []',
], 'v1 types');

is_deeply(metadata(push_text($types, '--v2', "$url/count")), [
	'h_bucket HISTOGRAM [] [seconds]', 'h_sum HISTOGRAM [] [seconds]',
	'h_count HISTOGRAM [] [seconds]', 'h_created HISTOGRAM [] [seconds]',
	'h_total UNSPECIFIED [] []',
	's SUMMARY [] []', 's_sum SUMMARY [] []', 's_bucket UNSPECIFIED [] []',
	'c_total COUNTER [] []', 'c_sum GAUGE [] []',
	'gh_gsum GAUGEHISTOGRAM [] []', 'i_info INFO [] []',
	'e STATESET [] []', 'u UNSPECIFIED [] []', 'later GAUGE [about it] []',
], 'v2 types');

###############################################################################

# names and values of labels

for my $v ([ '--v1', 'ok' ], [ '--v2', 'count' ]) {
	my ($option, $path) = @$v;

	is_deeply(series(push_text(<<'END', $option, "$url/$path")), [
file{path="C:\\DIR\\F.TXT",say="\"hi\"\n{},=# 	"} 1 1
{"my.name","a.b"="x",c="y"} 2 2
{"my.name"} 3 3
{ "花\"火" , "é" = "ü" , } 4 4
a:b{c:d="1"} 5 5
_{_="_"} 6 6
empty{a="",b="x"} 7 7
empty{} 8 8
{__name__="late",a="x"} 9 9
# TYPE "my.name" gauge
# HELP "my.name" with quotes \" and "
END
		"__name__=file path=C:\\DIR\\F.TXT say=\"hi\"\n{},=# \t: 1\@1",
		'__name__=my.name a.b=x c=y: 2@2',
		'__name__=my.name: 3@3',
		'__name__=花"火 é=ü: 4@4',
		'__name__=a:b c:d=1: 5@5',
		'_=_ __name__=_: 6@6',
		'__name__=empty b=x: 7@7',
		'__name__=empty: 8@8',
		'__name__=late a=x: 9@9',
	], "$option labels");
}

is_deeply(metadata(push_text(<<'END', "$url/ok")),
# TYPE "my.name" gauge
# HELP "my.name" with quotes \" and "
{"my.name"} 1 1
END
	[ 'my.name GAUGE [with quotes " and "] []' ], 'metadata of a quoted name');

is(raw(push_text("\xc3\xa9{} 1", "$url/ok")), undef, 'bare UTF-8 name');

# values: protoc shows all NaN alike, so look at the bytes

is_deeply(series(push_text(<<'END', "$url/ok")), [
v 0x1.8p1 1
v +Inf 2
v -Inf 3
v inf 4
v -1.5e-3 5
v 0 6
v .5 7
v 1e-320 8
v 9007199254740993 9
END
	'__name__=v: 3@1 inf@2 -inf@3 inf@4 -0.0015@5 0@6 0.5@7 '
		. '9.99988867182683e-321@8 9007199254740992@9'
], 'values');

for my $option ('--v1', '--v2') {
	my $path = $option eq '--v1' ? 'ok' : 'count';

	my $raw = raw(push_text("v NaN 1\n", $option, "$url/$path"));
	ok(index($raw, "\x09" . pack('Q<', 0x7ff80000 << 32 | 1)) > 0,
		"$option NaN as Prometheus has it");

	$raw = raw(push_text("v 5 1\n", '--stale', $option, "$url/$path"));
	ok(index($raw, "\x09" . pack('Q<', 0x7ff00000 << 32 | 2)) > 0,
		"$option staleness marker");
}

# timestamps

my $before = int(time() * 1000);
my ($ts) = series(push_text("v 1\n", "$url/ok"))->[0] =~ /\@(\d+)$/;
my $after = int(time() * 1000) + 1;

cmp_ok($ts, '>=', $before, 'now is not before');
cmp_ok($ts, '<=', $after, 'now is not after');

is_deeply(series(push_text("v 1\nw 2 -3\nw 3 -5", '--timestamp', '-77',
	"$url/ok")), [
	'__name__=v: 1@-77', '__name__=w: 2@-3 3@-5'
], 'timestamp given, order kept, no LF at the end');

# labels added

my @labels = ('--label', 'job=x y', '--label', 'a=b=c');

is_deeply(series(push_text("v{job=\"own\"} 1 1\nv 2 2\n", @labels, "$url/ok")),
	[ '__name__=v a=b=c job=own: 1@1', '__name__=v a=b=c job=x y: 2@2' ],
	'labels added');

is_deeply(series(push_text("v{job=\"own\"} 1 1\nv 2 2\n", @labels,
	'--override', "$url/ok")),
	[ '__name__=v a=b=c job=x y: 1@1 2@2' ], 'labels override');

is_deeply(series(push_text("v{job=\"own\"} 1 1\n", '--label', 'job=',
	'--override', "$url/ok")), [ '__name__=v: 1@1' ], 'label removed');

is_deeply(series(push_text("v{job=\"own\"} 1 1\n", '--label', '__name__=w',
	'--override', "$url/ok")), [ '__name__=w job=own: 1@1' ], 'renamed');

###############################################################################

# batches

my $many = "# TYPE m counter\n" . join('', map { 'm{i="' . ($_ % 3)
	. "\"} $_ $_\n" } 1 .. 10);

$r = push_text($many, '--batch', '4', "$url/ok");

is($r->{out}, "3 requests: 10 samples stored, 0 refused, 0 failed\n",
	'batches stored');
is_deeply([ map { series($_) } @{$r->{requests}} ], [
	[ '__name__=m i=1: 1@1 4@4', '__name__=m i=2: 2@2', '__name__=m i=0: 3@3' ],
	[ '__name__=m i=2: 5@5 8@8', '__name__=m i=0: 6@6', '__name__=m i=1: 7@7' ],
	[ '__name__=m i=0: 9@9', '__name__=m i=1: 10@10' ],
], 'batches in the order of the input');
is_deeply([ map { scalar @{metadata($_)} } @{$r->{requests}} ], [ 1, 0, 0 ],
	'v1 metadata once');
is($r->{connections}, 1, 'connection kept');

$r = push_text(join('', map { "v{i=\"$_\"} 1 1\n" } 1 .. 4500), "$url/ok");

is_deeply([ map { scalar @{series($_)} } @{$r->{requests}} ],
	[ 2000, 2000, 500 ], 'default batch');

$r = push_text(join('', map { 'v{i="' . join('', map { rand() } 1 .. 10)
	. "\"} 1 1\n" } 1 .. 10000), '--batch', 100000, "$url/ok");

is($r->{status}, 0, 'large body');
cmp_ok(length($r->{requests}[0]{body}), '>', 1024 * 1024, 'large body size');
ok(!exists $r->{requests}[0]{h}{expect}, 'no expect for a large body');

###############################################################################

# what the server answers

$text = "a 1 1\nb 2 2\nc 3 3\n";

answer('/200', [], 0, [ 3, 0, 0 ], qr/^$/);
answer('/400', [], 1, [ 0, 3, 0 ],
	qr/request 1: status 400, 3 of 3 samples.*: out of order.*\nfor series x$/);
answer('/escape', [], 1, [ 0, 3, 0 ], qr/a\?\[31mb$/);
answer('/404', [], 1, [ 0, 3, 0 ], qr/status 404.*not here/);
answer('/429', [], 1, [ 0, 3, 0 ], qr/status 429.*slow down/);
answer('/301', [], 1, [ 0, 3, 0 ], qr/status 301/);
answer('/503', [], 3, [ 0, 0, 3 ], qr/status 503.*full/);
answer('/cut', [], 3, [ 0, 0, 3 ], qr/not answered: /);
answer('/close', [], 3, [ 0, 0, 3 ], qr/not answered: /);
answer('/slow', [ '--timeout', '0.3' ], 3, [ 0, 0, 3 ], qr/not answered: .*time/i);

answer('/continue', [ '--v2' ], 0, [ 3, 0, 0 ], qr/^$/);
answer('/case', [ '--v2' ], 0, [ 3, 0, 0 ], qr/^$/);
answer('/2of3', [ '--v2' ], 1, [ 2, 1, 0 ], qr/1 of 3 samples.*one is bad$/);
answer('/none', [ '--v2' ], 1, [ 0, 3, 0 ], qr/3 of 3 samples.*all are bad$/);
answer('/400', [ '--v2' ], 1, [ 0, 3, 0 ], qr/out of order sample/);
answer('/less', [ '--v2' ], 1, [ 1, 2, 0 ], qr/status 204, 2 of 3 samples/);
answer('/ok', [ '--v2' ], 1, [ 0, 3, 0 ], qr/answer has no $written/);
answer('/junk', [ '--v2' ], 1, [ 0, 3, 0 ], qr/answer has no $written/);
answer('/503', [ '--v2' ], 3, [ 0, 0, 3 ], qr/status 503.*full/);

unlike(push_text($text, '--v2', "$url/less")->{err}, qr/has no/,
	'few is not none');

# a refusal is about its own request, a failure ends the run

$r = push_text($text, '--batch', 2, "$url/404");
is(scalar @{$r->{requests}}, 2, 'goes on after a refusal');
like($r->{out}, qr/^2 requests: 0 samples stored, 3 refused, 0 failed$/,
	'totals of refusals');

$r = push_text($text, '--batch', 1, "$url/503");
is(scalar @{$r->{requests}}, 1, 'ends at a failure');
like($r->{out}, qr/^1 request: 0 samples stored, 0 refused, 3 failed$/,
	'unsent samples have failed');

is(push_text($text, '--quiet', "$url/ok")->{out}, '', 'quiet');
like(push_text($text, '-q', "$url/400")->{err}, qr/out of order/,
	'quiet about success only');

my $closed = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
my $refused = 'http://127.0.0.1:' . $closed->sockport() . '/';
close $closed;

$r = push_text($text, $refused);
is($r->{status}, 3, 'connection refused');
like($r->{err}, qr/not answered: .*connect/i, 'connection refused reason');

# authentication and headers

$q = push_text($text, '--user', 'me:pass:word', "$url/ok")->{requests}[0];
is($q->{h}{authorization}, 'Basic ' . encode_base64('me:pass:word', ''),
	'basic');

$q = push_text($text, '--token', 's3cret', "$url/ok")->{requests}[0];
is($q->{h}{authorization}, 'Bearer s3cret', 'bearer');

$q = push_text($text, '--header', 'X-Scope-OrgID: t1', '--header',
	'content-type: text/plain', '--header', 'Content-Encoding:',
	"$url/ok?a=b")->{requests}[0];
is($q->{line}, 'POST /ok?a=b HTTP/1.1', 'arguments of the URL');
is($q->{h}{'x-scope-orgid'}, 't1', 'header added');
is($q->{h}{'content-type'}, 'text/plain', 'header replaced');
ok(!exists $q->{h}{'content-encoding'}, 'header left out');

###############################################################################

# errors in the input: nothing is sent

for my $case (
	[ 'a', 'no value' ],
	[ 'a{b="c"}', 'no value' ],
	[ 'a x', 'bad value "x"' ],
	[ "a \r1", qr/bad value/ ],
	[ 'a 1x', 'bad value "1x"' ],
	[ 'a nan(1)', 'bad value "nan(1)"' ],
	[ 'a 1e999', 'value "1e999" is out of range' ],
	[ 'a 1 1.5', 'bad timestamp "1.5"' ],
	[ 'a 1 9223372036854775808', qr/bad timestamp/ ],
	[ 'a 1 1 1', 'text after the timestamp' ],
	[ 'a 1 # {x="y"} 1', qr/bad timestamp "#"/ ],
	[ '1a 1', 'bad first character of a metric name' ],
	[ 'a-b 1', 'bad character in a metric name' ],
	[ 'a"b" 1', 'bad character in a metric name' ],
	[ '{} 1', 'no metric name' ],
	[ '{b="c"} 1', 'no metric name' ],
	[ '{""} 1', 'no metric name' ],
	[ 'a{__name__=""} 1', 'duplicate label "__name__"' ],
	[ 'a{"b"} 1', 'expected "=" after label name "b"' ],
	[ '{"a","b"} 1', 'expected "=" after label name "b"' ],
	[ 'a{b="1",c="2",b="1"} 1', 'duplicate label "b"' ],
	[ 'a{b="1",b=""} 1', 'duplicate label "b"' ],
	[ 'a{""="1"} 1', 'empty label name' ],
	[ 'a{b} 1', 'expected "=" after label name "b"' ],
	[ 'a{b=c} 1', 'the value of label "b" is not quoted' ],
	[ 'a{b="c"', 'expected "," or "}" after a label' ],
	[ 'a{b="c" d="e"} 1', 'expected "," or "}" after a label' ],
	[ 'a{', 'expected a label name' ],
	[ 'a{,} 1', 'bad first character of a label name' ],
	[ 'a{b="c} 1', 'the quote of a label value is not closed' ],
	[ "a{b=\"c\nd\"} 1", 'the quote of a label value is not closed' ],
	[ 'a{b="c\\', qr/unknown escape in a label value/ ],
	[ 'a{b="\\t"} 1', qr/unknown escape in a label value/ ],
	[ "a{b=\"\xff\"} 1", 'a label value is not valid UTF-8' ],
	[ "a{b=\"\xc0\x80\"} 1", 'a label value is not valid UTF-8' ],
	[ "a{b=\"\xe0\x80\x80\"} 1", 'a label value is not valid UTF-8' ],
	[ "a{b=\"\xf0\x80\x80\x80\"} 1", 'a label value is not valid UTF-8' ],
	[ "a{b=\"\xed\xa0\x80\"} 1", 'a label value is not valid UTF-8' ],
	[ "a{b=\"\xe2\x82\"} 1", 'a label value is not valid UTF-8' ],
	[ "a{b=\"\xf4\x90\x80\x80\"} 1", 'a label value is not valid UTF-8' ],
	[ "{\"\xff\"} 1", 'a label name is not valid UTF-8' ],
	[ "a{b=\"\0\"} 1", 'NUL byte' ],
	[ '# TYPE a colour', 'unknown type "colour" of metric "a"' ],
	[ '# TYPE a', 'unknown type "" of metric "a"' ],
	[ '# TYPE a gauge x', 'text after the type of metric "a"' ],
	[ "# TYPE a gauge\n# TYPE a counter", qr/^stdin:4: .*another type/ ],
	[ '# HELP a \\t', qr/unknown escape/ ],
	[ "# HELP a \xff", qr/not valid UTF-8/ ],
	[ '# HELP 1 x', 'bad first character of a metric name' ],
)
{
	my ($bad, $error) = @$case;

	$r = push_text("good 1 1\n\n$bad", "$url/ok");

	is_deeply([ $r->{status}, scalar @{$r->{requests}}, $r->{out} ],
		[ 2, 0, '' ], "input error: " . visible($bad));

	if (ref $error) {
		like($r->{err}, $error, 'what is wrong');

	} else {
		is($r->{err}, "stdin:3: $error\n", 'what is wrong');
	}
}

# files

write_file("$dir/one.prom", "# TYPE a gauge\na 1 1\n");
write_file("$dir/two.prom", "# TYPE a gauge\na 2 2\nb 1 1\n");
write_file("$dir/bad.prom", "a 1 1\nb\n");

is_deeply(series(push_text("c 3 3\n", "$url/ok", "$dir/one.prom", '-',
	"$dir/two.prom")),
	[ '__name__=a: 1@1 2@2', '__name__=c: 3@3', '__name__=b: 1@1' ],
	'files and standard input');

$r = push_text('', "$url/ok", "$dir/one.prom", "$dir/bad.prom");
is($r->{status}, 2, 'bad file');
is($r->{err}, "$dir/bad.prom:2: no value\n", 'file and line');
is(scalar @{$r->{requests}}, 0, 'nothing sent before all is read');

$r = push_text('', "$url/ok", "$dir/absent");
is($r->{status}, 2, 'no file');
like($r->{err}, qr!cannot open $dir/absent: !, 'no file reason');

$r = push_text("# nothing\n", "$url/ok");
is($r->{status}, 0, 'nothing to send');
is(scalar @{$r->{requests}}, 0, 'nothing sent');

# the command line

for my $args (
	[], [ 'ftp://x/' ], [ 'one.prom' ], [ '--batch', '0', "$url/ok" ],
	[ '--batch', '1x', "$url/ok" ], [ '--timeout', '0', "$url/ok" ],
	[ '--timeout', 'nan', "$url/ok" ], [ '--label', 'x', "$url/ok" ],
	[ '--label', '=x', "$url/ok" ], [ '--label', "a=\xff", "$url/ok" ],
	[ '--label', 'a=1', '--label', 'a=2', "$url/ok" ],
	[ '--header', 'x', "$url/ok" ], [ '--header', "a: b\r\nc: d", "$url/ok" ],
	[ '--user', 'x', "$url/ok" ], [ '--token', "a\nb", "$url/ok" ],
	[ '--user', 'a:b', '--token', 'c', "$url/ok" ],
	[ '--timestamp', '1.5', "$url/ok" ], [ '--nonsense', "$url/ok" ],
	[ '--dry-run', '--dump', "$dir/x", "$url/ok" ],
)
{
	$r = push_text($text, @$args);

	is_deeply([ $r->{status}, scalar @{$r->{requests}} ], [ 2, 0 ],
		'usage: ' . visible(join(' ', @$args)));
	like($r->{err}, qr/^usage: prom-push/m, 'usage shown');
}

$r = push_text('', '--help');
is($r->{status}, 0, 'help');
like($r->{out}, qr/^SYNOPSIS\n.*^EXIT STATUS\n/ms, 'help text');
is(scalar(grep { length > 80 } split /\n/, $r->{out}), 0, 'help fits');

for my $option (qw/ v1 v2 no-metadata batch label override timestamp stale user
	token header timeout cacert cert key insecure dry-run dump quiet help
	version /)
{
	like($r->{out}, qr/--$option\b/, "help on --$option");
}

like(push_text('', '--version')->{out}, qr/^prom-push \d+\.\d+\.\d+$/,
	'version');

###############################################################################

# without a server

$r = push_text($many, '--dump', "$dir/body", '--batch', 6);
is($r->{status}, 0, 'dump');
is(scalar @{series({ body => read_file("$dir/body") })}, 3, 'dump of a body');
is_deeply(series({ body => read_file("$dir/body.2") }), [
	'__name__=m i=1: 7@7 10@10', '__name__=m i=2: 8@8', '__name__=m i=0: 9@9'
], 'dump of a second body');

$r = push_text($many, '--dump', "$dir/absent/body", "$url/ok");
is($r->{status}, 2, 'dump cannot be written');

my $odd = <<'END';
# HELP "my.name" with "quotes", a \\ and\na line
# TYPE "my.name" gauge
{"my.name","a.b"="x\\\"\n"} 0.1 5
plain 1e+20 -7
plain{a="b"} +Inf 7
plain{a="b"} NaN 8
third 0.30000000000000004 1
END

$r = push_text($odd, '--dry-run', "$url/ok");

is($r->{status}, 0, 'dry run');
is(scalar @{$r->{requests}}, 0, 'dry run sends nothing');
like($r->{out}, qr/^# request 1: remote write 1, 4 series, 5 samples, /,
	'dry run head');
is($r->{out} =~ s/^#.*\n//r, $odd, 'dry run prints what it was given');
is(raw(push_text($r->{out}, "$url/ok")), raw(push_text($odd, "$url/ok")),
	'what a dry run prints makes the same request');

like(push_text("v 1\n", '--dry-run', '--stale', '--v2', '--timestamp', '9',
	'--label', 'a=b')->{out},
	qr/^# request 1: remote write 2, .*\nv\{a="b"\} StaleNaN 9$/,
	'dry run of options');

###############################################################################

# TLS

SKIP: {
	skip('no openssl', 7) if system('openssl version >/dev/null 2>&1');

	my @openssl = qw/ openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj
		\/CN=localhost -addext subjectAltName=IP:127.0.0.1 /;

	for my $name ('server', 'client') {
		system("@openssl -keyout $dir/$name.key -out $dir/$name.crt"
			. ' >/dev/null 2>&1') == 0 or die 'no certificate';
	}

	my @ca = ('--cacert', "$dir/server.crt");
	my @cert = ('--cert', "$dir/client.crt", '--key', "$dir/client.key");

	is(push_tls([])->{status}, 3, 'unknown certificate');
	is(push_tls([ '--insecure' ])->{status}, 0, 'insecure');

	my $tls = push_tls(\@ca);
	is($tls->{status}, 0, 'cacert');
	like($tls->{log}, qr!^POST /tls HTTP/1.1\r$!m, 'request over TLS');

	is(push_tls(\@ca, '-Verify', 1)->{status}, 3, 'no client certificate');

	$tls = push_tls([ @ca, @cert ], '-Verify', 1);
	is($tls->{status}, 0, 'client certificate');
	like($tls->{log}, qr!^POST /tls HTTP/1.1\r$!m, 'request with certificate');
}

done_testing();

# also when the test dies: who waits for its output waits for the server, too

END {
	my $status = $?;

	if ($server) {
		kill 'TERM', $server;
		waitpid($server, 0);
	}

	$? = $status;
}

###############################################################################

# runs prom-push; what it prints, its exit status, what the server got

sub push_text {
	my ($input, @args) = @_;

	unlink(glob("$dir/request.*"), "$dir/connections");
	write_file("$dir/in", $input);

	my $pid = fork();
	die 'no fork' unless defined $pid;

	if ($pid == 0) {
		open(STDIN, '<', "$dir/in") or _exit(99);
		open(STDOUT, '>', "$dir/out") or _exit(99);
		open(STDERR, '>', "$dir/err") or _exit(99);
		exec($push, @args) or _exit(99);
	}

	waitpid($pid, 0);

	my %r = (
		status => $? & 127 ? 'signal ' . ($? & 127) : $? >> 8,
		out => read_file("$dir/out"),
		err => read_file("$dir/err"),
		connections => -s "$dir/connections" || 0,
		requests => [],
	);

	for (my $n = 1; -e "$dir/request.$n"; $n++) {
		my ($head, $body) = split(/\r\n\r\n/, read_file("$dir/request.$n"), 2);
		my ($line, @headers) = split(/\r\n/, $head);
		my %h = map { /^([^:]+):\s*(.*)$/ ? (lc($1), $2) : () } @headers;

		push @{$r{requests}}, { line => $line, h => \%h, body => $body };
	}

	return \%r;
}

sub answer {
	my ($path, $args, $status, $counts, $error) = @_;

	my $r = push_text($text, @$args, "$url$path");
	my $name = join(' ', @$args, $path);
	my $s = $counts->[0] == 1 ? '' : 's';

	is($r->{status}, $status, "$name: exit status");
	is($r->{out}, "1 request: $counts->[0] sample$s stored, $counts->[1] "
		. "refused, $counts->[2] failed\n", "$name: totals");
	like($r->{err}, $error, "$name: error");
}

# one connection to openssl's test server, which answers before it is asked

sub push_tls {
	my ($args, @server_args) = @_;

	my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
	my $tls_port = $s->sockport();
	close $s;

	my $pid = open(my $in, '|-', "exec openssl s_server -quiet -naccept 1 "
		. "-accept 127.0.0.1:$tls_port -key $dir/server.key "
		. "-cert $dir/server.crt -CAfile $dir/client.crt @server_args "
		. ">$dir/tls.log 2>/dev/null") or die 'no s_server';

	for (1 .. 100) {
		last if listening($tls_port);
		sleep(0.05);
	}

	local $SIG{PIPE} = 'IGNORE';
	$in->autoflush(1);
	print $in "HTTP/1.1 204 No Content\r\n\r\n";

	my $r = push_text("a 1 1\n", @$args, "https://127.0.0.1:$tls_port/tls");

	kill 'TERM', $pid;
	close $in;

	$r->{log} = read_file("$dir/tls.log");

	return $r;
}

# without a connection, of which the server takes only one

sub listening {
	my ($port) = @_;

	my $local = sprintf('0100007F:%04X', $port);

	open(my $f, '<', '/proc/net/tcp') or return 0;

	return scalar grep { / $local \S+ 0A / } <$f>;
}

###############################################################################

# the body of the first or the given request, decompressed

sub raw {
	my ($q) = @_;

	$q = $q->{requests}[0] if exists $q->{requests};
	return undef unless defined $q;

	write_file("$dir/body.snappy", $q->{body});
	my $raw = `$snappy -d <$dir/body.snappy`;
	die 'not a snappy block' if $?;

	return $raw;
}

sub is_v2 {
	my ($q) = @_;

	return (($q->{h} || {})->{'content-type'} || '') eq $v2type;
}

# protoc's view of it

sub decode {
	my ($q) = @_;

	$q = $q->{requests}[0] if exists $q->{requests};

	my ($message, $file) = is_v2($q)
		? ('io.prometheus.write.v2.Request', 'remote_write_v2.proto')
		: ('prometheus.WriteRequest', 'remote_write_v1.proto');

	write_file("$dir/body.pb", raw($q));
	my $out = `protoc --proto_path=$top/proto --decode=$message $file <$dir/body.pb`;
	die 'not a message' if $?;

	my @lines = split(/\n/, $out);

	return message(\@lines);
}

my %repeated;
BEGIN { %repeated = map { $_ => 1 } qw/ timeseries labels samples metadata
	symbols labels_refs /; }

# lines of "name { ... }" and "name: value", as hashes; single fields, and
# repeated ones as arrays

sub message {
	my ($lines) = @_;
	my %m;

	while (defined(my $line = shift @$lines)) {
		return \%m if $line =~ /^\s*\}$/;

		my ($name, $value);

		if ($line =~ /^\s*(\w+) \{$/) {
			$name = $1;
			$value = message($lines);

		} elsif ($line =~ /^\s*([a-z_]+): (.*)$/) {
			($name, $value) = ($1, $2);

			if ($value =~ s/^"(.*)"$/$1/) {
				$value =~ s/\\([0-7]{3}|.)/unescape($1)/ge;
			}

		} else {
			die "protoc says: $line";
		}

		if ($repeated{$name}) {
			push @{$m{$name}}, $value;

		} else {
			$m{$name} = $value;
		}
	}

	return \%m;
}

sub unescape {
	my ($c) = @_;

	return chr(oct($c)) if length $c == 3;
	return { n => "\n", t => "\t", r => "\r" }->{$c} || $c;
}

# "name=value ...: value@timestamp ..." for each series

sub series {
	my ($q) = @_;

	my $m = decode($q);
	my @series;

	for my $s (@{$m->{timeseries}}) {
		push @series, join(' ', map { "$_->[0]=$_->[1]" } labels($m, $s))
			. ':' . join('', map { ' ' . ($_->{value} || 0) . '@'
				. ($_->{timestamp} || 0) } @{$s->{samples}});
	}

	return \@series;
}

# sorted and whole, or the test dies

sub labels {
	my ($m, $s) = @_;
	my @labels;

	if (exists $s->{labels_refs}) {
		my @refs = @{$s->{labels_refs}};

		while (my ($name, $value) = splice(@refs, 0, 2)) {
			push @labels, [ $m->{symbols}[$name], $m->{symbols}[$value] ];
		}

	} else {
		@labels = map { [ $_->{name}, $_->{value} ] } @{$s->{labels}};
	}

	for my $i (1 .. $#labels) {
		die 'labels are not sorted' unless $labels[$i - 1][0] lt $labels[$i][0];
	}

	die 'empty label' if grep { !length $_->[0] || !length $_->[1] } @labels;

	return @labels;
}

# "name TYPE [help] [unit]": for each family in version 1, for each series in
# version 2

sub metadata {
	my ($q) = @_;

	$q = $q->{requests}[0] if exists $q->{requests};

	my $m = decode($q);

	if (!is_v2($q)) {
		return [ map { join(' ', $_->{metric_family_name},
			$_->{type} || 'UNKNOWN', '[' . ($_->{help} || '') . ']',
			'[' . ($_->{unit} || '') . ']') } @{$m->{metadata} || []} ];
	}

	my @metadata;

	for my $s (@{$m->{timeseries}}) {
		my ($name) = map { $_->[1] } grep { $_->[0] eq '__name__' }
			labels($m, $s);
		my $d = $s->{metadata}[0];

		push @metadata, join(' ', $name,
			($d->{type} || 'UNSPECIFIED') =~ s/METRIC_TYPE_//r,
			'[' . $m->{symbols}[$d->{help_ref} || 0] . ']',
			'[' . $m->{symbols}[$d->{unit_ref} || 0] . ']');
	}

	return \@metadata;
}

###############################################################################

sub start_server {
	my $listen = IO::Socket::INET->new(
		LocalAddr => '127.0.0.1',
		Listen => 16,
		ReuseAddr => 1,
	)
		or die "cannot listen: $!";

	my $pid = fork();
	die 'no fork' unless defined $pid;

	if ($pid == 0) {
		$SIG{PIPE} = 'IGNORE';
		$SIG{TERM} = sub { _exit(0) };

		while (my $client = $listen->accept()) {
			open(my $f, '>>', "$dir/connections");
			print $f '.';
			close $f;

			1 while serve($client);
			close $client;
		}

		_exit(0);
	}

	my $port = $listen->sockport();
	close $listen;

	return ($port, $pid);
}

# one request of a connection; false: it is over

sub serve {
	my ($client) = @_;

	my $head = '';

	while ($head !~ /\r\n\r\n$/) {
		my $line = <$client>;
		return 0 unless defined $line;
		$head .= $line;
	}

	my ($path) = $head =~ m!^\S+ ([^ ?]*)!;
	my ($len) = $head =~ /^content-length: *(\d+)/im;

	my $body = '';
	return 0 if $len && read($client, $body, $len) != $len;

	my $n = 1;
	$n++ while -e "$dir/request.$n";
	write_file("$dir/request.$n", $head . $body);

	return 0 if $path eq '/close';

	if ($path eq '/slow') {
		sleep(1);
		return 0;
	}

	if ($path eq '/cut') {
		print $client "HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nab";
		return 0;
	}

	my $reply = $replies{$path};

	if ($path eq '/continue') {
		print $client "HTTP/1.1 100 Continue\r\n$written: 1\r\n\r\n";
		$reply = [ 204, "$written: 3\r\n" ];

	}

	my ($status, $headers, $text) = @{$reply || [ 500 ]};
	$headers ||= '';
	$text = '' unless defined $text;

	my $length = $status == 204 ? '' : 'Content-Length: ' . length($text)
		. "\r\n";

	print $client "HTTP/1.1 $status X\r\n$headers$length\r\n$text";

	return 1;
}

sub write_file {
	my ($file, $data) = @_;

	open(my $f, '>:raw', "$file.tmp") or die "cannot open $file: $!";
	print $f $data;
	close $f or die "cannot write $file: $!";
	rename("$file.tmp", $file) or die "cannot rename $file: $!";
}

sub read_file {
	my ($file) = @_;

	open(my $f, '<:raw', $file) or die "cannot open $file: $!";
	local $/;

	my $data = <$f>;

	return defined $data ? $data : '';
}

sub visible {
	my ($text) = @_;

	return $text =~ s/([^ -~])/sprintf('\\x%02x', ord($1))/ger;
}
