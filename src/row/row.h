/*
 * row.h
 *		Find, lock, update, insert one row of a commerce table.
 *
 * A Work is one call's access to the tables. It is either reading, with the
 * caller's snapshot, or writing, with a fresh one.
 *
 * Rows live until row_end(); the values read from one are valid so long.
 */
#ifndef COMMERCE_ROW_H
#define COMMERCE_ROW_H

#include "access/xact.h"
#include "base/tables.h"
#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "utils/snapshot.h"
#include "utils/timestamp.h"

typedef struct WorkTable
{
	Relation	rel;			/* NULL: not open */
	const AttrNumber *attnums;	/* where our columns stand, by ColumnId */
	int			tuple_count;	/* made in this call */
	TupleDesc	copied_desc;	/* for the rows after the first few */
	List	   *read_indexes;	/* opened for scans only */
	ResultRelInfo *result;		/* NULL: open for reading only */
	List	   *added_columns;	/* defaults of columns that are not ours */
	bool		added_known;
	bool		queues;			/* row_insert() waits for row_end() */
	List	   *queue;			/* the rows that wait */
} WorkTable;

typedef struct Work
{
	bool		writing;
	EState	   *estate;
	EPQState	epqstate;
	MemoryContext caller_context;
	int			snapshot_count; /* pushed by this call */
	uint64		changes_seen;	/* of relations, when the last was taken */
	WorkTable	tables[TABLE_COUNT];
} Work;

typedef struct Row
{
	Work	   *work;
	TableId		table;
	const AttrNumber *attnums;	/* the table's */
	TupleTableSlot *tuple;		/* the row, as the access method has it */
	Bitmapset  *changed;		/* columns set since row_change() */
} Row;

/* A scan of rows by a prefix of an index's columns. */
typedef struct RowScan RowScan;

/*
 * Begin a call. Writing raises 25006 in a read-only transaction, naming
 * function.
 */
extern void row_begin_read(Work *work);
extern void row_begin_write(Work *work, const char *function);

/* End it: fire AFTER triggers, make the changes visible to what follows. */
extern void row_end(Work *work);

/*
 * In writing: see what has been committed, and what this call wrote, since.
 */
extern void row_refresh(Work *work);

/*
 * A row of this table is about to be locked: lock the table for that at once,
 * instead of once to read and once more to write.
 */
extern void row_will_write(Work *work, TableId table);

/*
 * The row with this primary key, or NULL. Keys are Datums of the key columns.
 *
 * row_find reads it as the snapshot has it. row_lock waits for whoever holds
 * it, then locks and returns its latest version; in REPEATABLE READ and above
 * a row changed or made since the snapshot is 40001 instead.
 */
extern Row *row_find(Work *work, TableId table, ...);
extern Row *row_lock(Work *work, TableId table, ...);

/*
 * The same as the snapshot has it, for row_update_unchanged(). NULL proves
 * nothing.
 */
extern Row *row_look(Work *work, TableId table, ...);

/*
 * For a table whose primary key is a bigint, or that and an integer (number; 0
 * for a table that has none): row_remember notes
 * where the row is that was found or, once it was updated, the changed one.
 * row_recall returns the row with this key as the snapshot has it, without the
 * index; NULL: it is not known where that is, or it is not there any more.
 */
extern Row *row_recall(Work *work, TableId table, int64 id, int32 number);
extern void row_remember(Row *row);

/*
 * Lock a row that row_find() found, as row_lock() would; it then has its
 * latest values. False: it is gone or is another one now; row_refresh() and
 * look again.
 */
extern bool row_lock_found(Row *row);

/*
 * Lock a row that a scan found, unless it has changed since, which is 40001 in
 * REPEATABLE READ and above. If somebody holds it: wait for them, or else set
 * *is_busy. False: nothing is locked, and the row is of no use any more.
 */
extern bool row_lock_unchanged(Row *row, bool waits, bool *is_busy);

/* The highest row, by the index on exactly these columns, under a prefix. */
extern Row *row_last(Work *work, TableId table, int column_count,
					 const ColumnId *columns, int prefix_count,
					 const Datum *prefix);

/* All rows under a prefix of the primary key, in its order. */
extern RowScan *row_scan_begin(Work *work, TableId table, int prefix_count,
							   const Datum *prefix);
extern Row *row_scan_next(RowScan *scan);

/*
 * For a caller that keeps few of many rows: the next one until another is
 * read, unless it is kept.
 */
extern Row *row_scan_read(RowScan *scan);
extern Row *row_scan_keep(RowScan *scan);

extern void row_scan_end(RowScan *scan);

/*
 * An index to look along: exactly these columns, and all rows in which
 * null_column is NULL or, unless is_null, is not. null_column 0: all rows.
 */
typedef struct RowIndex
{
	int			column_count;
	ColumnId	columns[MAX_KEYS];
	ColumnId	null_column;
	bool		is_null;
} RowIndex;

/*
 * Look many times along one index, with the snapshot there is now, or at all
 * that is or may be there: what others have inserted or deleted and not
 * committed too.
 *
 * row_seek() looks for the values of the first columns, row_seek_range() also
 * for a range of the next one, both ends included; then row_seek_next() reads
 * row by row. A row lasts until another is read, unless it is kept. A look at
 * what is uncommitted may read a row twice, but misses none that was there, or
 * was being inserted, when it began.
 */
typedef struct RowSeek RowSeek;

extern RowSeek *row_seek_begin(Work *work, TableId table,
							   const RowIndex *index, bool sees_uncommitted);
extern void row_seek(RowSeek *seek, int count, const Datum *values);
extern void row_seek_range(RowSeek *seek, int count, const Datum *values,
						   Datum from, Datum until);
