#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# vmagent scrapes a page and writes to the module.  Versions since 1.116 send
# zstd first and take 415 or 400 as the sign to send snappy from then on,
# those before asked for a protocol version and took snappy when the answer
# was not one; the one in Debian 12 only knows snappy.
#
# VMAGENT: a binary to take instead of the one in the path.

use strict;
use warnings;

use FindBin;
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/../lib";

use Prom::Daemon;
use Prom::Test;
use Prom::Text;

my $vmagent = $ENV{VMAGENT} || 'vmagent';
my ($out, $status) = run($vmagent, '-version');

plan skip_all => 'no vmagent' if $status != 0;

my %page = (
    'int{}' => '1',
    'zero{}' => '0',
    'negative{}' => '-12.5',
    'many_digits{}' => '0.1234567890123456',
    'large{}' => '1.7976931348623157e+308',
    'tiny{}' => '5e-324',
    'exact{}' => '9007199254740993',
    'inf{}' => '+Inf',
    'minus_inf{}' => '-Inf',
    'labels{a="1",b="x y",path="/a?b=c&d"}' => '2',
    'escapes{q="\\"",s="\\\\",n="a\\nb"}' => '3',
    "utf8{city=\"K\xc3\xb8benhavn\"}" => '4',
    'latency_bucket{le="+Inf"}' => '10',
    'latency_bucket{le="0.5"}' => '7',
);

my $t = Prom::Test->new(workers => 2);

$t->write_conf(<<'EOT');
%%GLOBALS%%
http {
    %%GLOBALS_HTTP%%
    log_format kind '$status $http_content_encoding';
    prom_tsdb m { size 16m; }
    server {
        listen 127.0.0.1:8080;
        access_log logs/kind.log kind;
        location = /api/v1/write { prom_remote_write m; }
        location = /federate { access_log off; prom_federate m; }
    }
}
EOT

$t->start();

my $port = $t->port(8080);
my $page = Prom::Daemon->page($t,
    join '', map { "$_ $page{$_}\n" } sort keys %page);

my $config = $t->write_file('vmagent.yml', <<"EOT");
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: page
    static_configs:
      - targets: ['127.0.0.1:@{[ $page->port() ]}']
EOT

my $listen = $t->port(8899);
my $agent = Prom::Daemon->new($t, $vmagent, $listen,
    "-httpListenAddr=127.0.0.1:$listen", "-promscrape.config=$config",
    "-remoteWrite.url=http://127.0.0.1:$port/api/v1/write",
    '-remoteWrite.tmpDataPath=' . $t->dir() . '/vmagent',
    '-remoteWrite.flushInterval=200ms', '-memory.allowedBytes=64MB');

ok(wait_for(20, sub { defined value('up') && value('up') == 1 }), 'it writes')
    or diag($agent->log());

my $before = federated();

is_deeply([ grep { !exists $before->{$_} } map { own($_) } sort keys %page ],
    [], 'all series arrive');
is_deeply([ grep { !same_value($before->{own($_)}[0], $page{$_}) }
            sort keys %page ], [], 'with their values');

ok(wait_for(10, sub {
    my $now = federated();

    return !grep { $now->{own($_)}[1] < $before->{own($_)}[1] + 1000 }
        keys %page;
}), 'with timestamps that advance');

$page->kill_it();

ok(wait_for(10, sub { value('up') == 0 }), 'the page goes away, up says so');
ok(wait_for(10, sub { !grep { federated()->{own($_)} } keys %page }),
    'its series are stale');

# after the handshake, if there is one, everything is accepted

my @answers = split /\n/, Prom::HTTP::slurp($t->dir() . '/logs/kind.log');
my @refused = grep { !/^204 snappy$/ } @answers;

cmp_ok(scalar @refused, '<=', 1, 'requests: ' . @answers)
    or diag(@refused);
is_deeply([ grep { !/^(?:415 zstd|405 -)$/ } @refused ], [],
    'refused: what is asked to find out the protocol');

# what newer ones begin with

my $zstd = http_post($port, '/api/v1/write', "\x28\xb5\x2f\xfd\x04\x00",
    'Content-Type' => 'application/x-protobuf', 'Content-Encoding' => 'zstd',
    'X-VictoriaMetrics-Remote-Write-Version' => '1');

is($zstd->{status}, 415, 'a body in zstd');
isnt(http_get($port, '/api/v1/write?get_vm_proto_version=1')->{status}, 200,
    'the question for the version');

ok($agent->stop(), 'vmagent ends');
unlike($t->log(), qr/\[(?:warn|error)\]/, 'no warnings, no errors in the log');

$t->done();


sub federated {
    my $r = http_get($port, '/federate?match[]='
        . Prom::Daemon::escape('{job="page"}'));

    return text_series($r->{body});
}


sub value {
    my ($name) = @_;

    my $found = federated()->{own("$name\{}")};

    return $found && $found->[0];
}


# The key of a series of the page in the store.

sub own {
    my ($key) = @_;

    my ($name, $labels) = $key =~ /\A(\w+)\{(.*)\}\z/s;
    my @labels = $labels =~ /(\w+="(?:[^"\\]|\\.)*")/g;

    push @labels, 'job="page"', "instance=\"127.0.0.1:@{[ $page->port() ]}\"";

    return "$name\{" . join(',', sort @labels) . '}';
}
