/*
 * coupon_policy_change.c
 *		Making, changing and closing coupon policies.
 *
 * What a coupon is worth never changes; who may get one, and until when, may.
 * What is left of the quota is a counter, and locked after the policy.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/args.h"
#include "base/entry.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "counter/counter.h"
#include "shop/catalogue.h"
#include "shop/coupon_policy.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

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

static void
set_end(Row *policy, ColumnId column, TimestampTz end)
{
	if (TIMESTAMP_IS_NOEND(end))
		row_set_null(policy, column);
	else
		row_set(policy, column, TimestampTzGetDatum(end));
}

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

static void
check_period(TimestampTz issue_from, TimestampTz issue_until)
{
	if (issue_until <= issue_from)
		args_invalid("issue_until", "be after issue_from");
}

static void
check_limit(int32 per_user_limit)
{
	if (per_user_limit < 1)
		args_invalid("per_user_limit", "be at least 1");
}

/* For ever is no valid_for. */
static bool
has_valid_for(FunctionCallInfo fcinfo)
{
	return !PG_ARGISNULL(ARG_VALID_FOR) &&
		!compat_interval_is_noend(PG_GETARG_INTERVAL_P(ARG_VALID_FOR));
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
	check_period(args_time(fcinfo, ARG_ISSUE_FROM, "issue_from"),
				 args_end(fcinfo, ARG_ISSUE_UNTIL, "issue_until"));
	if (!PG_ARGISNULL(ARG_MAX_DISCOUNT_AMOUNT))
		args_int64_min(fcinfo, ARG_MAX_DISCOUNT_AMOUNT, "max_discount_amount",
					   1);
	args_int64_min(fcinfo, ARG_MIN_ORDER_AMOUNT, "min_order_amount", 0);
	check_limit(PG_GETARG_INT32(ARG_PER_USER_LIMIT));
	if (has_valid_for(fcinfo))
		args_interval(fcinfo, ARG_VALID_FOR, "valid_for", true);
	args_end(fcinfo, ARG_VALID_UNTIL, "valid_until");
	args_new_id(fcinfo, ARG_POLICY_ID, "policy_id");
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
		{"issue_until", TIMESTAMPTZOID, true},
		{"max_discount_amount", INT8OID, true},
		{"min_order_amount", INT8OID},
		{"per_user_limit", INT4OID},
		{"valid_for", INTERVALOID, true},
		{"valid_until", TIMESTAMPTZOID, true},
		{"restore_on_cancel", BOOLOID},
		{"policy_id", INT8OID, true}
	},
	.row = "coupon_policies"
};

