/*
 * args.c
 *		Reading the arguments of an entry point.
 */
#include "postgres.h"

#include "base/args.h"
#include "base/ids.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#define MAX_NAME_CHARACTERS 200
#define MAX_KEY_CHARACTERS	255
#define MAX_REASON_CHARACTERS 1000

/* 0001-01-01 and 10000-01-01, UTC: what most languages' dates are within. */
#define FIRST_TIME	((INT64CONST(1721426) - POSTGRES_EPOCH_JDATE) * \
					 USECS_PER_DAY)
#define TIMES_END	((INT64CONST(5373485) - POSTGRES_EPOCH_JDATE) * \
					 USECS_PER_DAY)

/* Now plus as much is a date that every language has. */
#define MAX_INTERVAL_YEARS	1000

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

NullableDatum
args_new_id(FunctionCallInfo fcinfo, int n, const char *name)
{
	NullableDatum none = {.isnull = true};
	int64		id;

	if (args_is_null(fcinfo, n))
		return none;
	id = PG_GETARG_INT64(n);
	if (id < 1 || id > MAX_ID)
		args_invalid(name, psprintf("be from 1 to " INT64_FORMAT, MAX_ID));
	return fcinfo->args[n];
}

static int
compare_intervals(Interval *a, Interval *b)
{
	return DatumGetInt32(DirectFunctionCall2(interval_cmp,
											 IntervalPGetDatum(a),
											 IntervalPGetDatum(b)));
}

/* Not even in part: '1 month -30 days' is more than nothing in March alone. */
static Interval *
interval_from(FunctionCallInfo fcinfo, int n, const char *name, bool strictly)
{
	Interval   *value = PG_GETARG_INTERVAL_P(n);
	Interval	zero = {0};
	int			order = compare_intervals(value, &zero);

	if (order < 0 || (order == 0 && strictly))
		args_invalid(name, strictly ? "be positive" : "not be negative");
	if (value->month < 0 || value->day < 0 || value->time < 0)
		args_invalid(name, "have no negative part");
	return value;
}

Interval *
args_interval(FunctionCallInfo fcinfo, int n, const char *name, bool strictly)
{
	Interval	most = {.month = MAX_INTERVAL_YEARS * MONTHS_PER_YEAR};
	Interval   *value = interval_from(fcinfo, n, name, strictly);

	if (compare_intervals(value, &most) > 0)
		args_invalid(name, psprintf("be at most %d years", MAX_INTERVAL_YEARS));
	return value;
}

Interval *
args_interval_max(FunctionCallInfo fcinfo, int n, const char *name,
				  int64 max_seconds, const char *max_text)
{
	Interval	most = {.time = max_seconds * USECS_PER_SEC};
	Interval   *value = interval_from(fcinfo, n, name, true);

	if (compare_intervals(value, &most) > 0)
		args_invalid(name, psprintf("be at most %s", max_text));
	return value;
}

Interval *
args_interval_cut(FunctionCallInfo fcinfo, int n, const char *name,
				  int64 max_seconds)
{
	Interval   *most = palloc0(sizeof(Interval));
	Interval   *value = interval_from(fcinfo, n, name, false);

	most->time = max_seconds * USECS_PER_SEC;
	return compare_intervals(value, most) > 0 ? most : value;
}

TimestampTz
args_add_interval(TimestampTz start, Interval *interval)
{
	Datum		end = DirectFunctionCall2(timestamptz_pl_interval,
										  TimestampTzGetDatum(start),
										  IntervalPGetDatum(interval));

	return DatumGetTimestampTz(end);
}

TimestampTz
args_time(FunctionCallInfo fcinfo, int n, const char *name)
{
	TimestampTz value = PG_GETARG_TIMESTAMPTZ(n);

	if (value < FIRST_TIME || value >= TIMES_END)
		args_invalid(name, "be a time of the years 1 to 9999");
	return value;
}

TimestampTz
args_end(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (args_is_null(fcinfo, n) ||
		TIMESTAMP_IS_NOEND(PG_GETARG_TIMESTAMPTZ(n)))
		return DT_NOEND;
	return args_time(fcinfo, n, name);
}
