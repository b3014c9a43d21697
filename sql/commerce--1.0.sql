/* commerce 1.0: types, tables, views, functions by area, operation, grants, dump marks */

\echo Use "CREATE EXTENSION commerce" to load this file. \quit

-- A plain CREATE: it fails loudly when somebody made the schema beforehand.
CREATE SCHEMA commerce;
REVOKE ALL ON SCHEMA commerce FROM PUBLIC;
COMMENT ON SCHEMA commerce IS 'The purchase, decided in one place. Money is bigint in the currency''s minor unit.';

------------------------------------------------------------------------------
-- Types
------------------------------------------------------------------------------

CREATE TYPE commerce.balance_entry_type AS ENUM ('charge', 'use', 'payment', 'refund');
COMMENT ON TYPE commerce.balance_entry_type IS 'What moved a balance: charge and refund add, use and payment take.';

CREATE TYPE commerce.discount_type AS ENUM ('fixed', 'percent');
COMMENT ON TYPE commerce.discount_type IS 'fixed: discount_value is an amount; percent: it is 1..100.';

CREATE TYPE commerce.coupon_status AS ENUM ('issued', 'used', 'revoked');
COMMENT ON TYPE commerce.coupon_status IS 'State of a coupon. Expiry is derived from expires_at, never stored.';

CREATE TYPE commerce.order_status AS ENUM
	('pending', 'paid', 'partially_refunded', 'refunded', 'cancelled', 'expired');
COMMENT ON TYPE commerce.order_status IS 'State of an order.';

CREATE TYPE commerce.event_status AS ENUM
	('available', 'running', 'delivered', 'dead', 'discarded');
COMMENT ON TYPE commerce.event_status IS 'State of an outbox event: available may be claimed when due, running is leased, dead waits for a decision.';

------------------------------------------------------------------------------
-- Sequences
------------------------------------------------------------------------------

CREATE SEQUENCE commerce.user_id_seq;
COMMENT ON SEQUENCE commerce.user_id_seq IS 'Generated users.user_id.';
CREATE SEQUENCE commerce.product_id_seq;
COMMENT ON SEQUENCE commerce.product_id_seq IS 'Generated products.product_id.';
CREATE SEQUENCE commerce.option_id_seq;
COMMENT ON SEQUENCE commerce.option_id_seq IS 'Generated product_options.option_id.';
CREATE SEQUENCE commerce.policy_id_seq;
COMMENT ON SEQUENCE commerce.policy_id_seq IS 'Generated coupon_policies.policy_id.';
CREATE SEQUENCE commerce.coupon_id_seq;
COMMENT ON SEQUENCE commerce.coupon_id_seq IS 'Generated coupons.coupon_id.';
CREATE SEQUENCE commerce.adjustment_id_seq;
COMMENT ON SEQUENCE commerce.adjustment_id_seq IS 'Generated stock_adjustments.adjustment_id.';
CREATE SEQUENCE commerce.order_id_seq;
COMMENT ON SEQUENCE commerce.order_id_seq IS 'Generated orders.order_id.';
CREATE SEQUENCE commerce.event_id_seq;
COMMENT ON SEQUENCE commerce.event_id_seq IS 'Generated outbox.event_id.';

------------------------------------------------------------------------------
-- Tables
--
-- src/tables.c knows these columns by position and checks their names and
-- types; new columns go last. Hot tables leave room on the page and keep every
-- updated column out of every index, so that updates stay HOT.
--
-- There are no foreign keys: the functions prove the parent, nothing deletes
-- one, and verify() checks them all. Under load they would cost 40 %, and even
-- on quiet tables they would break pg_restore -j, which loads the tables of an
-- extension in any order.
------------------------------------------------------------------------------

