------------------------------------------------------------------------------
-- Functions: catalogue
--
-- Habits of all of them: an argument that is NULL though its default is not
-- is 22004; out of its bounds 22023, naming the argument; then a known
-- idempotency key returns its object; then the refusals in the order of the
-- comment. A refused call changes nothing; its DETAIL is one JSON object.
------------------------------------------------------------------------------

CREATE FUNCTION commerce.create_user(name text, user_id bigint DEFAULT NULL)
RETURNS commerce.users
AS 'MODULE_PATHNAME', 'commerce_create_user'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.create_user IS
'Adds a user (USER of the flow chart) and returns its row (level app). name: 1..200 characters. user_id: 1..2^53-1, NULL takes the next free one. Raises 22004, 22023, 23505 when user_id exists.';

CREATE FUNCTION commerce.set_user_name(user_id bigint, name text)
RETURNS commerce.users
AS 'MODULE_PATHNAME', 'commerce_set_user_name'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.set_user_name IS
'Renames a user; the name of an erased one stays (level app). name: 1..200 characters. Raises 22004, 22023, SC001.';

CREATE FUNCTION commerce.erase_user(user_id bigint)
RETURNS commerce.users
AS 'MODULE_PATHNAME', 'commerce_erase_user'
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION commerce.erase_user IS
'Takes a person out of the data (level admin): the name becomes (erased); the reasons of cancelled orders go, what is recorded of who acted for the user, and the user''s idempotency keys. Money and orders stay. Called again, it erases what came since; erased_at stays. Raises 22004, SC001.';

CREATE FUNCTION commerce.create_product(name text, product_id bigint DEFAULT NULL)
RETURNS commerce.products
AS 'MODULE_PATHNAME', 'commerce_create_product'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.create_product IS
'Adds a product (PRODUCT of the flow chart) and returns its row (level admin). name: 1..200 characters. product_id: 1..2^53-1, NULL takes the next free one. Raises 22004, 22023, 23505.';

CREATE FUNCTION commerce.create_product_option(product_id bigint, name text,
	price bigint, stock bigint DEFAULT 0, option_id bigint DEFAULT NULL)
RETURNS commerce.product_options
AS 'MODULE_PATHNAME', 'commerce_create_product_option'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.create_product_option IS
'Adds what can be bought (PRODUCT_OPTION of the flow chart) with its first stock and returns its row (level admin). price: minor units, >= 0; stock: units, >= 0. option_id: 1..2^53-1, NULL takes the next free one. Raises 22004, 22023, SC002, 23505.';

CREATE FUNCTION commerce.set_price(option_id bigint, price bigint)
RETURNS commerce.product_options
AS 'MODULE_PATHNAME', 'commerce_set_price'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.set_price IS
'Sets the price (minor units, >= 0) that later orders pay (level admin). Raises 22004, 22023, SC003.';

CREATE FUNCTION commerce.adjust_stock(option_id bigint, quantity bigint,
	reason text DEFAULT 'restock', idempotency_key text DEFAULT NULL)
RETURNS commerce.stock
AS 'MODULE_PATHNAME', 'commerce_adjust_stock'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.adjust_stock IS
'Adds quantity units to an option''s stock, or takes them when negative, and records why, in 1..1000 characters (level admin). Raises 22004, 22023, 22003 when the stock would pass 2^63-1, SC401, SC003, SC301 below zero.';

CREATE FUNCTION commerce.spread_stock(option_id bigint, slots integer)
RETURNS integer
AS 'MODULE_PATHNAME', 'commerce_spread_stock'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.spread_stock IS
'Spreads an option''s stock over slots (1..commerce.max_slots) rows before a rush, so that its first buyers need not meet: over no fewer than there are, and no more than there are units. Returns how many there are now; a restock keeps their number (level admin). Raises 22004, 22023, SC003.';

CREATE FUNCTION commerce.create_coupon_policy(name text, discount_type text,
	discount_value bigint, quantity bigint,
	issue_from timestamptz DEFAULT now(),
	issue_until timestamptz DEFAULT NULL,
	max_discount_amount bigint DEFAULT NULL,
	min_order_amount bigint DEFAULT 0,
	per_user_limit integer DEFAULT 1,
	valid_for interval DEFAULT NULL,
	valid_until timestamptz DEFAULT NULL,
	restore_on_cancel boolean DEFAULT true,
	policy_id bigint DEFAULT NULL)
RETURNS commerce.coupon_policies
AS 'MODULE_PATHNAME', 'commerce_create_coupon_policy'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.create_coupon_policy IS
'Adds a coupon policy (COUPON_POLICY of the flow chart) with quantity coupons to issue (level admin). discount_type: fixed (discount_value in minor units, >= 1) or percent (1..100, at most max_discount_amount, NULL: no cap). A coupon expires at least(issued_at + valid_for, valid_until). issue_until, valid_for and valid_until: NULL or infinity is no end. Raises 22004, 22023, 23505 when policy_id exists.';

CREATE FUNCTION commerce.update_coupon_policy(policy_id bigint, name text DEFAULT NULL,
	quantity bigint DEFAULT NULL, per_user_limit integer DEFAULT NULL,
	issue_from timestamptz DEFAULT NULL, issue_until timestamptz DEFAULT NULL,
	valid_until timestamptz DEFAULT NULL)
RETURNS commerce.coupon_policies
AS 'MODULE_PATHNAME', 'commerce_update_coupon_policy'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.update_coupon_policy IS
'Changes a policy, also while its coupons are being issued (level admin). NULL leaves a value as it is; infinity for issue_until and valid_until is no end. valid_until, and a lower per_user_limit, are for coupons issued later. Bounds are those of create_coupon_policy. Raises 22004, 22023, SC005, SC205 quantity below what is issued.';

CREATE FUNCTION commerce.spread_coupon_quota(policy_id bigint, slots integer)
RETURNS integer
AS 'MODULE_PATHNAME', 'commerce_spread_coupon_quota'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.spread_coupon_quota IS
'Spreads what is left of a policy''s quota as spread_stock does with stock (level admin). Raises 22004, 22023, SC005.';

CREATE FUNCTION commerce.close_coupon_policy(policy_id bigint)
RETURNS commerce.coupon_policies
AS 'MODULE_PATHNAME', 'commerce_close_coupon_policy'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.close_coupon_policy IS
'Ends issuing now; an earlier end stays (level admin). Coupons already issued keep their value. Raises 22004, SC005.';

CREATE FUNCTION commerce.revoke_coupon(coupon_id bigint)
RETURNS commerce.coupons
AS 'MODULE_PATHNAME', 'commerce_revoke_coupon'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.revoke_coupon IS
'Takes an unused coupon out of use (level admin). Its quota is not given back, and it still counts for the user''s limit. Raises 22004, SC006, SC211 used, SC214 revoked already.';
