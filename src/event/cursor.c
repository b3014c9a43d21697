/*
 * cursor.c
 *		How far a subscription has got in the events of one origin.
 *
 * Which events are new is told by transaction numbers, as ids commit late: all
 * that a snapshot sees, and an earlier one did not, is new. A cursor is such
 * an earlier snapshot, brought forward as events are dealt with. What was in
 * progress then is in its list of exceptions, however long it takes, and is
 * found by its number once it has ended; prepared transactions are in progress
 * too. The index on (origin, xact_id, event_id) leads to all that is new and
 * to nothing else, however much an old snapshot keeps from being removed.
 *
 * A cursor is a statement about the past, and stays true: an event that has a
 * stored delivery, committed, has one until it is purged. So a cursor needs no
 * lock, and the one that is read need not be the latest; the events after it
 * are looked at once more, and are found to have a delivery.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "event/cursor.h"
#include "event/event.h"
#include "utils/array.h"

static int
compare_numbers(const void *a, const void *b)
{
	int64		one = *(const int64 *) a;
	int64		other = *(const int64 *) b;

	return (one > other) - (one < other);
}

/* ---- sets of transactions ---- */

bool
xacts_have(const XactSet *xacts, int64 xact_id)
{
	return xact_id < xacts->next &&
		bsearch(&xact_id, xacts->except, xacts->except_count, sizeof(int64),
				compare_numbers) == NULL;
}

/* The full number of a transaction that is about as old as next. */
static int64
full_number(TransactionId xid, FullTransactionId next)
{
	uint32		epoch = EpochFromFullTransactionId(next);

	/* A normal number above that of the next one is of the epoch before. */
	if (xid > XidFromFullTransactionId(next))
		epoch--;
	return (int64) (((uint64) epoch << 32) | xid);
}

/*
 * Our own transaction's work is seen, but it may do more: it counts as one in
 * progress.
 */
XactSet
xacts_of_snapshot(Snapshot snapshot)
{
	FullTransactionId next = ReadNextFullTransactionId();
	TransactionId own = GetTopTransactionIdIfAny();
	XactSet		xacts = {.origin = event_origin()};

	xacts.next = full_number(snapshot->xmax, next);
	xacts.except = palloc((snapshot->xcnt + 1) * sizeof(int64));
	for (uint32 i = 0; i < snapshot->xcnt; i++)
		xacts.except[xacts.except_count++] =
			full_number(snapshot->xip[i], next);
	if (TransactionIdIsValid(own) && full_number(own, next) < xacts.next)
		xacts.except[xacts.except_count++] = full_number(own, next);
	qsort(xacts.except, xacts.except_count, sizeof(int64), compare_numbers);
	return xacts;
}

XactSet
xacts_of_origin(int64 origin)
{
	return (XactSet)
	{
		.origin = origin, .next = PG_INT64_MAX
	};
}

/* ---- rows ---- */

Datum
cursor_array(const int64 *values, int count)
{
	Datum	   *elements = palloc(count * sizeof(Datum));

	for (int i = 0; i < count; i++)
		elements[i] = Int64GetDatum(values[i]);
	return PointerGetDatum(construct_array(elements, count, INT8OID,
										   sizeof(int64), FLOAT8PASSBYVAL,
										   TYPALIGN_DOUBLE));
}

int64 *
cursor_numbers(Row *row, ColumnId column, int *count)
{
	ArrayType  *array = DatumGetArrayTypeP(row_value(row, column));
	Datum	   *elements;
	int64	   *numbers;

	deconstruct_array(array, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &elements, NULL, count);
	numbers = palloc(*count * sizeof(int64));
	for (int i = 0; i < *count; i++)
		numbers[i] = DatumGetInt64(elements[i]);
	return numbers;
}

static void
read_doubtful(Row *row, Cursor *cursor)
{
	int			xact_count;
	int			event_count;
	int64	   *xact_ids = cursor_numbers(row, CURSORS_DOUBTFUL_XACT_IDS,
										  &xact_count);
	int64	   *event_ids = cursor_numbers(row, CURSORS_DOUBTFUL_EVENT_IDS,
										   &event_count);

	cursor->doubtful_count = Min(xact_count, event_count);
	cursor->doubtful = palloc(cursor->doubtful_count * sizeof(EventKey));
	for (int i = 0; i < cursor->doubtful_count; i++)
	{
		cursor->doubtful[i].xact_id = xact_ids[i];
		cursor->doubtful[i].event_id = event_ids[i];
	}
}

void
cursor_read(Work *work, int32 subscription_no, int64 origin, Cursor *cursor)
{
	static const ColumnId columns[] = {
		CURSORS_SUBSCRIPTION_NO, CURSORS_ORIGIN, CURSORS_CURSOR_NO
	};
	Datum		prefix[] = {Int32GetDatum(subscription_no),
	Int64GetDatum(origin)};
	Row		   *row = row_last(work, TABLE_CURSORS, lengthof(columns), columns,
							   lengthof(prefix), prefix);

	memset(cursor, 0, sizeof(Cursor));
	cursor->passed.origin = origin;
	if (row == NULL)
		return;
	cursor->row = row;
	cursor->passed.next = row_int64(row, CURSORS_NEXT_XACT_ID);
	cursor->passed.except = cursor_numbers(row, CURSORS_IN_PROGRESS,
										   &cursor->passed.except_count);
	cursor->last_event_id = row_int64(row, CURSORS_LAST_EVENT_ID);
	read_doubtful(row, cursor);
}

void
cursor_write(Work *work, int32 subscription_no, const Cursor *cursor)
{
	int64	   *xact_ids = palloc(cursor->doubtful_count * sizeof(int64));
	int64	   *event_ids = palloc(cursor->doubtful_count * sizeof(int64));
	Row		   *row;
	bool		is_busy;

	for (int i = 0; i < cursor->doubtful_count; i++)
	{
		xact_ids[i] = cursor->doubtful[i].xact_id;
		event_ids[i] = cursor->doubtful[i].event_id;
	}
	/* That one alone: beside an old snapshot those before it are many. */
	if (cursor->row != NULL &&
		row_lock_unchanged(cursor->row, false, &is_busy))
		row_delete(cursor->row);

	row = row_new(work, TABLE_CURSORS);
	row_set_int32(row, CURSORS_SUBSCRIPTION_NO, subscription_no);
	row_set_int64(row, CURSORS_ORIGIN, cursor->passed.origin);
	row_set_int64(row, CURSORS_CURSOR_NO, sequence_next(SEQUENCE_CURSOR_NO));
	row_set_int64(row, CURSORS_NEXT_XACT_ID, cursor->passed.next);
	row_set_int64(row, CURSORS_LAST_EVENT_ID, cursor->last_event_id);
	row_set(row, CURSORS_IN_PROGRESS,
			cursor_array(cursor->passed.except, cursor->passed.except_count));
	row_set(row, CURSORS_DOUBTFUL_XACT_IDS,
			cursor_array(xact_ids, cursor->doubtful_count));
	row_set(row, CURSORS_DOUBTFUL_EVENT_IDS,
			cursor_array(event_ids, cursor->doubtful_count));
	row_insert(row);
}
