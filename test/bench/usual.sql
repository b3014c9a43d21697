-- The usual peer: place_order and charge_balance in PL/pgSQL as shops write
-- them. The rules one after the other in the contract's order, SELECT ... FOR
-- UPDATE in the extension's lock order, a loop over the lines, one statement for
-- each thing to write. What the extension guarantees is guaranteed here by
-- PostgreSQL's own means: foreign keys for "no row without its parent",
-- SECURITY DEFINER with a pinned search_path for "no client writes a table".
-- tuned.sql has the same rules without these, tuned statement by statement.

CREATE SCHEMA usual;

------------------------------------------------------------------------------
-- Tables: those of schema tuned, and foreign keys
------------------------------------------------------------------------------

DO $$
DECLARE
	v_table name;
BEGIN
	FOREACH v_table IN ARRAY '{users, balances, balance_history, coupon_policies,
		coupons, products, product_options, stock, orders, order_items, events,
		idempotency_keys}'::name[]
	LOOP
		EXECUTE format('CREATE TABLE usual.%I (LIKE tuned.%1$I INCLUDING ALL)', v_table);
	END LOOP;
END
$$;
SELECT pg_catalog.brin_desummarize_range('usual.orders_paid_at_idx', 0);
CREATE SEQUENCE usual.order_id_seq;
CREATE SEQUENCE usual.event_id_seq;
ALTER TABLE usual.events ALTER event_id SET DEFAULT nextval('usual.event_id_seq');

ALTER TABLE usual.balances ADD FOREIGN KEY (user_id) REFERENCES usual.users;
ALTER TABLE usual.balance_history
	ADD FOREIGN KEY (user_id) REFERENCES usual.balances,
	ADD FOREIGN KEY (order_id) REFERENCES usual.orders;
ALTER TABLE usual.coupons
	ADD FOREIGN KEY (policy_id) REFERENCES usual.coupon_policies,
	ADD FOREIGN KEY (user_id) REFERENCES usual.users,
	ADD FOREIGN KEY (order_id) REFERENCES usual.orders;
ALTER TABLE usual.product_options ADD FOREIGN KEY (product_id) REFERENCES usual.products;
ALTER TABLE usual.stock ADD FOREIGN KEY (option_id) REFERENCES usual.product_options;
ALTER TABLE usual.orders
	ADD FOREIGN KEY (user_id) REFERENCES usual.users,
	ADD FOREIGN KEY (coupon_id) REFERENCES usual.coupons;
ALTER TABLE usual.order_items
	ADD FOREIGN KEY (order_id) REFERENCES usual.orders,
	ADD FOREIGN KEY (option_id) REFERENCES usual.product_options;
ALTER TABLE usual.events ADD FOREIGN KEY (order_id) REFERENCES usual.orders;

------------------------------------------------------------------------------
-- charge_balance
------------------------------------------------------------------------------

CREATE FUNCTION usual.charge_balance(p_user_id bigint, p_amount bigint,
	p_idempotency_key text DEFAULT NULL)
RETURNS usual.balance_history
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_digest bytea;
	v_key usual.idempotency_keys;
	v_balance usual.balances;
	v_entry usual.balance_history;
