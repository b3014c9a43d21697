/*
 * delivery.c
 *		A stored delivery: what has become of an event in a subscription.
 *
 * An event that no claim has come to has none: it is available. Then
 *
 *		available -> running -> delivered
 *			^			|
 *			+-----------+-----> dead -> discarded
 *
 * A claim makes it running until due_at, under an attempt number that ack, fail
 * and release must quote. A lease that lapses counts as a failure. finished_at
 * is set in delivered and discarded alone, so that two partial indexes have
 * what is unfinished: by order, to keep each order's events in their order, and
 * by due_at.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/metrics.h"
#include "base/sql.h"
#include "catalog/pg_type.h"
#include "event/delivery.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

static const RowIndex by_event = {
	.column_count = 2,
	.columns = {
		STORED_DELIVERIES_EVENT_ID, STORED_DELIVERIES_SUBSCRIPTION_NO
	}
};

static const RowIndex unfinished_by_order = {
	.column_count = 2,
	.columns = {
		STORED_DELIVERIES_ORDER_ID, STORED_DELIVERIES_SUBSCRIPTION_NO
	},
	.null_column = STORED_DELIVERIES_FINISHED_AT,
	.is_null = true
};

/* ---- looking ---- */

typedef struct HeldOrder
{
	int64		order_id;
	int64		event_id;		/* those after it wait */
} HeldOrder;

