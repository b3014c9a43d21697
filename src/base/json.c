/*
 * json.c
 *		Reading and writing values of jsonb.
 *
 * Numbers of jsonb are exact, so that 1.0 and 1e2 are recognised as whole.
 */
#include "postgres.h"

#include "base/json.h"
#include "common/int.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

JsonbValue *
json_get(JsonbContainer *object, const char *key, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(object, key, strlen(key), value);
}

static Datum
numeric_datum(int64 number)
{
	return NumericGetDatum(int64_to_numeric(number));
}

bool
json_whole_number(const JsonbValue *number, int64 minimum, int64 maximum,
				  int64 *result)
{
	Datum		value;

	if (number == NULL || number->type != jbvNumeric)
		return false;

	value = NumericGetDatum(number->val.numeric);
	if (DatumGetBool(DirectFunctionCall2(numeric_lt, value,
										 numeric_datum(minimum))) ||
		DatumGetBool(DirectFunctionCall2(numeric_gt, value,
										 numeric_datum(maximum))))
		return false;

	/* In range, so this rounds rather than raises. */
	*result = DatumGetInt64(DirectFunctionCall1(numeric_int8, value));
	return DatumGetBool(DirectFunctionCall2(numeric_eq, value,
											numeric_datum(*result)));
}

bool
json_whole_number_or_digits(const JsonbValue *value, int64 minimum,
							int64 maximum, int64 *result)
{
	int64		sum = 0;

	if (value == NULL || value->type != jbvString)
		return json_whole_number(value, minimum, maximum, result);
	if (value->val.string.len == 0)
		return false;
	for (int i = 0; i < value->val.string.len; i++)
	{
		char		digit = value->val.string.val[i];

		if (digit < '0' || digit > '9' ||
			pg_mul_s64_overflow(sum, 10, &sum) ||
			pg_add_s64_overflow(sum, digit - '0', &sum))
			return false;
	}
	*result = sum;
	return sum >= minimum && sum <= maximum;
}

void
json_push_key(JsonbParseState **state, const char *key)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = unconstify(char *, key);
	value.val.string.len = strlen(key);
	pushJsonbValue(state, WJB_KEY, &value);
}

void
json_push_bool(JsonbParseState **state, bool boolean)
{
	JsonbValue	value;

	value.type = jbvBool;
	value.val.boolean = boolean;
	pushJsonbValue(state, WJB_VALUE, &value);
}

void
json_push_number(JsonbParseState **state, int64 number)
{
	JsonbValue	value;

	value.type = jbvNumeric;
	value.val.numeric = int64_to_numeric(number);
	pushJsonbValue(state, WJB_VALUE, &value);
}
