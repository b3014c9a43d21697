/*
 * decide.c
 *		What somebody decides of an event: it is tried again, or given up.
 */
#include "postgres.h"

#include "base/entry.h"
#include "base/metrics.h"
#include "base/sql.h"
#include "catalog/pg_type.h"
#include "event/delivery.h"
#include "event/event.h"
#include "event/subscription.h"
#include "notify/notify.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* ---- an event that no claim has come to ---- */

/* The key of such an event; false: there is none. */
static bool
find_unclaimed(const char *function, const char *name, int64 event_id,
			   int64 *origin, int64 *xact_id)
{
	static SqlStatement find = {
		.text = "SELECT origin, xact_id FROM commerce.unclaimed_deliveries"
		" WHERE subscription = $1 AND event_id = $2",
		.argument_count = 2, .argument_types = {TEXTOID, INT8OID}
	};
	Datum		arguments[] = {CStringGetTextDatum(name),
	Int64GetDatum(event_id)};
	SqlRun		run;
	bool		found;

	sql_begin_write(&run, function);
	sql_run(&run, &find, arguments);
	found = SPI_processed > 0;
	if (found)
	{
		HeapTuple	tuple = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		*origin = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		*xact_id = DatumGetInt64(SPI_getbinval(tuple, desc, 2, &isnull));
	}
	sql_end(&run);
	return found;
}

/* Whose transaction, if any, is storing a delivery of the event just now? */
static TransactionId
storing_transaction(Work *work, const Subscription *subscription,
					int64 event_id)
{
	DeliveryLook look;
	TransactionId xid = InvalidTransactionId;

	delivery_look_begin(&look, work, subscription);
	if (delivery_find(&look, event_id) == DELIVERY_DOUBTFUL)
		xid = row_seek_inserter(look.by_event);
	delivery_look_end(&look);
	return xid;
}

/*
 * Lock the event's delivery, or, if none is stored, store one as this status:
 * *is_new then. Waits for whoever is storing one.
 */
static Refusal *
lock_or_store(Work *work, const char *function,
			  const Subscription *subscription, int64 event_id,
			  EnumLabel status, Row **delivery, bool *is_new)
{
	*is_new = false;
	for (;;)
	{
		int64		origin;
		int64		xact_id;
		TransactionId xid;
		Row		   *event;

		*delivery = delivery_lock(work, subscription, event_id);
		if (*delivery != NULL)
			return NULL;
		if (!find_unclaimed(function, subscription->name, event_id, &origin,
							&xact_id))
			return refuse_event_not_found(event_id);

		subscription_begin_storing(subscription);
		row_refresh(work);
		xid = storing_transaction(work, subscription, event_id);
		event = row_find(work, TABLE_EVENTS, Int64GetDatum(origin),
						 Int64GetDatum(xact_id), Int64GetDatum(event_id));
		if (!TransactionIdIsValid(xid) && event != NULL &&
			row_find(work, TABLE_STORED_DELIVERIES, Int64GetDatum(event_id),
					 Int32GetDatum(subscription->number)) == NULL)
		{
			*delivery = delivery_new(work, subscription, event, status,
									 GetCurrentTimestamp());
			if (status == DELIVERY_AVAILABLE &&
				!row_is_null(event, EVENTS_FOLLOWS_XACT_ID))
				row_set_int64(*delivery, STORED_DELIVERIES_FOLLOWS_XACT_ID,
							  row_int64(event, EVENTS_FOLLOWS_XACT_ID));
			row_insert(*delivery);
			*is_new = true;
		}
		subscription_end_storing(subscription);
		if (*is_new)
			return NULL;
		if (TransactionIdIsValid(xid))
			XactLockTableWait(xid, NULL, NULL, XLTW_None);
	}
}

/* Decide on the event of the arguments; the result is its delivery then. */
static Datum
decide(FunctionCallInfo fcinfo, const char *function,
	   Refusal *(*decision) (Work *, const Subscription *, int64))
{
	int64		event_id = PG_GETARG_INT64(0);
	char	   *name = subscription_argument(fcinfo, 1);
	Subscription subscription;
	Work		work;

	row_begin_write(&work, function);
	refusal_check(subscription_find(&work, name, &subscription));
	refusal_check(decision(&work, &subscription, event_id));
	notify_at_commit();
	row_end(&work);
	return delivery_datum(function, name, event_id);
}