BEGIN
	IF p_user_id IS NULL OR p_amount IS NULL THEN
		RAISE EXCEPTION '% must not be null',
			CASE WHEN p_user_id IS NULL THEN 'user_id' ELSE 'amount' END
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF p_amount NOT BETWEEN 1 AND 1000000000000 THEN
		PERFORM tuned.refuse('SC101', 'invalid amount', jsonb_build_object(
			'amount', p_amount, 'min', 1, 'max', 1000000000000));
	END IF;

	-- A known key returns its entry.
	IF p_idempotency_key IS NOT NULL THEN
		v_digest := sha256(p_amount::text::bytea);
		INSERT INTO usual.idempotency_keys (user_id, function_name,
			idempotency_key, arguments_digest, object_id)
		VALUES (p_user_id, 'charge_balance', p_idempotency_key, v_digest, 0)
		ON CONFLICT DO NOTHING;
		IF NOT FOUND THEN
			SELECT * INTO v_key FROM usual.idempotency_keys
			WHERE user_id = p_user_id AND function_name = 'charge_balance'
			  AND idempotency_key = p_idempotency_key;
			IF v_key.arguments_digest <> v_digest THEN
				PERFORM tuned.refuse('SC401', 'idempotency key was used with other arguments',
					jsonb_build_object('idempotency_key', p_idempotency_key));
			END IF;
			SELECT * INTO v_entry FROM usual.balance_history
			WHERE user_id = p_user_id AND entry_no = v_key.object_id;
			RETURN v_entry;
		END IF;
	END IF;

	PERFORM FROM usual.users WHERE user_id = p_user_id;
	IF NOT FOUND THEN
		PERFORM tuned.refuse('SC001', 'user not found',
			jsonb_build_object('user_id', p_user_id));
	END IF;
	INSERT INTO usual.balances AS b (user_id, balance, entry_count)
	VALUES (p_user_id, p_amount, 1)
	ON CONFLICT (user_id) DO UPDATE
	SET balance = b.balance + p_amount, entry_count = b.entry_count + 1, updated_at = now()
	RETURNING * INTO v_balance;
	INSERT INTO usual.balance_history (user_id, entry_no, type, amount, balance_after)
	VALUES (p_user_id, v_balance.entry_count, 'charge', p_amount, v_balance.balance)
	RETURNING * INTO v_entry;

	IF p_idempotency_key IS NOT NULL THEN
		UPDATE usual.idempotency_keys SET object_id = v_entry.entry_no
		WHERE user_id = p_user_id AND function_name = 'charge_balance'
		  AND idempotency_key = p_idempotency_key;
	END IF;
	RETURN v_entry;
END
$$;

------------------------------------------------------------------------------
-- place_order
------------------------------------------------------------------------------

CREATE FUNCTION usual.place_order(p_user_id bigint, p_items jsonb,
	p_coupon_id bigint DEFAULT NULL, p_idempotency_key text DEFAULT NULL)
RETURNS usual.orders
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_element jsonb;
	v_element_no integer := 0;
	v_line integer;
	v_option_ids bigint[] := '{}';
	v_product_ids bigint[] := '{}';
	v_quantities bigint[] := '{}';
	v_prices bigint[] := '{}';
	v_shares bigint[];
	v_digest bytea;
	v_key usual.idempotency_keys;
	v_balance usual.balances;
	v_coupon usual.coupons;
	v_policy usual.coupon_policies;
	v_option usual.product_options;
	v_available bigint;
	v_shortages jsonb := '[]';
	v_subtotal bigint := 0;
	v_discount bigint := 0;
	v_order usual.orders;
