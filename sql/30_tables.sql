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
	actor			text,
	PRIMARY KEY (user_id, entry_no)
);
COMMENT ON TABLE commerce.balance_history IS 'BALANCE_HISTORY of the flow chart: every movement of a balance, numbered 1, 2, 3... per user without a gap. Only ever inserted.';
COMMENT ON COLUMN commerce.balance_history.amount IS 'Signed, never 0.';
COMMENT ON COLUMN commerce.balance_history.actor IS 'Who did it: commerce.actor, or the session''s user. NULL unless commerce.record_actor was on.';

CREATE TABLE commerce.coupon_policies (
	policy_id			bigint PRIMARY KEY,
	name				text NOT NULL,
	discount_type		commerce.discount_type NOT NULL,
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
	created_at		timestamptz NOT NULL DEFAULT now(),
	actor			text
);
COMMENT ON TABLE commerce.stock_adjustments IS 'Every change of stock that was no sale; the first stock is one too.';
COMMENT ON COLUMN commerce.stock_adjustments.actor IS 'Who did it: commerce.actor, or the session''s user. NULL unless commerce.record_actor was on.';
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
	cancel_reason	text,
	placed_by		text,
	closed_by		text
) WITH (fillfactor = 90);
COMMENT ON TABLE commerce.orders IS 'ORDER of the flow chart.';
COMMENT ON COLUMN commerce.orders.expires_at IS 'When a held order can no longer be paid; stays when it is paid. NULL for an order that was placed.';
COMMENT ON COLUMN commerce.orders.closed_at IS 'When it was cancelled, wholly refunded, or found expired.';
COMMENT ON COLUMN commerce.orders.placed_by IS 'Who placed or held it: commerce.actor, or the session''s user. NULL unless commerce.record_actor was on.';
COMMENT ON COLUMN commerce.orders.closed_by IS 'Who closed it: commerce.actor, or the session''s user. NULL unless commerce.record_actor was on, or it is open.';
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

CREATE FUNCTION commerce.event_origin()
RETURNS bigint
AS 'MODULE_PATHNAME', 'commerce_event_origin'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION commerce.event_origin IS
'What events.origin is of the events that this database writes (level admin). Another one was written before a dump was restored, or by a publisher.';

-- Written by orders, and read by whoever claims: event/event.h and event/cursor.h of the
-- sources. An order pays for one row and one index entry; all that is dear is for those
-- who read.
CREATE TABLE commerce.events (
	event_id		bigint NOT NULL DEFAULT nextval('commerce.event_id_seq'),
	order_id		bigint NOT NULL,
	created_at		timestamptz NOT NULL DEFAULT now(),
	origin			bigint NOT NULL DEFAULT commerce.event_origin(),
	xact_id			bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
	follows_xact_id	bigint,
	event_type		text NOT NULL,
	refund			jsonb,
	PRIMARY KEY (origin, xact_id, event_id)
);
COMMENT ON TABLE commerce.events IS 'Events for the outside world, each written in the transaction of the change it tells of, until they are purged.';
COMMENT ON COLUMN commerce.events.origin IS 'The database whose transaction numbers xact_id is one of: a restored dump has events of another.';
COMMENT ON COLUMN commerce.events.xact_id IS 'Number of the transaction that wrote it.';
COMMENT ON COLUMN commerce.events.follows_xact_id IS 'The order''s earlier events have a lower xact_id than this, or the event''s own. NULL: lower than its own.';
COMMENT ON COLUMN commerce.events.refund IS 'What order.refunded tells of: {"amount", "restock", "items": [{option_id, quantity, amount}]}. NULL for other events.';