CREATE TABLE commerce.users (
	user_id		bigint PRIMARY KEY,
	name		text NOT NULL,
	created_at	timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE commerce.users IS 'USER of the flow chart. Never deleted.';

CREATE TABLE commerce.balances (
	user_id		bigint PRIMARY KEY,
	balance		bigint NOT NULL CHECK (balance >= 0),
	entry_count	bigint NOT NULL,
	updated_at	timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
COMMENT ON TABLE commerce.balances IS 'BALANCE of the flow chart: one account a user, opened by the first charge.';
COMMENT ON COLUMN commerce.balances.entry_count IS 'The last entry_no of the user''s history.';

CREATE TABLE commerce.balance_history (
	user_id			bigint NOT NULL,
	entry_no		bigint NOT NULL,
	type			commerce.balance_entry_type NOT NULL,
	amount			bigint NOT NULL,
	balance_after	bigint NOT NULL,
	order_id		bigint,
	created_at		timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (user_id, entry_no)
);
COMMENT ON TABLE commerce.balance_history IS 'BALANCE_HISTORY of the flow chart: every movement of a balance, numbered 1, 2, 3... per user without a gap. Only ever inserted.';
COMMENT ON COLUMN commerce.balance_history.amount IS 'Signed, never 0.';

CREATE TABLE commerce.coupon_policies (
	policy_id			bigint PRIMARY KEY,
	name				text NOT NULL,
	discount_type		commerce.discount_type NOT NULL,
	discount_value		bigint NOT NULL,
	max_discount_amount	bigint,
	min_order_amount	bigint NOT NULL,
	quantity			bigint NOT NULL,
	per_user_limit		integer NOT NULL,
	issue_from			timestamptz NOT NULL,
	issue_until			timestamptz NOT NULL,
	valid_for			interval,
	valid_until			timestamptz NOT NULL,
	restore_on_cancel	boolean NOT NULL,
	created_at			timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE commerce.coupon_policies IS 'COUPON_POLICY of the flow chart. Periods are half-open.';

CREATE TABLE commerce.coupon_quota_slots (
	policy_id	bigint NOT NULL,
	slot		integer NOT NULL,
	level		integer NOT NULL,
	quantity	bigint NOT NULL CHECK (quantity >= 0),
	PRIMARY KEY (policy_id, slot)
) WITH (fillfactor = 25);
COMMENT ON TABLE commerce.coupon_quota_slots IS 'Coupons of a policy not yet issued, spread over slots.';

CREATE TABLE commerce.coupons (
	coupon_id		bigint PRIMARY KEY,
	policy_id		bigint NOT NULL,
	user_id			bigint NOT NULL,
	status			commerce.coupon_status NOT NULL,
	issued_at		timestamptz NOT NULL,
	expires_at		timestamptz NOT NULL,
	used_at			timestamptz,
	order_id		bigint,
	discount_amount	bigint,
	issue_no		integer NOT NULL,
	UNIQUE (user_id, policy_id, issue_no)
) WITH (fillfactor = 80);
COMMENT ON TABLE commerce.coupons IS 'COUPON of the flow chart: what a user holds.';
COMMENT ON COLUMN commerce.coupons.issue_no IS '1, 2, 3... of this policy''s coupons to this user: its unique index holds per_user_limit under concurrency.';

CREATE TABLE commerce.products (
	product_id	bigint PRIMARY KEY,
	name		text NOT NULL,
	created_at	timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE commerce.products IS 'PRODUCT of the flow chart.';

CREATE TABLE commerce.product_options (
	option_id	bigint PRIMARY KEY,
	product_id	bigint NOT NULL,
	name		text NOT NULL,
	price		bigint NOT NULL,
	created_at	timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 90);
COMMENT ON TABLE commerce.product_options IS 'PRODUCT_OPTION of the flow chart: what is bought. Never deleted.';
CREATE INDEX product_options_product_id_idx ON commerce.product_options (product_id);

CREATE TABLE commerce.stock_slots (
	option_id	bigint NOT NULL,
	slot		integer NOT NULL,
	level		integer NOT NULL,
	quantity	bigint NOT NULL CHECK (quantity >= 0),
	PRIMARY KEY (option_id, slot)
) WITH (fillfactor = 25);
COMMENT ON TABLE commerce.stock_slots IS 'Units of an option that can be sold now, spread over slots.';

CREATE TABLE commerce.stock_adjustments (
	adjustment_id	bigint PRIMARY KEY,
	option_id		bigint NOT NULL,
	quantity		bigint NOT NULL,
	reason			text NOT NULL,
	created_at		timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE commerce.stock_adjustments IS 'Every change of stock that was no sale; the first stock is one too.';
CREATE INDEX stock_adjustments_option_id_idx ON commerce.stock_adjustments (option_id);

CREATE TABLE commerce.orders (
	order_id		bigint PRIMARY KEY,
	user_id			bigint NOT NULL,
	status			commerce.order_status NOT NULL,
	subtotal		bigint NOT NULL,
	discount		bigint NOT NULL,
	total			bigint NOT NULL,
	refunded		bigint NOT NULL DEFAULT 0,
	coupon_id		bigint,
	placed_at		timestamptz NOT NULL DEFAULT now(),
	paid_at			timestamptz,
	closed_at		timestamptz,
	expires_at		timestamptz,
	cancel_reason	text
) WITH (fillfactor = 90);
COMMENT ON TABLE commerce.orders IS 'ORDER of the flow chart.';
COMMENT ON COLUMN commerce.orders.expires_at IS 'When a held order can no longer be paid; stays when it is paid. NULL for an order that was placed.';
COMMENT ON COLUMN commerce.orders.closed_at IS 'When it was cancelled, wholly refunded, or found expired.';
-- For popular_products. Orders are paid in about the order in which they lie in
-- the table, which is all that BRIN needs. A range costs an order next to nothing
-- until it is summarized, so the one being filled must not be: autosummarize does
-- it when the next one begins, but CREATE INDEX did it for the empty first one.
CREATE INDEX orders_paid_at_idx ON commerce.orders USING brin (paid_at)
	WITH (autosummarize = on);
SELECT pg_catalog.brin_desummarize_range('commerce.orders_paid_at_idx', 0);
CREATE INDEX orders_user_id_order_id_idx ON commerce.orders (user_id, order_id);
CREATE INDEX orders_pending_idx ON commerce.orders (expires_at) WHERE status = 'pending';

CREATE TABLE commerce.order_items (
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
COMMENT ON TABLE commerce.order_items IS 'ORDER_ITEM of the flow chart: the lines of an order, numbered by first appearance.';
COMMENT ON COLUMN commerce.order_items.discount_amount IS 'This line''s share of the order''s discount.';

CREATE TABLE commerce.outbox (
	event_id		bigint PRIMARY KEY DEFAULT nextval('commerce.event_id_seq'),
	event_type		text NOT NULL,
	order_id		bigint NOT NULL,
	status			commerce.event_status NOT NULL DEFAULT 'available',
	attempt			integer NOT NULL DEFAULT 0,
	max_attempts	integer NOT NULL DEFAULT 10,
	next_attempt_at	timestamptz NOT NULL DEFAULT now(),
	locked_until	timestamptz,
	last_error		text,
	created_at		timestamptz NOT NULL DEFAULT now(),
	delivered_at	timestamptz,
	refund			jsonb
) WITH (fillfactor = 80);
COMMENT ON TABLE commerce.outbox IS 'Events for the outside world, each written in the transaction of the change it tells of.';
COMMENT ON COLUMN commerce.outbox.refund IS 'What order.refunded tells of: {"amount", "items": [{option_id, quantity, amount}]}. NULL for other events.';
CREATE INDEX outbox_available_idx ON commerce.outbox (next_attempt_at, event_id)
	WHERE status = 'available';
CREATE INDEX outbox_running_idx ON commerce.outbox (locked_until)
	WHERE status = 'running';
CREATE INDEX outbox_unfinished_idx ON commerce.outbox (order_id, event_id)
	WHERE status IN ('available', 'running', 'dead');

CREATE TABLE commerce.outbox_horizon (
	one_row		boolean PRIMARY KEY DEFAULT true CHECK (one_row),
	purged_until	timestamptz NOT NULL
);
COMMENT ON TABLE commerce.outbox_horizon IS 'created_at of the youngest event ever purged: verify() expects every later event to exist.';

CREATE TABLE commerce.idempotency_keys (
	user_id				bigint NOT NULL,
	function_name		text COLLATE "C" NOT NULL,
	idempotency_key		text COLLATE "C" NOT NULL,
	arguments_digest	bytea NOT NULL,
	object_id			bigint NOT NULL,
	created_at			timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (user_id, function_name, idempotency_key)
) WITH (fillfactor = 80);
COMMENT ON TABLE commerce.idempotency_keys IS 'What each idempotency key stands for. user_id is 0 for adjust_stock, which has no user.';
COMMENT ON COLUMN commerce.idempotency_keys.object_id IS 'entry_no, coupon_id, order_id or option_id, by function.';
CREATE INDEX idempotency_keys_created_at_idx ON commerce.idempotency_keys USING brin (created_at);

------------------------------------------------------------------------------
-- Views
------------------------------------------------------------------------------

CREATE VIEW commerce.stock AS
	SELECT o.option_id, o.product_id,
		   coalesce((SELECT sum(s.quantity) FROM commerce.stock_slots s
					 WHERE s.option_id = o.option_id), 0)::bigint AS available
	FROM commerce.product_options o;
COMMENT ON VIEW commerce.stock IS 'Units of each option that can be bought now.';

CREATE VIEW commerce.coupon_quota AS
	SELECT p.policy_id, p.quantity,
		   p.quantity - q.remaining AS issued, q.remaining
	FROM commerce.coupon_policies p,
		 LATERAL (SELECT coalesce(sum(s.quantity), 0)::bigint AS remaining
				  FROM commerce.coupon_quota_slots s
				  WHERE s.policy_id = p.policy_id) q;
COMMENT ON VIEW commerce.coupon_quota IS 'Coupons of each policy: how many there are, were issued, remain.';

CREATE VIEW commerce.coupon_wallet AS
	SELECT c.*, p.name, p.discount_type, p.discount_value,
		   p.max_discount_amount, p.min_order_amount,
		   CASE WHEN c.status = 'issued' AND c.expires_at <= now() THEN 'expired'
				ELSE c.status::text END AS state
	FROM commerce.coupons c JOIN commerce.coupon_policies p USING (policy_id);
COMMENT ON VIEW commerce.coupon_wallet IS 'Coupons with their policy''s terms and their state now: issued, used, expired or revoked.';

------------------------------------------------------------------------------
-- Functions: catalogue (level admin; create_user also app)
--
-- Habits of all of them: an argument that is NULL though its default is not
-- is 22004; out of its bounds 22023, naming the argument; then a known
-- idempotency key returns its object; then the refusals in the order of the
-- comment. A refused call changes nothing; its DETAIL is one JSON object.
------------------------------------------------------------------------------

CREATE FUNCTION commerce.create_user(name text, user_id bigint DEFAULT NULL)
RETURNS commerce.users
AS 'MODULE_PATHNAME', 'commerce_create_user'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.create_user IS
'Adds a user (USER of the flow chart) and returns its row. name: 1..200 characters. user_id: NULL takes the next free one. Raises 22004, 22023, 23505 when user_id exists.';

CREATE FUNCTION commerce.create_product(name text, product_id bigint DEFAULT NULL)
RETURNS commerce.products
AS 'MODULE_PATHNAME', 'commerce_create_product'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.create_product IS
'Adds a product (PRODUCT of the flow chart) and returns its row. name: 1..200 characters. product_id: NULL takes the next free one. Raises 22004, 22023, 23505.';

CREATE FUNCTION commerce.create_product_option(product_id bigint, name text,
	price bigint, stock bigint DEFAULT 0, option_id bigint DEFAULT NULL)
RETURNS commerce.product_options
AS 'MODULE_PATHNAME', 'commerce_create_product_option'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.create_product_option IS
'Adds what can be bought (PRODUCT_OPTION of the flow chart) with its first stock and returns its row. price: minor units, >= 0; stock: units, >= 0. option_id: NULL takes the next free one. Raises 22004, 22023, SC002, 23505.';

CREATE FUNCTION commerce.set_price(option_id bigint, price bigint)
RETURNS commerce.product_options
AS 'MODULE_PATHNAME', 'commerce_set_price'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.set_price IS
'Sets the price (minor units, >= 0) that later orders pay. Raises 22004, 22023, SC003.';

CREATE FUNCTION commerce.adjust_stock(option_id bigint, quantity bigint,
	reason text DEFAULT 'restock', idempotency_key text DEFAULT NULL)
RETURNS commerce.stock
AS 'MODULE_PATHNAME', 'commerce_adjust_stock'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.adjust_stock IS
'Adds quantity units to an option''s stock, or takes them when negative, and records why. Raises 22004, 22023, 22003 when the stock would pass 2^63-1, SC401, SC003, SC301 below zero.';

CREATE FUNCTION commerce.create_coupon_policy(name text, discount_type text,
	discount_value bigint, quantity bigint,
	issue_from timestamptz DEFAULT now(),
	issue_until timestamptz DEFAULT 'infinity',
	max_discount_amount bigint DEFAULT NULL,
	min_order_amount bigint DEFAULT 0,
	per_user_limit integer DEFAULT 1,
	valid_for interval DEFAULT NULL,
	valid_until timestamptz DEFAULT 'infinity',
	restore_on_cancel boolean DEFAULT true,
	policy_id bigint DEFAULT NULL)
RETURNS commerce.coupon_policies
AS 'MODULE_PATHNAME', 'commerce_create_coupon_policy'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.create_coupon_policy IS
'Adds a coupon policy (COUPON_POLICY of the flow chart) with quantity coupons to issue. discount_type: fixed (discount_value in minor units, >= 1) or percent (1..100, at most max_discount_amount, NULL: no cap). A coupon expires at least(issued_at + valid_for, valid_until); valid_for NULL: at valid_until. Raises 22004, 22023, 23505 when policy_id exists.';

CREATE FUNCTION commerce.close_coupon_policy(policy_id bigint)
RETURNS commerce.coupon_policies
AS 'MODULE_PATHNAME', 'commerce_close_coupon_policy'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.close_coupon_policy IS
'Ends issuing now; an earlier end stays. Coupons already issued keep their value. Raises 22004, SC005.';

CREATE FUNCTION commerce.revoke_coupon(coupon_id bigint)
RETURNS commerce.coupons
AS 'MODULE_PATHNAME', 'commerce_revoke_coupon'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.revoke_coupon IS
'Takes an unused coupon out of use. Its quota is not given back, and it still counts for the user''s limit. Raises 22004, SC006, SC211 used, SC214 revoked already.';

------------------------------------------------------------------------------
-- Functions: balance (level app; get_balance also reader)
------------------------------------------------------------------------------

CREATE FUNCTION commerce.charge_balance(user_id bigint, amount bigint,
	idempotency_key text DEFAULT NULL)
RETURNS commerce.balance_history
AS 'MODULE_PATHNAME', 'commerce_charge_balance'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.charge_balance IS
'Adds amount (minor units) to the user''s balance, opening the account at the first charge, and returns the history entry (flow chart 1, charge). Raises 22004, 22023, SC101 amount <= 0 or over commerce.max_charge_amount, SC401, SC001, SC104 over 2^63-1.';

CREATE FUNCTION commerce.use_balance(user_id bigint, amount bigint,
	idempotency_key text DEFAULT NULL)
RETURNS commerce.balance_history
AS 'MODULE_PATHNAME', 'commerce_use_balance'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.use_balance IS
'Takes amount (minor units) from the user''s balance and returns the history entry (flow chart 1, use). Raises 22004, 22023, SC101 amount <= 0, SC401, SC102 no account, SC103 insufficient.';

CREATE FUNCTION commerce.get_balance(user_id bigint)
RETURNS bigint
AS 'MODULE_PATHNAME', 'commerce_get_balance'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION commerce.get_balance IS
'The user''s balance in minor units. Raises 22004, SC102 no account.';

------------------------------------------------------------------------------
-- Functions: coupons (level app)
------------------------------------------------------------------------------

CREATE FUNCTION commerce.issue_coupon(user_id bigint, policy_id bigint,
	idempotency_key text DEFAULT NULL)
RETURNS commerce.coupons
AS 'MODULE_PATHNAME', 'commerce_issue_coupon'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.issue_coupon IS
'Issues one coupon of a policy to a user (flow chart 2, issue). Raises 22004, 22023, SC401, SC001, SC005, SC201 not yet, SC202 over, SC204 the user has per_user_limit already, SC203 sold out.';

CREATE FUNCTION commerce.use_coupon(user_id bigint, coupon_id bigint, order_amount bigint)
RETURNS commerce.coupons
AS 'MODULE_PATHNAME', 'commerce_use_coupon'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.use_coupon IS
'Uses a coupon outside of an order, on order_amount minor units; the row''s discount_amount is what it takes off (flow chart 2, use). Raises 22004, SC101 order_amount <= 0, SC006 none or another user''s, SC211 used, SC214 revoked, SC212 expired, SC213 below the policy''s minimum.';

------------------------------------------------------------------------------
-- Functions: orders (level app; quote_order, get_order and popular_products also
-- reader)
------------------------------------------------------------------------------

CREATE FUNCTION commerce.place_order(user_id bigint, items jsonb,
	coupon_id bigint DEFAULT NULL, idempotency_key text DEFAULT NULL)
RETURNS commerce.orders
AS 'MODULE_PATHNAME', 'commerce_place_order'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.place_order IS
'Buys and pays in one step: takes stock, coupon and balance, writes the order and its order.paid event, notifies commerce_outbox (flow chart 3). items: [{"option_id": n, "quantity": n}, ...], 1..commerce.max_order_lines elements. coupon_id NULL: no coupon. Raises 22004, 22023, 22003, SC302, SC401, SC001, SC003, SC301, SC006, SC211, SC214, SC212, SC213, SC102, SC103.';

CREATE FUNCTION commerce.quote_order(user_id bigint, items jsonb,
	coupon_id bigint DEFAULT NULL)
RETURNS TABLE (line_no integer, option_id bigint, quantity bigint,
	unit_price bigint, line_total bigint, discount_amount bigint, available bigint)
AS 'MODULE_PATHNAME', 'commerce_quote_order'
LANGUAGE C STABLE PARALLEL SAFE ROWS 10;
COMMENT ON FUNCTION commerce.quote_order IS
'What place_order would ask for, by the same pricing code; writes nothing. Amounts in minor units; line_total is before the discount; available is the option''s stock. Raises 22004, 22003, SC302, SC001, SC003, SC006, SC211, SC214, SC212, SC213.';

CREATE FUNCTION commerce.hold_order(user_id bigint, items jsonb,
	coupon_id bigint DEFAULT NULL, ttl interval DEFAULT '15 minutes',
	idempotency_key text DEFAULT NULL)
RETURNS commerce.orders
AS 'MODULE_PATHNAME', 'commerce_hold_order'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.hold_order IS
'Takes stock and coupon for an order to be paid within ttl (> 0) by pay_order; status pending, expires_at = now() + ttl. Needs no balance account and writes no event (flow chart 3, up to the stock). items and coupon_id as for place_order. Raises 22004, 22023, 22003, SC302, SC401, SC001, SC003, SC301, SC006, SC211, SC214, SC212, SC213.';

CREATE FUNCTION commerce.pay_order(order_id bigint)
RETURNS commerce.orders
AS 'MODULE_PATHNAME', 'commerce_pay_order'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.pay_order IS
'Pays a pending order from the balance of its user: takes total (minor units), writes the order.paid event, notifies commerce_outbox (flow chart 3, from the balance on). A total of 0 needs an account too, and makes no balance entry. Raises 22004, SC004, SC305 at or past expires_at, swept or not, SC303 not pending, SC102, SC103.';

CREATE FUNCTION commerce.cancel_order(order_id bigint, reason text DEFAULT NULL)
RETURNS commerce.orders
AS 'MODULE_PATHNAME', 'commerce_cancel_order'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.cancel_order IS
'Undoes a pending or paid order: its stock goes back; if it was paid, its total goes back to the balance (a refund entry), and an order.cancelled event is written. The coupon comes back, if the order was paid only under a policy with restore_on_cancel. reason: 1..1000 characters, NULL: none. Raises 22004, 22023, 22003 when a stock would pass 2^63-1, SC004, SC303 neither pending nor paid, SC104 balance over 2^63-1.';

CREATE FUNCTION commerce.refund_order(order_id bigint, items jsonb,
	idempotency_key text DEFAULT NULL)
RETURNS commerce.orders
AS 'MODULE_PATHNAME', 'commerce_refund_order'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.refund_order IS
'Takes units of a paid or partially refunded order back: their stock goes back, and their part of what the line cost (minor units, less its share of the discount) to the balance; writes an order.refunded event. items as for place_order. Of k units of a line''s n in all: floor(net x k / n), less what was refunded before. With the last unit the order is refunded, and its coupon comes back if its policy has restore_on_cancel. Raises 22004, 22023, 22003 when a stock would pass 2^63-1, SC302, SC401, SC004, SC303 neither paid nor partially refunded, SC304 more than bought and not yet refunded, or not in the order, SC104 balance over 2^63-1.';

CREATE FUNCTION commerce.place_orders(requests jsonb)
RETURNS TABLE (request_no integer, order_id bigint, sqlstate text,
	message text, detail jsonb)
AS 'MODULE_PATHNAME', 'commerce_place_orders'
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 100;
COMMENT ON FUNCTION commerce.place_orders IS
'Many orders in one call and one commit. requests: a JSON array of objects with place_order''s arguments by name. In array order, each is placed or refused on its own and sees what the earlier ones did: one row each, request_no from 1; sqlstate, message and detail are NULL where an order was placed, order_id where it was refused. Idempotency keys are place_order''s. Raises 22004, and 22023 when requests is no array, or holds a non-object, an unknown key or a value of a wrong type; what else place_order would raise for one request is that request''s row.';

CREATE FUNCTION commerce.expire_orders(batch_size integer DEFAULT 1000)
RETURNS bigint
AS 'MODULE_PATHNAME', 'commerce_expire_orders'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
-- The index is the plan, whatever the statistics say.
SET enable_seqscan = off
SET enable_bitmapscan = off;
COMMENT ON FUNCTION commerce.expire_orders IS
'Closes up to batch_size (>= 1) pending orders at or past expires_at, the oldest first, and returns how many: their stock and coupons come back; no event. Orders that somebody is paying or cancelling right now are left for the next call. Raises 22004, 22023, 22003 when a stock would pass 2^63-1.';

CREATE FUNCTION commerce.get_order(order_id bigint)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'commerce_get_order'
LANGUAGE C STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET TimeZone = 'UTC';
COMMENT ON FUNCTION commerce.get_order IS
'The order as one object: every column of orders, and items, an array by line_no of every column of order_items but order_id. Times in ISO 8601, UTC. Raises 22004, SC004.';

CREATE FUNCTION commerce.popular_products(days integer DEFAULT 3,
	max_results integer DEFAULT 5)
RETURNS TABLE (product_id bigint, name text, quantity bigint)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER ROWS 5
SET search_path = pg_catalog, pg_temp
-- How many orders there are in that time decides the plan. Starting processes to
-- help would take longer than they save, and cores from who buys.
SET plan_cache_mode = force_custom_plan
SET max_parallel_workers_per_gather = 0
AS $popular_products$
DECLARE
	-- Nothing was paid so long ago; much longer ago is no timestamp.
	most_days CONSTANT integer := 1000000;
	since timestamptz;
	first_order_id bigint;
BEGIN
	IF days IS NULL OR max_results IS NULL THEN
		RAISE EXCEPTION '% must not be null',
			CASE WHEN days IS NULL THEN 'days' ELSE 'max_results' END
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF days < 1 OR max_results < 1 THEN
		RAISE EXCEPTION '% must be at least 1',
			CASE WHEN days < 1 THEN 'days' ELSE 'max_results' END
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	since := now() - least(days, most_days) * interval '24 hours';

	-- From here on the lines are read in one piece, not order by order. OFFSET
	-- keeps min() from looking for it along the primary key, from the oldest on.
	SELECT min(o.order_id) INTO first_order_id
	FROM (SELECT order_id FROM commerce.orders WHERE paid_at >= since OFFSET 0) o;

	-- Of a cancelled order every unit is refunded.
	RETURN QUERY
		SELECT s.product_id, p.name, s.quantity
		FROM (SELECT i.product_id,
					 sum(i.quantity - i.refunded_quantity)::bigint AS quantity
			  FROM commerce.orders o JOIN commerce.order_items i USING (order_id)
			  WHERE o.paid_at >= since AND i.order_id >= first_order_id
			  GROUP BY i.product_id
			  HAVING sum(i.quantity - i.refunded_quantity) > 0
			  ORDER BY 2 DESC, 1 LIMIT max_results) s
		JOIN commerce.products p USING (product_id)
		ORDER BY s.quantity DESC, s.product_id;
END
$popular_products$;
COMMENT ON FUNCTION commerce.popular_products IS
'The max_results products (>= 1) of which most units were bought, less those refunded, in orders paid in the last days x 24 hours (days >= 1); of equals the lower product_id first, none of which nothing is left. Reads the lines of all orders of that time. Raises 22004, 22023, 22003 when a quantity is out of range.';

CREATE FUNCTION commerce.purge_idempotency_keys(older_than interval DEFAULT '7 days')
RETURNS bigint
AS 'MODULE_PATHNAME', 'commerce_purge_idempotency_keys'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION commerce.purge_idempotency_keys IS
'Forgets the idempotency keys at least so old (>= 0) and returns how many (level admin). A forgotten key acts anew. Raises 22004, 22023.';

------------------------------------------------------------------------------
-- Functions: outbox (level relay; retry, discard and purge: admin)
------------------------------------------------------------------------------

CREATE FUNCTION commerce.claim_events(batch_size integer DEFAULT 100,
	lease interval DEFAULT '30 seconds')
RETURNS TABLE (event_id bigint, event_type text, order_id bigint,
	attempt integer, payload jsonb)
AS 'MODULE_PATHNAME', 'commerce_claim_events'
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 100
SET search_path = pg_catalog, pg_temp
SET TimeZone = 'UTC'
-- The indexes are the plan. Statistics lag behind a queue and would mislead.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off;
COMMENT ON FUNCTION commerce.claim_events IS
'Leases up to batch_size (>= 1) due events, longest due first, for lease (> 0), counted from clock_timestamp(). Of one order only the oldest unfinished event can be claimed. An event whose lease lapsed is claimed again, or is dead after its last attempt. Deliver only after this transaction''s commit. Raises 22004, 22023.';

CREATE FUNCTION commerce.ack_events(event_ids bigint[], attempts integer[])
RETURNS bigint
AS 'MODULE_PATHNAME', 'commerce_ack_events'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION commerce.ack_events IS
'Marks claimed events delivered and returns how many; one whose attempt is no longer the current one is not counted. NULL arrays count 0. Raises 22023 when the arrays differ in length.';

CREATE FUNCTION commerce.fail_event(event_id bigint, attempt integer, error text,
	retry_after interval DEFAULT NULL)
RETURNS commerce.outbox
AS 'MODULE_PATHNAME', 'commerce_fail_event'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.fail_event IS
'Gives a claimed event back with its error: available again after 5 s x 5^(attempt-1), at most 12 h, +- 10 %, or after retry_after (>= 0); dead after max_attempts. Raises 22004, 22023, SC007, SC501 lease lost.';

CREATE FUNCTION commerce.retry_event(event_id bigint)
RETURNS commerce.outbox
AS 'MODULE_PATHNAME', 'commerce_retry_event'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.retry_event IS
'Makes a dead event available now with ten more attempts; attempt goes on counting (level admin). Raises 22004, SC007, SC502 not dead.';

CREATE FUNCTION commerce.discard_event(event_id bigint)
RETURNS commerce.outbox
AS 'MODULE_PATHNAME', 'commerce_discard_event'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.discard_event IS
'Gives a dead event up, so that its order''s later events can go (level admin). Raises 22004, SC007, SC502 not dead.';

CREATE FUNCTION commerce.purge_outbox(older_than interval DEFAULT '7 days')
RETURNS bigint
AS 'MODULE_PATHNAME', 'commerce_purge_outbox'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION commerce.purge_outbox IS
'Deletes the events delivered (or, if discarded, created) at least so long ago (>= 0) and returns how many (level admin). Raises 22004, 22023.';

------------------------------------------------------------------------------
-- Functions: operation (level admin)
------------------------------------------------------------------------------

CREATE FUNCTION commerce.verify()
RETURNS TABLE (check_name text, object_id bigint, expected numeric, actual numeric)
LANGUAGE SQL STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $verify$
-- Balances: the account is the sum of its history, and the history a chain.
SELECT 'balance_is_sum_of_history', coalesce(b.user_id, h.user_id),
	   coalesce(h.amount, 0), coalesce(b.balance, 0)::numeric
FROM commerce.balances b
FULL JOIN (SELECT user_id, sum(amount) AS amount
		   FROM commerce.balance_history GROUP BY user_id) h USING (user_id)
WHERE coalesce(b.balance, 0) <> coalesce(h.amount, 0)
UNION ALL
SELECT 'balance_entry_count', b.user_id, coalesce(h.entries, 0), b.entry_count
FROM commerce.balances b
LEFT JOIN (SELECT user_id, count(*) AS entries
		   FROM commerce.balance_history GROUP BY user_id) h USING (user_id)
WHERE b.entry_count <> coalesce(h.entries, 0)
UNION ALL
SELECT c.check_name, h.user_id, c.expected, c.actual
FROM (SELECT user_id, entry_no, type, amount, balance_after, order_id,
			 row_number() OVER w AS nth,
			 coalesce(lag(balance_after) OVER w, 0) AS balance_before
	  FROM commerce.balance_history
	  WINDOW w AS (PARTITION BY user_id ORDER BY entry_no)) h,
	 LATERAL (VALUES
		('balance_entry_no_gapless', h.nth::numeric, h.entry_no::numeric),
		('balance_after_continues', h.balance_before::numeric + h.amount,
		 h.balance_after::numeric),
		('balance_entry_sign',
		 CASE WHEN h.type IN ('charge', 'refund') THEN 1 ELSE -1 END,
		 sign(h.amount)::numeric),
		('balance_entry_has_its_order',
		 (h.type IN ('payment', 'refund'))::integer,
		 (h.order_id IS NOT NULL)::integer)) c (check_name, expected, actual)
WHERE c.expected <> c.actual
UNION ALL

-- Stock: what was brought in is either there or sold.
SELECT 'stock_conserved', o.option_id, coalesce(a.quantity, 0),
	   coalesce(s.quantity, 0) + coalesce(i.quantity, 0)
FROM commerce.product_options o
LEFT JOIN (SELECT option_id, sum(quantity) AS quantity
		   FROM commerce.stock_adjustments GROUP BY option_id) a USING (option_id)
LEFT JOIN (SELECT option_id, sum(quantity) AS quantity
		   FROM commerce.stock_slots GROUP BY option_id) s USING (option_id)
LEFT JOIN (SELECT i.option_id, sum(i.quantity - i.refunded_quantity) AS quantity
		   FROM commerce.order_items i JOIN commerce.orders USING (order_id)
		   WHERE status NOT IN ('cancelled', 'expired')
		   GROUP BY i.option_id) i USING (option_id)
WHERE coalesce(a.quantity, 0) <> coalesce(s.quantity, 0) + coalesce(i.quantity, 0)
UNION ALL

-- Coupons: quota, limits, and who used them.
SELECT 'coupon_quota_conserved', p.policy_id, p.quantity::numeric,
	   coalesce(s.quantity, 0) + coalesce(c.issued, 0)
FROM commerce.coupon_policies p
LEFT JOIN (SELECT policy_id, sum(quantity) AS quantity
		   FROM commerce.coupon_quota_slots GROUP BY policy_id) s USING (policy_id)
LEFT JOIN (SELECT policy_id, count(*) AS issued
		   FROM commerce.coupons GROUP BY policy_id) c USING (policy_id)
WHERE p.quantity <> coalesce(s.quantity, 0) + coalesce(c.issued, 0)
UNION ALL
SELECT 'coupon_per_user_limit', p.policy_id, p.per_user_limit::numeric,
	   greatest(c.issued, c.last_issue_no)
FROM (SELECT policy_id, user_id, count(*) AS issued, max(issue_no) AS last_issue_no
	  FROM commerce.coupons GROUP BY policy_id, user_id) c
JOIN commerce.coupon_policies p USING (policy_id)
WHERE greatest(c.issued, c.last_issue_no) > p.per_user_limit
UNION ALL
SELECT 'coupon_used_by_its_order', c.coupon_id, 1, 0
FROM commerce.coupons c
JOIN commerce.coupon_policies p USING (policy_id)
LEFT JOIN commerce.orders o
	ON o.order_id = c.order_id AND o.coupon_id = c.coupon_id AND o.user_id = c.user_id
WHERE c.order_id IS NOT NULL
  AND (c.status <> 'used' OR o.order_id IS NULL
	   OR o.discount IS DISTINCT FROM c.discount_amount
	   OR o.status = 'expired'
	   OR o.status = 'cancelled' AND o.paid_at IS NULL
	   OR o.status IN ('cancelled', 'refunded') AND p.restore_on_cancel)
UNION ALL
SELECT 'coupon_status_fits', c.coupon_id, 1, 0
FROM commerce.coupons c
WHERE (c.status = 'used') <> (c.used_at IS NOT NULL)
   OR (c.status = 'used') <> (c.discount_amount IS NOT NULL)
UNION ALL
SELECT 'order_holds_its_coupon', o.order_id, o.coupon_id::numeric, c.coupon_id::numeric
FROM commerce.orders o
LEFT JOIN commerce.coupons c
	ON c.coupon_id = o.coupon_id AND c.order_id = o.order_id AND c.status = 'used'
LEFT JOIN (commerce.coupons k JOIN commerce.coupon_policies p USING (policy_id))
	ON k.coupon_id = o.coupon_id
WHERE o.coupon_id IS NOT NULL AND c.coupon_id IS NULL
  AND (o.status IN ('pending', 'paid', 'partially_refunded')
	   OR o.status = 'refunded' AND NOT p.restore_on_cancel
	   OR o.status = 'cancelled' AND o.paid_at IS NOT NULL AND NOT p.restore_on_cancel)
UNION ALL

-- Orders: lines, totals, money.
SELECT c.check_name, o.order_id, c.expected, c.actual
FROM commerce.orders o
LEFT JOIN (SELECT order_id, count(*) AS lines, max(line_no) AS last_line_no,
				  sum(quantity::numeric * unit_price) AS subtotal,
				  sum(discount_amount) AS discount,
				  -- 0 nothing returned, 1 some of it, 2 all of it
				  CASE WHEN max(refunded_quantity) <= 0 THEN 0
					   WHEN min(quantity - refunded_quantity) > 0
						 OR max(quantity - refunded_quantity) > 0 THEN 1
					   ELSE 2 END AS returned,
				  sum(div((quantity::numeric * unit_price - discount_amount)
						  * refunded_quantity, nullif(quantity, 0))) AS refunded
		   FROM commerce.order_items GROUP BY order_id) i USING (order_id)
LEFT JOIN (SELECT order_id,
				  -coalesce(sum(amount) FILTER (WHERE type = 'payment'), 0) AS paid,
				  coalesce(sum(amount) FILTER (WHERE type = 'refund'), 0) AS refunded,
				  min(user_id) AS first_user_id, max(user_id) AS last_user_id
		   FROM commerce.balance_history WHERE order_id IS NOT NULL
		   GROUP BY order_id) h USING (order_id),
	 LATERAL (VALUES
		('order_has_lines', coalesce(i.last_line_no, 1)::numeric,
		 coalesce(i.lines, 0)::numeric),
		('order_subtotal_is_sum_of_lines', coalesce(i.subtotal, 0), o.subtotal::numeric),
		('order_discount_is_sum_of_shares', coalesce(i.discount, 0), o.discount::numeric),
		('order_total', o.subtotal::numeric - o.discount, o.total::numeric),
		('order_paid_once', CASE WHEN o.paid_at IS NULL THEN 0 ELSE o.total END,
		 coalesce(h.paid, 0)),
		('order_refund_entries', o.refunded::numeric, coalesce(h.refunded, 0)),
		('order_refunded_is_sum_of_lines', coalesce(i.refunded, 0), o.refunded::numeric),
		('order_lines_returned', CASE o.status WHEN 'refunded' THEN 2
			WHEN 'cancelled' THEN CASE WHEN o.paid_at IS NULL THEN 0 ELSE 2 END
			WHEN 'partially_refunded' THEN 1 ELSE 0 END, i.returned),
		('order_discount_has_coupon', 0,
		 CASE WHEN o.coupon_id IS NULL THEN o.discount ELSE 0 END),
		('order_payer', o.user_id::numeric,
		 coalesce(nullif(h.first_user_id, o.user_id), h.last_user_id, o.user_id)::numeric),
		('order_closed_refund', CASE
			WHEN o.status IN ('cancelled', 'refunded') AND o.paid_at IS NOT NULL
			THEN o.total::numeric ELSE o.refunded END, o.refunded::numeric),
		('order_closed_by_status',
		 (o.status IN ('cancelled', 'refunded', 'expired'))::integer::numeric,
		 (o.closed_at IS NOT NULL)::integer::numeric),
		('order_held_until', (o.status IN ('pending', 'expired')
			OR o.status = 'cancelled' AND o.paid_at IS NULL
			OR o.expires_at IS NOT NULL)::integer::numeric,
		 (o.expires_at IS NOT NULL)::integer::numeric),
		('order_paid_by_status', (CASE o.status WHEN 'pending' THEN 0 WHEN 'expired' THEN 0
			WHEN 'cancelled' THEN (o.paid_at IS NOT NULL)::integer ELSE 1 END)::numeric,
		 (o.paid_at IS NOT NULL)::integer::numeric)
		) c (check_name, expected, actual)
WHERE c.expected <> c.actual
UNION ALL
SELECT 'order_refunded_at_most_total', order_id, total::numeric, refunded::numeric
FROM commerce.orders WHERE refunded > total OR refunded < 0
UNION ALL
SELECT 'line_discount_at_most_line', order_id, quantity::numeric * unit_price,
	   discount_amount::numeric
FROM commerce.order_items
WHERE discount_amount < 0 OR discount_amount > quantity::numeric * unit_price
UNION ALL
SELECT 'line_refunded_at_most_bought', order_id, quantity::numeric, refunded_quantity::numeric
FROM commerce.order_items
WHERE refunded_quantity < 0 OR refunded_quantity > quantity OR quantity < 1
UNION ALL

-- Outbox: an order's events are those its state calls for.
SELECT 'order_event_' || e.event_type, o.order_id, e.expected, e.actual
FROM commerce.orders o
LEFT JOIN (SELECT order_id,
				  count(*) FILTER (WHERE event_type = 'order.paid') AS paid,
				  count(*) FILTER (WHERE event_type = 'order.cancelled') AS cancelled,
				  count(*) FILTER (WHERE event_type = 'order.refunded') AS refunded
		   FROM commerce.outbox GROUP BY order_id) x USING (order_id)
LEFT JOIN (SELECT order_id, max(created_at) AS refunded_at
		   FROM commerce.balance_history WHERE type = 'refund'
		   GROUP BY order_id) r USING (order_id),
	 LATERAL (SELECT coalesce(max(purged_until), '-infinity') AS purged_until
			  FROM commerce.outbox_horizon) z,
	 LATERAL (VALUES
		('paid', (o.paid_at IS NOT NULL)::integer, coalesce(x.paid, 0), o.paid_at),
		('cancelled', (o.status = 'cancelled' AND o.paid_at IS NOT NULL)::integer,
		 coalesce(x.cancelled, 0), o.closed_at),
		('refunded', CASE WHEN o.status NOT IN ('partially_refunded', 'refunded') THEN 0
			ELSE greatest(coalesce(x.refunded, 0), 1) END,
		 coalesce(x.refunded, 0), coalesce(o.closed_at, r.refunded_at))
		) e (event_type, expected, actual, happened_at)
WHERE e.actual > e.expected
   OR e.actual < e.expected AND e.happened_at > z.purged_until
UNION ALL

-- Refunds as their events tell them; those of before the horizon may be gone.
SELECT 'order_refund_is_sum_of_events', o.order_id, o.refunded::numeric, x.amount
FROM commerce.orders o
JOIN (SELECT order_id, coalesce(sum((refund ->> 'amount')::numeric), 0) AS amount
	  FROM commerce.outbox WHERE event_type = 'order.refunded'
	  GROUP BY order_id) x USING (order_id)
LEFT JOIN (SELECT order_id, min(created_at) AS refunded_at
		   FROM commerce.balance_history WHERE type = 'refund'
		   GROUP BY order_id) r USING (order_id),
	 LATERAL (SELECT coalesce(max(purged_until), '-infinity') AS purged_until
			  FROM commerce.outbox_horizon) z
WHERE x.amount > o.refunded
   OR x.amount < o.refunded AND r.refunded_at > z.purged_until
UNION ALL
SELECT 'event_refund_adds_up', e.event_id, (e.refund ->> 'amount')::numeric, i.amount
FROM commerce.outbox e,
	 LATERAL (SELECT sum((item ->> 'amount')::numeric) AS amount
			  FROM jsonb_array_elements(e.refund -> 'items') item) i
WHERE (e.event_type = 'order.refunded') <> (e.refund IS NOT NULL)
   OR e.refund IS NOT NULL
	  AND ((e.refund ->> 'amount')::numeric = i.amount) IS NOT TRUE
UNION ALL

SELECT 'event_type_known', event_id, 1, 0 FROM commerce.outbox
WHERE event_type NOT IN ('order.paid', 'order.cancelled', 'order.refunded')
UNION ALL

-- No negative quantity anywhere.
SELECT 'balance_not_negative', user_id, 0, balance FROM commerce.balances WHERE balance < 0
UNION ALL
SELECT 'stock_not_negative', option_id, 0, quantity FROM commerce.stock_slots WHERE quantity < 0
UNION ALL
SELECT 'coupon_quota_not_negative', policy_id, 0, quantity
FROM commerce.coupon_quota_slots WHERE quantity < 0
UNION ALL
SELECT 'coupon_policy_not_negative', policy_id, 0, least(quantity, min_order_amount)
FROM commerce.coupon_policies WHERE least(quantity, min_order_amount) < 0
UNION ALL
SELECT 'price_not_negative', option_id, 0, price FROM commerce.product_options WHERE price < 0
UNION ALL

-- No row without its parent.
SELECT 'balance_has_user', user_id, 1, 0 FROM commerce.balances b
WHERE NOT EXISTS (SELECT FROM commerce.users u WHERE u.user_id = b.user_id)
UNION ALL
SELECT DISTINCT 'balance_history_has_balance', user_id, 1, 0 FROM commerce.balance_history h
WHERE NOT EXISTS (SELECT FROM commerce.balances b WHERE b.user_id = h.user_id)
UNION ALL
SELECT 'balance_history_has_order', order_id, 1, 0 FROM commerce.balance_history h
WHERE order_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM commerce.orders o WHERE o.order_id = h.order_id)
UNION ALL
SELECT 'coupon_has_user', coupon_id, 1, 0 FROM commerce.coupons c
WHERE NOT EXISTS (SELECT FROM commerce.users u WHERE u.user_id = c.user_id)
UNION ALL
SELECT 'coupon_has_policy', coupon_id, 1, 0 FROM commerce.coupons c
WHERE NOT EXISTS (SELECT FROM commerce.coupon_policies p WHERE p.policy_id = c.policy_id)
UNION ALL
SELECT 'coupon_quota_has_policy', policy_id, 1, 0 FROM commerce.coupon_quota_slots s
WHERE NOT EXISTS (SELECT FROM commerce.coupon_policies p WHERE p.policy_id = s.policy_id)
UNION ALL
SELECT 'option_has_product', option_id, 1, 0 FROM commerce.product_options o
WHERE NOT EXISTS (SELECT FROM commerce.products p WHERE p.product_id = o.product_id)
UNION ALL
SELECT 'stock_has_option', option_id, 1, 0 FROM commerce.stock_slots s
WHERE NOT EXISTS (SELECT FROM commerce.product_options o WHERE o.option_id = s.option_id)
UNION ALL
SELECT 'stock_adjustment_has_option', option_id, 1, 0 FROM commerce.stock_adjustments a
WHERE NOT EXISTS (SELECT FROM commerce.product_options o WHERE o.option_id = a.option_id)
UNION ALL
SELECT 'order_has_user', order_id, 1, 0 FROM commerce.orders o
WHERE NOT EXISTS (SELECT FROM commerce.users u WHERE u.user_id = o.user_id)
UNION ALL
SELECT 'order_has_coupon', order_id, 1, 0 FROM commerce.orders o
WHERE coupon_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM commerce.coupons c WHERE c.coupon_id = o.coupon_id)
UNION ALL
SELECT 'line_has_order', order_id, 1, 0 FROM commerce.order_items i
WHERE NOT EXISTS (SELECT FROM commerce.orders o WHERE o.order_id = i.order_id)
UNION ALL
SELECT 'line_has_option', order_id, 1, 0 FROM commerce.order_items i
WHERE NOT EXISTS (SELECT FROM commerce.product_options o
				  WHERE o.option_id = i.option_id AND o.product_id = i.product_id)
UNION ALL
SELECT 'idempotency_key_has_object', k.object_id, 1, 0 FROM commerce.idempotency_keys k
WHERE NOT CASE
	WHEN function_name IN ('charge_balance', 'use_balance') THEN EXISTS (
		SELECT FROM commerce.balance_history h
		WHERE h.user_id = k.user_id AND h.entry_no = k.object_id)
	WHEN function_name = 'issue_coupon' THEN EXISTS (
		SELECT FROM commerce.coupons c WHERE c.coupon_id = k.object_id)
	WHEN function_name = 'adjust_stock' THEN EXISTS (
		SELECT FROM commerce.product_options o WHERE o.option_id = k.object_id)
	ELSE EXISTS (
		SELECT FROM commerce.orders o WHERE o.order_id = k.object_id)
	END
UNION ALL
SELECT 'event_has_order', event_id, 1, 0 FROM commerce.outbox e
WHERE NOT EXISTS (SELECT FROM commerce.orders o WHERE o.order_id = e.order_id)
$verify$;
COMMENT ON FUNCTION commerce.verify IS
'Checks every invariant over all data in one snapshot: one row per violation, none when all hold. Reads every table: run it when the shop is quiet, or on a standby.';

CREATE FUNCTION commerce.grant_access(grantee regrole, level text)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $grant_access$
DECLARE
	reader_tables CONSTANT text := 'commerce.users, commerce.balances,
		commerce.balance_history, commerce.coupon_policies, commerce.coupons,
		commerce.products, commerce.product_options, commerce.stock_adjustments,
		commerce.orders, commerce.order_items, commerce.outbox,
		commerce.stock, commerce.coupon_quota, commerce.coupon_wallet';
	reader_functions CONSTANT text := 'commerce.get_balance(bigint),
		commerce.quote_order(bigint, jsonb, bigint), commerce.get_order(bigint),
		commerce.popular_products(integer, integer)';
	app_functions CONSTANT text := 'commerce.create_user(text, bigint),
		commerce.charge_balance(bigint, bigint, text),
		commerce.use_balance(bigint, bigint, text),
		commerce.issue_coupon(bigint, bigint, text),
		commerce.use_coupon(bigint, bigint, bigint),
		commerce.place_order(bigint, jsonb, bigint, text),
		commerce.place_orders(jsonb),
		commerce.hold_order(bigint, jsonb, bigint, interval, text),
		commerce.pay_order(bigint),
		commerce.cancel_order(bigint, text),
		commerce.refund_order(bigint, jsonb, text),
		commerce.expire_orders(integer)';
	relay_functions CONSTANT text := 'commerce.claim_events(integer, interval),
		commerce.ack_events(bigint[], integer[]),
		commerce.fail_event(bigint, integer, text, interval)';
BEGIN
	IF grantee IS NULL OR level IS NULL THEN
		RAISE EXCEPTION '% must not be null',
			CASE WHEN grantee IS NULL THEN 'grantee' ELSE 'level' END
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF level NOT IN ('reader', 'app', 'relay', 'admin') THEN
		RAISE EXCEPTION 'level must be reader, app, relay or admin, not "%"', level
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = grantee) THEN
		RAISE EXCEPTION 'grantee % is not a role', grantee
			USING ERRCODE = 'invalid_parameter_value';
	END IF;

	EXECUTE format('GRANT USAGE ON SCHEMA commerce TO %s', grantee);
	EXECUTE format('GRANT SELECT ON %s TO %s', reader_tables, grantee);
	EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', reader_functions, grantee);
	IF level = 'app' THEN
		EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', app_functions, grantee);
	ELSIF level = 'relay' THEN
		EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', relay_functions, grantee);
	ELSIF level = 'admin' THEN
		EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA commerce TO %s', grantee);
		EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA commerce TO %s', grantee);
	END IF;
END
$grant_access$;
COMMENT ON FUNCTION commerce.grant_access IS
'Gives a role one of the levels reader (SELECT and the read functions), app (reader, and what a shop calls), relay (reader, and the outbox), admin (everything). Levels add up; no level may write a table directly. Raises 22004, 22023.';

CREATE FUNCTION commerce.revoke_access(grantee regrole)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $revoke_access$
BEGIN
	IF grantee IS NULL THEN
		RAISE EXCEPTION 'grantee must not be null'
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = grantee) THEN
		RAISE EXCEPTION 'grantee % is not a role', grantee
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	-- The functions work with the owner's own rights.
	IF EXISTS (SELECT FROM pg_namespace n
			   WHERE n.nspname = 'commerce' AND n.nspowner = grantee) THEN
		RAISE EXCEPTION 'grantee % must not be the owner of the schema', grantee
			USING ERRCODE = 'invalid_parameter_value';
	END IF;

	EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA commerce FROM %s', grantee);
	EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA commerce FROM %s', grantee);
	EXECUTE format('REVOKE ALL ON SCHEMA commerce FROM %s', grantee);
END
$revoke_access$;
COMMENT ON FUNCTION commerce.revoke_access IS
'Takes back everything that grant_access gave a role. Raises 22004, 22023.';

------------------------------------------------------------------------------
-- Grants: nothing is anybody's until grant_access gives it
------------------------------------------------------------------------------

REVOKE ALL ON ALL TABLES IN SCHEMA commerce FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA commerce FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA commerce FROM PUBLIC;

------------------------------------------------------------------------------
-- Dump marks: the tables' rows and the sequences' positions are data
------------------------------------------------------------------------------

DO $$
DECLARE
	relation regclass;
BEGIN
	FOR relation IN SELECT oid FROM pg_class
		WHERE relnamespace = 'commerce'::regnamespace AND relkind IN ('r', 'S')
		ORDER BY oid
	LOOP
		PERFORM pg_extension_config_dump(relation, '');
	END LOOP;
END
$$;
