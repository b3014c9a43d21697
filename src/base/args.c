/*
 * args.c
 *		Reading the arguments of an entry point.
 */
#include "postgres.h"

#include "base/args.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#define MAX_NAME_CHARACTERS 200
#define MAX_KEY_CHARACTERS	255
#define MAX_REASON_CHARACTERS 1000

/* Now plus as much still is a timestamp. */
#define FINITE_YEARS		200000

void
args_invalid(const char *name, const char *must)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s must %s", name, must)));
}

int64
args_int64_min(FunctionCallInfo fcinfo, int n, const char *name, int64 minimum)
{
	int64		value = PG_GETARG_INT64(n);

	if (value < minimum)
		args_invalid(name, psprintf("be at least " INT64_FORMAT, minimum));
	return value;
}

static bool
has_characters(text *value, int max_characters)
{
	int			characters = pg_mbstrlen_with_len(VARDATA_ANY(value),
												  VARSIZE_ANY_EXHDR(value));

	return characters >= 1 && characters <= max_characters;
}

static text *
bounded_text(FunctionCallInfo fcinfo, int n, const char *name,
			 int max_characters)
{
	text	   *value = PG_GETARG_TEXT_PP(n);

	if (!has_characters(value, max_characters))
		args_invalid(name, psprintf("have 1 to %d characters",
									max_characters));
	return value;
}

text *
args_name(FunctionCallInfo fcinfo, int n, const char *name)
{
	return bounded_text(fcinfo, n, name, MAX_NAME_CHARACTERS);
}

text *
args_reason(FunctionCallInfo fcinfo, int n)
{
	if (args_is_null(fcinfo, n))
		return NULL;
	return bounded_text(fcinfo, n, "reason", MAX_REASON_CHARACTERS);
}

text *
args_idempotency_key(FunctionCallInfo fcinfo, int n)
{
	if (args_is_null(fcinfo, n))
		return NULL;
	return bounded_text(fcinfo, n, "idempotency_key", MAX_KEY_CHARACTERS);
}

bool
args_key_fits(text *key)
{
	return has_characters(key, MAX_KEY_CHARACTERS);
}

static int
compare_intervals(Interval *a, Interval *b)
{
	return DatumGetInt32(DirectFunctionCall2(interval_cmp,
											 IntervalPGetDatum(a),
											 IntervalPGetDatum(b)));
}

Interval *
args_interval(FunctionCallInfo fcinfo, int n, const char *name, bool strictly)
{
	Interval   *value = PG_GETARG_INTERVAL_P(n);
	Interval	zero = {0};
	int			order = compare_intervals(value, &zero);

	if (order < 0 || (order == 0 && strictly))
		args_invalid(name, strictly ? "be positive" : "not be negative");
	return value;
}

TimestampTz
args_add_interval(TimestampTz start, Interval *interval)
{
	Interval	finite = {.month = FINITE_YEARS * MONTHS_PER_YEAR};
	Datum		end;

	if (compare_intervals(interval, &finite) > 0)
		return DT_NOEND;
	end = DirectFunctionCall2(timestamptz_pl_interval,
							  TimestampTzGetDatum(start),
							  IntervalPGetDatum(interval));
	return DatumGetTimestampTz(end);
}
