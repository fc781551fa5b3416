package Prom::Cert;

# Copyright (C) the ngx_http_prom_module authors
#
# certificates($dir): ca.crt there, server.crt and client.crt of that CA with
# their keys, and other.crt and other.key that are of no CA.

use strict;
use warnings;

use Exporter 'import';

use Prom::Test;

our @EXPORT = qw(certificates);

my @key = qw(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes);


sub certificates {
    my ($dir) = @_;

    openssl('req', '-x509', @key, '-days', 2, '-subj', '/CN=test CA',
        '-keyout', "$dir/ca.key", '-out', "$dir/ca.crt");
    openssl('req', '-x509', @key, '-days', 2, '-subj', '/CN=localhost',
        '-keyout', "$dir/other.key", '-out', "$dir/other.crt");

    for my $name (qw(server client)) {
        openssl('req', @key, '-subj', '/CN=localhost',
            '-keyout', "$dir/$name.key", '-out', "$dir/$name.csr");
        openssl('x509', '-req', '-days', 2, '-in', "$dir/$name.csr",
            '-CA', "$dir/ca.crt", '-CAkey', "$dir/ca.key",
            '-CAcreateserial', '-out', "$dir/$name.crt");
    }
}


sub openssl {
    my ($out, $status) = run('openssl', @_);

    die "openssl @_: $out" if $status != 0;
}


1;