CREATE TABLE commerce.stored_subscriptions (
	subscription			text COLLATE "C" PRIMARY KEY,
	subscription_no			integer NOT NULL,
	is_dropped				boolean NOT NULL DEFAULT false,
	event_types				text[],
	paused_at				timestamptz,
	paused_until			timestamptz,
	pause_reason			text,
	created_at				timestamptz DEFAULT now(),
	start_from				timestamptz,
	start_origin			bigint,
	start_xact_id			bigint,
	start_in_progress		bigint[],
	start_own_events		bigint[],
	start_other_origins		bigint[]
);
COMMENT ON TABLE commerce.stored_subscriptions IS 'Subscriptions, but for a default that is as it was from the start.';
COMMENT ON COLUMN commerce.stored_subscriptions.subscription_no IS 'Names it in other tables, and is never used again.';
COMMENT ON COLUMN commerce.stored_subscriptions.is_dropped IS 'The mark that default was dropped. Others have no row then.';
COMMENT ON COLUMN commerce.stored_subscriptions.start_from IS 'Of the events before the start, those since then are wanted. NULL: none.';
COMMENT ON COLUMN commerce.stored_subscriptions.start_origin IS 'NULL: no event is before the start.';
COMMENT ON COLUMN commerce.stored_subscriptions.start_xact_id IS 'Before the start are events of start_origin with a lower xact_id, but for those of start_in_progress, start_own_events, and all of start_other_origins.';

CREATE TABLE commerce.stored_deliveries (
	event_id		bigint,
	subscription_no	integer,
	order_id		bigint NOT NULL,
	origin			bigint NOT NULL,
	xact_id			bigint NOT NULL,
	follows_xact_id	bigint,
	status			commerce.delivery_status NOT NULL,
	attempt			integer NOT NULL,
	failures		integer NOT NULL,
	due_at			timestamptz,
	finished_at		timestamptz,
	last_error		text,
	PRIMARY KEY (event_id, subscription_no)
) WITH (fillfactor = 80);
COMMENT ON TABLE commerce.stored_deliveries IS 'What has become of events within subscriptions: those that were ever claimed, or had to wait for another of their order.';
COMMENT ON COLUMN commerce.stored_deliveries.origin IS 'With xact_id and event_id the key of the event.';
COMMENT ON COLUMN commerce.stored_deliveries.follows_xact_id IS 'The cursor must have passed this before the event may be claimed for the first time. NULL: it has.';
COMMENT ON COLUMN commerce.stored_deliveries.due_at IS 'When a claim must look at it: an available one''s next attempt, a running one''s end of the lease. NULL for others.';
COMMENT ON COLUMN commerce.stored_deliveries.finished_at IS 'When it was delivered or discarded. NULL: it is unfinished.';
CREATE INDEX stored_deliveries_due_idx ON commerce.stored_deliveries (subscription_no, due_at)
	WHERE due_at IS NOT NULL;
CREATE INDEX stored_deliveries_unfinished_idx ON commerce.stored_deliveries (order_id, subscription_no)
	WHERE finished_at IS NULL;
CREATE INDEX stored_deliveries_dead_idx ON commerce.stored_deliveries (subscription_no)
	WHERE status = 'dead';

CREATE TABLE commerce.cursors (
	subscription_no		integer,
	origin				bigint,
	cursor_no			bigint,
	next_xact_id		bigint NOT NULL,
	last_event_id		bigint NOT NULL,
	in_progress			bigint[] NOT NULL,
	doubtful_xact_ids	bigint[] NOT NULL,
	doubtful_event_ids	bigint[] NOT NULL,
	PRIMARY KEY (subscription_no, origin, cursor_no)
);
COMMENT ON TABLE commerce.cursors IS 'How far a subscription has got in the events of one origin: each row is true, the highest cursor_no tells most.';
COMMENT ON COLUMN commerce.cursors.next_xact_id IS 'Events of a lower xact_id are passed: each has a stored delivery, or is not wanted. But for these:';
COMMENT ON COLUMN commerce.cursors.last_event_id IS 'Of next_xact_id itself, events up to this one are passed too.';
COMMENT ON COLUMN commerce.cursors.in_progress IS 'Lower transactions that had not ended.';
COMMENT ON COLUMN commerce.cursors.doubtful_event_ids IS 'Events, with doubtful_xact_ids, that some claim had taken whose transaction had not ended.';

CREATE TABLE commerce.event_horizon (
	one_row			boolean PRIMARY KEY DEFAULT true CHECK (one_row),
	purged_until	timestamptz NOT NULL
);
COMMENT ON TABLE commerce.event_horizon IS 'created_at of the youngest event ever purged: verify() expects every later event to exist.';

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

