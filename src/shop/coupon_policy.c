/*
 * coupon_policy.c
 *		Coupon policies: what a coupon is worth and who may get one.
 *
 * A policy's terms never change, but for the end of issuing; so coupons read
 * them without a lock. What is left of the quota is a counter.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/args.h"
#include "base/entry.h"
#include "base/money.h"
#include "catalog/pg_type.h"
#include "counter/counter.h"
#include "shop/catalogue.h"
#include "shop/coupon_policy.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
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
coupon_policy_expiry(Row *policy, TimestampTz issued_at)
{
	TimestampTz until = row_time(policy, COUPON_POLICIES_VALID_UNTIL);
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
	TimestampTz until = row_time(policy, COUPON_POLICIES_ISSUE_UNTIL);
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

/* The arguments of create_coupon_policy, by position. */
enum
{
	ARG_NAME,
	ARG_DISCOUNT_TYPE,
	ARG_DISCOUNT_VALUE,
	ARG_QUANTITY,
	ARG_ISSUE_FROM,
	ARG_ISSUE_UNTIL,
	ARG_MAX_DISCOUNT_AMOUNT,
	ARG_MIN_ORDER_AMOUNT,
	ARG_PER_USER_LIMIT,
	ARG_VALID_FOR,
	ARG_VALID_UNTIL,
	ARG_RESTORE_ON_CANCEL,
	ARG_POLICY_ID
};

static EnumLabel
discount_type(text *name)
{
	char	   *label = text_to_cstring(name);

	if (strcmp(label, "fixed") == 0)
		return DISCOUNT_FIXED;
	if (strcmp(label, "percent") != 0)
		args_invalid("discount_type", "be fixed or percent");
	return DISCOUNT_PERCENT;
}

/* Raise 22023 for the first argument out of its bounds. */
static void
check_policy_arguments(FunctionCallInfo fcinfo)
{
	int64		value;
	EnumLabel	type;

	args_name(fcinfo, ARG_NAME, "name");
	value = args_int64_min(fcinfo, ARG_DISCOUNT_VALUE, "discount_value", 1);
	type = discount_type(PG_GETARG_TEXT_PP(ARG_DISCOUNT_TYPE));
	if (type == DISCOUNT_PERCENT && value > 100)
		args_invalid("discount_value", "be from 1 to 100 for a percent policy");
	args_int64_min(fcinfo, ARG_QUANTITY, "quantity", 0);
	if (PG_GETARG_TIMESTAMPTZ(ARG_ISSUE_UNTIL) <=
		PG_GETARG_TIMESTAMPTZ(ARG_ISSUE_FROM))
		args_invalid("issue_until", "be after issue_from");
	if (!PG_ARGISNULL(ARG_MAX_DISCOUNT_AMOUNT))
		args_int64_min(fcinfo, ARG_MAX_DISCOUNT_AMOUNT, "max_discount_amount",
					   1);
	args_int64_min(fcinfo, ARG_MIN_ORDER_AMOUNT, "min_order_amount", 0);
	if (PG_GETARG_INT32(ARG_PER_USER_LIMIT) < 1)
		args_invalid("per_user_limit", "be at least 1");
	if (!PG_ARGISNULL(ARG_VALID_FOR))
		args_interval(fcinfo, ARG_VALID_FOR, "valid_for", true);
}

/* Copy an argument to the column of the same meaning; NULL stays NULL. */
static void
set_argument(Row *row, ColumnId column, FunctionCallInfo fcinfo, int n)
{
	if (!PG_ARGISNULL(n))
		row_set(row, column, PG_GETARG_DATUM(n));
}

static Entry create_coupon_policy_entry = {
	.arguments = {
		{"name", TEXTOID},
		{"discount_type", TEXTOID},
		{"discount_value", INT8OID},
		{"quantity", INT8OID},
		{"issue_from", TIMESTAMPTZOID},
		{"issue_until", TIMESTAMPTZOID},
		{"max_discount_amount", INT8OID, true},
		{"min_order_amount", INT8OID},
		{"per_user_limit", INT4OID},
		{"valid_for", INTERVALOID, true},
		{"valid_until", TIMESTAMPTZOID},
		{"restore_on_cancel", BOOLOID},
		{"policy_id", INT8OID, true}
	},
	.row = "coupon_policies"
};

