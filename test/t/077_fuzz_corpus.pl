# Every input of the fuzz targets' corpus is taken without a finding, by code that is
# built with sanitizers; the rest of them is "make fuzz".
use strict;
use warnings;
use FindBin;
use Test::More;

plan skip_all => 'on a server with assertions alone: make test-assertions'
	if `$ENV{PG_CONFIG} --configure` !~ /--enable-cassert/;
plan skip_all => 'there is no clang' if system('command -v clang >/dev/null') != 0;

local $ENV{FUZZ_SECONDS} = 0;
foreach my $target (map { s,.*/,,r } glob "$FindBin::RealBin/../fuzz/corpus/*")
{
	my $output = `$FindBin::RealBin/../fuzz/run.sh $target 2>&1`;

	ok($? == 0 && $output =~ /^1 passed, 0 failed$/m, $target) or diag $output;
}

done_testing();
