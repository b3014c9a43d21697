/*
 * hand_back.c
 *		What becomes of claimed events: delivered, failed, given back.
 *
 * Many at once are locked in ascending order of event_id, and so two such calls
 * never deadlock.
 */
#include "postgres.h"

#include "base/args.h"
#include "base/entry.h"
#include "base/metrics.h"
#include "base/sql.h"
#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "event/delivery.h"
#include "event/subscription.h"
#include "notify/notify.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#define FIRST_BACKOFF_S		5.0
#define BACKOFF_FACTOR		5.0
#define MAX_BACKOFF_S		(12 * 3600.0)
#define BACKOFF_JITTER		0.1
#define MAX_RETRY_AFTER_S	(12 * 3600)
#define ERROR_CHARACTERS	1000

/* One that the caller holds, or says so. */
typedef struct Held
{
	int64		event_id;
	int32		attempt;
} Held;

/* ---- many at once ---- */

/* By event_id, the latest attempt first. */
static int
compare_held(const void *a, const void *b)
{
	const Held *held = a;
	const Held *other = b;

	if (held->event_id != other->event_id)
		return held->event_id < other->event_id ? -1 : 1;
	return (held->attempt < other->attempt) - (held->attempt > other->attempt);
}

/* What the two arrays say, sorted; a NULL says nothing. */
static Held *
read_held(FunctionCallInfo fcinfo, int *count)
{
	Datum	   *ids;
	Datum	   *numbers;
	bool	   *id_nulls;
	bool	   *number_nulls;
	int			id_count;
	int			number_count;
	Held	   *held;

	*count = 0;
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return NULL;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), INT8OID, sizeof(int64),
					  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &ids, &id_nulls,
					  &id_count);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), INT4OID, sizeof(int32), true,
					  TYPALIGN_INT, &numbers, &number_nulls, &number_count);
	if (id_count != number_count)
		args_invalid("attempts", "have as many elements as event_ids");

	held = palloc(sizeof(Held) * id_count);
	for (int i = 0; i < id_count; i++)
	{
		if (id_nulls[i] || number_nulls[i])
			continue;
		held[*count].event_id = DatumGetInt64(ids[i]);
		held[(*count)++].attempt = DatumGetInt32(numbers[i]);
	}
	qsort(held, *count, sizeof(Held), compare_held);
	return held;
}

/* Lock its delivery; NULL if that attempt is not the current one. */
static Row *
lock_held(Work *work, const Subscription *subscription, const Held *held)
{
	Row		   *delivery = delivery_lock(work, subscription, held->event_id);

	if (delivery != NULL &&
		row_is(delivery, STORED_DELIVERIES_STATUS, DELIVERY_RUNNING) &&
		row_int32(delivery, STORED_DELIVERIES_ATTEMPT) == held->attempt)
		return delivery;
	return NULL;
}

/*
 * Hand back all that are held: delivered, or if not is_delivered available from
 * due_at on. How many that were.
 */
static int64
hand_back(Work *work, const Subscription *subscription, const Held *held,
		  int count, bool is_delivered, TimestampTz due_at)
{
	int64		done = 0;
	int64		last = 0;

	for (int i = 0; i < count; i++)
	{
		Row		   *delivery;

		/* What this call wrote must not be touched again. */
		if (done > 0 && held[i].event_id == last)
			continue;
		delivery = lock_held(work, subscription, &held[i]);
		if (delivery == NULL)
			continue;
		row_update(delivery, is_delivered ?
				   delivery_finish(delivery, DELIVERY_DELIVERED) :
				   delivery_release(delivery, due_at));
		last = held[i].event_id;
		done++;
	}
	return done;
}

static Entry ack_events_entry = {
	.arguments = {
		{"event_ids", INT8ARRAYOID, true},
		{"attempts", INT4ARRAYOID, true},
		{"subscription", TEXTOID}
	},
	.type = INT8OID
};

/* Mark claimed events delivered: doc/reference.md, Events. */
ENTRY_POINT(ack_events)
{
	int			count;
	Held	   *held;
	char	   *name;
	Subscription subscription;
	Work		work;
	int64		done;

	held = read_held(fcinfo, &count);
	name = subscription_argument(fcinfo, 2);

	row_begin_write(&work, "ack_events()");
	refusal_check(subscription_find(&work, name, &subscription));
	done = hand_back(&work, &subscription, held, count, true, 0);
	row_end(&work);
	metrics_add_deliveries(DELIVERIES_DELIVERED, subscription.number, done);
	PG_RETURN_INT64(done);
}

