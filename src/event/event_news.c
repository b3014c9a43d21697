/*
 * event_news.c
 *		Has anything come that may be claimed?
 *
 * A look remembers what its snapshot had, as a cursor does: the next one finds
 * what has come since, be it from a transaction that took long or was prepared.
 * So a subscription that nobody reads is no news. Deliveries are news when
 * their time comes.
 */
#include "postgres.h"

#include "event/cursor.h"
#include "event/event.h"
#include "event/event_news.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

static const RowIndex events_by_key = {
	.column_count = 3,
	.columns = {EVENTS_ORIGIN, EVENTS_XACT_ID, EVENTS_EVENT_ID}
};

static const RowIndex deliveries_by_due = {
	.column_count = 2,
	.columns = {
		STORED_DELIVERIES_SUBSCRIPTION_NO, STORED_DELIVERIES_DUE_AT
	},
	.null_column = STORED_DELIVERIES_DUE_AT
};

/* What the last look had. */
static struct
{
	bool		has_looked;
	XactSet		seen;
	TimestampTz at;
}			memory;

static bool
have_events_come(Work *work, const XactSet *visible)
{
	Datum		key[] = {Int64GetDatum(visible->origin), 0};
	RowSeek    *seek = row_seek_begin(work, TABLE_EVENTS, &events_by_key,
									  false);
	bool		found;

	row_seek_range(seek, 1, key, Int64GetDatum(memory.seen.next),
				   Int64GetDatum(PG_INT64_MAX));
	found = row_seek_next(seek) != NULL;
	for (int i = 0; i < memory.seen.except_count && !found; i++)
	{
		if (!xacts_have(visible, memory.seen.except[i]))
			continue;
		key[1] = Int64GetDatum(memory.seen.except[i]);
		row_seek(seek, lengthof(key), key);
		found = row_seek_next(seek) != NULL;
	}
	row_seek_end(seek);
	return found;
}

/* Of any subscription: one look into the index for each. */
static bool
have_deliveries_become_due(Work *work, TimestampTz now)
{
	RowSeek    *seek = row_seek_begin(work, TABLE_STORED_DELIVERIES,
									  &deliveries_by_due, false);
	int32		number = 0;
	bool		found = false;

	while (!found)
	{
		Row		   *delivery;
		Datum		key;

		row_seek_range(seek, 0, NULL, Int32GetDatum(number + 1),
					   Int32GetDatum(PG_INT32_MAX));
		delivery = row_seek_next(seek);
		if (delivery == NULL)
			break;
		number = row_int32(delivery, STORED_DELIVERIES_SUBSCRIPTION_NO);
		key = Int32GetDatum(number);
		row_seek_range(seek, 1, &key, TimestampTzGetDatum(memory.at),
					   TimestampTzGetDatum(now));
		found = row_seek_next(seek) != NULL;
	}
	row_seek_end(seek);
	return found;
}

static void
remember_look(const XactSet *visible, TimestampTz now)
{
	if (memory.has_looked)
		pfree(memory.seen.except);
	memory.seen = *visible;
	memory.seen.except = MemoryContextAlloc(TopMemoryContext,
											Max(visible->except_count, 1) *
											sizeof(int64));
	memcpy(memory.seen.except, visible->except,
		   visible->except_count * sizeof(int64));
	memory.at = now;
	memory.has_looked = true;
}

bool
event_has_news(void)
{
	TimestampTz now = GetCurrentTimestamp();
	XactSet		visible = xacts_of_snapshot(GetActiveSnapshot());
	Work		work;
	bool		has_news = true;

	if (memory.has_looked)
	{
		row_begin_read(&work);
		has_news = have_events_come(&work, &visible) ||
			have_deliveries_become_due(&work, now);
		row_end(&work);
	}
	remember_look(&visible, now);
	return has_news;
}
