/*
 * coupon.c
 *		Coupons that users hold.
 *
 * Issuing: the unique index on (user, policy, issue_no) is what holds
 * per_user_limit: two requests of one user want the same number, the second
 * waits for the first to end and counts again. The quota's counter, the
 * hottest of the locks, comes after that.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/args.h"
#include "base/money.h"
#include "counter/counter.h"
#include "shop/balance.h"
#include "shop/catalogue.h"
#include "shop/coupon.h"
#include "shop/coupon_policy.h"
#include "shop/idempotency.h"
#include "utils/timestamp.h"

/* The unique index that holds per_user_limit. */
static const AttrNumber issue_columns[] = {
	COUPONS_USER_ID, COUPONS_POLICY_ID, COUPONS_ISSUE_NO
};

static Refusal *
coupon_not_found(int64 coupon_id)
{
	return refusal_int64(refusal_new(COUPON_NOT_FOUND,
									 "coupon " INT64_FORMAT " not found",
									 coupon_id),
						 "coupon_id", coupon_id);
}

/* COUPON_ALREADY_USED or COUPON_REVOKED unless it is issued. */
static Refusal *
check_issued(Row *coupon)
{
	int64		coupon_id = row_int64(coupon, COUPONS_COUPON_ID);
	Refusal    *refusal;

	if (row_is(coupon, COUPONS_STATUS, COUPON_ISSUED))
		return NULL;

	if (row_is(coupon, COUPONS_STATUS, COUPON_IS_REVOKED))
		return refusal_int64(refusal_new(COUPON_REVOKED,
										 "coupon " INT64_FORMAT " was revoked",
										 coupon_id),
							 "coupon_id", coupon_id);

	refusal = refusal_int64(refusal_new(COUPON_ALREADY_USED,
										"coupon " INT64_FORMAT " was already used",
										coupon_id),
							"coupon_id", coupon_id);
	if (!row_is_null(coupon, COUPONS_ORDER_ID))
		refusal_int64(refusal, "order_id", row_int64(coupon, COUPONS_ORDER_ID));
	return refusal;
}

static Refusal *
check_not_expired(Row *coupon)
{
	int64		coupon_id = row_int64(coupon, COUPONS_COUPON_ID);
	TimestampTz expires_at = row_time(coupon, COUPONS_EXPIRES_AT);
	Refusal    *refusal;

	if (GetCurrentTransactionStartTimestamp() < expires_at)
		return NULL;
	refusal = refusal_int64(refusal_new(COUPON_EXPIRED,
										"coupon " INT64_FORMAT " has expired",
										coupon_id),
							"coupon_id", coupon_id);
	return refusal_time(refusal, "expires_at", expires_at);
}

static Refusal *
check_minimum(int64 coupon_id, Row *policy, int64 amount)
{
	int64		minimum = row_int64(policy, COUPON_POLICIES_MIN_ORDER_AMOUNT);
	Refusal    *refusal;

	if (amount >= minimum)
		return NULL;
	refusal = refusal_new(COUPON_MIN_ORDER_NOT_MET,
						  "coupon " INT64_FORMAT " needs an order of at least " INT64_FORMAT,
						  coupon_id, minimum);
	refusal_int64(refusal, "coupon_id", coupon_id);
	refusal_int64(refusal, "requested", amount);
	return refusal_int64(refusal, "min_order_amount", minimum);
}

Refusal *
coupon_check_found(Row *coupon, int64 user_id, int64 coupon_id, int64 amount,
				   CouponUse *use)
{
	Row		   *policy;
	Refusal    *refusal;

	if (coupon == NULL || row_int64(coupon, COUPONS_USER_ID) != user_id)
		return coupon_not_found(coupon_id);
	refusal = check_issued(coupon);
	if (refusal)
		return refusal;
	refusal = check_not_expired(coupon);
	if (refusal)
		return refusal;

	policy = coupon_policy_find(coupon->work,
								row_int64(coupon, COUPONS_POLICY_ID));
	if (policy == NULL)
		return coupon_policy_not_found(row_int64(coupon, COUPONS_POLICY_ID));
	refusal = check_minimum(coupon_id, policy, amount);
	if (refusal)
		return refusal;

	use->coupon = coupon;
	use->discount = coupon_policy_discount(policy, amount);
	return NULL;
}

Refusal *
coupon_check(Work *work, int64 user_id, int64 coupon_id, int64 amount,
			 CouponUse *use)
{
	return coupon_check_found(row_get(work, TABLE_COUPONS,
									  Int64GetDatum(coupon_id)),
							  user_id, coupon_id, amount, use);
}

Row *
coupon_use(const CouponUse *use, int64 order_id)
{
	Row		   *changed = row_change(use->coupon);

	row_set_enum(changed, COUPONS_STATUS, COUPON_USED);
	row_set_now(changed, COUPONS_USED_AT);
	if (order_id != NO_ORDER)
		row_set_int64(changed, COUPONS_ORDER_ID, order_id);
	row_set_int64(changed, COUPONS_DISCOUNT_AMOUNT, use->discount);
	row_update(use->coupon, changed);
	return changed;
}

