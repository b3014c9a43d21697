------------------------------------------------------------------------------
-- Types
------------------------------------------------------------------------------

CREATE TYPE commerce.balance_entry_type AS ENUM ('charge', 'use', 'payment', 'refund');
COMMENT ON TYPE commerce.balance_entry_type IS 'What moved a balance: charge and refund add, use and payment take.';

CREATE TYPE commerce.discount_type AS ENUM ('fixed', 'percent');
COMMENT ON TYPE commerce.discount_type IS 'fixed: discount_value is an amount; percent: it is 1..100.';

CREATE TYPE commerce.coupon_status AS ENUM ('issued', 'used', 'revoked');
COMMENT ON TYPE commerce.coupon_status IS 'State of a coupon. Expiry is derived from expires_at, never stored.';

CREATE TYPE commerce.order_status AS ENUM
	('pending', 'paid', 'partially_refunded', 'refunded', 'cancelled', 'expired');
COMMENT ON TYPE commerce.order_status IS 'State of an order.';

CREATE TYPE commerce.delivery_status AS ENUM
	('available', 'running', 'delivered', 'dead', 'discarded');
COMMENT ON TYPE commerce.delivery_status IS 'State of an event within a subscription: available may be claimed when due, running is leased, dead waits for a decision.';
