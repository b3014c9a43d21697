-- The tuned peer: place_order and charge_balance as a good PL/pgSQL author would
-- write them, over tables of the same shape as those of schema commerce, with
-- the same rules, refusals and writes. What makes it fast:
--
-- * No query on the usual way that another one answers already: an account
--   that could be debited has a user, so users is read on a refusal only.
-- * The usual way decides by conditional UPDATEs. Only when one of them finds
--   nothing, a second function finds out which refusal ranks first.
-- * Items are read by simple expressions, which PL/pgSQL evaluates without the
--   executor. For a query over jsonb_to_recordset the planner always expects
--   100 rows, and reads whole tables to join them: six times the time.
-- * Lines take their stock one by one, in the order of option_id: an index
--   lookup each, whatever the planner thinks, and a guaranteed lock order. One
--   UPDATE over unnest() saves 4 % with three lines if generic plans are forced;
--   left alone it is planned anew at every call and takes 40 % longer.
-- * One statement with four INSERTs instead of four statements.
-- * No exception block, no SET clause, no SECURITY DEFINER: each costs.
--
-- Simpler than the extension in what is not measured: stock is one row an
-- option, and limits are constants.

CREATE SCHEMA tuned;

------------------------------------------------------------------------------
-- Tables: same_shape.sql compares them with those of schema commerce
------------------------------------------------------------------------------

CREATE TYPE tuned.balance_entry_type AS ENUM ('charge', 'use', 'payment', 'refund');
CREATE TYPE tuned.discount_type AS ENUM ('fixed', 'percent');
CREATE TYPE tuned.coupon_status AS ENUM ('issued', 'used', 'revoked');
CREATE TYPE tuned.order_status AS ENUM
	('pending', 'paid', 'partially_refunded', 'refunded', 'cancelled', 'expired');

CREATE SEQUENCE tuned.order_id_seq;
CREATE SEQUENCE tuned.event_id_seq;

CREATE TABLE tuned.users (
	user_id		bigint PRIMARY KEY,
	name		text NOT NULL,
	created_at	timestamptz NOT NULL DEFAULT now(),
	erased_at	timestamptz
);