void
delivery_hold_order(DeliveryLook *look, int64 order_id, int64 event_id)
{
	HeldOrder  *order;
	bool		is_known;

	if (look->held == NULL)
	{
		HASHCTL		control = {
			.keysize = sizeof(int64), .entrysize = sizeof(HeldOrder),
			.hcxt = CurrentMemoryContext
		};

		look->held = hash_create("held orders", 64, &control,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	order = hash_search(look->held, &order_id, HASH_ENTER, &is_known);
	if (!is_known || event_id < order->event_id)
		order->event_id = event_id;
}

static bool
is_held(const DeliveryLook *look, int64 order_id, int64 event_id)
{
	const HeldOrder *order = look->held == NULL ? NULL :
		hash_search(look->held, &order_id, HASH_FIND, NULL);

	return order != NULL && order->event_id < event_id;
}

void
delivery_look_begin(DeliveryLook *look, Work *work,
					const Subscription *subscription)
{
	look->work = work;
	look->subscription_no = subscription->number;
	look->by_event = row_seek_begin(work, TABLE_STORED_DELIVERIES, &by_event,
									true);
	look->by_order = NULL;
	look->held = NULL;
}

void
delivery_look_end(DeliveryLook *look)
{
	row_seek_end(look->by_event);
	if (look->by_order)
		row_seek_end(look->by_order);
	if (look->held)
		hash_destroy(look->held);
}

DeliveryFound
delivery_find(DeliveryLook *look, int64 event_id)
{
	Datum		key[] = {Int64GetDatum(event_id),
	Int32GetDatum(look->subscription_no)};
	DeliveryFound found = DELIVERY_NONE;
	Row		   *delivery;

	row_seek(look->by_event, lengthof(key), key);
	while ((delivery = row_seek_next(look->by_event)) != NULL)
	{
		if (!row_seek_is_inserting(look->by_event))
		{
			if (IsolationUsesXactSnapshot() &&
				!row_seek_is_in_snapshot(look->by_event))
				row_serialization_failure();
			return DELIVERY_STORED;
		}
		found = DELIVERY_DOUBTFUL;
		delivery_hold_order(look,
							row_int64(delivery, STORED_DELIVERIES_ORDER_ID),
							event_id);
	}
	return found;
}

bool
delivery_is_blocked(DeliveryLook *look, int64 order_id, int64 event_id)
{
	Datum		key[] = {Int64GetDatum(order_id),
	Int32GetDatum(look->subscription_no)};
	Row		   *other;

	if (is_held(look, order_id, event_id))
		return true;
	if (look->by_order == NULL)
		look->by_order = row_seek_begin(look->work, TABLE_STORED_DELIVERIES,
										&unfinished_by_order, true);
	row_seek(look->by_order, lengthof(key), key);
	while ((other = row_seek_next(look->by_order)) != NULL)
	{
		int64		other_id = row_int64(other, STORED_DELIVERIES_EVENT_ID);

		if (other_id < event_id ||
			(other_id > event_id &&
			 row_is(other, STORED_DELIVERIES_STATUS, DELIVERY_RUNNING)))
			return true;
	}
	return false;
}

/* ---- changes ---- */

static void
set_due(Row *delivery, TimestampTz due_at)
{
	row_set(delivery, STORED_DELIVERIES_DUE_AT, TimestampTzGetDatum(due_at));
}

Row *
delivery_new(Work *work, const Subscription *subscription, Row *event,
			 EnumLabel status, TimestampTz due_at)
{
	Row		   *delivery = row_new(work, TABLE_STORED_DELIVERIES);

	row_set_int64(delivery, STORED_DELIVERIES_EVENT_ID,
				  row_int64(event, EVENTS_EVENT_ID));
	row_set_int32(delivery, STORED_DELIVERIES_SUBSCRIPTION_NO,
				  subscription->number);
	row_set_int64(delivery, STORED_DELIVERIES_ORDER_ID,
				  row_int64(event, EVENTS_ORDER_ID));
	row_set_int64(delivery, STORED_DELIVERIES_ORIGIN,
				  row_int64(event, EVENTS_ORIGIN));
	row_set_int64(delivery, STORED_DELIVERIES_XACT_ID,
				  row_int64(event, EVENTS_XACT_ID));
	row_set_enum(delivery, STORED_DELIVERIES_STATUS, status);
	row_set_int32(delivery, STORED_DELIVERIES_ATTEMPT,
				  status == DELIVERY_RUNNING ? 1 : 0);
	row_set_int32(delivery, STORED_DELIVERIES_FAILURES, 0);
	if (status == DELIVERY_DISCARDED)
		row_set(delivery, STORED_DELIVERIES_FINISHED_AT,
				TimestampTzGetDatum(due_at));
	else
		set_due(delivery, due_at);
	return delivery;
}

void
delivery_set_leased(Row *changed, int32 attempt, TimestampTz until)
{
	row_set_enum(changed, STORED_DELIVERIES_STATUS, DELIVERY_RUNNING);
	row_set_int32(changed, STORED_DELIVERIES_ATTEMPT, attempt);
	set_due(changed, until);
}

Row *
delivery_lease(Row *delivery, TimestampTz until)
{
	Row		   *leased = row_change(delivery);

	delivery_set_leased(leased,
						row_int32(delivery, STORED_DELIVERIES_ATTEMPT) + 1,
						until);
	return leased;
}

Row *
delivery_finish(Row *delivery, EnumLabel status)
{
	Row		   *finished = row_change(delivery);

	row_set_enum(finished, STORED_DELIVERIES_STATUS, status);
	row_set_null(finished, STORED_DELIVERIES_DUE_AT);
	row_set(finished, STORED_DELIVERIES_FINISHED_AT,
			TimestampTzGetDatum(GetCurrentTimestamp()));
	return finished;
}

Row *
delivery_release(Row *delivery, TimestampTz due_at)
{
	Row		   *released = row_change(delivery);

	row_set_enum(released, STORED_DELIVERIES_STATUS, DELIVERY_AVAILABLE);
	set_due(released, due_at);
	return released;
}

Row *
delivery_retry(Row *delivery)
{
	Row		   *retried = delivery_release(delivery, GetCurrentTimestamp());

	row_set_int32(retried, STORED_DELIVERIES_FAILURES, 0);
	row_set_null(retried, STORED_DELIVERIES_FINISHED_AT);
	return retried;
}

Row *
delivery_fail(Row *delivery, Datum error, TimestampTz due_at)
{
	Row		   *failed = delivery_release(delivery, due_at);
	int32		failures = row_int32(delivery, STORED_DELIVERIES_FAILURES) + 1;
	int32		number = row_int32(delivery, STORED_DELIVERIES_SUBSCRIPTION_NO);

	metrics_add_deliveries(DELIVERIES_FAILED, number, 1);
	row_set_int32(failed, STORED_DELIVERIES_FAILURES, failures);
	row_set(failed, STORED_DELIVERIES_LAST_ERROR, error);
	if (failures >= DELIVERY_MAX_FAILURES)
	{
		row_set_enum(failed, STORED_DELIVERIES_STATUS, DELIVERY_DEAD);
		row_set_null(failed, STORED_DELIVERIES_DUE_AT);
		metrics_add_deliveries(DELIVERIES_DEAD, number, 1);
	}
	return failed;
}

/* ---- one by its event ---- */

bool
delivery_has_lapsed(Row *delivery, TimestampTz now)
{
	return row_is(delivery, STORED_DELIVERIES_STATUS, DELIVERY_RUNNING) &&
		row_time(delivery, STORED_DELIVERIES_DUE_AT) <= now;
}

Row *
delivery_lock(Work *work, const Subscription *subscription, int64 event_id)
{
	return row_lock(work, TABLE_STORED_DELIVERIES, Int64GetDatum(event_id),
					Int32GetDatum(subscription->number));
}

Refusal *
delivery_state_conflict(Row *delivery)
{
	Datum		status = row_value(delivery, STORED_DELIVERIES_STATUS);
	Datum		label = DirectFunctionCall1(enum_out, status);

	return refuse_event_state_conflict(row_int64(delivery,
												 STORED_DELIVERIES_EVENT_ID),
									   DatumGetCString(label));
}

Datum
delivery_datum(const char *function, const char *subscription, int64 event_id)
{
	static SqlStatement read = {
		.text = "SELECT ROW(d.*)::commerce.deliveries"
		" FROM commerce.claimed_deliveries d"
		" WHERE d.subscription = $1 AND d.event_id = $2",
		.argument_count = 2, .argument_types = {TEXTOID, INT8OID}
	};
	Datum		arguments[] = {CStringGetTextDatum(subscription),
	Int64GetDatum(event_id)};
	Datum		row;

	if (!sql_row(function, &read, arguments, &row))
		refusal_raise(refuse_event_not_found(event_id));
	return row;
}
