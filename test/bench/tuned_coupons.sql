-- issue_coupon of the tuned peer. What makes it fast:
--
-- * One query reads all that decides, the quota as well. A quota that is gone refuses
--   then, before anything is locked or written.
-- * The unique index holds the user's limit, as in the extension. The quota's row, which
--   everyone wants, comes last, by a conditional UPDATE: nothing but the commit
--   happens while it is locked.

CREATE TABLE tuned.coupon_quota (
	policy_id	bigint PRIMARY KEY,
	quantity	bigint NOT NULL CHECK (quantity >= 0)
) WITH (fillfactor = 25);
CREATE SEQUENCE tuned.coupon_id_seq;

-- Why a coupon cannot be issued, of what ranks before the user's limit.
CREATE FUNCTION tuned.refuse_coupon(p_user_id bigint, p_policy_id bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	v_policy tuned.coupon_policies;
BEGIN
	IF NOT EXISTS (SELECT FROM tuned.users u WHERE u.user_id = p_user_id) THEN
		PERFORM tuned.refuse('SC001', 'user not found',
			jsonb_build_object('user_id', p_user_id));
	END IF;
	SELECT * INTO v_policy FROM tuned.coupon_policies p WHERE p.policy_id = p_policy_id;
	IF NOT FOUND THEN
		PERFORM tuned.refuse('SC005', 'coupon policy not found',
			jsonb_build_object('policy_id', p_policy_id));
	ELSIF now() >= v_policy.issue_until THEN
		PERFORM tuned.refuse('SC202', 'issuing has ended', jsonb_build_object(
			'policy_id', p_policy_id, 'issue_until', v_policy.issue_until));
	ELSIF now() < v_policy.issue_from THEN
		PERFORM tuned.refuse('SC201', 'issuing has not started', jsonb_build_object(
			'policy_id', p_policy_id, 'issue_from', v_policy.issue_from));
	END IF;
	RAISE EXCEPTION 'could not issue the coupon because of a concurrent change'
		USING ERRCODE = 'serialization_failure';
END
$$;

CREATE FUNCTION tuned.issue_coupon(p_user_id bigint, p_policy_id bigint,
	p_idempotency_key text DEFAULT NULL)
RETURNS tuned.coupons
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE AS $$
DECLARE
	v_digest bytea;
	v_key tuned.idempotency_keys;
	v_limit integer;
	v_issued integer;
	v_remaining bigint;
	v_expires_at timestamptz;
	v_coupon_id bigint := nextval('tuned.coupon_id_seq');
	v_coupon tuned.coupons;
BEGIN
	IF p_user_id IS NULL OR p_policy_id IS NULL THEN
		RAISE EXCEPTION '% must not be null',
			CASE WHEN p_user_id IS NULL THEN 'user_id' ELSE 'policy_id' END
			USING ERRCODE = 'null_value_not_allowed';
	END IF;

	-- The key's row comes first; a call with the same key waits for it here.
	IF p_idempotency_key IS NOT NULL THEN
		IF length(p_idempotency_key) NOT BETWEEN 1 AND 255 THEN
			RAISE EXCEPTION 'idempotency_key must have 1 to 255 characters'
				USING ERRCODE = 'invalid_parameter_value';
		END IF;
		v_digest := sha256(p_policy_id::text::bytea);
		INSERT INTO tuned.idempotency_keys (user_id, function_name,
			idempotency_key, arguments_digest, object_id)
		VALUES (p_user_id, 'issue_coupon', p_idempotency_key, v_digest, v_coupon_id)
		ON CONFLICT DO NOTHING;
		IF NOT FOUND THEN
			SELECT * INTO v_key FROM tuned.idempotency_keys k
			WHERE k.user_id = p_user_id AND k.function_name = 'issue_coupon'
			  AND k.idempotency_key = p_idempotency_key;
			IF v_key.arguments_digest <> v_digest THEN
				PERFORM tuned.refuse('SC401', 'idempotency key used with other arguments',
					jsonb_build_object('idempotency_key', p_idempotency_key));
			END IF;
			SELECT * INTO v_coupon FROM tuned.coupons c WHERE c.coupon_id = v_key.object_id;
			RETURN v_coupon;
		END IF;
	END IF;

	LOOP
		SELECT p.per_user_limit, least(now() + p.valid_for, p.valid_until), q.quantity,
			   coalesce((SELECT c.issue_no FROM tuned.coupons c
						 WHERE c.user_id = p_user_id AND c.policy_id = p_policy_id
						 ORDER BY c.issue_no DESC LIMIT 1), 0)
		INTO v_limit, v_expires_at, v_remaining, v_issued
		FROM tuned.users u, tuned.coupon_policies p, tuned.coupon_quota q
		WHERE u.user_id = p_user_id AND p.policy_id = p_policy_id
		  AND q.policy_id = p_policy_id
		  AND now() >= p.issue_from AND (now() < p.issue_until) IS NOT FALSE;
		IF NOT FOUND THEN
			PERFORM tuned.refuse_coupon(p_user_id, p_policy_id);
		ELSIF v_issued >= v_limit THEN
			PERFORM tuned.refuse('SC204', 'coupon already issued', jsonb_build_object(
				'user_id', p_user_id, 'policy_id', p_policy_id, 'per_user_limit', v_limit));
		ELSIF v_remaining = 0 THEN
			PERFORM tuned.refuse('SC203', 'coupon policy sold out',
				jsonb_build_object('policy_id', p_policy_id));
		END IF;

		-- Finds the number taken if the user's other call was faster.
		INSERT INTO tuned.coupons (coupon_id, policy_id, user_id, status, issued_at,
			expires_at, issue_no)
		VALUES (v_coupon_id, p_policy_id, p_user_id, 'issued', now(),
			v_expires_at, v_issued + 1)
		ON CONFLICT (user_id, policy_id, issue_no) DO NOTHING
		RETURNING * INTO v_coupon;
		EXIT WHEN FOUND;
	END LOOP;

	UPDATE tuned.coupon_quota q SET quantity = q.quantity - 1
	WHERE q.policy_id = p_policy_id AND q.quantity >= 1;
	IF NOT FOUND THEN
		PERFORM tuned.refuse('SC203', 'coupon policy sold out',
			jsonb_build_object('policy_id', p_policy_id));
	END IF;
	RETURN v_coupon;
END
$$;
