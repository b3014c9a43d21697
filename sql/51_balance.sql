------------------------------------------------------------------------------
-- Functions: balance
------------------------------------------------------------------------------

CREATE FUNCTION commerce.charge_balance(user_id bigint, amount bigint,
	idempotency_key text DEFAULT NULL)
RETURNS commerce.balance_history
AS 'MODULE_PATHNAME', 'commerce_charge_balance'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.charge_balance IS
'Adds amount (minor units) to the user''s balance, opening the account at the first charge, and returns the history entry (level app). See doc/flow-chart.md, 1. Raises 22004, 22023, SC101 amount <= 0 or over commerce.max_charge_amount, SC401, SC001, SC104 over 2^63-1.';

CREATE FUNCTION commerce.use_balance(user_id bigint, amount bigint,
	idempotency_key text DEFAULT NULL)
RETURNS commerce.balance_history
AS 'MODULE_PATHNAME', 'commerce_use_balance'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION commerce.use_balance IS
'Takes amount (minor units) from the user''s balance and returns the history entry (level app). See doc/flow-chart.md, 1. Raises 22004, 22023, SC101 amount <= 0, SC401, SC102 no account, SC103 insufficient.';

CREATE FUNCTION commerce.get_balance(user_id bigint)
RETURNS bigint
AS 'MODULE_PATHNAME', 'commerce_get_balance'
LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION commerce.get_balance IS
'The user''s balance in minor units (level reader). Raises 22004, SC102 no account.';
