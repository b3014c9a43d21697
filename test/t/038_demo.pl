# make demo, but for the server: the day in a shop goes as it is told.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;
use Processes;

my $node = new_server('demo', empty => 1, conf => [
	"shared_preload_libraries = 'commerce'", "commerce.databases = 'postgres'" ]);
local $ENV{PGHOST} = $node->host;
local $ENV{PGPORT} = $node->port;
local $ENV{PGDATABASE} = 'postgres';
local $ENV{SCRATCH} = PostgreSQL::Test::Utils::tempdir();
# Whatever proxy the environment names, it is not between us and ourselves.
local $ENV{no_proxy} = '*';

my ($stdout, $stderr) = run_command([ 'bash', "$FindBin::RealBin/../demo/run.sh" ]);
is($?, 0, 'the demo ends well') or diag($stderr);
is(join(' ', $stdout =~ /^=== (\d)\. /mg), '1 2 3 4 5 6 7 8 9', 'it plays its nine scenes');
log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
