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
#include "base/entry.h"
#include "base/ids.h"
#include "base/money.h"
#include "catalog/pg_type.h"
#include "counter/counter.h"
#include "shop/catalogue.h"
#include "shop/coupon.h"
#include "shop/coupon_policy.h"
#include "shop/idempotency.h"
#include "utils/timestamp.h"

/* The unique index that holds per_user_limit. */
static const ColumnId issue_columns[] = {
	COUPONS_USER_ID, COUPONS_POLICY_ID, COUPONS_ISSUE_NO
};

/* COUPON_ALREADY_USED or COUPON_REVOKED unless it is issued. */
static Refusal *
check_issued(Row *coupon)
{
	int64		coupon_id = row_int64(coupon, COUPONS_COUPON_ID);
	int64		order_id = NO_ORDER;

	if (row_is(coupon, COUPONS_STATUS, COUPON_ISSUED))
		return NULL;
	if (row_is(coupon, COUPONS_STATUS, COUPON_REVOKED))
		return refuse_coupon_revoked(coupon_id);
	if (!row_is_null(coupon, COUPONS_ORDER_ID))
		order_id = row_int64(coupon, COUPONS_ORDER_ID);
	return refuse_coupon_already_used(coupon_id, order_id);
}

static Refusal *
check_not_expired(Row *coupon)
{
	TimestampTz expires_at = row_time(coupon, COUPONS_EXPIRES_AT);

	if (GetCurrentTransactionStartTimestamp() < expires_at)
		return NULL;
	return refuse_coupon_expired(row_int64(coupon, COUPONS_COUPON_ID),
								 expires_at);
}

Refusal *
coupon_check(Row *coupon, int64 user_id, int64 coupon_id, int64 amount,
			 CouponUse *use)
{
	Row		   *policy;
	Refusal    *refusal;

	if (coupon == NULL || row_int64(coupon, COUPONS_USER_ID) != user_id)
		return refuse_coupon_not_found(coupon_id);
	refusal = check_issued(coupon);
	if (refusal)
		return refusal;
	refusal = check_not_expired(coupon);
	if (refusal)
		return refusal;

	policy = coupon_policy_find(coupon->work,
								row_int64(coupon, COUPONS_POLICY_ID));
	if (policy == NULL)
		return refuse_coupon_policy_not_found(row_int64(coupon,
														COUPONS_POLICY_ID));
	refusal = coupon_policy_check_minimum(policy, coupon_id, amount);
	if (refusal)
		return refusal;

	use->coupon = coupon;
	use->discount = coupon_policy_discount(policy, amount);
	return NULL;
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

void
coupon_give_back(Work *work, int64 coupon_id, int64 order_id, bool was_paid)
{
	Row		   *coupon = row_lock(work, TABLE_COUPONS,
								  Int64GetDatum(coupon_id));
	Row		   *changed;

	/* Whoever edited the tables so that it is not has given it back already. */
	if (coupon == NULL || row_is_null(coupon, COUPONS_ORDER_ID) ||
		row_int64(coupon, COUPONS_ORDER_ID) != order_id)
		return;
	if (was_paid &&
		!coupon_policy_restores(work, row_int64(coupon, COUPONS_POLICY_ID)))
		return;

	changed = row_change(coupon);
	row_set_enum(changed, COUPONS_STATUS, COUPON_ISSUED);
	row_set_null(changed, COUPONS_USED_AT);
	row_set_null(changed, COUPONS_ORDER_ID);
	row_set_null(changed, COUPONS_DISCOUNT_AMOUNT);
	row_update(coupon, changed);
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

		if (issued >= limit)
			return refuse_coupon_already_issued(user_id, policy_id, limit,
												issued);
		if (!IsolationUsesXactSnapshot() &&
			counter_available(work, TABLE_COUPON_QUOTA_SLOTS, policy_id) == 0)
			return refuse_coupon_sold_out(policy_id);

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
		return *coupon ? NULL : refuse_coupon_not_found(coupon_id);
	}

	refusal = catalogue_check_user(work, scope->user_id);
	if (refusal)
		return refusal;
	policy = coupon_policy_find(work, policy_id);
	if (policy == NULL)
		return refuse_coupon_policy_not_found(policy_id);
	refusal = coupon_policy_check_period(policy);
	if (refusal)
		return refusal;
	refusal = insert_coupon(work, policy, scope->user_id, coupon_id, coupon);
	if (refusal)
		return refusal;

	if (!counter_hold(work, TABLE_COUPON_QUOTA_SLOTS, policy_id, 1, &hold,
					  &available))
		return refuse_coupon_sold_out(policy_id);
	counter_take(&hold);
	return NULL;
}

