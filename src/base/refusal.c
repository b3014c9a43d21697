/*
 * refusal.c
 *		The refusal codes, and raising one.
 *
 * The message is for people, the detail for programs: one JSON object with
 * the ids and figures that README lists for the code.
 */
#include "postgres.h"

#include "base/refusal.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/numeric.h"

static const int sqlstates[] = {
	[USER_NOT_FOUND] = MAKE_SQLSTATE('S', 'C', '0', '0', '1'),
	[PRODUCT_NOT_FOUND] = MAKE_SQLSTATE('S', 'C', '0', '0', '2'),
	[PRODUCT_OPTION_NOT_FOUND] = MAKE_SQLSTATE('S', 'C', '0', '0', '3'),
	[ORDER_NOT_FOUND] = MAKE_SQLSTATE('S', 'C', '0', '0', '4'),
	[COUPON_POLICY_NOT_FOUND] = MAKE_SQLSTATE('S', 'C', '0', '0', '5'),
	[COUPON_NOT_FOUND] = MAKE_SQLSTATE('S', 'C', '0', '0', '6'),
	[EVENT_NOT_FOUND] = MAKE_SQLSTATE('S', 'C', '0', '0', '7'),

	[INVALID_AMOUNT] = MAKE_SQLSTATE('S', 'C', '1', '0', '1'),
	[BALANCE_ACCOUNT_NOT_FOUND] = MAKE_SQLSTATE('S', 'C', '1', '0', '2'),
	[INSUFFICIENT_BALANCE] = MAKE_SQLSTATE('S', 'C', '1', '0', '3'),
	[BALANCE_LIMIT_EXCEEDED] = MAKE_SQLSTATE('S', 'C', '1', '0', '4'),

	[COUPON_ISSUE_NOT_STARTED] = MAKE_SQLSTATE('S', 'C', '2', '0', '1'),
	[COUPON_ISSUE_ENDED] = MAKE_SQLSTATE('S', 'C', '2', '0', '2'),
	[COUPON_SOLD_OUT] = MAKE_SQLSTATE('S', 'C', '2', '0', '3'),
	[COUPON_ALREADY_ISSUED] = MAKE_SQLSTATE('S', 'C', '2', '0', '4'),
	[COUPON_ALREADY_USED] = MAKE_SQLSTATE('S', 'C', '2', '1', '1'),
	[COUPON_EXPIRED] = MAKE_SQLSTATE('S', 'C', '2', '1', '2'),
	[COUPON_MIN_ORDER_NOT_MET] = MAKE_SQLSTATE('S', 'C', '2', '1', '3'),
	[COUPON_REVOKED] = MAKE_SQLSTATE('S', 'C', '2', '1', '4'),

	[INSUFFICIENT_STOCK] = MAKE_SQLSTATE('S', 'C', '3', '0', '1'),
	[INVALID_ORDER_ITEMS] = MAKE_SQLSTATE('S', 'C', '3', '0', '2'),
	[ORDER_STATE_CONFLICT] = MAKE_SQLSTATE('S', 'C', '3', '0', '3'),
	[REFUND_QUANTITY_EXCEEDED] = MAKE_SQLSTATE('S', 'C', '3', '0', '4'),
	[ORDER_EXPIRED] = MAKE_SQLSTATE('S', 'C', '3', '0', '5'),

	[IDEMPOTENCY_KEY_CONFLICT] = MAKE_SQLSTATE('S', 'C', '4', '0', '1'),

	[EVENT_LEASE_LOST] = MAKE_SQLSTATE('S', 'C', '5', '0', '1'),
	[EVENT_STATE_CONFLICT] = MAKE_SQLSTATE('S', 'C', '5', '0', '2'),

	[AMOUNT_OUT_OF_RANGE] = ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
	[NULL_ARGUMENT] = ERRCODE_NULL_VALUE_NOT_ALLOWED,
	[INVALID_ARGUMENT] = ERRCODE_INVALID_PARAMETER_VALUE,
};

