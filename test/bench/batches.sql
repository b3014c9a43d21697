-- Batches of :size orders of one line each, of random users for random options.
CREATE TABLE batches (batch_id integer PRIMARY KEY, requests jsonb NOT NULL);
INSERT INTO batches
SELECT b, jsonb_agg(jsonb_build_object('user_id', 1 + floor(random() * 10000)::integer, 'items',
	jsonb_build_array(jsonb_build_object('option_id', 1 + floor(random() * 10000)::integer,
		'quantity', 1))))
FROM generate_series(1, :size) r, generate_series(1, 1000) b
GROUP BY b;
VACUUM ANALYZE batches;
