/*
 * event.c
 *		Events for the outside world: writing one.
 *
 * An event is one row of commerce.events and one index entry, which nothing
 * changes until it is purged. What becomes of it is written by those who read:
 * claim.c.
 *
 * They find what is new by the number of the transaction that wrote it:
 * cursor.c. Such numbers mean something only within one database of one
 * cluster, and a dump takes events elsewhere; so each bears the origin of its
 * number.
 *
 * Ids. A later event of an order takes a number that is higher than all that
 * were handed out so far, so that the ids of one order's events follow their
 * order whatever numbers sessions keep in store (CACHE).
 *
 * Order. The events of one order are written under its lock, each after the
 * commit of those before. Yet its transaction may have a lower number than
 * theirs. So a later event says which number theirs are lower than.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "base/bucket.h"
#include "base/entry.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "event/event.h"
#include "miscadmin.h"
#include "notify/notify.h"
#include "utils/builtins.h"

int64
event_origin(void)
{
	static int64 origin;
	static Oid	database_id;

	if (database_id != MyDatabaseId)
	{
		uint64		key[] = {GetSystemIdentifier(), MyDatabaseId};

		origin = (int64) hash_bytes_extended((unsigned char *) key,
											 sizeof(key), 0);
		database_id = MyDatabaseId;
	}
	return origin;
}

static Entry event_origin_entry = {.type = INT8OID};

/* Which origin is this database? doc/reference.md, Events. */
ENTRY_POINT(event_origin)
{
	PG_RETURN_INT64(event_origin());
}

bool
event_type_exists(const char *event_type)
{
	return strcmp(event_type, EVENT_ORDER_PAID) == 0 ||
		strcmp(event_type, EVENT_ORDER_CANCELLED) == 0 ||
		strcmp(event_type, EVENT_ORDER_REFUNDED) == 0;
}

static Row *
new_event(Row *order, int64 event_id, const char *event_type,
		  FullTransactionId xact_id)
{
	Row		   *event = row_new(order->work, TABLE_EVENTS);

	row_set_int64(event, EVENTS_EVENT_ID, event_id);
	row_set(event, EVENTS_EVENT_TYPE, CStringGetTextDatum(event_type));
	row_set_int64(event, EVENTS_ORDER_ID, row_int64(order, ORDERS_ORDER_ID));
	row_set_now(event, EVENTS_CREATED_AT);
	row_set_int64(event, EVENTS_ORIGIN, event_origin());
	row_set_int64(event, EVENTS_XACT_ID,
				  (int64) U64FromFullTransactionId(xact_id));
	return event;
}

void
event_write_first(Row *order)
{
	int64		event_id = id_next(SEQUENCE_EVENT_ID,
								   row_int64(order, ORDERS_USER_ID));

	row_insert(new_event(order, event_id, EVENT_ORDER_PAID,
						 GetTopFullTransactionId()));
	notify_at_commit();
}

void
event_write_later(Row *order, const char *event_type, Jsonb *refund)
{
	FullTransactionId xact_id = GetTopFullTransactionId();
	FullTransactionId next = ReadNextFullTransactionId();
	int64		event_id = id_next_of_all(SEQUENCE_EVENT_ID,
										  row_int64(order, ORDERS_USER_ID));
	Row		   *event = new_event(order, event_id, event_type, xact_id);

	if (U64FromFullTransactionId(next) > U64FromFullTransactionId(xact_id) + 1)
		row_set_int64(event, EVENTS_FOLLOWS_XACT_ID,
					  (int64) U64FromFullTransactionId(next));
	if (refund)
		row_set(event, EVENTS_REFUND, JsonbPGetDatum(refund));
	row_insert(event);
	notify_at_commit();
}