/* Add a policy and its quota: COUPON_POLICY of the flow chart. */
ENTRY_POINT(create_coupon_policy)
{
	Work		work;
	Row		   *row;
	int64		policy_id;
	Datum		result;

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
	set_end(row, COUPON_POLICIES_ISSUE_UNTIL,
			args_end(fcinfo, ARG_ISSUE_UNTIL, "issue_until"));
	if (has_valid_for(fcinfo))
		set_argument(row, COUPON_POLICIES_VALID_FOR, fcinfo, ARG_VALID_FOR);
	set_end(row, COUPON_POLICIES_VALID_UNTIL,
			args_end(fcinfo, ARG_VALID_UNTIL, "valid_until"));
	set_argument(row, COUPON_POLICIES_RESTORE_ON_CANCEL,
				 fcinfo, ARG_RESTORE_ON_CANCEL);
	set_argument(row, COUPON_POLICIES_HIGHEST_LIMIT,
				 fcinfo, ARG_PER_USER_LIMIT);
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

/* End issuing now: doc/reference.md, Coupons. */
ENTRY_POINT(close_coupon_policy)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	int64		policy_id;
	Work		work;
	Row		   *policy;
	Row		   *changed;
	Datum		result;

	policy_id = PG_GETARG_INT64(0);

	row_begin_write(&work, "close_coupon_policy()");
	policy = row_lock(&work, TABLE_COUPON_POLICIES, Int64GetDatum(policy_id));
	if (policy == NULL)
		refusal_raise(refuse_coupon_policy_not_found(policy_id));
	if (coupon_policy_end(policy, COUPON_POLICIES_ISSUE_UNTIL) > now)
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

/* The arguments of update_coupon_policy, by position. */
enum
{
	UPDATE_POLICY_ID,
	UPDATE_NAME,
	UPDATE_QUANTITY,
	UPDATE_PER_USER_LIMIT,
	UPDATE_ISSUE_FROM,
	UPDATE_ISSUE_UNTIL,
	UPDATE_VALID_UNTIL
};

/* Raise 22023 for the first argument out of its bounds. */
static void
check_update_arguments(FunctionCallInfo fcinfo)
{
	if (!PG_ARGISNULL(UPDATE_NAME))
		args_name(fcinfo, UPDATE_NAME, "name");
	if (!PG_ARGISNULL(UPDATE_QUANTITY))
		args_int64_min(fcinfo, UPDATE_QUANTITY, "quantity", 0);
	if (!PG_ARGISNULL(UPDATE_PER_USER_LIMIT))
		check_limit(PG_GETARG_INT32(UPDATE_PER_USER_LIMIT));
	if (!PG_ARGISNULL(UPDATE_ISSUE_FROM))
		args_time(fcinfo, UPDATE_ISSUE_FROM, "issue_from");
	args_end(fcinfo, UPDATE_ISSUE_UNTIL, "issue_until");
	args_end(fcinfo, UPDATE_VALID_UNTIL, "valid_until");
}

/* Set what was given. Raises 22023 where the period then is none. */
static void
set_given(Row *changed, FunctionCallInfo fcinfo)
{
	if (!PG_ARGISNULL(UPDATE_NAME))
		row_set(changed, COUPON_POLICIES_NAME, PG_GETARG_DATUM(UPDATE_NAME));
	if (!PG_ARGISNULL(UPDATE_QUANTITY))
		row_set(changed, COUPON_POLICIES_QUANTITY,
				PG_GETARG_DATUM(UPDATE_QUANTITY));
	if (!PG_ARGISNULL(UPDATE_PER_USER_LIMIT))
	{
		int32		limit = PG_GETARG_INT32(UPDATE_PER_USER_LIMIT);
		int32		highest = row_int32(changed, COUPON_POLICIES_HIGHEST_LIMIT);

		row_set_int32(changed, COUPON_POLICIES_PER_USER_LIMIT, limit);
		row_set_int32(changed, COUPON_POLICIES_HIGHEST_LIMIT,
					  Max(limit, highest));
	}
	if (!PG_ARGISNULL(UPDATE_ISSUE_FROM))
		row_set(changed, COUPON_POLICIES_ISSUE_FROM,
				PG_GETARG_DATUM(UPDATE_ISSUE_FROM));
	if (!PG_ARGISNULL(UPDATE_ISSUE_UNTIL))
		set_end(changed, COUPON_POLICIES_ISSUE_UNTIL,
				args_end(fcinfo, UPDATE_ISSUE_UNTIL, "issue_until"));
	if (!PG_ARGISNULL(UPDATE_VALID_UNTIL))
		set_end(changed, COUPON_POLICIES_VALID_UNTIL,
				args_end(fcinfo, UPDATE_VALID_UNTIL, "valid_until"));
	if (!PG_ARGISNULL(UPDATE_ISSUE_FROM) || !PG_ARGISNULL(UPDATE_ISSUE_UNTIL))
		check_period(row_time(changed, COUPON_POLICIES_ISSUE_FROM),
					 coupon_policy_end(changed, COUPON_POLICIES_ISSUE_UNTIL));
}

/* Refuses with COUPON_QUOTA_BELOW_ISSUED. */
static Refusal *
change_quota(Work *work, int64 policy_id, int64 quantity, int64 wanted)
{
	CounterHold hold;
	int64		available;

	if (wanted > quantity)
	{
		(void) counter_give(work, TABLE_COUPON_QUOTA_SLOTS, policy_id,
							wanted - quantity);
		return NULL;
	}
	if (!counter_hold(work, TABLE_COUPON_QUOTA_SLOTS, policy_id,
					  quantity - wanted, &hold, &available))
		return refuse_coupon_quota_below_issued(policy_id, wanted,
												quantity - available);
	counter_take_less(&hold, quantity - wanted);
	return NULL;
}

static Entry update_coupon_policy_entry = {
	.arguments = {
		{"policy_id", INT8OID},
		{"name", TEXTOID, true},
		{"quantity", INT8OID, true},
		{"per_user_limit", INT4OID, true},
		{"issue_from", TIMESTAMPTZOID, true},
		{"issue_until", TIMESTAMPTZOID, true},
		{"valid_until", TIMESTAMPTZOID, true}
	},
	.row = "coupon_policies"
};

/* Change who may get coupons, and when: doc/reference.md, Coupons. */
ENTRY_POINT(update_coupon_policy)
{
	int64		policy_id;
	Work		work;
	Row		   *policy;
	Row		   *changed;
	Datum		result;

	policy_id = PG_GETARG_INT64(UPDATE_POLICY_ID);
	check_update_arguments(fcinfo);

	row_begin_write(&work, "update_coupon_policy()");
	policy = row_lock(&work, TABLE_COUPON_POLICIES, Int64GetDatum(policy_id));
	if (policy == NULL)
		refusal_raise(refuse_coupon_policy_not_found(policy_id));
	changed = row_change(policy);
	set_given(changed, fcinfo);
	if (!PG_ARGISNULL(UPDATE_QUANTITY))
		refusal_check(change_quota(&work, policy_id,
								   row_int64(policy, COUPON_POLICIES_QUANTITY),
								   PG_GETARG_INT64(UPDATE_QUANTITY)));
	row_update(policy, changed);
	result = row_datum(changed);
	row_end(&work);
	return result;
}

static Entry add_coupon_quota_entry = {
	.arguments = {{"policy_id", INT8OID}, {"added", INT8OID}},
	.row = "coupon_policies"
};

/* Change this node's part of the quantity: doc/scale.md. */
ENTRY_POINT(add_coupon_quota)
{
	int64		policy_id = PG_GETARG_INT64(0);
	int64		quantity;
	int64		changed_quantity;
	Work		work;
	Row		   *policy;
	Row		   *changed;
	Datum		result;

	row_begin_write(&work, "add_coupon_quota()");
	policy = row_lock(&work, TABLE_COUPON_POLICIES, Int64GetDatum(policy_id));
	if (policy == NULL)
		refusal_raise(refuse_coupon_policy_not_found(policy_id));
	quantity = row_int64(policy, COUPON_POLICIES_QUANTITY);
	if (pg_add_s64_overflow(quantity, PG_GETARG_INT64(1), &changed_quantity))
		args_invalid("added", "leave a quantity up to 2^63-1");
	refusal_check(change_quota(&work, policy_id, quantity, changed_quantity));
	changed = row_change(policy);
	row_set_int64(changed, COUPON_POLICIES_QUANTITY, changed_quantity);
	row_update(policy, changed);
	result = row_datum(changed);
	row_end(&work);
	return result;
}

static Entry spread_coupon_quota_entry = {
	.arguments = {{"policy_id", INT8OID}, {"slots", INT4OID}},
	.type = INT4OID
};

/* Split a policy's quota before a rush: doc/reference.md, Coupons. */
ENTRY_POINT(spread_coupon_quota)
{
	int64		policy_id;
	int32		slots;
	Work		work;

	policy_id = PG_GETARG_INT64(0);
	slots = PG_GETARG_INT32(1);
	counter_check_slots(slots);

	row_begin_write(&work, "spread_coupon_quota()");
	if (coupon_policy_find(&work, policy_id) == NULL)
		refusal_raise(refuse_coupon_policy_not_found(policy_id));
	slots = counter_spread(&work, TABLE_COUPON_QUOTA_SLOTS, policy_id, slots);
	row_end(&work);
	PG_RETURN_INT32(slots);
}