static void
push_string(Refusal *refusal, JsonbIteratorToken token, const char *string)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = pstrdup(string);
	value.val.string.len = strlen(string);
	pushJsonbValue(&refusal->detail, token, &value);
}

static void
push_int64(Refusal *refusal, int64 number)
{
	JsonbValue	value;

	value.type = jbvNumeric;
	value.val.numeric = int64_to_numeric(number);
	pushJsonbValue(&refusal->detail, WJB_VALUE, &value);
}

/* Up to 2^63, the opposite of the lowest bigint, which is no bigint. */
static void
push_uint64(Refusal *refusal, uint64 number)
{
	JsonbValue	value;

	value.type = jbvNumeric;
	value.val.numeric =
		DatumGetNumeric(DirectFunctionCall3(numeric_in,
											CStringGetDatum(psprintf(UINT64_FORMAT, number)),
											ObjectIdGetDatum(InvalidOid),
											Int32GetDatum(-1)));
	pushJsonbValue(&refusal->detail, WJB_VALUE, &value);
}

Refusal *
refusal_new(RefusalCode code, const char *format,...)
{
	Refusal    *refusal = palloc(sizeof(Refusal));
	StringInfoData message;

	initStringInfo(&message);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&message, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&message, needed);
	}

	refusal->code = code;
	refusal->message = message.data;
	refusal->detail = NULL;
	pushJsonbValue(&refusal->detail, WJB_BEGIN_OBJECT, NULL);
	return refusal;
}

Refusal *
refusal_int64(Refusal *refusal, const char *key, int64 value)
{
	push_string(refusal, WJB_KEY, key);
	push_int64(refusal, value);
	return refusal;
}

Refusal *
refusal_text(Refusal *refusal, const char *key, const char *value)
{
	push_string(refusal, WJB_KEY, key);
	push_string(refusal, WJB_VALUE, value);
	return refusal;
}

/* ISO 8601 in UTC, whatever the session's settings. */
Refusal *
refusal_time(Refusal *refusal, const char *key, TimestampTz value)
{
	char		buffer[MAXDATELEN + 1];
	int			utc = 0;

	JsonEncodeDateTime(buffer, TimestampTzGetDatum(value), TIMESTAMPTZOID,
					   &utc);
	return refusal_text(refusal, key, buffer);
}

void
refusal_begin_list(Refusal *refusal, const char *key)
{
	push_string(refusal, WJB_KEY, key);
	pushJsonbValue(&refusal->detail, WJB_BEGIN_ARRAY, NULL);
}

void
refusal_list_option(Refusal *refusal, int64 option_id, uint64 requested,
					int64 available)
{
	pushJsonbValue(&refusal->detail, WJB_BEGIN_OBJECT, NULL);
	refusal_int64(refusal, "option_id", option_id);
	push_string(refusal, WJB_KEY, "requested");
	push_uint64(refusal, requested);
	refusal_int64(refusal, "available", available);
	pushJsonbValue(&refusal->detail, WJB_END_OBJECT, NULL);
}

void
refusal_end_list(Refusal *refusal)
{
	pushJsonbValue(&refusal->detail, WJB_END_ARRAY, NULL);
}

const char *
refusal_sqlstate(const Refusal *refusal)
{
	return unpack_sql_state(sqlstates[refusal->code]);
}

Jsonb *
refusal_detail(Refusal *refusal)
{
	return JsonbValueToJsonb(pushJsonbValue(&refusal->detail, WJB_END_OBJECT,
											NULL));
}

void
refusal_raise(Refusal *refusal)
{
	Jsonb	   *detail = refusal_detail(refusal);

	ereport(ERROR,
			(errcode(sqlstates[refusal->code]),
			 errmsg_internal("%s", refusal->message),
			 errdetail_internal("%s", JsonbToCString(NULL, &detail->root,
													 VARSIZE(detail)))));
}