CREATE TABLE commerce.cluster_membership (
	one_row		boolean PRIMARY KEY DEFAULT true CHECK (one_row),
	node_no		integer NOT NULL CHECK (node_no > 0),
	first_id	bigint NOT NULL,
	buckets		bytea NOT NULL CHECK (octet_length(buckets) = 512),
	joined_at	timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE commerce.cluster_membership IS 'Which node of a cluster this database is; a shop by itself has no row here.';
COMMENT ON COLUMN commerce.cluster_membership.first_id IS 'Ids of orders, coupons and events from this one on have the bucket of their user in the lowest 12 bits.';
COMMENT ON COLUMN commerce.cluster_membership.buckets IS 'A bit for each of 4096 buckets, as get_bit() counts them: is it this node''s?';

CREATE TABLE commerce.transfers_out (
	transfer_id	bigint PRIMARY KEY DEFAULT nextval('commerce.transfer_id_seq'),
	counter		text COLLATE "C" NOT NULL CHECK (counter IN ('stock', 'coupon_quota')),
	object_id	bigint NOT NULL,
	quantity	bigint NOT NULL CHECK (quantity > 0),
	taker		integer NOT NULL,
	created_at	timestamptz NOT NULL DEFAULT now(),
	settled_at	timestamptz
);
COMMENT ON TABLE commerce.transfers_out IS 'Units of stock or quota that this node of a cluster gave to another. Never purged.';
COMMENT ON COLUMN commerce.transfers_out.taker IS 'node_no of the node that they are for.';
COMMENT ON COLUMN commerce.transfers_out.settled_at IS 'When the taker was known to have them. NULL: whoever meets it finishes it.';
CREATE INDEX transfers_out_unsettled_idx ON commerce.transfers_out (counter, object_id)
	WHERE settled_at IS NULL;

CREATE TABLE commerce.transfers_in (
	giver		integer,
	transfer_id	bigint,
	counter		text COLLATE "C" NOT NULL CHECK (counter IN ('stock', 'coupon_quota')),
	object_id	bigint NOT NULL,
	quantity	bigint NOT NULL CHECK (quantity > 0),
	created_at	timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (giver, transfer_id)
);
COMMENT ON TABLE commerce.transfers_in IS 'Units of stock or quota that this node of a cluster was given. Never purged.';
COMMENT ON COLUMN commerce.transfers_in.giver IS 'node_no of the node that they are from.';

CREATE TABLE commerce.transfer_sums (
	counter		text COLLATE "C",
	object_id	bigint,
	sent		bigint NOT NULL CHECK (sent >= 0),
	received	bigint NOT NULL CHECK (received >= 0),
	PRIMARY KEY (counter, object_id)
) WITH (fillfactor = 50);
COMMENT ON TABLE commerce.transfer_sums IS 'All units that this node of a cluster ever gave and was given, by option or policy.';

CREATE TABLE commerce.bucket_moves (
	giver		integer,
	move_id		bigint,
	bucket		integer NOT NULL,
	taker		integer NOT NULL,
	status		text COLLATE "C" NOT NULL CHECK (status IN ('giving', 'given', 'kept', 'taken', 'refused')),
	contents	json,
	sold		jsonb NOT NULL,
	started_at	timestamptz NOT NULL DEFAULT now(),
	finished_at	timestamptz,
	PRIMARY KEY (giver, move_id)
);
ALTER TABLE commerce.bucket_moves ALTER COLUMN contents SET STORAGE EXTERNAL;
COMMENT ON TABLE commerce.bucket_moves IS 'Buckets of users that this node of a cluster gave to another, or was given. Never purged.';
COMMENT ON COLUMN commerce.bucket_moves.giver IS 'node_no of the node that it is from, whose number move_id is.';
COMMENT ON COLUMN commerce.bucket_moves.status IS 'At the giver giving, while it is on its way, then given, or kept after all; at the taker taken, or refused for ever.';
COMMENT ON COLUMN commerce.bucket_moves.contents IS 'While it is on its way all rows of its users, which are nowhere else.';
COMMENT ON COLUMN commerce.bucket_moves.sold IS 'Units that its users have of each option (stock) and policy (coupon_quota): sold at one node, and kept at another.';
CREATE INDEX bucket_moves_giving_idx ON commerce.bucket_moves (bucket) WHERE status = 'giving';
