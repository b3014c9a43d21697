# A shop in which everything collides. What the calls say they did is logged in
# their own transactions; StressBooks.pm compares it with what the tables hold.
package StressShop;

use strict;
use warnings;
use Exporter 'import';
use StressOrders;

our @EXPORT = qw(open_shop scripts);

my $users = 5;
my $options = 5;

# 5 users, 5 options, 4 policies. Policy 1 sells out, 2 never ends, 3 allows
# two a user, 4 has a minimum that few orders reach.
my $shop = qq(
	SELECT commerce.create_user('buyer', id), commerce.charge_balance(id, 1)
	FROM generate_series(1, $users) AS id;
	SELECT commerce.create_product('shirt', 1);
	SELECT commerce.create_product_option(1, 'size ' || id, 10 * id, 0, id)
	FROM generate_series(1, $options) AS id;
	SELECT commerce.create_coupon_policy('scarce', 'fixed', 10, 50, per_user_limit => 30, policy_id => 1),
		commerce.create_coupon_policy('plenty', 'percent', 10, 1000000, per_user_limit => 1000000, policy_id => 2),
		commerce.create_coupon_policy('two each', 'percent', 50, 1000, per_user_limit => 2,
			max_discount_amount => 7, policy_id => 3),
		commerce.create_coupon_policy('large orders', 'fixed', 5, 1000, per_user_limit => 200,
			min_order_amount => 400, policy_id => 4);

	CREATE SCHEMA stress;
	CREATE TABLE stress.log (log_id bigserial, client integer, op text, outcome text,
		user_id bigint, subject_id bigint, object_id bigint, amount bigint, items jsonb,
		coupon_id bigint, key text);
	CREATE TABLE stress.delivered (event_id bigint PRIMARY KEY, order_id bigint, attempt integer);

	-- What happened, a replayed key once. adjust_stock's keys belong to no user.
	-- (A replayed refund is logged as such: its amount would be that of others.)
	CREATE VIEW stress.done AS
		SELECT DISTINCT ON (op, CASE WHEN op <> 'adjust' THEN user_id END,
							coalesce(key, log_id::text)) *
		FROM stress.log WHERE outcome = 'ok'
		ORDER BY op, CASE WHEN op <> 'adjust' THEN user_id END, coalesce(key, log_id::text), log_id;
);

