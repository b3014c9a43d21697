-- issue_coupon of the usual peer: the quota's row is locked first, as shops do, so that
-- whoever comes second waits and then reads what is left.

CREATE TABLE usual.coupon_quota (LIKE tuned.coupon_quota INCLUDING ALL);
ALTER TABLE usual.coupon_quota ADD FOREIGN KEY (policy_id) REFERENCES usual.coupon_policies;
CREATE SEQUENCE usual.coupon_id_seq;

CREATE FUNCTION usual.issue_coupon(p_user_id bigint, p_policy_id bigint,
	p_idempotency_key text DEFAULT NULL)
RETURNS usual.coupons
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_digest bytea;
	v_key usual.idempotency_keys;
	v_policy usual.coupon_policies;
	v_remaining bigint;
	v_issued integer;
	v_coupon usual.coupons;
BEGIN
	IF p_user_id IS NULL OR p_policy_id IS NULL THEN
		RAISE EXCEPTION '% must not be null',
			CASE WHEN p_user_id IS NULL THEN 'user_id' ELSE 'policy_id' END
			USING ERRCODE = 'null_value_not_allowed';
	END IF;

	-- A known key returns its coupon.
	IF p_idempotency_key IS NOT NULL THEN
		v_digest := sha256(p_policy_id::text::bytea);
		INSERT INTO usual.idempotency_keys (user_id, function_name,
			idempotency_key, arguments_digest, object_id)
		VALUES (p_user_id, 'issue_coupon', p_idempotency_key, v_digest, 0)
		ON CONFLICT DO NOTHING;
		IF NOT FOUND THEN
			SELECT * INTO v_key FROM usual.idempotency_keys
			WHERE user_id = p_user_id AND function_name = 'issue_coupon'
			  AND idempotency_key = p_idempotency_key;
			IF v_key.arguments_digest <> v_digest THEN
				PERFORM tuned.refuse('SC401', 'idempotency key was used with other arguments',
					jsonb_build_object('idempotency_key', p_idempotency_key));
			END IF;
			SELECT * INTO v_coupon FROM usual.coupons WHERE coupon_id = v_key.object_id;
			RETURN v_coupon;
		END IF;
	END IF;

	PERFORM FROM usual.users WHERE user_id = p_user_id;
	IF NOT FOUND THEN
		PERFORM tuned.refuse('SC001', 'user not found',
			jsonb_build_object('user_id', p_user_id));
	END IF;
	SELECT * INTO v_policy FROM usual.coupon_policies WHERE policy_id = p_policy_id;
	IF NOT FOUND THEN
		PERFORM tuned.refuse('SC005', 'coupon policy not found',
			jsonb_build_object('policy_id', p_policy_id));
	END IF;
	IF now() >= v_policy.issue_until THEN
		PERFORM tuned.refuse('SC202', 'issuing has ended', jsonb_build_object(
			'policy_id', p_policy_id, 'issue_until', v_policy.issue_until));
	ELSIF now() < v_policy.issue_from THEN
		PERFORM tuned.refuse('SC201', 'issuing has not started', jsonb_build_object(
			'policy_id', p_policy_id, 'issue_from', v_policy.issue_from));
	END IF;

	SELECT quantity INTO v_remaining FROM usual.coupon_quota
	WHERE policy_id = p_policy_id FOR UPDATE;
	SELECT count(*) INTO v_issued FROM usual.coupons
	WHERE user_id = p_user_id AND policy_id = p_policy_id;
	IF v_issued >= v_policy.per_user_limit THEN
		PERFORM tuned.refuse('SC204', 'coupon was already issued to the user',
			jsonb_build_object('user_id', p_user_id, 'policy_id', p_policy_id,
				'per_user_limit', v_policy.per_user_limit));
	END IF;
	IF v_remaining = 0 THEN
		PERFORM tuned.refuse('SC203', 'coupon policy is sold out',
			jsonb_build_object('policy_id', p_policy_id));
	END IF;

	-- Everything is decided: write.
	UPDATE usual.coupon_quota SET quantity = quantity - 1 WHERE policy_id = p_policy_id;
	INSERT INTO usual.coupons (coupon_id, policy_id, user_id, status, issued_at,
		expires_at, issue_no)
	VALUES (nextval('usual.coupon_id_seq'), p_policy_id, p_user_id, 'issued', now(),
		least(now() + v_policy.valid_for, v_policy.valid_until), v_issued + 1)
	RETURNING * INTO v_coupon;
	IF p_idempotency_key IS NOT NULL THEN
		UPDATE usual.idempotency_keys SET object_id = v_coupon.coupon_id
		WHERE user_id = p_user_id AND function_name = 'issue_coupon'
		  AND idempotency_key = p_idempotency_key;
	END IF;
	RETURN v_coupon;
END
$$;