/* From when on: now, or the argument later. */
static TimestampTz
retry_at(FunctionCallInfo fcinfo, int n)
{
	TimestampTz now = GetCurrentTimestamp();

	if (args_is_null(fcinfo, n))
		return now;
	return args_add_interval(now, args_interval_cut(fcinfo, n, "retry_after",
													MAX_RETRY_AFTER_S));
}

static Entry release_events_entry = {
	.arguments = {
		{"event_ids", INT8ARRAYOID, true},
		{"attempts", INT4ARRAYOID, true},
		{"retry_after", INTERVALOID, true},
		{"subscription", TEXTOID}
	},
	.type = INT8OID
};

/* Give claimed events back undelivered: doc/reference.md, Events. */
ENTRY_POINT(release_events)
{
	int			count;
	Held	   *held;
	TimestampTz due_at;
	char	   *name;
	Subscription subscription;
	Work		work;
	int64		done;

	held = read_held(fcinfo, &count);
	due_at = retry_at(fcinfo, 2);
	name = subscription_argument(fcinfo, 3);

	row_begin_write(&work, "release_events()");
	refusal_check(subscription_find(&work, name, &subscription));
	done = hand_back(&work, &subscription, held, count, false, due_at);
	if (done > 0 && args_is_null(fcinfo, 2))
		notify_at_commit();
	row_end(&work);
	metrics_add_deliveries(DELIVERIES_RELEASED, subscription.number, done);
	PG_RETURN_INT64(done);
}

/* ---- a failure ---- */

/* 5 s x 5^(failures-1), at most 12 h, +- 10 %. */
static TimestampTz
backoff_until(int32 failures)
{
	double		seconds = FIRST_BACKOFF_S;

	for (int i = 1; i < failures && seconds < MAX_BACKOFF_S; i++)
		seconds *= BACKOFF_FACTOR;
	seconds = Min(seconds, MAX_BACKOFF_S);
	seconds *= 1 + BACKOFF_JITTER *
		(2 * pg_prng_double(&pg_global_prng_state) - 1);
	return GetCurrentTimestamp() + (TimestampTz) (seconds * USECS_PER_SEC);
}

static Datum
cut_error(Datum error)
{
	return DirectFunctionCall2(text_left, error,
							   Int32GetDatum(ERROR_CHARACTERS));
}

/* Is there such an event that no claim has come to? */
static bool
is_unclaimed(const char *name, int64 event_id)
{
	static SqlStatement count = {
		.text = "SELECT count(*) FROM commerce.unclaimed_deliveries"
		" WHERE subscription = $1 AND event_id = $2",
		.argument_count = 2, .argument_types = {TEXTOID, INT8OID}
	};
	Datum		arguments[] = {CStringGetTextDatum(name),
	Int64GetDatum(event_id)};
	SqlRun		run;
	int64		found;

	sql_begin_write(&run, "fail_event()");
	found = sql_int64(&run, &count, arguments);
	sql_end(&run);
	return found > 0;
}

static Refusal *
fail_held(Work *work, const Subscription *subscription, const Held *held,
		  Datum error, TimestampTz due_at)
{
	Row		   *delivery = lock_held(work, subscription, held);
	int32		failures;

	if (delivery == NULL)
	{
		if (row_find(work, TABLE_STORED_DELIVERIES,
					 Int64GetDatum(held->event_id),
					 Int32GetDatum(subscription->number)) != NULL ||
			is_unclaimed(subscription->name, held->event_id))
			return refuse_event_lease_lost(held->event_id, held->attempt);
		return refuse_event_not_found(held->event_id);
	}
	failures = row_int32(delivery, STORED_DELIVERIES_FAILURES) + 1;
	row_update(delivery,
			   delivery_fail(delivery, cut_error(error),
							 Max(due_at, backoff_until(failures))));
	return NULL;
}

static Entry fail_event_entry = {
	.arguments = {
		{"event_id", INT8OID},
		{"attempt", INT4OID},
		{"error", TEXTOID},
		{"retry_after", INTERVALOID, true},
		{"subscription", TEXTOID}
	},
	.row = "deliveries"
};

/* Give a claimed event back with its error: doc/reference.md, Events. */
ENTRY_POINT(fail_event)
{
	Held		held;
	TimestampTz due_at;
	char	   *name;
	Subscription subscription;
	Work		work;

	held.event_id = PG_GETARG_INT64(0);
	held.attempt = PG_GETARG_INT32(1);
	due_at = retry_at(fcinfo, 3);
	name = subscription_argument(fcinfo, 4);

	row_begin_write(&work, "fail_event()");
	refusal_check(subscription_find(&work, name, &subscription));
	refusal_check(fail_held(&work, &subscription, &held, PG_GETARG_DATUM(2),
							due_at));
	row_end(&work);
	return delivery_datum("fail_event()", name, held.event_id);
}
