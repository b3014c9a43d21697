/*
 * cursor.h
 *		How far a subscription has got in the events of one origin.
 */
#ifndef COMMERCE_CURSOR_H
#define COMMERCE_CURSOR_H

#include "row/row.h"
#include "utils/snapshot.h"

/* Transactions: all with lower numbers than next but for some, ascending. */
typedef struct XactSet
{
	int64		origin;			/* whose numbers these are */
	int64		next;
	int			except_count;
	int64	   *except;
} XactSet;

/* The key of an event within its origin. */
typedef struct EventKey
{
	int64		xact_id;
	int64		event_id;
} EventKey;

/*
 * Events of the passed transactions, and of passed.next up to last_event_id,
 * are passed, but for the doubtful ones: each has a stored delivery or is not
 * wanted.
 */
typedef struct Cursor
{
	XactSet		passed;
	int64		last_event_id;
	int			doubtful_count;
	EventKey   *doubtful;
	Row		   *row;			/* as it was read; NULL: none yet */
} Cursor;

/* Is the transaction of that origin one of them? */
extern bool xacts_have(const XactSet *xacts, int64 xact_id);

/* Those that the snapshot can see the work of, of this database. */
extern XactSet xacts_of_snapshot(Snapshot snapshot);

/* All that there are, of another database. */
extern XactSet xacts_of_origin(int64 origin);

/* A bigint[] of numbers. */
extern Datum cursor_array(const int64 *values, int count);

/* The numbers in a column of type bigint[]. */
extern int64 *cursor_numbers(Row *row, ColumnId column, int *count);

/* Read the subscription's cursor in the events of an origin. */
extern void cursor_read(Work *work, int32 subscription_no, int64 origin,
						Cursor *cursor);

/*
 * Write one down in the place of cursor->row. Nobody waits for whoever does: a
 * cursor is a new row, and remains true whatever others write. What two leave
 * that do so at once is purged with the events.
 */
extern void cursor_write(Work *work, int32 subscription_no,
						 const Cursor *cursor);

#endif							/* COMMERCE_CURSOR_H */
