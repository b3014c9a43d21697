/*
 * refusal.h
 *		Refusals: values until the SQL boundary.
 *
 * A domain function returns a Refusal, NULL meaning "go on"; only an entry
 * point raises it, or place_orders() reports it in a row. refusals.def lists
 * them all.
 */
#ifndef COMMERCE_REFUSAL_H
#define COMMERCE_REFUSAL_H

#include "base/compat.h"
#include "utils/timestamp.h"

/* Most values that one refusal tells. */
#define REFUSAL_MAX_VALUES	4

typedef enum RefusalCode
{
#define REFUSAL1(code, ...) REFUSAL_##code,
#define REFUSAL2(code, ...) REFUSAL_##code,
#define REFUSAL3(code, ...) REFUSAL_##code,
#define REFUSAL4(code, ...) REFUSAL_##code,
#include "base/refusals.def"
#undef REFUSAL1
#undef REFUSAL2
#undef REFUSAL3
#undef REFUSAL4
	REFUSAL_COUNT
} RefusalCode;

/* Message and DETAIL are made when they are asked for. */
typedef struct Refusal
{
	RefusalCode code;
	Datum		values[REFUSAL_MAX_VALUES];
} Refusal;

/* Options of which there is less than was requested. */
typedef struct RefusalOption
{
	int64		option_id;
	uint64		requested;		/* up to 2^63, which is no bigint */
	int64		available;
} RefusalOption;

typedef struct RefusalOptions
{
	int			count;
	RefusalOption *options;
} RefusalOptions;

/* The C types of the kinds of values. */
typedef int64 RefusalValue_number;
typedef int64 RefusalValue_optional;
typedef const char *RefusalValue_text;
typedef TimestampTz RefusalValue_instant;
typedef const RefusalOptions *RefusalValue_options;
typedef const char *RefusalValue_said;
typedef int64 RefusalValue_counted;

/*
 * refuse_user_not_found(user_id) and so on: a new refusal. What its values
 * point to must live as long as it does.
 */
#define REFUSAL1(code, name, sqlstate, message, k1, v1) \
	extern Refusal *refuse_##name(RefusalValue_##k1 v1);
#define REFUSAL2(code, name, sqlstate, message, k1, v1, k2, v2) \
	extern Refusal *refuse_##name(RefusalValue_##k1 v1, \
								  RefusalValue_##k2 v2);
#define REFUSAL3(code, name, sqlstate, message, k1, v1, k2, v2, k3, v3) \
	extern Refusal *refuse_##name(RefusalValue_##k1 v1, \
								  RefusalValue_##k2 v2, \
								  RefusalValue_##k3 v3);
#define REFUSAL4(code, name, sqlstate, message, \
				 k1, v1, k2, v2, k3, v3, k4, v4) \
	extern Refusal *refuse_##name(RefusalValue_##k1 v1, \
								  RefusalValue_##k2 v2, \
								  RefusalValue_##k3 v3, \
								  RefusalValue_##k4 v4);
#include "base/refusals.def"
#undef REFUSAL1
#undef REFUSAL2
#undef REFUSAL3
#undef REFUSAL4

/* Add one to *options, which the first one makes, with room for so many. */
extern void refusal_add_option(RefusalOptions **options, int room,
							   int64 option_id, uint64 requested,
							   int64 available);

/* A copy of it in the current memory context. */
extern Refusal *refusal_copy(const Refusal *refusal);

/* For a caller that returns it instead of raising it. */
extern const char *refusal_sqlstate(const Refusal *refusal);
extern const char *refusal_message(const Refusal *refusal);

/* The JSON object, in the notation of jsonb. */
extern const char *refusal_detail(const Refusal *refusal);

/* As an error code. */
extern int	refusal_errcode(RefusalCode code);

/* ereport it with its SQLSTATE, message and DETAIL. */
pg_noreturn extern void refusal_raise(const Refusal *refusal);

/*
 * Raise what another server answered, refusal or not. detail and hint may be
 * NULL.
 */
pg_noreturn extern void refusal_raise_texts(const char *sqlstate,
											const char *message,
											const char *detail,
											const char *hint);

/* The setting commerce.log_refusals. */
extern bool refusal_is_logged;

/* Called once, by _PG_init. */
extern void refusal_init(void);

/* Raise unless NULL: what an entry point does with a decision. */
static inline void
refusal_check(const Refusal *refusal)
{
	if (unlikely(refusal != NULL))
		refusal_raise(refusal);
}

#endif							/* COMMERCE_REFUSAL_H */
