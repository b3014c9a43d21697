-- Ids a client brings along, and the generated ones that must not run into them.

\getenv test_dir PG_ABS_SRCDIR
\set helpers :test_dir '/helpers.psql'
\set ECHO none
\i :helpers

-- An id that exists is refused by the primary key; nothing is written.
SELECT user_id FROM commerce.create_user('Kim', 1);
SELECT product_id FROM commerce.create_product('shirt', 1);
SELECT option_id FROM commerce.create_product_option(1, 'red', 100, 5, 1);
SELECT policy_id FROM commerce.create_coupon_policy('spring', 'fixed', 100, 5, policy_id => 1);
SELECT c.statement, r.code
FROM (VALUES
	($$SELECT commerce.create_user('Lee', 1)$$),
	($$SELECT commerce.create_product('coat', 1)$$),
	($$SELECT commerce.create_product_option(1, 'blue', 100, 5, 1)$$),
	($$SELECT commerce.create_coupon_policy('fall', 'fixed', 1, 5, policy_id => 1)$$)
) c (statement), pg_temp.refusal(c.statement) r;

-- A generated id goes around those taken: 1 above, and some ahead.
SELECT count(*) FROM generate_series(2, 60) i, commerce.create_user('taken', i);
SELECT name, user_id > 60 AS new FROM commerce.create_user('Choi');
SELECT name, user_id > 60 AS new FROM commerce.create_user('Jung');
SELECT product_id FROM commerce.create_product('coat', 2);
SELECT name, product_id > 2 AS new FROM commerce.create_product('hat');
SELECT option_id FROM commerce.create_product_option(1, 'blue', 100, option_id => 2);
SELECT name, option_id > 2 AS new FROM commerce.create_product_option(1, 'green', 100);
SELECT policy_id FROM commerce.create_coupon_policy('fall', 'fixed', 1, 1, policy_id => 2);
SELECT name, policy_id > 2 AS new FROM commerce.create_coupon_policy('winter', 'fixed', 1, 1);

-- Up to 2^53-1, and generating goes on.
SELECT user_id FROM commerce.create_user('far', 9007199254740991);
SELECT name FROM commerce.create_user('next');
SELECT product_id FROM commerce.create_product('far', 9007199254740991);
SELECT name FROM commerce.create_product('next');
SELECT option_id FROM commerce.create_product_option(1, 'far', 100, 5,
	9007199254740991);
SELECT name FROM commerce.create_product_option(1, 'next', 100);
SELECT policy_id FROM commerce.create_coupon_policy('far', 'fixed', 1, 1,
	policy_id => 9007199254740991);
SELECT name FROM commerce.create_coupon_policy('next', 'fixed', 1, 1);

-- Such ids are as good as any other.
SELECT user_id, balance_after FROM commerce.charge_balance(9007199254740991, 500);
SELECT user_id, total FROM commerce.place_order(9007199254740991,
	'[{"option_id": 9007199254740991, "quantity": 5}]');
SELECT user_id, policy_id FROM commerce.issue_coupon(9007199254740991, 9007199254740991);

-- A sequence set back, as by a restore gone wrong: taken ids are passed over.
SELECT setval('commerce.user_id_seq', 1), setval('commerce.policy_id_seq', 1) \g /dev/null
SELECT name, user_id > 60 AS new FROM commerce.create_user('Kang');
SELECT name, policy_id > 3 AS new FROM commerce.create_coupon_policy('summer', 'fixed', 1, 1);

-- An id is free again when its transaction didn't commit.
BEGIN;
SELECT user_id FROM commerce.create_user('gone', 1000);
ROLLBACK;
SELECT user_id FROM commerce.create_user('here', 1000);

SELECT * FROM commerce.verify();
