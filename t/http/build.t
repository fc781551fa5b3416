#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# The module as nginx and its neighbors meet it: nginx opens modules with
# RTLD_GLOBAL, so a name too many could be taken for another module's.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/../lib";

use Prom::Test;

my $t = Prom::Test->new();

my $so = build() . '/ngx_http_prom_module.so';
my ($symbols) = run('nm', '-D', '--defined-only', $so);

is_deeply([ sort $symbols =~ /^[0-9a-f]+ \w (\S+)/mg ],
    [ qw(ngx_module_names ngx_module_order ngx_modules) ],
    'nothing else is exported');

my $conf = <<'EOF';
%%GLOBALS%%
http {
    %%GLOBALS_HTTP%%
    server {
        listen 127.0.0.1:8080;
        return 204;
    }
}
EOF

is($t->conf_error($conf), '', 'nginx -t loads it');

$t->write_conf($conf);
$t->start();

is(http_get($t->port(8080), '/')->{status}, 204,
    'nginx serves with the module loaded and unused');
ok($t->reload(), 'reload');

$t->done();
