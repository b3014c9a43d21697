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

CREATE VIEW commerce.live_subscriptions AS
	SELECT s.*
	FROM commerce.stored_subscriptions s
	WHERE NOT s.is_dropped
	UNION ALL
	SELECT 'default' COLLATE "C", 1, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
	WHERE NOT EXISTS (SELECT FROM commerce.stored_subscriptions s WHERE s.subscription = 'default');
COMMENT ON VIEW commerce.live_subscriptions IS 'stored_subscriptions that are not dropped, and a default that is as it was from the start.';

CREATE VIEW commerce.subscriptions AS
	SELECT s.subscription, s.event_types,
		   CASE WHEN p.is_over THEN NULL ELSE s.paused_at END AS paused_at,
		   CASE WHEN p.is_over THEN NULL ELSE s.paused_until END AS paused_until,
		   CASE WHEN p.is_over THEN NULL ELSE s.pause_reason END AS pause_reason,
		   s.created_at
	FROM commerce.live_subscriptions s,
		 LATERAL (SELECT coalesce(s.paused_until <= statement_timestamp(), false) AS is_over) p;
COMMENT ON VIEW commerce.subscriptions IS 'Who gets events. event_types NULL: all. paused_at NULL: not paused; paused_until NULL: until resumed. created_at NULL: default, from the start.';

CREATE VIEW commerce.wanted_events AS
	SELECT s.subscription_no, s.subscription, e.event_id, e.order_id, e.event_type, e.created_at,
		   e.origin, e.xact_id, e.follows_xact_id
	FROM commerce.live_subscriptions s
	JOIN commerce.events e
		ON (s.event_types IS NULL OR e.event_type = ANY (s.event_types))
	   AND (s.start_origin IS NULL OR e.created_at >= s.start_from OR NOT (
			e.origin = s.start_origin AND e.xact_id < s.start_xact_id
				AND e.xact_id <> ALL (s.start_in_progress)
			OR e.origin = s.start_origin AND e.event_id = ANY (s.start_own_events)
			OR e.origin = ANY (s.start_other_origins)));
COMMENT ON VIEW commerce.wanted_events IS 'Each event once for every subscription that is to have it.';

CREATE VIEW commerce.event_origins AS
	-- One look into the index for each, whatever the number of events.
	WITH RECURSIVE origins AS (
		(SELECT e.origin FROM commerce.events e ORDER BY e.origin LIMIT 1)
		UNION ALL
		SELECT (SELECT e.origin FROM commerce.events e WHERE e.origin > o.origin
				ORDER BY e.origin LIMIT 1)
		FROM origins o
		WHERE o.origin IS NOT NULL
	)
	SELECT o.origin FROM origins o WHERE o.origin IS NOT NULL;
COMMENT ON VIEW commerce.event_origins IS 'The databases that the events come from.';

-- For whoever wants some of them soon, however few or many they are. The next view needs
-- all of them, and has what the planner takes for cheap.
CREATE VIEW commerce.unpassed_events AS
	SELECT s.subscription_no, s.subscription, e.event_id, e.order_id, e.event_type, e.created_at,
		   e.origin, e.xact_id, e.follows_xact_id
	FROM commerce.live_subscriptions s
	CROSS JOIN commerce.event_origins o
	LEFT JOIN LATERAL (
		SELECT c.next_xact_id, c.last_event_id,
			   c.in_progress || c.doubtful_xact_ids AS other_xact_ids
		FROM commerce.cursors c
		WHERE c.subscription_no = s.subscription_no AND c.origin = o.origin
		ORDER BY c.cursor_no DESC LIMIT 1) passed ON true
	CROSS JOIN LATERAL (
		SELECT w.*
		FROM commerce.wanted_events w
		WHERE w.subscription_no = s.subscription_no AND w.origin = o.origin
		  AND (w.xact_id, w.event_id)
			> (coalesce(passed.next_xact_id, 0), coalesce(passed.last_event_id, 0))
		UNION ALL
		SELECT w.*
		FROM commerce.wanted_events w
		WHERE w.subscription_no = s.subscription_no AND w.origin = o.origin
		  AND w.xact_id = ANY (passed.other_xact_ids)
		  AND (w.xact_id, w.event_id) <= (passed.next_xact_id, passed.last_event_id)) e;
COMMENT ON VIEW commerce.unpassed_events IS 'Events that a subscription is to have and that its cursor has not passed.';

CREATE VIEW commerce.unclaimed_deliveries AS
	SELECT w.*
	FROM commerce.live_subscriptions s
	CROSS JOIN commerce.event_origins o
	LEFT JOIN LATERAL (
		SELECT least(c.next_xact_id,
			(SELECT min(x) FROM unnest(c.in_progress) x),
			(SELECT min(x) FROM unnest(c.doubtful_xact_ids) x)) AS xact_id
		FROM commerce.cursors c
		WHERE c.subscription_no = s.subscription_no AND c.origin = o.origin
		ORDER BY c.cursor_no DESC LIMIT 1) passed ON true
	JOIN commerce.wanted_events w
		ON w.subscription_no = s.subscription_no AND w.origin = o.origin
	   AND w.xact_id >= coalesce(passed.xact_id, 0)
	WHERE NOT EXISTS (
		SELECT FROM commerce.stored_deliveries d
		WHERE d.event_id = w.event_id AND d.subscription_no = w.subscription_no);
COMMENT ON VIEW commerce.unclaimed_deliveries IS 'Events that a subscription is to have and that no claim has come to yet.';

CREATE VIEW commerce.claimed_deliveries AS
	SELECT s.subscription, d.event_id, d.order_id, e.event_type, d.status, d.attempt, d.failures,
		   CASE WHEN d.status = 'available' THEN d.due_at END AS next_attempt_at,
		   CASE WHEN d.status = 'running' THEN d.due_at END AS locked_until,
		   d.last_error, e.created_at,
		   CASE WHEN d.status = 'delivered' THEN d.finished_at END AS delivered_at
	FROM commerce.stored_deliveries d
	JOIN commerce.live_subscriptions s USING (subscription_no)
	JOIN commerce.events e
		ON e.origin = d.origin AND e.xact_id = d.xact_id AND e.event_id = d.event_id;
COMMENT ON VIEW commerce.claimed_deliveries IS 'The deliveries that are stored.';

CREATE VIEW commerce.deliveries AS
	SELECT * FROM commerce.claimed_deliveries
	UNION ALL
	SELECT u.subscription, u.event_id, u.order_id, u.event_type,
		   'available'::commerce.delivery_status, 0, 0, u.created_at, NULL, NULL, u.created_at, NULL
	FROM commerce.unclaimed_deliveries u;
COMMENT ON VIEW commerce.deliveries IS 'What has become of each event within each subscription that is to have it: one row each, from the event''s commit until it is purged.';

CREATE VIEW commerce.moved_units AS
	SELECT c.key COLLATE "C" AS counter, u.key::bigint AS object_id,
		   sum(CASE WHEN m.status = 'taken' THEN 1 ELSE -1 END * u.value::numeric) AS quantity
	FROM commerce.bucket_moves m
	CROSS JOIN LATERAL jsonb_each(m.sold) c
	CROSS JOIN LATERAL jsonb_each_text(c.value) u
	WHERE m.status IN ('giving', 'given', 'taken')
	GROUP BY 1, 2;
COMMENT ON VIEW commerce.moved_units IS 'Units of options (counter stock) and policies (coupon_quota) that users have whose bucket came to this node after they had got them, less those of users whose bucket went.';
