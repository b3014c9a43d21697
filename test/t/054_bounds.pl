# A call's memory is bounded, whatever one of level app sends: refused requests of a
# batch are not kept, and a batch has a bound.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use CommerceTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('bounds');
$node->safe_psql('postgres', 'SELECT FROM commerce.create_user($$kim$$, 1)');

is(sqlstates($node, "SELECT count(*) FROM commerce.place_orders((SELECT jsonb_agg('{}'::jsonb) FROM generate_series(1, 10001)))"),
	'22023', 'a batch has at most 10,000 requests, unless a superuser lets it have more');

my $requests = 100_000;

# What a statement with that many of them says, and the most memory, in kB, that its
# session ever had.
sub most_memory
{
	my ($request, $statement) = @_;
	my $argument = "(SELECT jsonb_agg('$request'::jsonb) FROM generate_series(1, $requests))";

	return split /\n/, $node->safe_psql('postgres', qq(
		SET commerce.max_batch_requests = 1000000;
		SELECT count(*) FROM commerce.place_orders('[]');
		) . sprintf($statement, $argument) . q(;
		SELECT (regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\s*(\d+)'))[1]));
}

SKIP:
{
	skip 'there is no /proc here', 6 unless -r '/proc/self/status';
	my %refused = (
		'without items' => '{"user_id": 1}',
		'with malformed items' => '{"user_id": 1, "items": [{"option_id": 1, "quantity": 0}]}',
		'for what is not there' => '{"user_id": 1, "items": [{"option_id": 1, "quantity": 1}]}');
	foreach my $kind (sort keys %refused)
	{
		# Making the argument takes most.
		my (undef, undef, $made) = most_memory($refused{$kind}, 'SELECT jsonb_array_length(%s)');
		my (undef, $placed, $called) = most_memory($refused{$kind},
			'SELECT count(*) - count(sqlstate) FROM commerce.place_orders(%s)');
		is($placed, '0', "$kind: all are refused");
		cmp_ok(($called - $made) / $requests, '<', 0.5, "$kind: a request takes less than half a kB");
		note(sprintf '%s: %.2f kB a request', $kind, ($called - $made) / $requests);
	}
}

done_testing();
