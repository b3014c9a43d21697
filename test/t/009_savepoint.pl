# Calls in larger transactions: refused in a savepoint, undone, many at once,
# several in one statement, inside cursor loops.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use CommerceTest;

my $node = new_server('savepoint');
my $one = items([ 1, 1 ]);
my $blue = items([ 2, 1 ]);

$node->safe_psql('postgres', qq(
	SELECT commerce.create_user('buyer', 1), commerce.create_user('poor', 2),
		commerce.create_user('other', 3);
	SELECT commerce.charge_balance(1, 100000), commerce.charge_balance(2, 1);
	SELECT commerce.create_product('shirt', 1);
	SELECT commerce.create_product_option(1, 'red', 10, 100000, 1),
		commerce.create_product_option(1, 'blue', 10, 5, 2);
	SELECT commerce.create_coupon_policy('one each', 'fixed', 5, 1, policy_id => 1);
	SELECT commerce.issue_coupon(1, 1);
	SELECT commerce.place_order(1, '$one', NULL, 'taken');));

# A refused call leaves nothing, and the transaction around it goes on.
my %refused = (
	SC103 => "commerce.place_order(2, '$one', NULL, 'key')",
	SC301 => "commerce.place_order(1, '" . items([ 1, 1 ], [ 2, 6 ]) . "', 1, 'key')",
	SC006 => "commerce.place_order(2, '$blue', 1, 'key')",
	SC401 => "commerce.place_order(1, '$blue', NULL, 'taken')",
	SC204 => "commerce.issue_coupon(1, 1, 'key')",
	SC203 => "commerce.issue_coupon(2, 1, 'key')",
	SC102 => "commerce.use_balance(3, 5, 'key')",
	SC101 => 'commerce.use_coupon(1, 1, 0)');

