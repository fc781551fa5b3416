#!/usr/bin/perl

# Copyright (C) the ngx_http_prom_module authors

# Runs the program of the same name, which prints TAP.

use strict;
use warnings;

use FindBin;

chdir "$FindBin::Bin/../..";

exec 'build/t/torture/segment'
    or print "Bail out! build/t/torture/segment: $!\n";