extern Row *row_seek_next(RowSeek *seek);
extern Row *row_seek_keep(RowSeek *seek);
extern void row_seek_end(RowSeek *seek);

/*
 * Of the row just read, if the seek sees what is uncommitted: is somebody
 * else's transaction still inserting it, which one, and does our snapshot have
 * it? Only that transaction's end tells whether it is there.
 */
extern bool row_seek_is_inserting(const RowSeek *seek);
extern TransactionId row_seek_inserter(const RowSeek *seek);
extern bool row_seek_is_in_snapshot(const RowSeek *seek);

/* Has the row just read been deleted since the snapshot? */
extern bool row_seek_is_gone(const RowSeek *seek);

/* How many index entries of this look led to no row, up to here. */
extern int64 row_seek_invisible_count(const RowSeek *seek);

/* A new row, NULL in our columns and the default in any other. */
extern Row *row_new(Work *work, TableId table);

/* A copy of a locked row, to be changed and given to row_update(). */
extern Row *row_change(Row *locked);

/* Insert it; a duplicate key is the server's own 23505. */
extern void row_insert(Row *row);

/*
 * From now on row_insert() only takes down the rows of this table, and
 * row_end() inserts them together: for a caller that inserts many and reads
 * none before.
 */
extern void row_queue_inserts(Work *work, TableId table);

/*
 * This call inserts no more rows into this table, and neither changes nor
 * deletes any: lets go of its indexes, of which few stay locked so at a time.
 * No error if it does after all; and nothing where inserts are queued.
 */
extern void row_inserts_done(Work *work, TableId table);

/* Insert those that wait now. */
extern void row_insert_queued(Work *work);

/*
 * Insert it unless a row with the same primary key, or the same values in the
 * unique index on exactly these columns, is there; wait for anybody who is
 * inserting one now. False: one is there, committed or our own; in REPEATABLE
 * READ and above it is then visible too, or 40001 was raised. A duplicate in
 * any other unique index is 23505. Only for tables that tables.def calls
 * contested.
 */
extern bool row_insert_if_absent(Row *row);
extern bool row_insert_if_absent_by(Row *row, int column_count,
									const ColumnId *columns);

/* Write changed, which row_change() made from locked. */
extern void row_update(Row *locked, Row *changed);

/*
 * The same for a row that row_look() or a scan showed, which nobody has locked.
 * False: nothing is written, as somebody holds it, or it has changed since, or
 * its table is not plain; lock it as ever, then look again at what it says. May
 * wait. changed is of no use any more then.
 */
extern bool row_update_unchanged(Row *found, Row *changed);

/*
 * Is there nobody in this table to see when in a call a row of it is updated:
 * has it no row triggers, nor columns that are computed?
 */
extern bool row_is_plain(Work *work, TableId table);

/* Delete a locked row. */
extern void row_delete(Row *locked);

/* Raise 40001: the snapshot is too old to say what is so now. */
pg_noreturn extern void row_serialization_failure(void);

/* The row as a composite Datum in the caller's memory. */
extern Datum row_datum(Row *row);

/*
 * Columns. One that is newer than the schema is an error; table_has_column()
 * tells. A getter must not be used on a NULL.
 */
static inline AttrNumber
row_attnum(Row *row, ColumnId column)
{
	AttrNumber	attnum = row->attnums[column];

	if (unlikely(attnum == InvalidAttrNumber))
		table_lacks_column(row->table, column);
	return attnum;
}

static inline bool
row_is_null(Row *row, ColumnId column)
{
	bool		isnull;

	(void) slot_getattr(row->tuple, row_attnum(row, column), &isnull);
	return isnull;
}

static inline Datum
row_value(Row *row, ColumnId column)
{
	bool		isnull;
	Datum		value;

	Assert(row != NULL);
	value = slot_getattr(row->tuple, row_attnum(row, column), &isnull);
	Assert(!isnull);
	return value;
}

static inline int64
row_int64(Row *row, ColumnId column)
{
	return DatumGetInt64(row_value(row, column));
}

static inline int32
row_int32(Row *row, ColumnId column)
{
	return DatumGetInt32(row_value(row, column));
}

static inline TimestampTz
row_time(Row *row, ColumnId column)
{
	return DatumGetTimestampTz(row_value(row, column));
}

static inline bool
row_is(Row *row, ColumnId column, EnumLabel label)
{
	return DatumGetObjectId(row_value(row, column)) == enum_oid(label);
}

static inline void
row_set(Row *row, ColumnId column, Datum value)
{
	AttrNumber	attnum = row_attnum(row, column);

	row->tuple->tts_values[attnum - 1] = value;
	row->tuple->tts_isnull[attnum - 1] = false;
	if (row->changed)
		row->changed =
			bms_add_member(row->changed,
						   attnum - FirstLowInvalidHeapAttributeNumber);
}

static inline void
row_set_null(Row *row, ColumnId column)
{
	row_set(row, column, (Datum) 0);
	row->tuple->tts_isnull[row->attnums[column] - 1] = true;
}

static inline void
row_set_int64(Row *row, ColumnId column, int64 value)
{
	row_set(row, column, Int64GetDatum(value));
}

static inline void
row_set_int32(Row *row, ColumnId column, int32 value)
{
	row_set(row, column, Int32GetDatum(value));
}

static inline void
row_set_enum(Row *row, ColumnId column, EnumLabel label)
{
	row_set(row, column, ObjectIdGetDatum(enum_oid(label)));
}

/* now(), the transaction's start. */
static inline void
row_set_now(Row *row, ColumnId column)
{
	row_set(row, column,
			TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
}

#endif							/* COMMERCE_ROW_H */