BEGIN
	IF p_user_id IS NULL OR p_items IS NULL THEN
		RAISE EXCEPTION '% must not be null',
			CASE WHEN p_user_id IS NULL THEN 'user_id' ELSE 'items' END
			USING ERRCODE = 'null_value_not_allowed';
	END IF;

	-- Items: checked and merged.
	IF jsonb_typeof(p_items) <> 'array'
	   OR jsonb_array_length(p_items) NOT BETWEEN 1 AND 1000 THEN
		PERFORM tuned.refuse('SC302', 'items are malformed',
			jsonb_build_object('reason', 'not an array of 1 to 1000 elements'));
	END IF;
	FOR v_element IN SELECT jsonb_array_elements(p_items) LOOP
		v_element_no := v_element_no + 1;
		IF jsonb_typeof(v_element) <> 'object'
		   OR v_element - '{option_id,quantity}'::text[] <> '{}'
		   OR jsonb_typeof(v_element -> 'option_id') IS DISTINCT FROM 'number'
		   OR jsonb_typeof(v_element -> 'quantity') IS DISTINCT FROM 'number'
		   OR (v_element -> 'option_id')::numeric % 1 <> 0
		   OR (v_element -> 'quantity')::numeric % 1 <> 0
		   OR (v_element -> 'quantity')::numeric NOT BETWEEN 1 AND 1000000000 THEN
			PERFORM tuned.refuse('SC302', 'items are malformed', jsonb_build_object(
				'reason', 'not an option_id and a quantity', 'element', v_element_no));
		END IF;
		v_line := array_position(v_option_ids, (v_element -> 'option_id')::bigint);
		IF v_line IS NULL THEN
			v_option_ids := v_option_ids || (v_element -> 'option_id')::bigint;
			v_quantities := v_quantities || (v_element -> 'quantity')::bigint;
		ELSE
			v_quantities[v_line] := v_quantities[v_line] + (v_element -> 'quantity')::bigint;
		END IF;
	END LOOP;

	-- A known key returns its order.
	IF p_idempotency_key IS NOT NULL THEN
		v_digest := sha256(concat(v_option_ids, v_quantities, p_coupon_id)::bytea);
		INSERT INTO usual.idempotency_keys (user_id, function_name,
			idempotency_key, arguments_digest, object_id)
		VALUES (p_user_id, 'place_order', p_idempotency_key, v_digest, 0)
		ON CONFLICT DO NOTHING;
		IF NOT FOUND THEN
			SELECT * INTO v_key FROM usual.idempotency_keys
			WHERE user_id = p_user_id AND function_name = 'place_order'
			  AND idempotency_key = p_idempotency_key;
			IF v_key.arguments_digest <> v_digest THEN
				PERFORM tuned.refuse('SC401', 'idempotency key was used with other arguments',
					jsonb_build_object('idempotency_key', p_idempotency_key));
			END IF;
			SELECT * INTO v_order FROM usual.orders WHERE order_id = v_key.object_id;
			RETURN v_order;
		END IF;
	END IF;

	-- User, options and prices.
	PERFORM FROM usual.users WHERE user_id = p_user_id;
	IF NOT FOUND THEN
		PERFORM tuned.refuse('SC001', 'user not found',
			jsonb_build_object('user_id', p_user_id));
	END IF;
	FOR i IN 1 .. cardinality(v_option_ids) LOOP
		SELECT * INTO v_option FROM usual.product_options WHERE option_id = v_option_ids[i];
		IF NOT FOUND THEN
			PERFORM tuned.refuse('SC003', 'product option not found',
				jsonb_build_object('option_id', v_option_ids[i]));
		END IF;
		v_product_ids := v_product_ids || v_option.product_id;
		v_prices := v_prices || v_option.price;
		v_subtotal := v_subtotal + v_option.price * v_quantities[i];
	END LOOP;

	-- Locks: balance, coupon, stock by option.
	SELECT * INTO v_balance FROM usual.balances WHERE user_id = p_user_id FOR UPDATE;
	IF p_coupon_id IS NOT NULL THEN
		SELECT * INTO v_coupon FROM usual.coupons WHERE coupon_id = p_coupon_id FOR UPDATE;
	END IF;
	FOR v_line IN
		SELECT line FROM unnest(v_option_ids) WITH ORDINALITY o (option_id, line)
		ORDER BY option_id
	LOOP
		SELECT quantity INTO v_available FROM usual.stock
		WHERE option_id = v_option_ids[v_line] FOR UPDATE;
		IF v_available < v_quantities[v_line] THEN
			v_shortages := v_shortages || jsonb_build_object(
				'option_id', v_option_ids[v_line],
				'requested', v_quantities[v_line], 'available', v_available);
		END IF;
	END LOOP;
	IF v_shortages <> '[]' THEN
		PERFORM tuned.refuse('SC301', 'insufficient stock',
			jsonb_build_object('shortages', v_shortages));
	END IF;

	-- Coupon.
	IF p_coupon_id IS NOT NULL THEN
		SELECT * INTO v_policy FROM usual.coupon_policies WHERE policy_id = v_coupon.policy_id;
		IF v_coupon.user_id IS DISTINCT FROM p_user_id THEN
			PERFORM tuned.refuse('SC006', 'coupon not found',
				jsonb_build_object('coupon_id', p_coupon_id));
		ELSIF v_coupon.status = 'used' THEN
			PERFORM tuned.refuse('SC211', 'coupon was already used',
				jsonb_build_object('coupon_id', p_coupon_id, 'order_id', v_coupon.order_id));
		ELSIF v_coupon.status = 'revoked' THEN
			PERFORM tuned.refuse('SC214', 'coupon was revoked',
				jsonb_build_object('coupon_id', p_coupon_id));
		ELSIF v_coupon.expires_at <= now() THEN
			PERFORM tuned.refuse('SC212', 'coupon has expired', jsonb_build_object(
				'coupon_id', p_coupon_id, 'expires_at', v_coupon.expires_at));
		ELSIF v_subtotal < v_policy.min_order_amount THEN
			PERFORM tuned.refuse('SC213', 'coupon needs a larger order', jsonb_build_object(
				'coupon_id', p_coupon_id, 'requested', v_subtotal,
				'min_order_amount', v_policy.min_order_amount));
		END IF;
		v_discount := least(v_subtotal, CASE v_policy.discount_type
			WHEN 'fixed' THEN v_policy.discount_value
			ELSE least(div(v_subtotal::numeric * v_policy.discount_value, 100),
					   v_policy.max_discount_amount) END);
		v_shares := tuned.discount_shares(v_quantities, v_prices, v_subtotal, v_discount);
	END IF;

	-- Balance.
	IF v_balance.user_id IS NULL THEN
		PERFORM tuned.refuse('SC102', 'user has no balance account',
			jsonb_build_object('user_id', p_user_id));
	ELSIF v_balance.balance < v_subtotal - v_discount THEN
		PERFORM tuned.refuse('SC103', 'insufficient balance', jsonb_build_object(
			'user_id', p_user_id, 'requested', v_subtotal - v_discount,
			'available', v_balance.balance));
	END IF;

	-- Everything is decided: write.
	INSERT INTO usual.orders (order_id, user_id, status, subtotal, discount, total,
		coupon_id, paid_at)
	VALUES (nextval('usual.order_id_seq'), p_user_id, 'paid', v_subtotal, v_discount,
		v_subtotal - v_discount, p_coupon_id, now())
	RETURNING * INTO v_order;
	FOR i IN 1 .. cardinality(v_option_ids) LOOP
		INSERT INTO usual.order_items (order_id, line_no, option_id, product_id, quantity,
			unit_price, discount_amount)
		VALUES (v_order.order_id, i, v_option_ids[i], v_product_ids[i],
			v_quantities[i], v_prices[i], coalesce(v_shares[i], 0));
		UPDATE usual.stock SET quantity = quantity - v_quantities[i]
		WHERE option_id = v_option_ids[i];
	END LOOP;
	IF v_order.total > 0 THEN
		UPDATE usual.balances SET balance = balance - v_order.total,
			entry_count = entry_count + 1, updated_at = now()
		WHERE user_id = p_user_id
		RETURNING * INTO v_balance;
		INSERT INTO usual.balance_history (user_id, entry_no, type, amount,
			balance_after, order_id)
		VALUES (p_user_id, v_balance.entry_count, 'payment', -v_order.total,
			v_balance.balance, v_order.order_id);
	END IF;
	IF p_coupon_id IS NOT NULL THEN
		UPDATE usual.coupons SET status = 'used', used_at = now(),
			order_id = v_order.order_id, discount_amount = v_discount
		WHERE coupon_id = p_coupon_id;
	END IF;
	IF p_idempotency_key IS NOT NULL THEN
		UPDATE usual.idempotency_keys SET object_id = v_order.order_id
		WHERE user_id = p_user_id AND function_name = 'place_order'
		  AND idempotency_key = p_idempotency_key;
	END IF;
	INSERT INTO usual.events (event_type, order_id) VALUES ('order.paid', v_order.order_id);
	/* notify */
	RETURN v_order;
END
$$;

-- The same text once more, with a notification.
DO $$
BEGIN
	EXECUTE replace(replace(pg_get_functiondef('usual.place_order'::regproc),
		'FUNCTION usual.place_order(', 'FUNCTION usual.place_order_notify('),
		'/* notify */', 'PERFORM pg_notify(''commerce_outbox'', '''');');
END
$$;
