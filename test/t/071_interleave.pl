# Two calls that share a row, through all their interleavings: test/model/interleave.py
# says what is looked at. INTERLEAVE_SHARE of all pairs are tried. It takes a library
# with stop points: make test-stops.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use IPC::Run;
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;

my $model = "$FindBin::RealBin/../model";
my $node = new_server('interleave', conf => [ 'fsync = off', 'autovacuum = off', 'commerce.notify = off' ]);
if ($node->safe_psql('postgres', q(LOAD 'commerce'; SELECT current_setting('commerce.stop_at', true) IS NULL)) eq 't')
{
	$node->stop;
	plan skip_all => 'the library has no stop points';
}
$node->safe_psql('postgres', slurp_file("$model/shared.sql"));

my ($out, $err);
IPC::Run::run([ '/usr/bin/python3', "$model/interleave.py", $node->connstr('postgres'), $ENV{INTERLEAVE_SHARE} // 0.1 ],
	'>', \$out, '2>', \$err);
is($?, 0, 'each interleaving comes to what one call after the other would') or diag(substr($out, 0, 20000), $err);
note($out);
like($out, qr/^\d{3,} interleavings, 0 of them wrong, 0 invariants violated$/m, 'and there are many');
log_is_clean($node, 'no crash, no deadlock, no internal error');
$node->stop;
done_testing();
