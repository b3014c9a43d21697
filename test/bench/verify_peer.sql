-- How many balances, options and orders of schema tuned do not add up.
SELECT (SELECT count(*)
		FROM tuned.balances b
		JOIN (SELECT user_id, sum(amount) AS amount, count(*) AS entries
			  FROM tuned.balance_history GROUP BY user_id) h USING (user_id)
		WHERE b.balance <> h.amount OR b.entry_count <> h.entries)
	+ (SELECT count(*)
	   FROM tuned.stock s
	   LEFT JOIN (SELECT option_id, sum(quantity) AS quantity
				  FROM tuned.order_items GROUP BY option_id) i USING (option_id)
	   WHERE s.quantity + coalesce(i.quantity, 0) <> 1000000000)
	+ (SELECT count(*)
	   FROM tuned.orders o
	   LEFT JOIN (SELECT order_id, sum(quantity * unit_price) AS subtotal
				  FROM tuned.order_items GROUP BY order_id) i USING (order_id)
	   LEFT JOIN tuned.balance_history h
			ON h.order_id = o.order_id AND h.user_id = o.user_id
	   LEFT JOIN tuned.events x ON x.order_id = o.order_id
	   WHERE (o.subtotal, o.total, -o.total, 'order.paid')
			IS DISTINCT FROM (i.subtotal, o.subtotal, h.amount, x.event_type));
