------------------------------------------------------------------------------
-- Functions: orders
------------------------------------------------------------------------------

CREATE FUNCTION commerce.place_order(user_id bigint, items jsonb,
	coupon_id bigint DEFAULT NULL, idempotency_key text DEFAULT NULL,
	expected_total bigint DEFAULT NULL)
RETURNS commerce.orders
AS 'MODULE_PATHNAME', 'commerce_place_order'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.place_order IS
'Buys and pays in one step: takes stock, coupon and balance, writes the order and its order.paid event, notifies commerce_outbox (level app). items: [{"option_id": n, "quantity": n}, ...], 1..commerce.max_order_lines elements. coupon_id NULL: no coupon. expected_total (minor units, >= 0): what the customer was shown; the order costs that or is refused; NULL: whatever it costs. See doc/flow-chart.md, 3. Raises 22004, 22023, 22003, SC302, SC401, SC001, SC003, SC301, SC006, SC211, SC214, SC212, SC213, SC306, SC102, SC103.';

CREATE FUNCTION commerce.quote_order(user_id bigint, items jsonb,
	coupon_id bigint DEFAULT NULL)
RETURNS TABLE (line_no integer, option_id bigint, quantity bigint,
	unit_price bigint, line_total bigint, discount_amount bigint, available bigint)
AS 'MODULE_PATHNAME', 'commerce_quote_order'
LANGUAGE C STABLE PARALLEL SAFE ROWS 10;
COMMENT ON FUNCTION commerce.quote_order IS
'What place_order would ask for, by the same pricing code; writes nothing (level reader). Amounts in minor units; line_total is before the discount; available is the option''s stock. Raises 22004, 22003, SC302, SC001, SC003, SC006, SC211, SC214, SC212, SC213.';

CREATE FUNCTION commerce.hold_order(user_id bigint, items jsonb,
	coupon_id bigint DEFAULT NULL, ttl interval DEFAULT '15 minutes',
	idempotency_key text DEFAULT NULL, expected_total bigint DEFAULT NULL)
RETURNS commerce.orders
AS 'MODULE_PATHNAME', 'commerce_hold_order'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.hold_order IS
'Takes stock and coupon for an order to be paid within ttl (> 0, at most commerce.max_hold_time) by pay_order; status pending, expires_at = now() + ttl (level app). Needs no balance account and writes no event. items, coupon_id and expected_total as for place_order. See doc/flow-chart.md, 3, up to the stock. Raises 22004, 22023, 22003, SC302, SC401, SC001, SC003, SC301, SC006, SC211, SC214, SC212, SC213, SC306.';

CREATE FUNCTION commerce.pay_order(order_id bigint)
RETURNS commerce.orders
AS 'MODULE_PATHNAME', 'commerce_pay_order'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.pay_order IS
'Pays a pending order from the balance of its user: takes total (minor units), writes the order.paid event, notifies commerce_outbox (level app). A total of 0 needs an account too, and makes no balance entry. See doc/flow-chart.md, 3, from the balance on. Raises 22004, SC004, SC305 at or past expires_at, swept or not, SC303 not pending, SC102, SC103.';

CREATE FUNCTION commerce.cancel_order(order_id bigint, reason text DEFAULT NULL,
	restock boolean DEFAULT true)
RETURNS commerce.orders
AS 'MODULE_PATHNAME', 'commerce_cancel_order'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.cancel_order IS
'Undoes a pending or paid order: its stock goes back; if it was paid, its total goes back to the balance (a refund entry), and an order.cancelled event is written (level app). The coupon comes back, if the order was paid only under a policy with restore_on_cancel. reason: 1..1000 characters, NULL: none. restock false: the goods do not come back, and stock_adjustments says so, a row a line. Raises 22004, 22023, 22003 when a stock would pass 2^63-1, SC004, SC303 neither pending nor paid, SC104 balance over 2^63-1.';

CREATE FUNCTION commerce.refund_order(order_id bigint, items jsonb,
	idempotency_key text DEFAULT NULL, restock boolean DEFAULT true)
RETURNS commerce.orders
AS 'MODULE_PATHNAME', 'commerce_refund_order'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.refund_order IS
'Takes units of a paid or partially refunded order back: their stock goes back, and their part of what the line cost (minor units, less its share of the discount) to the balance; writes an order.refunded event (level app). items as for place_order. Of k units of a line''s n in all: floor(net x k / n), less what was refunded before. With the last unit the order is refunded, and its coupon comes back if its policy has restore_on_cancel. restock as for cancel_order; it is part of what a key stands for. Raises 22004, 22023, 22003 when a stock would pass 2^63-1, SC302, SC401, SC004, SC303 neither paid nor partially refunded, SC304 more than bought and not yet refunded, or not in the order, SC104 balance over 2^63-1.';

CREATE FUNCTION commerce.place_orders(requests jsonb)
RETURNS TABLE (request_no integer, order_id bigint, sqlstate text,
	message text, detail jsonb)
AS 'MODULE_PATHNAME', 'commerce_place_orders'
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 100;
COMMENT ON FUNCTION commerce.place_orders IS
'Many orders in one call and one commit (level app). requests: a JSON array of objects with place_order''s arguments by name. In array order, each is placed or refused on its own and sees what the earlier ones did: one row each, request_no from 1; sqlstate, message and detail are NULL where an order was placed, order_id where it was refused. Idempotency keys are place_order''s. Raises 22004, and 22023 when requests is no array, has more than commerce.max_batch_requests elements, or holds a non-object, an unknown key or a value of a wrong type; what else place_order would raise for one request is that request''s row.';

CREATE FUNCTION commerce.expire_orders(batch_size integer DEFAULT 1000)
RETURNS bigint
AS 'MODULE_PATHNAME', 'commerce_expire_orders'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
-- The index is the plan, whatever the statistics say.
SET enable_seqscan = off
SET enable_bitmapscan = off;
COMMENT ON FUNCTION commerce.expire_orders IS
'Closes up to batch_size (>= 1) pending orders at or past expires_at, the oldest first, and returns how many: their stock and coupons come back; no event (level app). It waits for locks at most 50 ms in all: an order whose row, coupon or stock somebody holds longer is left for later. One that cannot be expired, as when its stock would pass 2^63-1, is a WARNING that names it, and holds up no other. On a database that subscribes to commerce.orders: 0, and a WARNING. Raises 22004, 22023.';

CREATE FUNCTION commerce.get_order(order_id bigint)
RETURNS jsonb
AS 'MODULE_PATHNAME', 'commerce_get_order'
LANGUAGE C STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
SET TimeZone = 'UTC';
COMMENT ON FUNCTION commerce.get_order IS
'The order as one object: every column of orders, and items, an array by line_no of every column of order_items but order_id (level reader). Times in ISO 8601, UTC. Raises 22004, SC004.';

CREATE FUNCTION commerce.popular_products(days integer DEFAULT 3,
	max_results integer DEFAULT 5)
RETURNS TABLE (product_id bigint, name text, quantity bigint)
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER ROWS 5
SET search_path = pg_catalog, pg_temp
-- How many orders there are in that time decides the plan. Starting processes to
-- help would take longer than they save, and cores from those that buy.
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
'The max_results products (>= 1) of which most units were bought, less those refunded, in orders paid in the last days x 24 hours (days >= 1); of equals the lower product_id first, none of which nothing is left (level reader). Reads the lines of all orders of that time. Raises 22004, 22023, 22003 when a quantity is out of range.';
