/*
 * args.h
 *		Reading the arguments of an entry point.
 *
 * One reader per argument, after entry_run() has looked for what must not be
 * NULL (22004). Each raises 22023 and names the argument when it is out of its
 * bounds.
 */
#ifndef COMMERCE_ARGS_H
#define COMMERCE_ARGS_H

#include "base/compat.h"
#include "fmgr.h"
#include "utils/timestamp.h"

/* NULL, or not there: an older script declares fewer arguments. */
static inline bool
args_is_null(FunctionCallInfo fcinfo, int n)
{
	return n >= PG_NARGS() || PG_ARGISNULL(n);
}

/* Raise 22023: "name must ...". */
pg_noreturn extern void args_invalid(const char *name, const char *must);

/* A bigint of at least minimum. */
extern int64 args_int64_min(FunctionCallInfo fcinfo, int n, const char *name,
							int64 minimum);

/* A name of 1..200 characters. */
extern text *args_name(FunctionCallInfo fcinfo, int n, const char *name);

/* A reason of 1..1000 characters, or NULL. */
extern text *args_reason(FunctionCallInfo fcinfo, int n);

/* An idempotency key of 1..255 characters, or NULL. */
extern text *args_idempotency_key(FunctionCallInfo fcinfo, int n);

/* Is the key within these bounds? For one that is no argument of its own. */
extern bool args_key_fits(text *key);
#define ARGS_KEY_MUST "have 1 to 255 characters"

/* An id for a new object, 1..2^53-1, or NULL. */
extern NullableDatum args_new_id(FunctionCallInfo fcinfo, int n,
								 const char *name);

/*
 * An interval of at least zero, or, if strictly, more than zero, no part of it
 * negative, at most 1000 years.
 */
extern Interval *args_interval(FunctionCallInfo fcinfo, int n,
							   const char *name, bool strictly);

/* One of more than zero, at most so long, which the message calls max_text. */
extern Interval *args_interval_max(FunctionCallInfo fcinfo, int n,
								   const char *name, int64 max_seconds,
								   const char *max_text);

/* One of at least zero; a longer one is taken for so long. */
extern Interval *args_interval_cut(FunctionCallInfo fcinfo, int n,
								   const char *name, int64 max_seconds);

/* start, which is about now, plus an interval that one of these read. */
extern TimestampTz args_add_interval(TimestampTz start, Interval *interval);

/* A time that every language can read: not infinite, of the years 1 to 9999. */
extern TimestampTz args_time(FunctionCallInfo fcinfo, int n, const char *name);

/* The same, or no end, DT_NOEND: NULL or infinity. */
extern TimestampTz args_end(FunctionCallInfo fcinfo, int n, const char *name);

#endif							/* COMMERCE_ARGS_H */
