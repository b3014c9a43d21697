------------------------------------------------------------------------------
-- Sequences: up to 2^53-1, so that a JSON number carries every id
------------------------------------------------------------------------------

CREATE SEQUENCE commerce.user_id_seq MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE commerce.user_id_seq IS 'Generated users.user_id.';
CREATE SEQUENCE commerce.product_id_seq MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE commerce.product_id_seq IS 'Generated products.product_id.';
CREATE SEQUENCE commerce.option_id_seq MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE commerce.option_id_seq IS 'Generated product_options.option_id.';
CREATE SEQUENCE commerce.policy_id_seq MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE commerce.policy_id_seq IS 'Generated coupon_policies.policy_id.';
CREATE SEQUENCE commerce.coupon_id_seq MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE commerce.coupon_id_seq IS 'Generated coupons.coupon_id.';
CREATE SEQUENCE commerce.adjustment_id_seq MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE commerce.adjustment_id_seq IS 'Generated stock_adjustments.adjustment_id.';
CREATE SEQUENCE commerce.order_id_seq MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE commerce.order_id_seq IS 'Generated orders.order_id.';
CREATE SEQUENCE commerce.event_id_seq MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE commerce.event_id_seq IS 'Generated events.event_id.';
CREATE SEQUENCE commerce.subscription_no_seq AS integer START 2;
COMMENT ON SEQUENCE commerce.subscription_no_seq IS 'Generated stored_subscriptions.subscription_no. 1 is the subscription default that is there from the start.';
CREATE SEQUENCE commerce.cursor_no_seq;
COMMENT ON SEQUENCE commerce.cursor_no_seq IS 'Generated cursors.cursor_no.';
CREATE SEQUENCE commerce.transfer_id_seq MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE commerce.transfer_id_seq IS 'Generated transfers_out.transfer_id.';
CREATE SEQUENCE commerce.move_id_seq MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE commerce.move_id_seq IS 'Generated bucket_moves.move_id, of buckets that this node gives.';