# One random call. Keys are quarters of a second, so that everybody uses the
# same ones at once, and the arguments follow from the key, except now and then.
my $act = qq(
	CREATE FUNCTION stress.upto(n bigint) RETURNS bigint LANGUAGE sql
	RETURN 1 + floor(random() * n)::bigint;

	CREATE FUNCTION stress.lines(n bigint, key text) RETURNS jsonb LANGUAGE sql
	RETURN (SELECT jsonb_agg(jsonb_build_object(
				'option_id', CASE WHEN key IS NULL THEN stress.upto($options)
								  ELSE 1 + (n + i) % $options END,
				'quantity', CASE WHEN key IS NULL THEN stress.upto(3) ELSE 1 + n % 3 END))
			FROM generate_series(1, 1 + n % 5) AS i);

	CREATE FUNCTION stress.act(client integer, op text) RETURNS void LANGUAGE plpgsql AS \$\$
	DECLARE
		tick	bigint := floor(extract(epoch FROM clock_timestamp()) * 4);
		done	stress.log;
	BEGIN
		done.client := client;
		done.op := op;
		done.outcome := 'ok';
		done.user_id := stress.upto($users);
		IF op NOT IN ('price', 'use_coupon', 'order_coupon', 'pay', 'cancel', 'expire', 'batch')
			AND random() < 0.4 THEN
			done.key := 't' || tick;
		END IF;
		done.amount := CASE WHEN done.key IS NULL THEN stress.upto(300)
							ELSE 1 + tick % 300 + (random() < 0.1)::integer END;
		done.subject_id := CASE WHEN done.key IS NULL THEN stress.upto($options)
								ELSE 1 + tick % $options END;
		done.log_id := nextval('stress.log_log_id_seq');

		CASE op
		WHEN 'charge' THEN
			SELECT entry_no, amount INTO STRICT done.object_id, done.amount
			FROM commerce.charge_balance(done.user_id, done.amount * 2, done.key);
		WHEN 'use' THEN
			SELECT entry_no, -amount INTO STRICT done.object_id, done.amount
			FROM commerce.use_balance(done.user_id, done.amount, done.key);
		WHEN 'adjust' THEN
			done.amount := done.amount % 61 - 24;
			PERFORM commerce.adjust_stock(done.subject_id, done.amount, 'stress', done.key);
		WHEN 'price' THEN
			PERFORM commerce.set_price(done.subject_id, done.amount / 3);
		WHEN 'issue' THEN
			done.subject_id := least(done.subject_id, 4);
			SELECT coupon_id INTO STRICT done.object_id
			FROM commerce.issue_coupon(done.user_id, done.subject_id, done.key);
		WHEN 'use_coupon' THEN
			done.coupon_id := stress.coupon_of(done.user_id);
			SELECT coupon_id INTO STRICT done.object_id
			FROM commerce.use_coupon(done.user_id, done.coupon_id, done.amount);
		WHEN 'order', 'order_coupon' THEN
			IF op = 'order_coupon' THEN
				done.coupon_id := stress.coupon_of(done.user_id);
			END IF;
			done.items := stress.lines(done.amount, done.key);
			SELECT order_id, total INTO STRICT done.object_id, done.amount
			FROM commerce.place_order(done.user_id, done.items, done.coupon_id, done.key);
			done.op := 'order';
		WHEN 'hold' THEN
			IF done.key IS NULL THEN
				done.coupon_id := stress.coupon_of(done.user_id);
			END IF;
			done.items := stress.lines(done.amount, done.key);
			SELECT order_id, total INTO STRICT done.object_id, done.amount
			FROM commerce.hold_order(done.user_id, done.items, done.coupon_id,
				CASE WHEN done.subject_id = 1 THEN interval '50 ms' ELSE '1 hour' END, done.key);
		WHEN 'batch' THEN
			PERFORM stress.batch(client, stress.upto(8));
		ELSE
			done := stress.follow(done);
		END CASE;
		INSERT INTO stress.log VALUES (done.*);
	EXCEPTION WHEN OTHERS THEN
		IF SQLSTATE !~ '^SC' THEN
			RAISE;
		END IF;
		INSERT INTO stress.log (client, op, outcome) VALUES (client, op, SQLSTATE);
	END \$\$;

	-- Several orders at once, of several users; each is logged as what it is.
	CREATE FUNCTION stress.batch(client integer, size bigint) RETURNS void LANGUAGE plpgsql AS \$\$
	DECLARE
		tick		bigint := floor(extract(epoch FROM clock_timestamp()) * 4);
		requests	jsonb := '[]';
		answers		jsonb;
		request		jsonb;
		amount		bigint;
	BEGIN
		FOR i IN 1..size LOOP
			request := jsonb_build_object('user_id', stress.upto($users));
			IF random() < 0.4 THEN
				request := request || jsonb_build_object('idempotency_key', 't' || tick);
			ELSIF random() < 0.4 THEN
				request := request || jsonb_build_object('coupon_id', stress.coupon_of((request -> 'user_id')::bigint));
			END IF;
			amount := CASE WHEN request ? 'idempotency_key' THEN 1 + tick % 300 + (random() < 0.1)::integer
						   ELSE stress.upto(300) END;
			requests := requests || jsonb_build_array(request ||
				jsonb_build_object('items', stress.lines(amount, request ->> 'idempotency_key')));
		END LOOP;

		SELECT jsonb_agg(to_jsonb(a)) INTO answers FROM commerce.place_orders(requests) a;
		INSERT INTO stress.log (client, op, outcome, user_id, object_id, amount, items, coupon_id, key)
		SELECT client, CASE WHEN a.sqlstate IS NULL THEN 'order' ELSE 'batch' END, coalesce(a.sqlstate, 'ok'),
			(r.request -> 'user_id')::bigint, a.order_id, o.total, r.request -> 'items',
			(r.request -> 'coupon_id')::bigint, r.request ->> 'idempotency_key'
		FROM jsonb_to_recordset(answers) a (request_no integer, order_id bigint, sqlstate text)
		JOIN jsonb_array_elements(requests) WITH ORDINALITY r (request, nth) ON r.nth = a.request_no
		LEFT JOIN commerce.orders o USING (order_id)
		ORDER BY a.request_no;
	END \$\$;

	-- The oldest coupon of some policy, which everybody wants, or now and then
	-- one that is gone.
	CREATE FUNCTION stress.coupon_of(who bigint) RETURNS bigint LANGUAGE sql
	RETURN coalesce((SELECT coupon_id FROM commerce.coupons
					 WHERE user_id = who AND policy_id = (SELECT stress.upto(4))
					   AND status = CASE WHEN (SELECT random()) < 0.05 THEN 'used'
										 ELSE 'issued' END::commerce.coupon_status
					 ORDER BY coupon_id LIMIT 1), 1);

	-- One in seven first attempts fails and may be tried again at once.
	CREATE FUNCTION stress.deliver(event_ids bigint[], attempts integer[]) RETURNS void
	LANGUAGE plpgsql AS \$\$
	DECLARE
		event	record;
	BEGIN
		FOR event IN SELECT * FROM unnest(event_ids, attempts) AS e (event_id, attempt)
		LOOP
			IF event.attempt = 1 AND event.event_id % 7 = 0 THEN
				BEGIN
					PERFORM commerce.fail_event(event.event_id, event.attempt, 'no answer', '0');
				EXCEPTION WHEN SQLSTATE 'SC501' THEN
					NULL;
				END;
			ELSIF commerce.ack_events(ARRAY[event.event_id], ARRAY[event.attempt]) = 1 THEN
				INSERT INTO stress.delivered
				SELECT event_id, order_id, attempt FROM commerce.deliveries o
				WHERE o.event_id = event.event_id;
			END IF;
		END LOOP;
	END \$\$;

	-- Delivers what is due, and says how much is left.
	CREATE FUNCTION stress.drain() RETURNS bigint LANGUAGE plpgsql AS \$\$
	BEGIN
		PERFORM stress.deliver(array_agg(event_id), array_agg(attempt))
		FROM commerce.claim_events(1000);
		RETURN (SELECT count(*) FROM commerce.deliveries WHERE status <> 'delivered');
	END \$\$;
);

sub open_shop
{
	my ($node) = @_;
	$node->safe_psql('postgres', "$shop $after_order $act");
	return;
}

# pgbench scripts with their weights; claims and deliveries are two transactions.
sub scripts
{
	my ($prefix) = @_;
	my %weight = (charge => 4, use => 2, adjust => 4, price => 1, issue => 4,
		use_coupon => 2, order => 8, order_coupon => 4, hold => 6, pay => 4, cancel => 3,
		refund => 4, expire => 1, batch => 3);
	my %scripts = map {
		("${prefix}_$_\@$weight{$_}" => "SELECT stress.act(:client_id, '$_');")
	} keys %weight;

	$scripts{"${prefix}_relay\@3"} = q(
		SELECT coalesce(array_agg(event_id), '{}') AS ids, coalesce(array_agg(attempt), '{}') AS attempts
		FROM commerce.claim_events(20, '2 seconds') \gset
		SELECT stress.deliver(':ids', ':attempts');
	);
	return \%scripts;
}

1;