my $before = rows($node, 'postgres');
foreach my $code (sort keys %refused)
{
	is(sqlstates($node, "SELECT $refused{$code}"), $code, "$code is raised");
	is(sqlstates($node, "
		DO \$\$
		BEGIN
			PERFORM $refused{$code};
			RAISE 'not refused';
		EXCEPTION WHEN SQLSTATE '$code' THEN
			NULL;
		END \$\$"), '', "$code can be caught");
}
is_deeply(rows($node, 'postgres'), $before, 'refused calls changed nothing');

is($node->safe_psql('postgres', "
	BEGIN;
	SELECT balance_after FROM commerce.charge_balance(2, 4);
	DO \$\$
	BEGIN
		PERFORM commerce.place_order(2, '$one', NULL, 'key');
	EXCEPTION WHEN SQLSTATE 'SC103' THEN
		PERFORM commerce.charge_balance(2, 20);
		PERFORM commerce.place_order(2, '$one', NULL, 'key');
	END \$\$;
	SELECT status, total FROM commerce.place_order(2, '$one', NULL, 'key');
	COMMIT;
	SELECT balance, entry_count FROM commerce.balances WHERE user_id = 2;"),
	"5\npaid|10\n15|4", 'after a refusal the transaction goes on, and the key is free');
is_sound($node, 'no invariant is violated by refusals');

# What a savepoint undid never was.
$before = rows($node, 'postgres');
$node->safe_psql('postgres', "
	BEGIN;
	SAVEPOINT s;
	SELECT commerce.place_order(1, '$blue', 1, 'undone');
	SELECT commerce.place_order(1, '$blue', NULL, 'undone too');
	SELECT commerce.charge_balance(3, 100);
	SELECT commerce.adjust_stock(2, -3, 'lost');
	ROLLBACK TO s;
	COMMIT;");
is_deeply(rows($node, 'postgres'), $before, 'a savepoint undoes everything');
is($node->safe_psql('postgres', "
	BEGIN;
	SAVEPOINT a;
	SELECT commerce.place_order(1, '$blue', 1, 'again');
	ROLLBACK TO a;
	SAVEPOINT b;
	SELECT discount, total FROM commerce.place_order(1, '$blue', 1, 'again');
	RELEASE b;
	SELECT entry_no, balance_after FROM commerce.charge_balance(3, 7);
	COMMIT;
	SELECT available FROM commerce.stock WHERE option_id = 2;") =~ s/^.*\n(?=5\|5)//sr,
	"5|5\n1|7\n4", 'and can be done again in the same transaction');
is_sound($node, 'no invariant is violated by savepoints');

# Many calls in one transaction, half of them undone one by one.
is($node->safe_psql('postgres', "
	DO \$\$
	BEGIN
		FOR i IN 1 .. 600 LOOP
			BEGIN
				PERFORM commerce.charge_balance(3, 10);
				PERFORM commerce.place_order(3, '$one', NULL, 'many ' || i);
				PERFORM commerce.use_balance(3, 1);
				PERFORM commerce.charge_balance(3, 1);
				IF i % 2 = 0 THEN
					RAISE 'undo' USING ERRCODE = 'XXUND';
				END IF;
			EXCEPTION WHEN SQLSTATE 'XXUND' THEN
				NULL;
			END;
		END LOOP;
	END \$\$;
	SELECT balance, entry_count FROM commerce.balances WHERE user_id = 3;
	SELECT count(*), sum(total) FROM commerce.orders WHERE user_id = 3;"),
	"7|1201\n300|3000", 'six hundred rounds in one transaction, half of them undone');
is_sound($node, 'no invariant is violated by a large transaction');

# Several calls in one statement see each other.
is($node->safe_psql('postgres', "
	SELECT (commerce.place_order(1, '$one')).order_id < (commerce.place_order(1, '$one')).order_id,
		(commerce.place_order(1, '$one', NULL, 'twice')).order_id =
			(commerce.place_order(1, '$one', NULL, 'twice')).order_id;"),
	't|t', 'two orders in one SELECT list; one with one key');
is($node->safe_psql('postgres', "
	SELECT sum(entry_no), sum(balance_after)
	FROM generate_series(1, 100) AS n, LATERAL commerce.charge_balance(3, n) h;"),
	(100 * 1201 + 5050) . '|' . (100 * 7 + 171700), 'a hundred charges in one statement');
is($node->safe_psql('postgres', "
	WITH bought AS MATERIALIZED (SELECT total FROM commerce.place_order(2, '$one')),
		used AS MATERIALIZED (SELECT balance_after FROM bought, commerce.use_balance(2, 5))
	SELECT total, balance_after FROM bought, used"),
	'10|0', 'an order and what is left of the balance in one statement');
is(sqlstates($node, "SELECT commerce.place_order(1, '$blue') FROM generate_series(1, 5)"),
	'SC301', 'one refusal fails the whole statement');
is($node->safe_psql('postgres', 'SELECT available FROM commerce.stock WHERE option_id = 2'),
	'4', 'and undoes the calls before it');

# A cursor over what the loop changes shows it as it was when it was opened.
is($node->safe_psql('postgres', "
	DO \$\$
	DECLARE
		account	record;
	BEGIN
		FOR account IN SELECT user_id FROM commerce.balances LOOP
			PERFORM commerce.charge_balance(account.user_id, 1000);
		END LOOP;
	END \$\$;
	SELECT count(*) FROM commerce.balance_history WHERE amount = 1000;"),
	'3', 'a loop over accounts charges each once');
is($node->safe_psql('postgres', "
	BEGIN;
	DECLARE c CURSOR FOR SELECT user_id, (commerce.place_order(user_id, '$one')).total
		FROM commerce.balances ORDER BY user_id;
	FETCH 1 FROM c;
	SELECT total FROM commerce.place_order(1, '$one');
	FETCH 1 FROM c;
	COMMIT;"), "1|10\n10\n2|10", 'a cursor places orders as it is fetched from');
is_sound($node, 'no invariant is violated in the end');
log_is_clean($node, 'no crash, no internal error');

$node->stop;
done_testing();
