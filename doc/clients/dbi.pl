# Perl DBI with DBD::Pg: buys, is refused, and takes the events.
use strict;
use warnings;
use DBI;
use JSON::PP;

my $db = DBI->connect('dbi:Pg:dbname=shop', undef, undef, { RaiseError => 1, PrintError => 0 });

# The rows of a statement, each a hash.
sub query
{
	my ($sql, @parameters) = @_;
	return @{ $db->selectall_arrayref($sql, { Slice => {} }, @parameters) };
}

# Runs it once more as long as somebody else was there first.
sub in_transaction
{
	my ($work, $attempts) = @_;

	foreach my $attempt (1 .. $attempts // 10)
	{
		$db->begin_work;
		my $result = eval {
			$db->do('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
			my $done = $work->();
			$db->commit;
			$done;
		};
		return $result unless $@;
		my ($state, $error) = ($db->state, $@);
		eval { $db->rollback };
		die $error unless $state =~ /^(40001|40P01)$/;
	}
	die 'somebody else was always there first';
}

# What was read or used as text becomes a JSON string, and a quantity must be a number.
sub place_order
{
	my ($option_id, $quantity, $key) = @_;
	my $items = encode_json([ { option_id => $option_id, quantity => 0 + $quantity } ]);

	return (query('SELECT * FROM commerce.place_order(?, ?, idempotency_key => ?)', 1, $items, $key))[0];
}

my ($option) = query('SELECT option_id FROM commerce.product_options WHERE name = ?', 'size M');
my $order = in_transaction(sub {
	query('SELECT * FROM commerce.charge_balance(?, ?, ?)', 1, 10000, 'tx-8813');
	return place_order($option->{option_id}, 2, 'cart-52');
});
print "order $order->{order_id} is $order->{status}: $order->{total}\n";

if (!eval { place_order($option->{option_id}, 99) })
{
	die $@ unless $db->state =~ /^SC/;
	my ($short) = @{ decode_json($db->pg_error_field('message_detail'))->{shortages} };
	print $db->state, ": $short->{available} are left, not $short->{requested}\n";
}

my @events = query(q(SELECT * FROM commerce.claim_events(100, '1 minute')));
print "$_->{event_type} ", decode_json($_->{payload})->{data}{order}{total}, "\n" foreach @events;
# An array's reference is an array.
my ($acked) = query('SELECT commerce.ack_events(?, ?)',
	[ map { $_->{event_id} } @events ], [ map { $_->{attempt} } @events ]);
print "$acked->{ack_events} acknowledged\n";
