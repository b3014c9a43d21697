-- What interleave.py needs: rows that two calls share, new for each pair, and what has
-- become of them, without ids and times, which differ from run to run.

-- Users 1 and 2 with an account, 3 without; an option of 3 units; a policy of one coupon,
-- one of many; two coupons of user 1; an order that is paid, and one that is held.
CREATE FUNCTION new_shop() RETURNS TABLE (u1 bigint, u2 bigint, u3 bigint, product bigint,
	opt bigint, last bigint, many bigint, c1 bigint, c2 bigint, paid bigint, held bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
	u1 := user_id FROM commerce.create_user('one');
	u2 := user_id FROM commerce.create_user('two');
	u3 := user_id FROM commerce.create_user('three');
	PERFORM commerce.charge_balance(u1, 1000), commerce.charge_balance(u2, 1000);
	product := product_id FROM commerce.create_product('mug');
	opt := option_id FROM commerce.create_product_option(product, 'red', 100, 6);
	last := policy_id FROM commerce.create_coupon_policy('last', 'fixed', 30, 1);
	many := policy_id FROM commerce.create_coupon_policy('many', 'percent', 10, 9, per_user_limit => 2);
	c1 := coupon_id FROM commerce.issue_coupon(u1, many);
	c2 := coupon_id FROM commerce.issue_coupon(u1, many);
	paid := order_id FROM commerce.place_order(u1, items(opt, 2));
	held := order_id FROM commerce.hold_order(u1, items(opt, 1), c2);
	RETURN NEXT;
END $$;

CREATE FUNCTION items(opt bigint, quantity bigint) RETURNS jsonb LANGUAGE sql AS
$$ SELECT jsonb_build_array(jsonb_build_object('option_id', opt, 'quantity', quantity)) $$;

CREATE FUNCTION state_of(shop jsonb) RETURNS text LANGUAGE sql STABLE AS $$
SELECT jsonb_build_object(
	'users', (SELECT jsonb_agg(jsonb_build_array(u.name, b.balance, b.entry_count) ORDER BY u.user_id)
		FROM commerce.users u LEFT JOIN commerce.balances b USING (user_id)
		WHERE u.user_id IN ((shop->>'u1')::bigint, (shop->>'u2')::bigint, (shop->>'u3')::bigint)),
	'history', (SELECT jsonb_agg(jsonb_build_array(h.user_id - (shop->>'u1')::bigint, h.entry_no, h.type, h.amount,
			h.balance_after) ORDER BY h.user_id, h.entry_no)
		FROM commerce.balance_history h
		WHERE h.user_id IN ((shop->>'u1')::bigint, (shop->>'u2')::bigint, (shop->>'u3')::bigint)),
	'stock', (SELECT s.available FROM commerce.stock s WHERE s.option_id = (shop->>'opt')::bigint),
	'price', (SELECT o.price FROM commerce.product_options o WHERE o.option_id = (shop->>'opt')::bigint),
	'adjusted', (SELECT jsonb_agg(a.quantity ORDER BY a.quantity)
		FROM commerce.stock_adjustments a WHERE a.option_id = (shop->>'opt')::bigint),
	'policies', (SELECT jsonb_agg(jsonb_build_array(q.quantity, q.remaining, p.issue_until IS NULL) ORDER BY q.policy_id)
		FROM commerce.coupon_quota q JOIN commerce.coupon_policies p USING (policy_id)
		WHERE q.policy_id IN ((shop->>'last')::bigint, (shop->>'many')::bigint)),
	'coupons', (SELECT jsonb_agg(c.c ORDER BY c.c) FROM (
		SELECT jsonb_build_array(c.policy_id - (shop->>'last')::bigint, c.user_id - (shop->>'u1')::bigint, c.status,
			c.order_id IS NULL, c.discount_amount) FROM commerce.coupons c
		WHERE c.policy_id IN ((shop->>'last')::bigint, (shop->>'many')::bigint)) c (c)),
	'orders', (SELECT jsonb_agg(o.o ORDER BY o.o) FROM (
		SELECT jsonb_build_array(o.user_id - (shop->>'u1')::bigint, o.status, o.total, o.refunded,
			o.coupon_id IS NULL, o.cancel_reason,
			(SELECT jsonb_agg(jsonb_build_array(i.quantity, i.unit_price, i.discount_amount, i.refunded_quantity))
			 FROM commerce.order_items i WHERE i.order_id = o.order_id),
			(SELECT jsonb_agg(jsonb_build_array(e.event_type, e.refund->'amount') ORDER BY e.event_id)
			 FROM commerce.events e WHERE e.order_id = o.order_id))
		FROM commerce.orders o WHERE o.user_id IN ((shop->>'u1')::bigint, (shop->>'u2')::bigint)) o (o)),
	'keys', (SELECT jsonb_agg(k.function_name ORDER BY k.function_name)
		FROM commerce.idempotency_keys k WHERE k.user_id IN ((shop->>'u1')::bigint, (shop->>'u2')::bigint)))::text
$$;