/* Does a coupon of this policy come back from an order that was paid? */
static bool
is_restored_on_cancel(Work *work, int64 policy_id)
{
	Row		   *policy = coupon_policy_find(work, policy_id);

	return policy != NULL &&
		DatumGetBool(row_value(policy, COUPON_POLICIES_RESTORE_ON_CANCEL));
}

void
coupon_restore(Work *work, int64 coupon_id, int64 order_id, bool was_paid)
{
	Row		   *coupon = row_lock(work, TABLE_COUPONS,
								  Int64GetDatum(coupon_id));
	Row		   *changed;

	/* Whoever edited the tables so that it is not, has restored it already. */
	if (coupon == NULL || row_is_null(coupon, COUPONS_ORDER_ID) ||
		row_int64(coupon, COUPONS_ORDER_ID) != order_id)
		return;
	if (was_paid &&
		!is_restored_on_cancel(work, row_int64(coupon, COUPONS_POLICY_ID)))
		return;

	changed = row_change(coupon);
	row_set_enum(changed, COUPONS_STATUS, COUPON_ISSUED);
	row_set_null(changed, COUPONS_USED_AT);
	row_set_null(changed, COUPONS_ORDER_ID);
	row_set_null(changed, COUPONS_DISCOUNT_AMOUNT);
	row_update(coupon, changed);
}

/* Is now within the policy's period of issue? A closed policy is over. */
static Refusal *
check_issue_period(Row *policy)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	TimestampTz from = row_time(policy, COUPON_POLICIES_ISSUE_FROM);
	TimestampTz until = row_time(policy, COUPON_POLICIES_ISSUE_UNTIL);
	int64		policy_id = row_int64(policy, COUPON_POLICIES_POLICY_ID);
	Refusal    *refusal;

	if (now >= until)
	{
		refusal = refusal_new(COUPON_ISSUE_ENDED,
							  "issuing of coupon policy " INT64_FORMAT " has ended",
							  policy_id);
		refusal_int64(refusal, "policy_id", policy_id);
		return refusal_time(refusal, "issue_until", until);
	}
	if (now < from)
	{
		refusal = refusal_new(COUPON_ISSUE_NOT_STARTED,
							  "issuing of coupon policy " INT64_FORMAT " has not started",
							  policy_id);
		refusal_int64(refusal, "policy_id", policy_id);
		return refusal_time(refusal, "issue_from", from);
	}
	return NULL;
}

/* How many coupons of the policy the user was ever issued. */
static int32
issued_count(Work *work, int64 user_id, int64 policy_id)
{
	Datum		prefix[] = {Int64GetDatum(user_id), Int64GetDatum(policy_id)};
	Row		   *last = row_last(work, TABLE_COUPONS, lengthof(issue_columns),
								issue_columns, lengthof(prefix), prefix);

	return last ? row_int32(last, COUPONS_ISSUE_NO) : 0;
}

static Refusal *
sold_out(int64 policy_id)
{
	return refusal_int64(refusal_new(COUPON_SOLD_OUT,
									 "coupon policy " INT64_FORMAT " is sold out",
									 policy_id),
						 "policy_id", policy_id);
}

/* coupon_id 0: take the next one. */
static Row *
new_coupon(Work *work, Row *policy, int64 user_id, int64 coupon_id,
		   int32 issue_no)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	Row		   *coupon = row_new(work, TABLE_COUPONS);

	row_set_int64(coupon, COUPONS_COUPON_ID,
				  coupon_id ? coupon_id : sequence_next(SEQUENCE_COUPON_ID));
	row_set(coupon, COUPONS_POLICY_ID,
			row_value(policy, COUPON_POLICIES_POLICY_ID));
	row_set_int64(coupon, COUPONS_USER_ID, user_id);
	row_set_enum(coupon, COUPONS_STATUS, COUPON_ISSUED);
	row_set(coupon, COUPONS_ISSUED_AT, TimestampTzGetDatum(now));
	row_set(coupon, COUPONS_EXPIRES_AT,
			TimestampTzGetDatum(coupon_policy_expiry(policy, now)));
	row_set_int32(coupon, COUPONS_ISSUE_NO, issue_no);
	return coupon;
}

/*
 * Give the user the next coupon of the policy, as far as the limit goes. A
 * quota that is gone already refuses before anything is written.
 */
