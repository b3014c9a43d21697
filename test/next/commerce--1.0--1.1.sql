\echo Use "ALTER EXTENSION commerce UPDATE TO '1.1'" to load this file. \quit

ALTER TYPE commerce.order_status ADD VALUE 'disputed' AFTER 'paid';

ALTER TABLE commerce.orders ADD COLUMN memo text NOT NULL DEFAULT 'none' CHECK (memo <> '');
COMMENT ON COLUMN commerce.orders.memo IS 'What was noted when it was made.';

-- It has one more argument; who may call it has to be said again.
DROP FUNCTION commerce.place_order(bigint, jsonb, bigint, text, bigint);
@53_orders.sql CREATE FUNCTION commerce.place_order
REVOKE ALL ON FUNCTION commerce.place_order FROM PUBLIC;
DROP FUNCTION commerce.try_place_order(bigint, jsonb, bigint, text, bigint);
@58_node.sql DO
REVOKE ALL ON FUNCTION commerce.try_place_order FROM PUBLIC;

@56_memos.sql
-- Of what is new only: what an extension's script says of other rights than those
-- that it gave itself, pg_dump would take for its own and leave out.
REVOKE ALL ON SEQUENCE commerce.memo_id_seq FROM PUBLIC;
REVOKE ALL ON TABLE commerce.order_memos FROM PUBLIC;
REVOKE ALL ON FUNCTION commerce.add_memo FROM PUBLIC;
REVOKE ALL ON FUNCTION commerce.mark_order FROM PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('commerce.memo_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('commerce.order_memos', '');

@70_access.sql CREATE OR REPLACE FUNCTION commerce.access_rights