static Entry issue_coupon_entry = {
	.arguments = {
		{"user_id", INT8OID},
		{"policy_id", INT8OID},
		{"idempotency_key", TEXTOID, true}
	},
	.row = "coupons"
};

PG_FUNCTION_INFO_V1(commerce_issue_coupon);

/* Issue one coupon to a user: doc/flow-chart.md, 2. */
Datum
commerce_issue_coupon(PG_FUNCTION_ARGS)
{
	Idempotency scope = {.function = "issue_coupon"};
	Work		work;
	Row		   *coupon = NULL;
	Datum		result;

	entry_check(fcinfo, &issue_coupon_entry);
	scope.user_id = PG_GETARG_INT64(0);
	scope.key = args_idempotency_key(fcinfo, 2);

	row_begin_write(&work, "issue_coupon()");
	refusal_check(issue(&work, PG_GETARG_INT64(1), &scope, &coupon));
	result = row_datum(coupon);
	row_end(&work);
	return result;
}

static Entry use_coupon_entry = {
	.arguments = {
		{"user_id", INT8OID},
		{"coupon_id", INT8OID},
		{"order_amount", INT8OID}
	},
	.row = "coupons"
};

PG_FUNCTION_INFO_V1(commerce_use_coupon);

/* Use a coupon outside of an order: doc/flow-chart.md, 2. */
Datum
commerce_use_coupon(PG_FUNCTION_ARGS)
{
	int64		amount;
	Work		work;
	Row		   *coupon;
	CouponUse	use;
	Datum		result;

	entry_check(fcinfo, &use_coupon_entry);
	amount = PG_GETARG_INT64(2);
	refusal_check(money_check_amount(amount, PG_INT64_MAX));

	row_begin_write(&work, "use_coupon()");
	coupon = row_lock(&work, TABLE_COUPONS, PG_GETARG_DATUM(1));
	refusal_check(coupon_check(coupon, PG_GETARG_INT64(0), PG_GETARG_INT64(1),
							   amount, &use));
	result = row_datum(coupon_use(&use, NO_ORDER));
	row_end(&work);
	return result;
}

static Entry revoke_coupon_entry = {
	.arguments = {{"coupon_id", INT8OID}},
	.row = "coupons"
};

PG_FUNCTION_INFO_V1(commerce_revoke_coupon);

/* Take an unused coupon out of use: doc/reference.md, Coupons. */
Datum
commerce_revoke_coupon(PG_FUNCTION_ARGS)
{
	int64		coupon_id;
	Work		work;
	Row		   *coupon = NULL;
	Row		   *changed;
	Datum		result;

	entry_check(fcinfo, &revoke_coupon_entry);
	coupon_id = PG_GETARG_INT64(0);

	row_begin_write(&work, "revoke_coupon()");
	coupon = row_lock(&work, TABLE_COUPONS, Int64GetDatum(coupon_id));
	if (coupon == NULL)
		refusal_raise(refuse_coupon_not_found(coupon_id));
	refusal_check(check_issued(coupon));
	changed = row_change(coupon);
	row_set_enum(changed, COUPONS_STATUS, COUPON_REVOKED);
	row_update(coupon, changed);
	result = row_datum(changed);
	row_end(&work);
	return result;
}
