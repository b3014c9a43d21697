/*
 * outbox.c
 *		Events for the outside world: write, fail, retry, discard, purge.
 *
 * The table is the truth, a notification only a hint to look at it. An event
 * goes
 *
 *		available -> running -> delivered
 *			^			|
 *			+-----------+-----> dead -> discarded
 *
 * claim_events leases due events: running until locked_until, under an
 * attempt number that ack and fail must quote. A lease that lapses counts as
 * a failed attempt: the next claim_events first puts such events back, or, if
 * that was their last attempt, declares them dead. Of one order only the
 * oldest unfinished event is ever handed out, and a dead one is unfinished.
 */
#include "postgres.h"

#include "base/args.h"
#include "base/entry.h"
#include "base/refusal.h"
#include "base/sql.h"
#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "notify/notify.h"
#include "shop/outbox.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#define MAX_ATTEMPTS		10
#define FIRST_BACKOFF_S		5.0
#define BACKOFF_FACTOR		5.0
#define MAX_BACKOFF_S		(12 * 3600.0)
#define BACKOFF_JITTER		0.1
#define MAX_RETRY_AFTER_S	(12 * 3600)
#define ERROR_CHARACTERS	1000

static Row *
new_event(Work *work, const char *event_type, int64 order_id)
{
	Row		   *event = row_new(work, TABLE_OUTBOX);

	row_set_int64(event, OUTBOX_EVENT_ID, sequence_next(SEQUENCE_EVENT_ID));
	row_set(event, OUTBOX_EVENT_TYPE, CStringGetTextDatum(event_type));
	row_set_int64(event, OUTBOX_ORDER_ID, order_id);
	row_set_enum(event, OUTBOX_STATUS, EVENT_AVAILABLE);
	row_set_int32(event, OUTBOX_ATTEMPT, 0);
	row_set_int32(event, OUTBOX_MAX_ATTEMPTS, MAX_ATTEMPTS);
	row_set_now(event, OUTBOX_NEXT_ATTEMPT_AT);
	row_set_now(event, OUTBOX_CREATED_AT);
	return event;
}

void
outbox_write(Work *work, const char *event_type, int64 order_id)
{
	row_insert(new_event(work, event_type, order_id));
	notify_at_commit();
}

void
outbox_write_refund(Work *work, int64 order_id, Jsonb *refund)
{
	Row		   *event = new_event(work, EVENT_ORDER_REFUNDED, order_id);

	row_set(event, OUTBOX_REFUND, JsonbPGetDatum(refund));
	row_insert(event);
	notify_at_commit();
}

/* ---- fail, retry, discard: one event each ---- */

/* Lock the event; refuses with EVENT_NOT_FOUND. */
static Refusal *
lock_event(Work *work, int64 event_id, Row **event)
{
	*event = row_lock(work, TABLE_OUTBOX, Int64GetDatum(event_id));
	if (*event != NULL)
		return NULL;
	return refuse_event_not_found(event_id);
}

/* Lock the event the caller holds in this attempt. */
static Refusal *
lock_leased(Work *work, int64 event_id, int32 attempt, Row **event)
{
	Refusal    *refusal = lock_event(work, event_id, event);

	if (refusal ||
		(row_is(*event, OUTBOX_STATUS, EVENT_RUNNING) &&
		 row_int32(*event, OUTBOX_ATTEMPT) == attempt))
		return refusal;
	return refuse_event_lease_lost(event_id, attempt);
}

/* Lock a dead event. */
static Refusal *
lock_dead(Work *work, int64 event_id, Row **event)
{
	Refusal    *refusal = lock_event(work, event_id, event);
	Datum		status;

	if (refusal || row_is(*event, OUTBOX_STATUS, EVENT_DEAD))
		return refusal;
	status = DirectFunctionCall1(enum_out, row_value(*event, OUTBOX_STATUS));
	return refuse_event_state_conflict(event_id, DatumGetCString(status));
}

