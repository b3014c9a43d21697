------------------------------------------------------------------------------
-- Memos on orders, and marks
------------------------------------------------------------------------------

CREATE SEQUENCE commerce.memo_id_seq;
COMMENT ON SEQUENCE commerce.memo_id_seq IS 'Generated order_memos.memo_id.';

CREATE TABLE commerce.order_memos (
	memo_id		bigint PRIMARY KEY,
	order_id	bigint NOT NULL,
	memo		text NOT NULL
) WITH (fillfactor = 90);
COMMENT ON TABLE commerce.order_memos IS 'What was noted of an order later.';
CREATE INDEX order_memos_order_id_idx ON commerce.order_memos (order_id);

CREATE FUNCTION commerce.add_memo(order_id bigint, memo text)
RETURNS bigint
AS 'MODULE_PATHNAME', 'commerce_add_memo'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.add_memo IS
'Notes something of an order; the memo''s id (level app). Raises 22004, SC004.';

CREATE FUNCTION commerce.mark_order(order_id bigint, mark text)
RETURNS commerce.orders
AS 'MODULE_PATHNAME', 'commerce_mark_order'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.mark_order IS
'Marks a paid order (level app). Raises 22004, SC004, SC303.';
