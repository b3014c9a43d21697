\set ON_ERROR_STOP on
\echo '\n=== 3. A rush: 1,000 users want 100 coupons ===\n'
SELECT policy_id, name, discount_type, discount_value, quantity
FROM commerce.create_coupon_policy('opening day', 'percent', 10, quantity => 100,
	max_discount_amount => 3000);
SELECT count(*) AS users
FROM generate_series(1001, 2000) id, commerce.create_user('customer ' || id, id);

-- pgbench stops at an error, so a refusal becomes an answer.
CREATE TABLE answers (user_id bigint, answer text);
CREATE FUNCTION ask_for_coupon(user_id bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM commerce.issue_coupon(user_id, 1);
	INSERT INTO answers VALUES (user_id, 'issued');
EXCEPTION WHEN SQLSTATE 'SC203' THEN
	INSERT INTO answers VALUES (user_id, 'SC203 sold out');
END
$$;

\echo '\nThey all ask, 20 at the same time ...\n'