PG_FUNCTION_INFO_V1(commerce_create_coupon_policy);

/* Add a policy and its quota: COUPON_POLICY of the flow chart. */
Datum
commerce_create_coupon_policy(PG_FUNCTION_ARGS)
{
	Work		work;
	Row		   *row;
	int64		policy_id;
	Datum		result;

	entry_check(fcinfo, &create_coupon_policy_entry);
	check_policy_arguments(fcinfo);

	row_begin_write(&work, "create_coupon_policy()");
	row = row_new(&work, TABLE_COUPON_POLICIES);
	set_argument(row, COUPON_POLICIES_NAME, fcinfo, ARG_NAME);
	row_set_enum(row, COUPON_POLICIES_DISCOUNT_TYPE,
				 discount_type(PG_GETARG_TEXT_PP(ARG_DISCOUNT_TYPE)));
	set_argument(row, COUPON_POLICIES_DISCOUNT_VALUE,
				 fcinfo, ARG_DISCOUNT_VALUE);
	set_argument(row, COUPON_POLICIES_MAX_DISCOUNT_AMOUNT,
				 fcinfo, ARG_MAX_DISCOUNT_AMOUNT);
	set_argument(row, COUPON_POLICIES_MIN_ORDER_AMOUNT,
				 fcinfo, ARG_MIN_ORDER_AMOUNT);
	set_argument(row, COUPON_POLICIES_QUANTITY, fcinfo, ARG_QUANTITY);
	set_argument(row, COUPON_POLICIES_PER_USER_LIMIT,
				 fcinfo, ARG_PER_USER_LIMIT);
	set_argument(row, COUPON_POLICIES_ISSUE_FROM, fcinfo, ARG_ISSUE_FROM);
	set_argument(row, COUPON_POLICIES_ISSUE_UNTIL, fcinfo, ARG_ISSUE_UNTIL);
	set_argument(row, COUPON_POLICIES_VALID_FOR, fcinfo, ARG_VALID_FOR);
	set_argument(row, COUPON_POLICIES_VALID_UNTIL, fcinfo, ARG_VALID_UNTIL);
	set_argument(row, COUPON_POLICIES_RESTORE_ON_CANCEL,
				 fcinfo, ARG_RESTORE_ON_CANCEL);
	row_set_now(row, COUPON_POLICIES_CREATED_AT);
	policy_id = catalogue_insert(row, COUPON_POLICIES_POLICY_ID,
								 SEQUENCE_POLICY_ID,
								 fcinfo->args[ARG_POLICY_ID]);
	counter_create(&work, TABLE_COUPON_QUOTA_SLOTS, policy_id,
				   PG_GETARG_INT64(ARG_QUANTITY));
	result = row_datum(row);
	row_end(&work);
	return result;
}

static Entry close_coupon_policy_entry = {
	.arguments = {{"policy_id", INT8OID}},
	.row = "coupon_policies"
};

PG_FUNCTION_INFO_V1(commerce_close_coupon_policy);

/* End issuing now: doc/reference.md, Coupons. */
Datum
commerce_close_coupon_policy(PG_FUNCTION_ARGS)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	int64		policy_id;
	Work		work;
	Row		   *policy;
	Row		   *changed;
	Datum		result;

	entry_check(fcinfo, &close_coupon_policy_entry);
	policy_id = PG_GETARG_INT64(0);

	row_begin_write(&work, "close_coupon_policy()");
	policy = row_lock(&work, TABLE_COUPON_POLICIES, Int64GetDatum(policy_id));
	if (policy == NULL)
		refusal_raise(refuse_coupon_policy_not_found(policy_id));
	if (row_time(policy, COUPON_POLICIES_ISSUE_UNTIL) > now)
	{
		changed = row_change(policy);
		row_set_now(changed, COUPON_POLICIES_ISSUE_UNTIL);
		row_update(policy, changed);
		policy = changed;
	}
	result = row_datum(policy);
	row_end(&work);
	return result;
}