/* ---- retry ---- */

static Refusal *
retry(Work *work, const Subscription *subscription, int64 event_id)
{
	Row		   *delivery;
	bool		is_new;
	Refusal    *refusal = lock_or_store(work, "retry_event()", subscription,
										event_id, DELIVERY_AVAILABLE,
										&delivery, &is_new);

	if (refusal || is_new)
		return refusal;
	if (row_is(delivery, STORED_DELIVERIES_STATUS, DELIVERY_RUNNING) &&
		!delivery_has_lapsed(delivery, GetCurrentTimestamp()))
		return delivery_state_conflict(delivery);
	row_update(delivery, delivery_retry(delivery));
	return NULL;
}

static Entry retry_event_entry = {
	.arguments = {{"event_id", INT8OID}, {"subscription", TEXTOID}},
	.row = "deliveries"
};

/* Make an event available now: doc/reference.md, Events. */
ENTRY_POINT(retry_event)
{
	return decide(fcinfo, "retry_event()", retry);
}

static Entry retry_events_entry = {
	.arguments = {{"subscription", TEXTOID}},
	.type = INT8OID
};

/* Make all that wait or are dead available now: doc/reference.md, Events. */
ENTRY_POINT(retry_events)
{
	static SqlStatement retry_all = {
		.text = "WITH locked AS MATERIALIZED ("
		"	SELECT event_id FROM commerce.stored_deliveries"
		"	WHERE subscription_no = $1 AND finished_at IS NULL"
		"	AND (status = 'dead' OR status = 'available' AND due_at > $2)"
		"	ORDER BY event_id FOR NO KEY UPDATE),"
		" changed AS ("
		"	UPDATE commerce.stored_deliveries d"
		"	SET status = 'available', due_at = $2, failures = 0"
		"	FROM locked l"
		"	WHERE d.event_id = l.event_id AND d.subscription_no = $1"
		"	RETURNING 1)"
		" SELECT count(*) FROM changed",
		.argument_count = 2, .argument_types = {INT4OID, TIMESTAMPTZOID}
	};
	char	   *name;
	Subscription subscription;
	Work		work;
	SqlRun		run;
	Datum		arguments[2];
	int64		count;

	name = subscription_argument(fcinfo, 0);

	row_begin_write(&work, "retry_events()");
	refusal_check(subscription_find(&work, name, &subscription));
	row_end(&work);

	arguments[0] = Int32GetDatum(subscription.number);
	arguments[1] = TimestampTzGetDatum(GetCurrentTimestamp());
	sql_begin_write(&run, "retry_events()");
	count = sql_int64(&run, &retry_all, arguments);
	sql_end(&run);
	if (count > 0)
		notify_at_commit();
	PG_RETURN_INT64(count);
}

/* ---- discard ---- */

static Refusal *
discard(Work *work, const Subscription *subscription, int64 event_id)
{
	Row		   *delivery;
	bool		is_new;
	Refusal    *refusal = lock_or_store(work, "discard_event()", subscription,
										event_id, DELIVERY_DISCARDED,
										&delivery, &is_new);

	if (refusal)
		return refusal;
	if (!is_new)
	{
		if (!row_is(delivery, STORED_DELIVERIES_STATUS, DELIVERY_AVAILABLE) &&
			!row_is(delivery, STORED_DELIVERIES_STATUS, DELIVERY_DEAD) &&
			!delivery_has_lapsed(delivery, GetCurrentTimestamp()))
			return delivery_state_conflict(delivery);
		row_update(delivery, delivery_finish(delivery, DELIVERY_DISCARDED));
	}
	metrics_add_deliveries(DELIVERIES_DISCARDED, subscription->number, 1);
	return NULL;
}

static Entry discard_event_entry = {
	.arguments = {{"event_id", INT8OID}, {"subscription", TEXTOID}},
	.row = "deliveries"
};

/* Give an event up: doc/reference.md, Events. */
ENTRY_POINT(discard_event)
{
	return decide(fcinfo, "discard_event()", discard);
}
