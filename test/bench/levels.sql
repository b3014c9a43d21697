-- The B-trees of a shop: levels, and how many entries a leaf and an inner page have.
CREATE EXTENSION IF NOT EXISTS pageinspect;
SELECT format('| `%s` | %s | %s | %s | %s |', c.relname, pg_relation_size(c.oid) / 8192, m.level + 1,
	(SELECT round(avg(s.live_items)) FROM generate_series(1, least(2000, pg_relation_size(c.oid) / 8192 - 1)) b,
		bt_page_stats(format('commerce.%I', c.relname), b) s WHERE s.type = 'l'),
	(SELECT round(avg(s.live_items)) FROM generate_series(1, pg_relation_size(c.oid) / 8192 - 1) b,
		bt_page_stats(format('commerce.%I', c.relname), b) s WHERE s.type IN ('i', 'r') AND s.btpo_level = 1))
FROM pg_class c, bt_metap(format('commerce.%I', c.relname)) m
WHERE c.relname IN ('orders_pkey', 'order_items_pkey', 'events_pkey', 'orders_user_id_order_id_idx',
	'balance_history_pkey', 'balances_pkey')
ORDER BY c.relname COLLATE "C";