CREATE TABLE tuned.balances (
	user_id		bigint PRIMARY KEY,
	balance		bigint NOT NULL CHECK (balance >= 0),
	entry_count	bigint NOT NULL,
	updated_at	timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

CREATE TABLE tuned.balance_history (
	user_id			bigint NOT NULL,
	entry_no		bigint NOT NULL,
	type			tuned.balance_entry_type NOT NULL,
	amount			bigint NOT NULL,
	balance_after	bigint NOT NULL,
	order_id		bigint,
	created_at		timestamptz NOT NULL DEFAULT now(),
	actor			text,
	PRIMARY KEY (user_id, entry_no)
);

CREATE TABLE tuned.coupon_policies (
	policy_id			bigint PRIMARY KEY,
	name				text NOT NULL,
	discount_type		tuned.discount_type NOT NULL,
	discount_value		bigint NOT NULL,
	max_discount_amount	bigint,
	min_order_amount	bigint NOT NULL,
	quantity			bigint NOT NULL DEFAULT 0,
	per_user_limit		integer NOT NULL,
	issue_from			timestamptz NOT NULL,
	issue_until			timestamptz,
	valid_for			interval,
	valid_until			timestamptz,
	restore_on_cancel	boolean NOT NULL,
	created_at			timestamptz NOT NULL DEFAULT now(),
	highest_limit		integer NOT NULL
);

CREATE TABLE tuned.coupons (
	coupon_id		bigint PRIMARY KEY,
	policy_id		bigint NOT NULL,
	user_id			bigint NOT NULL,
	status			tuned.coupon_status NOT NULL,
	issued_at		timestamptz NOT NULL,
	expires_at		timestamptz,
	used_at			timestamptz,
	order_id		bigint,
	discount_amount	bigint,
	issue_no		integer NOT NULL,
	UNIQUE (user_id, policy_id, issue_no)
) WITH (fillfactor = 80);

CREATE TABLE tuned.products (
	product_id	bigint PRIMARY KEY,
	name		text NOT NULL,
	created_at	timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE tuned.product_options (
	option_id	bigint PRIMARY KEY,
	product_id	bigint NOT NULL,
	name		text NOT NULL,
	price		bigint NOT NULL,
	created_at	timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 90);
CREATE INDEX product_options_product_id_idx ON tuned.product_options (product_id);

CREATE TABLE tuned.stock (
	option_id	bigint PRIMARY KEY,
	quantity	bigint NOT NULL CHECK (quantity >= 0)
) WITH (fillfactor = 25);

CREATE TABLE tuned.orders (
	order_id		bigint PRIMARY KEY,
	user_id			bigint NOT NULL,
	status			tuned.order_status NOT NULL,
	subtotal		bigint NOT NULL,
	discount		bigint NOT NULL,
	total			bigint NOT NULL,
	refunded		bigint NOT NULL DEFAULT 0,
	coupon_id		bigint,
	placed_at		timestamptz NOT NULL DEFAULT now(),
	paid_at			timestamptz,
	closed_at		timestamptz,
	expires_at		timestamptz,
	cancel_reason	text,
	placed_by		text,
	closed_by		text
) WITH (fillfactor = 90);
CREATE INDEX orders_paid_at_idx ON tuned.orders USING brin (paid_at)
	WITH (autosummarize = on);
SELECT pg_catalog.brin_desummarize_range('tuned.orders_paid_at_idx', 0);
CREATE INDEX orders_user_id_order_id_idx ON tuned.orders (user_id, order_id);
CREATE INDEX orders_pending_idx ON tuned.orders (expires_at) WHERE status = 'pending';

CREATE TABLE tuned.order_items (
	order_id			bigint NOT NULL,
	line_no				integer NOT NULL,
	option_id			bigint NOT NULL,
	product_id			bigint NOT NULL,
	quantity			bigint NOT NULL,
	unit_price			bigint NOT NULL,
	discount_amount		bigint NOT NULL,
	refunded_quantity	bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (order_id, line_no)
);

-- The number of this database, a constant of the planner's.
CREATE FUNCTION tuned.event_origin() RETURNS bigint LANGUAGE sql IMMUTABLE
RETURN 4611686018427387904;

CREATE TABLE tuned.events (
	event_id		bigint NOT NULL DEFAULT nextval('tuned.event_id_seq'),
	order_id		bigint NOT NULL,
	created_at		timestamptz NOT NULL DEFAULT now(),
	origin			bigint NOT NULL DEFAULT tuned.event_origin(),
	xact_id			bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
	follows_xact_id	bigint,
	event_type		text NOT NULL,
	refund			jsonb,
	PRIMARY KEY (origin, xact_id, event_id)
);

CREATE TABLE tuned.idempotency_keys (
	user_id				bigint NOT NULL,
	function_name		text COLLATE "C" NOT NULL,
	idempotency_key		text COLLATE "C" NOT NULL,
	arguments_digest	bytea NOT NULL,
	object_id			bigint NOT NULL,
	created_at			timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (user_id, function_name, idempotency_key)
) WITH (fillfactor = 80);
CREATE INDEX idempotency_keys_created_at_idx ON tuned.idempotency_keys USING brin (created_at);

------------------------------------------------------------------------------
-- Refusals: off the usual way, so clear rather than fast
------------------------------------------------------------------------------

CREATE FUNCTION tuned.refuse(p_code text, p_message text, p_detail jsonb)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION '%', p_message USING ERRCODE = p_code, DETAIL = p_detail::text;
END
$$;

-- Why an order cannot be: the refusal that ranks first. Lines before
-- p_from_option_id have taken their stock in this transaction already.
CREATE FUNCTION tuned.refuse_order(p_user_id bigint, p_option_ids bigint[],
	p_quantities bigint[], p_missing_option_id bigint, p_coupon_id bigint,
	p_subtotal bigint, p_total bigint, p_from_option_id bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	v_shortages jsonb;
	v_coupon record;
	v_balance bigint;
BEGIN
	IF NOT EXISTS (SELECT FROM tuned.users u WHERE u.user_id = p_user_id) THEN
		PERFORM tuned.refuse('SC001', 'user not found',
			jsonb_build_object('user_id', p_user_id));
	END IF;
	IF p_missing_option_id IS NOT NULL THEN
		PERFORM tuned.refuse('SC003', 'product option not found',
			jsonb_build_object('option_id', p_missing_option_id));
	END IF;

	SELECT jsonb_agg(jsonb_build_object('option_id', l.option_id,
				'requested', l.quantity, 'available', coalesce(s.quantity, 0))
			ORDER BY l.line_no)
	INTO v_shortages
	FROM unnest(p_option_ids, p_quantities)
			WITH ORDINALITY l (option_id, quantity, line_no)
	LEFT JOIN tuned.stock s ON s.option_id = l.option_id
	WHERE coalesce(s.quantity, 0) < l.quantity
	  AND (p_from_option_id IS NULL OR l.option_id >= p_from_option_id);
	IF v_shortages IS NOT NULL THEN
		PERFORM tuned.refuse('SC301', 'insufficient stock',
			jsonb_build_object('shortages', v_shortages));
	END IF;

	IF p_coupon_id IS NOT NULL THEN
		SELECT c.status, c.order_id, c.expires_at, p.min_order_amount
		INTO v_coupon
		FROM tuned.coupons c JOIN tuned.coupon_policies p ON p.policy_id = c.policy_id
		WHERE c.coupon_id = p_coupon_id AND c.user_id = p_user_id;
		IF NOT FOUND THEN
			PERFORM tuned.refuse('SC006', 'coupon not found',
				jsonb_build_object('coupon_id', p_coupon_id));
		ELSIF v_coupon.status = 'used' THEN
			PERFORM tuned.refuse('SC211', 'coupon already used',
				jsonb_strip_nulls(jsonb_build_object('coupon_id', p_coupon_id,
					'order_id', v_coupon.order_id)));
		ELSIF v_coupon.status = 'revoked' THEN
			PERFORM tuned.refuse('SC214', 'coupon revoked',
				jsonb_build_object('coupon_id', p_coupon_id));
		ELSIF v_coupon.expires_at <= now() THEN
			PERFORM tuned.refuse('SC212', 'coupon expired',
				jsonb_build_object('coupon_id', p_coupon_id,
					'expires_at', v_coupon.expires_at));
		ELSIF p_subtotal < v_coupon.min_order_amount THEN
			PERFORM tuned.refuse('SC213', 'order amount below the coupon''s minimum',
				jsonb_build_object('coupon_id', p_coupon_id,
					'requested', p_subtotal,
					'min_order_amount', v_coupon.min_order_amount));
		END IF;
	END IF;

	SELECT b.balance INTO v_balance FROM tuned.balances b WHERE b.user_id = p_user_id;
	IF NOT FOUND THEN
		PERFORM tuned.refuse('SC102', 'balance account not found',
			jsonb_build_object('user_id', p_user_id));
	ELSIF v_balance < p_total THEN
		PERFORM tuned.refuse('SC103', 'insufficient balance',
			jsonb_build_object('user_id', p_user_id, 'requested', p_total,
				'available', v_balance));
	END IF;

	-- What was missing came back between the attempt and this look.
	RAISE EXCEPTION 'could not place the order because of a concurrent change'
		USING ERRCODE = 'serialization_failure';
END
$$;

------------------------------------------------------------------------------
-- Discount shares: by largest remainder, ties to the lower line_no
------------------------------------------------------------------------------

CREATE FUNCTION tuned.discount_shares(p_quantities bigint[], p_prices bigint[],
	p_subtotal bigint, p_discount bigint)
RETURNS bigint[] LANGUAGE sql IMMUTABLE AS $$
	SELECT array_agg(s.share + (s.rank <= s.units_left)::integer ORDER BY s.line_no)
	FROM (SELECT r.line_no, r.share,
				 row_number() OVER (ORDER BY r.remainder DESC, r.line_no) AS rank,
				 p_discount - sum(r.share) OVER () AS units_left
		  FROM (SELECT l.line_no,
					   div(x.scaled, p_subtotal)::bigint AS share,
					   mod(x.scaled, p_subtotal) AS remainder
				FROM unnest(p_quantities, p_prices)
						WITH ORDINALITY l (quantity, price, line_no),
					 LATERAL (SELECT p_discount::numeric * l.quantity * l.price
							  AS scaled) x) r) s
$$;

------------------------------------------------------------------------------
-- charge_balance
------------------------------------------------------------------------------

CREATE FUNCTION tuned.charge_balance(p_user_id bigint, p_amount bigint,
	p_idempotency_key text DEFAULT NULL)
RETURNS tuned.balance_history
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
	c_max_charge CONSTANT bigint := 1000000000000;
	c_max_balance CONSTANT bigint := 9223372036854775807;
	v_digest bytea;
	v_key tuned.idempotency_keys;
	v_balance bigint;
	v_entry_no bigint;
	v_entry tuned.balance_history;
BEGIN
	IF p_user_id IS NULL OR p_amount IS NULL THEN
		RAISE EXCEPTION '% must not be null',
			CASE WHEN p_user_id IS NULL THEN 'user_id' ELSE 'amount' END
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF p_amount NOT BETWEEN 1 AND c_max_charge THEN
		PERFORM tuned.refuse('SC101', 'invalid amount', jsonb_build_object(
			'amount', p_amount, 'min', 1, 'max', c_max_charge));
	END IF;

	-- The key's row comes first; a call with the same key waits for it here.
	IF p_idempotency_key IS NOT NULL THEN
		IF length(p_idempotency_key) NOT BETWEEN 1 AND 255 THEN
			RAISE EXCEPTION 'idempotency_key must have 1 to 255 characters'
				USING ERRCODE = 'invalid_parameter_value';
		END IF;
		v_digest := sha256(p_amount::text::bytea);
		INSERT INTO tuned.idempotency_keys (user_id, function_name,
			idempotency_key, arguments_digest, object_id)
		VALUES (p_user_id, 'charge_balance', p_idempotency_key, v_digest, 0)
		ON CONFLICT DO NOTHING;
		IF NOT FOUND THEN
			SELECT * INTO v_key FROM tuned.idempotency_keys k
			WHERE k.user_id = p_user_id AND k.function_name = 'charge_balance'
			  AND k.idempotency_key = p_idempotency_key;
			IF v_key.arguments_digest <> v_digest THEN
				PERFORM tuned.refuse('SC401', 'idempotency key used with other arguments',
					jsonb_build_object('idempotency_key', p_idempotency_key));
			END IF;
			SELECT * INTO v_entry FROM tuned.balance_history h
			WHERE h.user_id = p_user_id AND h.entry_no = v_key.object_id;
			RETURN v_entry;
		END IF;
	END IF;

	LOOP
		UPDATE tuned.balances b
		SET balance = b.balance + p_amount, entry_count = b.entry_count + 1,
			updated_at = now()
		WHERE b.user_id = p_user_id AND b.balance <= c_max_balance - p_amount
		RETURNING b.balance, b.entry_count INTO v_balance, v_entry_no;
		EXIT WHEN FOUND;

		PERFORM FROM tuned.users u WHERE u.user_id = p_user_id;
		IF NOT FOUND THEN
			PERFORM tuned.refuse('SC001', 'user not found',
				jsonb_build_object('user_id', p_user_id));
		END IF;
		INSERT INTO tuned.balances AS b (user_id, balance, entry_count)
		VALUES (p_user_id, p_amount, 1)
		ON CONFLICT DO NOTHING
		RETURNING b.balance, b.entry_count INTO v_balance, v_entry_no;
		EXIT WHEN FOUND;

		PERFORM FROM tuned.balances b
		WHERE b.user_id = p_user_id AND b.balance > c_max_balance - p_amount;
		IF FOUND THEN
			PERFORM tuned.refuse('SC104', 'balance limit exceeded',
				jsonb_build_object('user_id', p_user_id));
		END IF;
	END LOOP;

	INSERT INTO tuned.balance_history (user_id, entry_no, type, amount, balance_after)
	VALUES (p_user_id, v_entry_no, 'charge', p_amount, v_balance)
	RETURNING * INTO v_entry;

	IF p_idempotency_key IS NOT NULL THEN
		UPDATE tuned.idempotency_keys k SET object_id = v_entry_no
		WHERE k.user_id = p_user_id AND k.function_name = 'charge_balance'
		  AND k.idempotency_key = p_idempotency_key;
	END IF;
	RETURN v_entry;
END
$$;

------------------------------------------------------------------------------
-- place_order
------------------------------------------------------------------------------

CREATE FUNCTION tuned.place_order(p_user_id bigint, p_items jsonb,
	p_coupon_id bigint DEFAULT NULL, p_idempotency_key text DEFAULT NULL)
RETURNS tuned.orders
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
	c_max_lines CONSTANT integer := 1000;
	c_max_quantity CONSTANT bigint := 1000000000;
	v_element jsonb;
	v_reason text;
	v_line integer;
	v_lines integer := 0;
	v_option_id bigint;
	v_product_id bigint;
	v_quantity bigint;
	v_price bigint;
	v_option_ids bigint[] := '{}';
	v_product_ids bigint[] := '{}';
	v_quantities bigint[] := '{}';
	v_prices bigint[] := '{}';
	v_shares bigint[];
	v_missing_option_id bigint;
	v_digest bytea;
	v_key tuned.idempotency_keys;
	v_coupon record;
	v_subtotal bigint := 0;
	v_discount bigint := 0;
	v_total bigint;
	v_balance bigint;
	v_entry_no bigint;
	v_order_id bigint;
	v_order tuned.orders;
BEGIN
	IF p_user_id IS NULL OR p_items IS NULL THEN
		RAISE EXCEPTION '% must not be null',
			CASE WHEN p_user_id IS NULL THEN 'user_id' ELSE 'items' END
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF length(p_idempotency_key) NOT BETWEEN 1 AND 255 THEN
		RAISE EXCEPTION 'idempotency_key must have 1 to 255 characters'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;

	-- Items: read, checked, merged and priced in one pass.
	IF jsonb_typeof(p_items) <> 'array' THEN
		PERFORM tuned.refuse('SC302', 'invalid order items',
			jsonb_build_object('reason', 'items must be an array'));
	END IF;
	IF jsonb_array_length(p_items) NOT BETWEEN 1 AND c_max_lines THEN
		PERFORM tuned.refuse('SC302', 'invalid order items',
			jsonb_build_object('reason', 'number of elements out of range'));
	END IF;
	FOR v_element_no IN 0 .. jsonb_array_length(p_items) - 1 LOOP
		v_element := p_items -> v_element_no;
		v_reason := CASE
			WHEN jsonb_typeof(v_element) <> 'object'
				THEN 'element must be an object'
			WHEN v_element - '{option_id,quantity}'::text[] <> '{}'
				THEN 'unknown key'
			WHEN jsonb_typeof(v_element -> 'option_id') IS DISTINCT FROM 'number'
				THEN 'option_id must be a number'
			WHEN jsonb_typeof(v_element -> 'quantity') IS DISTINCT FROM 'number'
				THEN 'quantity must be a number'
			WHEN (v_element -> 'option_id')::numeric % 1 <> 0
			  OR abs((v_element -> 'option_id')::numeric) > 9223372036854775807
				THEN 'option_id must be a bigint'
			WHEN (v_element -> 'quantity')::numeric % 1 <> 0
			  OR (v_element -> 'quantity')::numeric NOT BETWEEN 1 AND c_max_quantity
				THEN 'quantity out of range'
		END;
		IF v_reason IS NOT NULL THEN
			PERFORM tuned.refuse('SC302', 'invalid order items',
				jsonb_build_object('reason', v_reason, 'element', v_element_no + 1));
		END IF;

		v_option_id := (v_element -> 'option_id')::bigint;
		v_quantity := (v_element -> 'quantity')::bigint;
		v_line := array_position(v_option_ids, v_option_id);
		IF v_line IS NULL THEN
			SELECT o.price, o.product_id INTO v_price, v_product_id
			FROM tuned.product_options o WHERE o.option_id = v_option_id;
			IF NOT FOUND THEN
				-- Malformed elements rank before it: read on.
				v_missing_option_id := coalesce(v_missing_option_id, v_option_id);
			END IF;
			v_lines := v_lines + 1;
			v_option_ids[v_lines] := v_option_id;
			v_product_ids[v_lines] := v_product_id;
			v_quantities[v_lines] := v_quantity;
			v_prices[v_lines] := v_price;
		ELSE
			v_price := v_prices[v_line];
			v_quantities[v_line] := v_quantities[v_line] + v_quantity;
			IF v_quantities[v_line] > c_max_quantity THEN
				PERFORM tuned.refuse('SC302', 'invalid order items', jsonb_build_object(
					'reason', 'summed quantity out of range', 'element', v_element_no + 1));
			END IF;
		END IF;
		v_subtotal := v_subtotal + v_quantity * v_price;
	END LOOP;

	v_order_id := nextval('tuned.order_id_seq');

	-- The key's row comes first; a call with the same key waits for it here.
	IF p_idempotency_key IS NOT NULL THEN
		v_digest := sha256(convert_to(
			(SELECT string_agg(l.option_id || ' ' || l.quantity, ',' ORDER BY l.option_id)
			 FROM unnest(v_option_ids, v_quantities) l (option_id, quantity))
			|| ';' || coalesce(p_coupon_id::text, ''), 'UTF8'));
		INSERT INTO tuned.idempotency_keys (user_id, function_name,
			idempotency_key, arguments_digest, object_id)
		VALUES (p_user_id, 'place_order', p_idempotency_key, v_digest, v_order_id)
		ON CONFLICT DO NOTHING;
		IF NOT FOUND THEN
			SELECT * INTO v_key FROM tuned.idempotency_keys k
			WHERE k.user_id = p_user_id AND k.function_name = 'place_order'
			  AND k.idempotency_key = p_idempotency_key;
			IF v_key.arguments_digest <> v_digest THEN
				PERFORM tuned.refuse('SC401', 'idempotency key used with other arguments',
					jsonb_build_object('idempotency_key', p_idempotency_key));
			END IF;
			SELECT * INTO v_order FROM tuned.orders o WHERE o.order_id = v_key.object_id;
			RETURN v_order;
		END IF;
	END IF;

	IF v_missing_option_id IS NOT NULL THEN
		PERFORM tuned.refuse_order(p_user_id, v_option_ids, v_quantities,
			v_missing_option_id, p_coupon_id, v_subtotal, v_subtotal, NULL);
	END IF;

	-- Coupon: locked after the balance, as the lock order wants.
	IF p_coupon_id IS NOT NULL THEN
		PERFORM FROM tuned.balances b WHERE b.user_id = p_user_id FOR UPDATE;
		SELECT p.discount_type, p.discount_value, p.max_discount_amount INTO v_coupon
		FROM tuned.coupons c JOIN tuned.coupon_policies p ON p.policy_id = c.policy_id
		WHERE c.coupon_id = p_coupon_id AND c.user_id = p_user_id
		  AND c.status = 'issued' AND (c.expires_at > now()) IS NOT FALSE
		  AND v_subtotal >= p.min_order_amount
		FOR UPDATE OF c;
		IF NOT FOUND THEN
			PERFORM tuned.refuse_order(p_user_id, v_option_ids, v_quantities,
				NULL, p_coupon_id, v_subtotal, v_subtotal, NULL);
		END IF;
		v_discount := least(v_subtotal, CASE v_coupon.discount_type
			WHEN 'fixed' THEN v_coupon.discount_value
			ELSE least(div(v_subtotal::numeric * v_coupon.discount_value, 100),
					   v_coupon.max_discount_amount) END);
		IF v_lines > 1 AND v_discount > 0 THEN
			v_shares := tuned.discount_shares(v_quantities, v_prices,
				v_subtotal, v_discount);
		END IF;
	END IF;
	v_total := v_subtotal - v_discount;

	-- Balance: an order of 0 needs the account, but makes no entry.
	IF v_total > 0 THEN
		UPDATE tuned.balances b
		SET balance = b.balance - v_total, entry_count = b.entry_count + 1,
			updated_at = now()
		WHERE b.user_id = p_user_id AND b.balance >= v_total
		RETURNING b.balance, b.entry_count INTO v_balance, v_entry_no;
	ELSE
		PERFORM FROM tuned.balances b WHERE b.user_id = p_user_id;
	END IF;
	IF NOT FOUND THEN
		PERFORM tuned.refuse_order(p_user_id, v_option_ids, v_quantities,
			NULL, p_coupon_id, v_subtotal, v_total, NULL);
	END IF;
	IF p_coupon_id IS NOT NULL THEN
		UPDATE tuned.coupons c
		SET status = 'used', used_at = now(), order_id = v_order_id,
			discount_amount = v_discount
		WHERE c.coupon_id = p_coupon_id;
	END IF;

	-- Stock, then every new row at once.
	IF v_lines = 1 THEN
		v_quantity := v_quantities[1];
		UPDATE tuned.stock s SET quantity = s.quantity - v_quantity
		WHERE s.option_id = v_option_id AND s.quantity >= v_quantity;
		IF NOT FOUND THEN
			PERFORM tuned.refuse_order(p_user_id, v_option_ids, v_quantities,
				NULL, NULL, v_subtotal, 0, NULL);
		END IF;
		WITH item AS (
			INSERT INTO tuned.order_items (order_id, line_no, option_id, product_id,
				quantity, unit_price, discount_amount)
			VALUES (v_order_id, 1, v_option_id, v_product_id,
				v_quantity, v_price, v_discount)
		), entry AS (
			INSERT INTO tuned.balance_history (user_id, entry_no, type, amount,
				balance_after, order_id)
			SELECT p_user_id, v_entry_no, 'payment', -v_total, v_balance, v_order_id
			WHERE v_total > 0
		), event AS (
			INSERT INTO tuned.events (event_type, order_id)
			VALUES ('order.paid', v_order_id)
		)
		INSERT INTO tuned.orders (order_id, user_id, status, subtotal, discount,
			total, coupon_id, paid_at)
		VALUES (v_order_id, p_user_id, 'paid', v_subtotal, v_discount,
			v_total, p_coupon_id, now())
		RETURNING * INTO v_order;
	ELSE
		FOR v_option_id, v_quantity IN
			SELECT l.option_id, l.quantity
			FROM unnest(v_option_ids, v_quantities) l (option_id, quantity)
			ORDER BY l.option_id
		LOOP
			UPDATE tuned.stock s SET quantity = s.quantity - v_quantity
			WHERE s.option_id = v_option_id AND s.quantity >= v_quantity;
			IF NOT FOUND THEN
				PERFORM tuned.refuse_order(p_user_id, v_option_ids, v_quantities,
					NULL, NULL, v_subtotal, 0, v_option_id);
			END IF;
		END LOOP;
		WITH item AS (
			INSERT INTO tuned.order_items (order_id, line_no, option_id, product_id,
				quantity, unit_price, discount_amount)
			SELECT v_order_id, l.line_no, l.option_id, l.product_id,
				l.quantity, l.price, coalesce(l.share, 0)
			FROM unnest(v_option_ids, v_product_ids, v_quantities, v_prices, v_shares)
					WITH ORDINALITY l (option_id, product_id, quantity, price, share, line_no)
		), entry AS (
			INSERT INTO tuned.balance_history (user_id, entry_no, type, amount,
				balance_after, order_id)
			SELECT p_user_id, v_entry_no, 'payment', -v_total, v_balance, v_order_id
			WHERE v_total > 0
		), event AS (
			INSERT INTO tuned.events (event_type, order_id)
			VALUES ('order.paid', v_order_id)
		)
		INSERT INTO tuned.orders (order_id, user_id, status, subtotal, discount,
			total, coupon_id, paid_at)
		VALUES (v_order_id, p_user_id, 'paid', v_subtotal, v_discount,
			v_total, p_coupon_id, now())
		RETURNING * INTO v_order;
	END IF;

	/* notify */
	RETURN v_order;
END
$$;

-- The same text once more, with a notification.
DO $$
BEGIN
	EXECUTE replace(replace(pg_get_functiondef('tuned.place_order'::regproc),
		'FUNCTION tuned.place_order(', 'FUNCTION tuned.place_order_notify('),
		'/* notify */', 'PERFORM pg_notify(''commerce_outbox'', '''');');
END
$$;
