/*
 * coupon_policy.c
 *		The terms of a coupon policy: what a coupon is worth, who may get one.
 *
 * Coupons read them without a lock: an issue that began before a change goes by
 * the terms of before.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/args.h"
#include "base/money.h"
#include "shop/coupon_policy.h"
#include "utils/timestamp.h"

Row *
coupon_policy_find(Work *work, int64 policy_id)
{
	return row_find(work, TABLE_COUPON_POLICIES, Int64GetDatum(policy_id));
}

int64
coupon_policy_discount(Row *policy, int64 amount)
{
	int64		value = row_int64(policy, COUPON_POLICIES_DISCOUNT_VALUE);
	int64		discount;

	if (row_is(policy, COUPON_POLICIES_DISCOUNT_TYPE, DISCOUNT_FIXED))
		return Min(value, amount);

	discount = money_percent(amount, value);
	if (!row_is_null(policy, COUPON_POLICIES_MAX_DISCOUNT_AMOUNT))
		discount = Min(discount,
					   row_int64(policy, COUPON_POLICIES_MAX_DISCOUNT_AMOUNT));
	return discount;
}

TimestampTz
coupon_policy_end(Row *policy, ColumnId column)
{
	return row_is_null(policy, column) ? DT_NOEND : row_time(policy, column);
}

TimestampTz
coupon_policy_expiry(Row *policy, TimestampTz issued_at)
{
	TimestampTz until = coupon_policy_end(policy, COUPON_POLICIES_VALID_UNTIL);
	Datum		valid_for;

	if (row_is_null(policy, COUPON_POLICIES_VALID_FOR))
		return until;
	valid_for = row_value(policy, COUPON_POLICIES_VALID_FOR);
	return Min(until,
			   args_add_interval(issued_at, DatumGetIntervalP(valid_for)));
}

Refusal *
coupon_policy_check_minimum(Row *policy, int64 coupon_id, int64 amount)
{
	int64		minimum = row_int64(policy, COUPON_POLICIES_MIN_ORDER_AMOUNT);

	if (amount >= minimum)
		return NULL;
	return refuse_coupon_min_order_not_met(coupon_id, amount, minimum);
}

Refusal *
coupon_policy_check_period(Row *policy)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	TimestampTz from = row_time(policy, COUPON_POLICIES_ISSUE_FROM);
	TimestampTz until = coupon_policy_end(policy, COUPON_POLICIES_ISSUE_UNTIL);
	int64		policy_id = row_int64(policy, COUPON_POLICIES_POLICY_ID);

	if (now >= until)
		return refuse_coupon_issue_ended(policy_id, until);
	if (now < from)
		return refuse_coupon_issue_not_started(policy_id, from);
	return NULL;
}

bool
coupon_policy_restores(Work *work, int64 policy_id)
{
	Row		   *policy = coupon_policy_find(work, policy_id);

	return policy != NULL &&
		DatumGetBool(row_value(policy, COUPON_POLICIES_RESTORE_ON_CANCEL));
}
