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
'Adds a user (USER of the flow chart) and returns its row (level app). name: 1..200 characters. user_id: NULL takes the next free one. Raises 22004, 22023, 23505 when user_id exists.';

CREATE FUNCTION commerce.create_product(name text, product_id bigint DEFAULT NULL)
RETURNS commerce.products
AS 'MODULE_PATHNAME', 'commerce_create_product'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.create_product IS
'Adds a product (PRODUCT of the flow chart) and returns its row (level admin). name: 1..200 characters. product_id: NULL takes the next free one. Raises 22004, 22023, 23505.';

CREATE FUNCTION commerce.create_product_option(product_id bigint, name text,
	price bigint, stock bigint DEFAULT 0, option_id bigint DEFAULT NULL)
RETURNS commerce.product_options
AS 'MODULE_PATHNAME', 'commerce_create_product_option'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.create_product_option IS
'Adds what can be bought (PRODUCT_OPTION of the flow chart) with its first stock and returns its row (level admin). price: minor units, >= 0; stock: units, >= 0. option_id: NULL takes the next free one. Raises 22004, 22023, SC002, 23505.';

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
'Adds quantity units to an option''s stock, or takes them when negative, and records why (level admin). Raises 22004, 22023, 22003 when the stock would pass 2^63-1, SC401, SC003, SC301 below zero.';

CREATE FUNCTION commerce.create_coupon_policy(name text, discount_type text,
	discount_value bigint, quantity bigint,
	issue_from timestamptz DEFAULT now(),
	issue_until timestamptz DEFAULT 'infinity',
	max_discount_amount bigint DEFAULT NULL,
	min_order_amount bigint DEFAULT 0,
	per_user_limit integer DEFAULT 1,
	valid_for interval DEFAULT NULL,
	valid_until timestamptz DEFAULT 'infinity',
	restore_on_cancel boolean DEFAULT true,
	policy_id bigint DEFAULT NULL)
RETURNS commerce.coupon_policies
AS 'MODULE_PATHNAME', 'commerce_create_coupon_policy'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.create_coupon_policy IS
'Adds a coupon policy (COUPON_POLICY of the flow chart) with quantity coupons to issue (level admin). discount_type: fixed (discount_value in minor units, >= 1) or percent (1..100, at most max_discount_amount, NULL: no cap). A coupon expires at least(issued_at + valid_for, valid_until); valid_for NULL: at valid_until. Raises 22004, 22023, 23505 when policy_id exists.';

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
