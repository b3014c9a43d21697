------------------------------------------------------------------------------
-- Tables
--
-- src/base/tables.def lists these columns for the library, which finds them by
-- name. A new one goes last, where an upgrade script adds it. Hot tables leave
-- room on the page and keep every updated column out of every index, so that
-- updates stay HOT.
--
-- There are no foreign keys: the functions prove the parent, nothing deletes
-- one, and verify() checks them all. Under load they would cost 40 %, and even
-- on quiet tables they would break pg_restore -j, which loads the tables of an
-- extension in any order.
------------------------------------------------------------------------------

CREATE TABLE commerce.users (
	user_id		bigint PRIMARY KEY,
	name		text NOT NULL,
	created_at	timestamptz NOT NULL DEFAULT now(),
	erased_at	timestamptz
);
COMMENT ON TABLE commerce.users IS 'USER of the flow chart. Never deleted.';
COMMENT ON COLUMN commerce.users.erased_at IS 'When erase_user took the person out of the data.';

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
	issue_until			timestamptz,
	valid_for			interval,
	valid_until			timestamptz,
	restore_on_cancel	boolean NOT NULL,
	created_at			timestamptz NOT NULL DEFAULT now(),
	highest_limit		integer NOT NULL
);
COMMENT ON TABLE commerce.coupon_policies IS 'COUPON_POLICY of the flow chart. Periods are half-open; NULL is no end.';
COMMENT ON COLUMN commerce.coupon_policies.highest_limit IS 'The highest per_user_limit that there ever was.';

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
	expires_at		timestamptz,
	used_at			timestamptz,
	order_id		bigint,
	discount_amount	bigint,
	issue_no		integer NOT NULL,
	UNIQUE (user_id, policy_id, issue_no)
) WITH (fillfactor = 80);
COMMENT ON TABLE commerce.coupons IS 'COUPON of the flow chart: what a user holds.';
COMMENT ON COLUMN commerce.coupons.expires_at IS 'NULL: never.';
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