static Refusal *
insert_coupon(Work *work, Row *policy, int64 user_id, int64 coupon_id,
			  Row **coupon)
{
	int64		policy_id = row_int64(policy, COUPON_POLICIES_POLICY_ID);
	int32		limit = row_int32(policy, COUPON_POLICIES_PER_USER_LIMIT);

	for (;;)
	{
		int32		issued = issued_count(work, user_id, policy_id);
		Refusal    *refusal;

		if (issued >= limit)
		{
			refusal = refusal_new(COUPON_ALREADY_ISSUED,
								  "user " INT64_FORMAT " already has %d of coupon policy " INT64_FORMAT,
								  user_id, issued, policy_id);
			refusal_int64(refusal, "user_id", user_id);
			refusal_int64(refusal, "policy_id", policy_id);
			return refusal_int64(refusal, "per_user_limit", limit);
		}
		if (!IsolationUsesXactSnapshot() &&
			counter_available(work, TABLE_COUPON_QUOTA_SLOTS, policy_id) == 0)
			return sold_out(policy_id);

		*coupon = new_coupon(work, policy, user_id, coupon_id, issued + 1);
		if (row_insert_if_absent_by(*coupon, lengthof(issue_columns),
									issue_columns))
			return NULL;
		row_refresh(work);
	}
}

static Refusal *
issue(Work *work, int64 policy_id, const Idempotency *scope, Row **coupon)
{
	int64		coupon_id = scope->key ? sequence_next(SEQUENCE_COUPON_ID) : 0;
	StringInfoData arguments;
	Row		   *policy;
	Refusal    *refusal;
	bool		replay;
	CounterHold hold;
	int64		available;

	initStringInfo(&arguments);
	appendStringInfo(&arguments, INT64_FORMAT, policy_id);
	refusal = idempotency_claim(work, scope, &arguments, &coupon_id, &replay);
	if (refusal)
		return refusal;
	if (replay)
	{
		*coupon = row_find(work, TABLE_COUPONS, Int64GetDatum(coupon_id));
		return *coupon ? NULL : coupon_not_found(coupon_id);
	}

	refusal = catalogue_check_user(work, scope->user_id);
	if (refusal)
		return refusal;
	policy = coupon_policy_find(work, policy_id);
	if (policy == NULL)
		return coupon_policy_not_found(policy_id);
	refusal = check_issue_period(policy);
	if (refusal)
		return refusal;
	refusal = insert_coupon(work, policy, scope->user_id, coupon_id, coupon);
	if (refusal)
		return refusal;

	if (!counter_hold(work, TABLE_COUPON_QUOTA_SLOTS, policy_id, 1, &hold,
					  &available))
		return sold_out(policy_id);
	counter_take(&hold);
	return NULL;
}

PG_FUNCTION_INFO_V1(commerce_issue_coupon);

/* Issue one coupon to a user: flow chart 2, issue. */
Datum
commerce_issue_coupon(PG_FUNCTION_ARGS)
{
	Idempotency scope = {.function = "issue_coupon"};
	Work		work;
	Row		   *coupon = NULL;
	Datum		result;

	ARGS_NO_NULLS(fcinfo, "user_id", "policy_id");
	scope.user_id = PG_GETARG_INT64(0);
	scope.key = args_idempotency_key(fcinfo, 2);

	row_begin_write(&work, "issue_coupon()");
	refusal_check(issue(&work, PG_GETARG_INT64(1), &scope, &coupon));
	result = row_datum(coupon);
	row_end(&work);
	return result;
}

PG_FUNCTION_INFO_V1(commerce_use_coupon);

/* Use a coupon outside of an order: flow chart 2, use. */
Datum
commerce_use_coupon(PG_FUNCTION_ARGS)
{
	int64		amount;
	Work		work;
	CouponUse	use;
	Datum		result;

	ARGS_NO_NULLS(fcinfo, "user_id", "coupon_id", "order_amount");
	amount = PG_GETARG_INT64(2);
	refusal_check(money_check_amount(amount, PG_INT64_MAX));

	row_begin_write(&work, "use_coupon()");
	refusal_check(coupon_check(&work, PG_GETARG_INT64(0), PG_GETARG_INT64(1),
							   amount, &use));
	result = row_datum(coupon_use(&use, NO_ORDER));
	row_end(&work);
	return result;
}

PG_FUNCTION_INFO_V1(commerce_revoke_coupon);

/* Take an unused coupon out of use: README, Catalogue. */
Datum
commerce_revoke_coupon(PG_FUNCTION_ARGS)
{
	int64		coupon_id;
	Work		work;
	Row		   *coupon = NULL;
	Row		   *changed;
	Datum		result;

	ARGS_NO_NULLS(fcinfo, "coupon_id");
	coupon_id = PG_GETARG_INT64(0);

	row_begin_write(&work, "revoke_coupon()");
	coupon = row_lock(&work, TABLE_COUPONS, Int64GetDatum(coupon_id));
	if (coupon == NULL)
		refusal_raise(coupon_not_found(coupon_id));
	refusal_check(check_issued(coupon));
	changed = row_change(coupon);
	row_set_enum(changed, COUPONS_STATUS, COUPON_IS_REVOKED);
	row_update(coupon, changed);
	result = row_datum(changed);
	row_end(&work);
	return result;
}
