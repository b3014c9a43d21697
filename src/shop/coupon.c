/*
 * coupon.c
 *		Coupons that users hold: using them, giving them back, revoking them.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/args.h"
#include "base/entry.h"
#include "base/ids.h"
#include "base/money.h"
#include "catalog/pg_type.h"
#include "shop/coupon.h"
#include "shop/coupon_policy.h"
#include "shop/idempotency.h"
#include "utils/timestamp.h"

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
	TimestampTz expires_at;

	if (row_is_null(coupon, COUPONS_EXPIRES_AT))
		return NULL;
	expires_at = row_time(coupon, COUPONS_EXPIRES_AT);
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

/* *coupon becomes its row, as it is after this use or, of a replay, now. */
static Refusal *
use_alone(Work *work, const Idempotency *scope, int64 coupon_id, int64 amount,
		  Row **coupon)
{
	StringInfoData arguments;
	CouponUse	use;
	Refusal    *refusal;
	bool		replay;

	initStringInfo(&arguments);
	appendStringInfo(&arguments, INT64_FORMAT "," INT64_FORMAT, coupon_id,
					 amount);
	refusal = idempotency_claim(work, scope, &arguments, &coupon_id, &replay);
	if (refusal)
		return refusal;
	if (replay)
	{
		*coupon = row_find(work, TABLE_COUPONS, Int64GetDatum(coupon_id));
		return *coupon ? NULL : refuse_coupon_not_found(coupon_id);
	}

	refusal = coupon_check(row_lock(work, TABLE_COUPONS,
									Int64GetDatum(coupon_id)),
						   scope->user_id, coupon_id, amount, &use);
	if (refusal)
		return refusal;
	*coupon = coupon_use(&use, NO_ORDER);
	return NULL;
}

static Entry use_coupon_entry = {
	.arguments = {
		{"user_id", INT8OID},
		{"coupon_id", INT8OID},
		{"order_amount", INT8OID},
		{"idempotency_key", TEXTOID, true}
	},
	.row = "coupons"
};

/* Use a coupon outside of an order: doc/flow-chart.md, 2. */
ENTRY_POINT(use_coupon)
{
	Idempotency scope = {.function = "use_coupon"};
	int64		amount;
	Work		work;
	Row		   *coupon = NULL;
	Datum		result;

	scope.user_id = PG_GETARG_INT64(0);
	amount = PG_GETARG_INT64(2);
	refusal_check(money_check_amount(amount, PG_INT64_MAX));
	scope.key = args_idempotency_key(fcinfo, 3);

	row_begin_write(&work, "use_coupon()");
	refusal_check(use_alone(&work, &scope, PG_GETARG_INT64(1), amount,
							&coupon));
	result = row_datum(coupon);
	row_end(&work);
	return result;
}

static Entry revoke_coupon_entry = {
	.arguments = {{"coupon_id", INT8OID}},
	.row = "coupons"
};

/* Take an unused coupon out of use: doc/reference.md, Coupons. */
ENTRY_POINT(revoke_coupon)
{
	int64		coupon_id;
	Work		work;
	Row		   *coupon = NULL;
	Row		   *changed;
	Datum		result;

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