/* 5 s x 5^(attempt-1), at most 12 h, +- 10 %. */
static TimestampTz
backoff_until(int32 attempt)
{
	double		seconds = FIRST_BACKOFF_S;

	for (int i = 1; i < attempt && seconds < MAX_BACKOFF_S; i++)
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

static Entry fail_event_entry = {
	.arguments = {
		{"event_id", INT8OID},
		{"attempt", INT4OID},
		{"error", TEXTOID},
		{"retry_after", INTERVALOID, true}
	},
	.row = "outbox"
};

PG_FUNCTION_INFO_V1(commerce_fail_event);

/* Give a claimed event back with its error: doc/reference.md, Outbox. */
Datum
commerce_fail_event(PG_FUNCTION_ARGS)
{
	int32		attempt;
	TimestampTz retry_at;
	Work		work;
	Row		   *event = NULL;
	Row		   *changed;
	Datum		result;

	entry_check(fcinfo, &fail_event_entry);
	attempt = PG_GETARG_INT32(1);
	if (args_is_null(fcinfo, 3))
		retry_at = backoff_until(attempt);
	else
		retry_at =
			args_add_interval(GetCurrentTimestamp(),
							  args_interval_cut(fcinfo, 3, "retry_after",
												MAX_RETRY_AFTER_S));

	row_begin_write(&work, "fail_event()");
	refusal_check(lock_leased(&work, PG_GETARG_INT64(0), attempt, &event));
	changed = row_change(event);
	row_set_enum(changed, OUTBOX_STATUS,
				 attempt < row_int32(event, OUTBOX_MAX_ATTEMPTS) ?
				 EVENT_AVAILABLE : EVENT_DEAD);
	row_set(changed, OUTBOX_NEXT_ATTEMPT_AT, TimestampTzGetDatum(retry_at));
	row_set_null(changed, OUTBOX_LOCKED_UNTIL);
	row_set(changed, OUTBOX_LAST_ERROR, cut_error(PG_GETARG_DATUM(2)));
	row_update(event, changed);
	result = row_datum(changed);
	row_end(&work);
	return result;
}

static Entry retry_event_entry = {
	.arguments = {{"event_id", INT8OID}},
	.row = "outbox"
};

PG_FUNCTION_INFO_V1(commerce_retry_event);

/* Make a dead event available now: doc/reference.md, Outbox. */
Datum
commerce_retry_event(PG_FUNCTION_ARGS)
{
	Work		work;
	Row		   *event = NULL;
	Row		   *changed;
	Datum		result;

	entry_check(fcinfo, &retry_event_entry);

	row_begin_write(&work, "retry_event()");
	refusal_check(lock_dead(&work, PG_GETARG_INT64(0), &event));
	changed = row_change(event);
	row_set_enum(changed, OUTBOX_STATUS, EVENT_AVAILABLE);
	row_set_int32(changed, OUTBOX_MAX_ATTEMPTS,
				  row_int32(event, OUTBOX_ATTEMPT) + MAX_ATTEMPTS);
	row_set(changed, OUTBOX_NEXT_ATTEMPT_AT,
			TimestampTzGetDatum(GetCurrentTimestamp()));
	row_update(event, changed);
	result = row_datum(changed);
	notify_at_commit();
	row_end(&work);
	return result;
}

static Entry discard_event_entry = {
	.arguments = {{"event_id", INT8OID}},
	.row = "outbox"
};

PG_FUNCTION_INFO_V1(commerce_discard_event);

/* Give a dead event up: doc/reference.md, Outbox. */
Datum
commerce_discard_event(PG_FUNCTION_ARGS)
{
	Work		work;
	Row		   *event = NULL;
	Row		   *changed;
	Datum		result;

	entry_check(fcinfo, &discard_event_entry);

	row_begin_write(&work, "discard_event()");
	refusal_check(lock_dead(&work, PG_GETARG_INT64(0), &event));
	changed = row_change(event);
	row_set_enum(changed, OUTBOX_STATUS, EVENT_DISCARDED);
	row_update(event, changed);
	result = row_datum(changed);
	notify_at_commit();
	row_end(&work);
	return result;
}

/* ---- purge ---- */

static Entry purge_outbox_entry = {
	.arguments = {{"older_than", INTERVALOID}},
	.type = INT8OID
};

PG_FUNCTION_INFO_V1(commerce_purge_outbox);

/* Delete what is finished and old: doc/reference.md, Outbox. */
Datum
commerce_purge_outbox(PG_FUNCTION_ARGS)
{
	static SqlStatement purge = {
		.text = "WITH gone AS ("
		"	DELETE FROM commerce.outbox WHERE event_id IN ("
		"		SELECT event_id FROM commerce.outbox"
		"		WHERE status IN ('delivered', 'discarded')"
		"		AND coalesce(delivered_at, created_at) <= now() - $1"
		"		FOR UPDATE SKIP LOCKED)"
		"	RETURNING created_at),"
		" horizon AS ("
		"	INSERT INTO commerce.outbox_horizon AS h (purged_until)"
		"	SELECT max(created_at) FROM gone HAVING count(*) > 0"
		"	ON CONFLICT (one_row) DO UPDATE"
		"	SET purged_until = greatest(h.purged_until, excluded.purged_until))"
		" SELECT count(*) FROM gone",
		.argument_count = 1, .argument_types = {INTERVALOID}
	};
	Datum		arguments[1];
	SqlRun		run;
	int64		count;

	entry_check(fcinfo, &purge_outbox_entry);
	arguments[0] = IntervalPGetDatum(args_interval(fcinfo, 0, "older_than",
												   false));

	sql_begin_write(&run, "purge_outbox()");
	count = sql_int64(&run, &purge, arguments);
	sql_end(&run);
	PG_RETURN_INT64(count);
}
