#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# Mistakes in the configuration: nginx refuses to start, says in which line
# the mistake is, and what to write instead.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../lib";

use Prom::Proto;
use Prom::Test;
use Prom::Write;

my $t = Prom::Test->new();


# A configuration of these lines in the http block, server and location.

sub conf {
    my (%lines) = @_;

    my ($http, $server, $location) = map { defined $_ ? $_ : '' }
        @lines{qw(http server location)};

    return "%%GLOBALS%%\nhttp {\n%%GLOBALS_HTTP%%\n$http\n"
        . "server {\nlisten 127.0.0.1:8080;\n$server\n"
        . "location /a {\n$location\n}\n}\n}\n";
}


sub good {
    my ($name, %lines) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($t->conf_error(conf(%lines)), '', $name);
}


# The number of the line stands after "bad" in a comment of that line.

sub bad {
    my ($name, $expected, %lines) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $text = conf(%lines);
    my @lines = split /\n/, $t->expand($text);
    my ($line) = grep { $lines[$_ - 1] =~ /# bad/ } 1 .. @lines;
    die "$name: no line is bad\n" if !defined $line;

    my $error = $t->conf_error($text);

    like($error, $expected, $name);
    like($error, qr/\Q$t->{dir}\E\/try\.conf:$line$/m, "$name: where");
    is(scalar(() = $error =~ /\[emerg\]/g), 1, "$name: one message")
        or diag($error);
}


my $m = 'prom_tsdb m { size 4m; }';

# what is right

good('no store at all');
good('a store and its endpoints', http => $m,
    location => 'prom_remote_write m;',
    server => 'location /f { prom_federate m; }');
good('a store after its use', location => 'prom_remote_write m;',
    server => "} $m server { listen 127.0.0.1:8081;");
good('all lines of a store', location => 'prom_federate m;', http => <<'EOT');
prom_tsdb m {
    size 8192k;
    retention 1h;
    lookback 30s;
    max_series 1000;
    external_label cluster "eu 1";
    external_label replica a;
    external_label instance "";
    external_label "\xc3\xa9.x" a;
}
EOT
good('sizes', http => "prom_tsdb a { size 4m; }\n"
    . "prom_tsdb b { size 4096k; } prom_tsdb c { size 4194304; }\n"
    . 'prom_tsdb d { size 1g; }');
good('two stores', http => "$m prom_tsdb n { size 5m; }",
    location => 'prom_remote_write m;',
    server => 'location /f { prom_federate n; }');
good('limits everywhere', http => "$m prom_max_decoded_size 1g;"
    . 'prom_max_labels 1024;', server => 'prom_max_expanded_size 4g;'
    . 'prom_max_label_name_length 15360;',
    location => 'prom_max_label_value_length 1; prom_max_labels 1;'
    . 'prom_remote_write m;');

$t->write_file('store.conf', "size 4m;\nretention 1h;\n");
good('include in a block', http => 'prom_tsdb m { include store.conf; }');

# stores

bad('no size', qr/no "size" in prom_tsdb "m".* "size 512m;"/,
    http => "prom_tsdb m { # bad\n}");
bad('small size', qr/size "1m" of prom_tsdb "m" is too small, write 4m/,
    http => "prom_tsdb m {\nsize 1m; # bad\n}");
bad('small by a byte', qr/size "4194303" .* too small, write 4m/,
    http => "prom_tsdb m {\nsize 4194303; # bad\n}");
bad('large size', qr/size "65g" of prom_tsdb "m" is too large, write 64g/,
    http => "prom_tsdb m {\nsize 65g; # bad\n}");

for my $size ('-1', 'many', '1.5g', '16mb', '99999999999999999999', '""',
    '9223372036854775807g', '4t')
{
    bad("size $size", qr/invalid size .*"size 512m;"/,
        http => "prom_tsdb m {\nsize $size; # bad\n}");
}

for my $line ('size 4m', 'retention 1h', 'lookback 1m', 'max_series 1') {
    my ($name) = split / /, $line;
    my $size = $name eq 'size' ? '' : 'size 4m;';

    bad("$name twice", qr/"$name" of prom_tsdb "m" is duplicate/,
        http => "prom_tsdb m {\n$size $line;\n$line; # bad\n}");
}

for my $line ('size', 'size 4m 4m', 'retention', 'retention 1h 2h',
    'lookback', 'lookback 1 2', 'max_series', 'max_series 1 2',
    'external_label', 'external_label a', 'external_label a b c')
{
    my ($name) = split / /, $line;

    bad("arguments: $line",
        qr/invalid number of arguments in "$name" of prom_tsdb "m", write as/,
        http => "prom_tsdb m {\n$line; # bad\n}");
}

for my $line ('retention', 'lookback') {
    for my $time ('0', '-5m', 'soon', '5x', '""') {
        bad("$line $time", qr/invalid time .* in "$line", write a number/,
            http => "prom_tsdb m {\nsize 4m;\n$line $time; # bad\n}");
    }
}

for my $n ('-1', 'x', '1k', '1.5', '""') {
    bad("max_series $n", qr/invalid max_series .* write a whole number/,
        http => "prom_tsdb m {\nsize 4m;\nmax_series $n; # bad\n}");
}

bad('duplicate label', qr/duplicate external_label "a" of prom_tsdb "m"/,
    http => "prom_tsdb m {\nsize 4m;\nexternal_label a b;\n"
    . "external_label a c; # bad\n}");

for my $label ([ '"" b', qr/empty name, write as in/ ],
    [ '__name__ b', qr/cannot set "__name__".* write another name/ ],
    [ 'a ""', qr/empty value.* write a value or remove/ ],
    [ "\xff b", qr/name that is not valid UTF-8/ ],
    [ "a \xff", qr/value that is not valid UTF-8/ ])
{
    bad("external_label $label->[0]", $label->[1],
        http => "prom_tsdb m {\nsize 4m;\nexternal_label $label->[0]; "
        . "# bad\n}");
}

bad('unknown line', qr/unknown line "sise" in prom_tsdb "m", known are size,/,
    http => "prom_tsdb m {\nsise 4m; # bad\n}");
bad('a directive of nginx in the block', qr/unknown line "gzip"/,
    http => "prom_tsdb m {\nsize 4m;\ngzip on; # bad\n}");
bad('duplicate store',
    qr/duplicate prom_tsdb "m", the first is in \S+:\d+, write another name/,
    http => "$m\n$m # bad");
bad('a store without name', qr/invalid number of arguments|has no name/,
    http => 'prom_tsdb { # bad');
bad('a store with two names', qr/invalid number of arguments in "prom_tsdb"/,
    http => 'prom_tsdb a b { # bad');
bad('a store with an empty name', qr/empty name of a prom_tsdb, write one/,
    http => 'prom_tsdb "" { # bad');
bad('a store without block', qr/directive "prom_tsdb" has no opening "\{"/,
    http => 'prom_tsdb m; # bad');
bad('a store in a server', qr/"prom_tsdb" directive is not allowed here/,
    server => "prom_tsdb m { # bad\nsize 4m; }");
bad('the name of another zone', qr/zone "m" is already declared/,
    http => "limit_req_zone \$uri zone=m:1m rate=1r/s;\n$m # bad");

# endpoints

for my $use ('prom_remote_write', 'prom_federate') {

    bad("$use: no store",
        qr/unknown store "m" in "$use", there is none, write "prom_tsdb m \{/,
        location => "$use m; # bad");
    bad("$use: unknown store", qr/unknown store "n" in "$use", known are "m"/,
        http => $m, location => "$use n; # bad");
    bad("$use: no argument", qr/invalid number of arguments in "$use"/,
        http => $m, location => "$use; # bad");
    bad("$use: two arguments", qr/invalid number of arguments in "$use"/,
        http => $m, location => "$use m m; # bad");
    bad("$use twice", qr/"$use" directive is duplicate/,
        http => $m, location => "$use m;\n$use m; # bad");
    bad("$use in a server", qr/"$use" directive is not allowed here/,
        http => $m, server => "$use m; # bad");
    bad("$use after proxy_pass", qr/already has a content handler, write a/,
        http => $m, location => "proxy_pass http://127.0.0.1:8080;\n"
        . "$use m; # bad");
    bad("$use before proxy_pass", qr/second content handler, write a location/,
        http => $m, location => "$use m; # bad\n"
        . 'proxy_pass http://127.0.0.1:8080;');
}

bad('both in a location', qr/cannot share a location, write one location for/,
    http => $m, location => "prom_remote_write m;\nprom_federate m; # bad");

# limits on bodies

for my $limit ('client_max_body_size', 'client_body_buffer_size') {

    my $small = qr/"$limit" is 255k .* write "$limit \S+;"/;

    bad("$limit before", $small, http => $m,
        location => "$limit 255k;\nprom_remote_write m; # bad");
    bad("$limit after", $small, http => $m,
        location => "prom_remote_write m; # bad\n$limit 255k;");
    bad("$limit of the server", $small, http => $m, server => "$limit 255k;",
        location => 'prom_remote_write m; # bad');
    bad("$limit of http", $small, http => "$m $limit 255k;",
        location => 'prom_remote_write m; # bad');
    good("$limit that is enough", http => $m,
        location => "$limit 256k; prom_remote_write m;");
    good("$limit does not concern federate", http => $m,
        location => "$limit 1k; prom_federate m;");
    good("$limit of another location", http => $m,
        server => "$limit 1k;",
        location => "$limit 1m; prom_remote_write m;");
}

good('no limit on bodies', http => $m,
    location => 'client_max_body_size 0; prom_remote_write m;');
bad('a buffer that is written as nginx has it by default',
    qr/"client_body_buffer_size" is 8k/, http => $m,
    location => "client_body_buffer_size 8k;\nprom_remote_write m; # bad");

# other limits

for my $limit ([ 'prom_max_decoded_size', '1023', '1025m' ],
    [ 'prom_max_expanded_size', '1023', '5g' ],
    [ 'prom_max_labels', '0', '1025' ],
    [ 'prom_max_label_name_length', '0', '15361' ],
    [ 'prom_max_label_value_length', '0', '15361' ])
{
    my ($name, @bad) = @$limit;

    for my $value (@bad, 'x', '-1', '""') {
        bad("$name $value", qr/invalid (?:value|number)|must be|equal to/,
            http => $m, location => "$name $value; # bad\n");
    }

    bad("$name twice", qr/"$name" directive is duplicate/,
        location => "$name 1025;\n$name 1024; # bad")
        if $name =~ /size/;
}

# two stores are two

$t->write_conf(<<'EOT');
%%GLOBALS%%
http {
    %%GLOBALS_HTTP%%
    server {
        listen 127.0.0.1:8080;
        location /write { prom_remote_write one; }
        location /federate { prom_federate one; }
    }
    server {
        listen 127.0.0.1:8081;
        location /write { prom_remote_write two; }
        location /federate { prom_federate two; }
    }
    prom_tsdb one { size 4m; external_label store one; }
    prom_tsdb two { size 4m; external_label store two; max_series 1; }
}
EOT

$t->start();

my @ports = ($t->port(8080), $t->port(8081));
my $now = now_ms();

is(send_v1($ports[0], [ series('a', {}, [ 1, $now ]),
    series('b', {}, [ 2, $now ]) ])->{status}, 204, 'write into the first');
is(send_v1($ports[1], [ series('a', {}, [ 3, $now ]) ])->{status}, 204,
    'and into the second');
is(send_v1($ports[1], [ series('b', {}, [ 3, $now ]) ])->{status}, 503,
    'whose limit is its own');

is_deeply(federate($ports[0]), {
    'a{instance="",store="one"}' => [ 1, $now ],
    'b{instance="",store="one"}' => [ 2, $now ],
}, 'what is in the first');
is_deeply(federate($ports[1]), {
    'a{instance="",store="two"}' => [ 3, $now ],
}, 'what is in the second');

$t->done();
