# A shop of a few counters that everybody wants, for 016_counter_stress.pl. What the
# calls say they did is in the table told, written in their own transactions.
package CounterShop;

use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw($counter_shop);

# Options 1 to 4 are for everybody; each of 101 to 120 has one unit.
our $counter_shop = q(
	SELECT count(commerce.create_user('buyer', id)), count(commerce.charge_balance(id, 1000000000))
	FROM generate_series(1, 64) AS id;
	SELECT commerce.create_product('shirt', 1);
	SELECT commerce.create_product_option(1, 'size ' || id, 1, stock, id)
	FROM unnest(ARRAY[1, 2, 3, 4], ARRAY[1, 7, 100, 100000]) AS o (id, stock);
	SELECT count(commerce.create_product_option(1, 'rare ' || id, 1, 1, id))
	FROM generate_series(101, 120) AS id;
	SELECT count(commerce.create_coupon_policy('a round''s', 'fixed', 1, 500,
		per_user_limit => 500, policy_id => id))
	FROM generate_series(1, 4) AS id;

	-- What the calls said they did, in their own transactions.
	CREATE TABLE public.told (op text, id bigint, quantity bigint);

	CREATE FUNCTION public.upto(n bigint) RETURNS bigint LANGUAGE sql
	RETURN 1 + floor(random() * n)::bigint;

	-- Usually few; of option 4 now and then more than any slot has.
	CREATE FUNCTION public.how_many(option bigint) RETURNS bigint LANGUAGE sql
	RETURN CASE option WHEN 1 THEN 1 WHEN 2 THEN public.upto(3) WHEN 3 THEN public.upto(8)
					   ELSE ceil(power(random(), 12) * 5000)::bigint + 1 END;

	CREATE FUNCTION public.act(who bigint, op text, subject bigint) RETURNS void
	LANGUAGE plpgsql AS $$
	DECLARE
		option	bigint := public.upto(4);
		lines	jsonb;
	BEGIN
		CASE op
		WHEN 'order' THEN
			SELECT jsonb_agg(jsonb_build_object('option_id', id, 'quantity', public.how_many(id)))
			INTO lines FROM (SELECT id FROM generate_series(1, 4) AS id
							 ORDER BY random() LIMIT (SELECT public.upto(3))) AS chosen;
			PERFORM commerce.place_order(who, lines);
			INSERT INTO told SELECT 'stock', (line ->> 'option_id')::bigint, -(line ->> 'quantity')::bigint
			FROM jsonb_array_elements(lines) AS line;
		WHEN 'batch' THEN
			SELECT jsonb_agg(jsonb_build_object('user_id', who, 'items', jsonb_build_array(
				jsonb_build_object('option_id', id, 'quantity', public.how_many(id)))))
			INTO lines FROM (SELECT public.upto(4) AS id FROM generate_series(1, 6)) AS chosen;
			INSERT INTO told SELECT 'stock', (line -> 'option_id')::bigint, -(line -> 'quantity')::bigint
			FROM commerce.place_orders(lines), jsonb_extract_path(lines, (request_no - 1)::text, 'items', '0') AS line
			WHERE order_id IS NOT NULL;
		WHEN 'rare' THEN
			PERFORM commerce.place_order(who, jsonb_build_array(
				jsonb_build_object('option_id', subject, 'quantity', 1)));
			INSERT INTO told VALUES ('ok', subject);
		WHEN 'issue' THEN
			PERFORM commerce.issue_coupon(who, subject);
			INSERT INTO told VALUES ('coupon', subject, 1);
		WHEN 'undo' THEN
			SELECT order_id INTO subject FROM commerce.orders
			WHERE user_id = who AND status = 'paid' ORDER BY order_id DESC LIMIT 1;
			IF FOUND THEN
				PERFORM commerce.cancel_order(subject);
				INSERT INTO told SELECT 'stock', option_id, quantity
				FROM commerce.order_items WHERE order_id = subject;
			END IF;
		WHEN 'up', 'down' THEN
			INSERT INTO told VALUES ('stock', option, public.how_many(option) * CASE op WHEN 'up' THEN 3 ELSE -1 END)
			RETURNING quantity INTO subject;
			PERFORM commerce.adjust_stock(option, subject, 'stress');
		END CASE;
	EXCEPTION WHEN SQLSTATE 'SC301' OR SQLSTATE 'SC203' THEN
		IF op = 'rare' THEN
			INSERT INTO told VALUES (SQLSTATE, subject);
		END IF;
	END $$;
);

1;
