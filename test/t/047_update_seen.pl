# An update is seen by sessions that began before it, whatever it brings, also when they
# made it themselves and undid it; and what they prepared goes on.
#
# test/next makes up the next version, 1.1; behind it 1.2, a table alone, and 1.3, a
# label alone. Of its functions some are declared by hand, to be there before.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use CommerceTest;
use NextVersion;

my $node = new_switchable('shop', 'next');
my $one = items([ 1, 1 ]);

$node->safe_psql('postgres', 'CREATE DATABASE running');
$node->safe_psql('running', qq(
	CREATE EXTENSION commerce VERSION '1.0';
	CREATE FUNCTION public.add_memo(bigint, text) RETURNS bigint
	AS '\$libdir/commerce', 'commerce_add_memo' LANGUAGE C;
	CREATE FUNCTION public.mark_order(bigint, text) RETURNS commerce.orders
	AS '\$libdir/commerce', 'commerce_mark_order' LANGUAGE C;
	CREATE FUNCTION public.buy() RETURNS bigint LANGUAGE plpgsql AS \$\$
	DECLARE
		made commerce.orders;
	BEGIN
		SELECT * INTO made FROM commerce.place_order(1, '$one');
		RETURN made.total;
	END \$\$;
	SELECT commerce.create_user('Kim'), commerce.charge_balance(1, 100000), commerce.create_product('shirt'),
		commerce.create_product_option(1, 'red', 100, 1000);));

my $session = $node->background_psql('running', on_error_stop => 0);
my $snapshot = $node->background_psql('running', on_error_stop => 0);
$_->query_safe('\set VERBOSITY sqlstate') foreach $session, $snapshot;

# What it prints, or the errors' SQLSTATEs.
sub told
{
	my ($in, $sql) = @_;
	my $stdout = $in->query($sql);
	my @errors = $in->{stderr} =~ /ERROR:\s+(\w+)/g;

	$in->{stderr} = '';
	return @errors ? "@errors" : $stdout;
}

sub update_to
{
	my ($version) = @_;
	return $node->safe_psql('running', "ALTER EXTENSION commerce UPDATE TO '$version'");
}

my $calls = q(EXECUTE buy; EXECUTE value; SELECT public.buy(); EXECUTE quote;);
my $bought = "paid|100\n100\n100\n100";
$session->query_safe("
	PREPARE buy AS SELECT status, total FROM commerce.place_order(1, '$one');
	PREPARE value AS SELECT (commerce.place_order(1, '$one')).total;
	PREPARE quote AS SELECT line_total FROM commerce.quote_order(1, '$one');
	PREPARE whole AS SELECT * FROM commerce.place_order(1, '$one');
	PREPARE memo AS SELECT public.add_memo(\$1, 'fragile');
	PREPARE mark AS SELECT status FROM public.mark_order(\$1, \$2);");
is(told($session, $calls), $bought, 'a session of 1.0 buys');
like(told($session, 'EXECUTE whole'), qr/^4\|/, 'and gets the row');
is(told($session, 'EXECUTE memo (1)'), '55000', 'it is told of the update');
is(told($session, "EXECUTE mark (1, 'disputed')"), '55000', 'in each place');

# Its own update, undone.
is(told($session, "BEGIN; ALTER EXTENSION commerce UPDATE TO '1.1'; EXECUTE memo (1); EXECUTE mark (1, 'disputed'); ROLLBACK;"),
	"1\ndisputed", 'its own update is seen at once');
is(told($session, 'EXECUTE memo (1)'), '55000', 'and not any more when it is undone');
is(told($session, $calls), $bought, 'and it goes on');

# An order that is being made holds the update up.
$session->query_safe('BEGIN; EXECUTE buy;');
is(sqlstates($node, q(SET lock_timeout = '100ms'; ALTER EXTENSION commerce UPDATE TO '1.1'), dbname => 'running'),
	'55P03', 'the update waits for who is buying');
$session->query_safe('COMMIT');

$snapshot->query_safe("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT commerce.get_balance(1);");
update_to('1.1');
is(told($session, $calls), $bought, 'after the update of another session it buys as before');
is(told($session, 'EXECUTE memo (1)'), '1', 'a prepared statement meets the new table');
is(told($session, "EXECUTE mark (1, 'disputed')"), 'disputed', 'and the new label');
is(told($session, "SELECT memo FROM commerce.place_order(1, '$one', memo => 'fragile')"), 'fragile', 'the new argument is there');
is(told($session, "SELECT commerce.add_memo(2, 'fragile')"), '2', 'and the new function');
is(told($session, 'EXECUTE whole'), '0A000', 'only SELECT * must be prepared anew, as after any new column');
like(told($session, "DEALLOCATE whole; PREPARE whole AS SELECT * FROM commerce.place_order(1, '$one'); EXECUTE whole"),
	qr/\|none$/, 'and then has the column');
is(told($snapshot, 'SELECT memo FROM commerce.orders WHERE order_id = 3'), 'none', 'a snapshot of before reads on');
is(told($snapshot, "SELECT commerce.add_memo(3, 'fragile')"), '40001', 'a call that writes needs a newer one');
is(told($snapshot, "ROLLBACK; SELECT commerce.add_memo(3, 'fragile')"), '3', 'and has it when it is tried again');

# A table alone, then a label alone, after which nothing is missing.
is(told($session, "EXECUTE mark (2, 'returned')"), '55000', '1.1 lacks a label of 1.3');
update_to('1.2');
is(told($session, "EXECUTE mark (2, 'disputed'); SELECT order_id FROM commerce.marks;"), "disputed\n2", 'a table alone is seen');
is(told($session, "EXECUTE mark (3, 'returned')"), '55000', '1.2 still lacks the label');
is(told($session, "BEGIN; ALTER EXTENSION commerce UPDATE TO '1.3'; EXECUTE mark (3, 'returned'); ROLLBACK;"), 'returned',
	'a label alone is seen');
is(told($session, "EXECUTE mark (3, 'returned')"), '55000', 'and forgotten when it is undone');
update_to('1.3');
is(told($session, "EXECUTE mark (3, 'returned')"), 'returned', 'a label alone is seen from another session');
is(told($snapshot, "SELECT status FROM commerce.mark_order(4, 'returned')"), 'returned', 'by each');
is(told($session, $calls), $bought, 'and all goes on');

$_->quit foreach $session, $snapshot;
log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
