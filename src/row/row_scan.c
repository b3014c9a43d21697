/*
 * row_scan.c
 *		Find and lock rows; row_work.c says by which rules.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/stop.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "row/row_work.h"
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"

struct RowScan
{
	Work	   *work;
	TableId		table;
	Relation	index;
	IndexScanDesc scan;
	ScanKeyData keys[MAX_KEYS];
	Row		   *row;			/* the last one read, unless it is kept */
	Buffer		buffer;			/* pinned: where the last one was */
};

/* Begin a scan under a prefix of the columns of an index. */
static RowScan *
begin_scan(Work *work, TableId table, int column_count,
		   const ColumnId *columns, int prefix_count, const Datum *prefix)
{
	RowScan    *scan = palloc(sizeof(RowScan));
	WorkTable  *open = row_open_for_read(work, table);

	scan->work = work;
	scan->table = table;
	scan->row = NULL;
	scan->buffer = InvalidBuffer;
	scan->index = row_index_for_scan(open, column_count, columns);

	for (int i = 0; i < prefix_count; i++)
	{
		RegProcedure equal = F_INT8EQ;

		switch (table_column_type(table, columns[i]))
		{
			case INT8OID:
				break;
			case INT4OID:
				equal = F_INT4EQ;
				break;
			case TEXTOID:
				equal = F_TEXTEQ;
				break;
			default:
				elog(ERROR, "unexpected type of a key column");
		}
		ScanKeyInit(&scan->keys[i], i + 1, BTEqualStrategyNumber, equal,
					prefix[i]);
		scan->keys[i].sk_collation = scan->index->rd_indcollation[i];
	}

	scan->scan = compat_index_beginscan(open->rel, scan->index,
										GetActiveSnapshot(), prefix_count);
	index_rescan(scan->scan, scan->keys, prefix_count, NULL, 0);
	return scan;
}

/* Read the next row into the place of the last one. */
static Row *
read_row(RowScan *scan, ScanDirection direction)
{
	if (scan->row == NULL)
		scan->row = row_make_stored(scan->work, scan->table);
	return row_fetch_next(scan->scan, direction, &scan->buffer,
						  scan->row->tuple) ? scan->row : NULL;
}

Row *
row_scan_read(RowScan *scan)
{
	return read_row(scan, ForwardScanDirection);
}

/* It is a copy: a large order would otherwise pin one buffer a line. */
Row *
row_scan_keep(RowScan *scan)
{
	Row		   *row = scan->row;

	ExecMaterializeSlot(row->tuple);
	scan->row = NULL;
	return row;
}

static Row *
next_row(RowScan *scan, ScanDirection direction)
{
	return read_row(scan, direction) ? row_scan_keep(scan) : NULL;
}

/* The last row, unless it is kept, would pin its buffer to the call's end. */
void
row_scan_end(RowScan *scan)
{
	if (scan->row)
		ExecClearTuple(scan->row->tuple);
	if (BufferIsValid(scan->buffer))
		ReleaseBuffer(scan->buffer);
	index_endscan(scan->scan);
	pfree(scan);
}

RowScan *
row_scan_begin(Work *work, TableId table, int prefix_count,
			   const Datum *prefix)
{
	return begin_scan(work, table, table_key_count(table), row_key_columns,
					  prefix_count, prefix);
}

Row *
row_scan_next(RowScan *scan)
{
	return next_row(scan, ForwardScanDirection);
}

Row *
row_last(Work *work, TableId table, int column_count,
		 const ColumnId *columns, int prefix_count, const Datum *prefix)
{
	RowScan    *scan;
	Row		   *row;

	if (work->writing)
		row_will_write(work, table);
	scan = begin_scan(work, table, column_count, columns, prefix_count,
					  prefix);
	row = next_row(scan, BackwardScanDirection);
	row_scan_end(scan);
	return row;
}

/* ---- find and lock by primary key ---- */

static Row *
probe(Work *work, TableId table, const Datum *key)
{
	int			key_count = table_key_count(table);
	RowScan    *scan = begin_scan(work, table, key_count, row_key_columns,
								  key_count, key);
	Row		   *row = next_row(scan, ForwardScanDirection);

	row_scan_end(scan);
	return row;
}

/*
 * The transaction's snapshot does not have this row. If the latest one has it,
 * we are too late to know what to answer.
 */
static void
check_not_made_since(Work *work, TableId table, const Datum *key)
{
	Row		   *row;

	PushActiveSnapshot(GetLatestSnapshot());
	row = probe(work, table, key);
	PopActiveSnapshot();
	if (row != NULL)
		row_serialization_failure();
}

static Row *
find(Work *work, TableId table, const Datum *key)
{
	Row		   *row = probe(work, table, key);

	if (row != NULL || !work->writing)
		return row;

	if (IsolationUsesXactSnapshot())
	{
		check_not_made_since(work, table, key);
		return NULL;
	}

	/* Our snapshot may just be older than the row. */
	row_refresh(work);
	return probe(work, table, key);
}

/*
 * Does a later version still have the key? Only keys of bigint and integer are
 * compared: idempotency keys, of text, are never updated.
 */
static bool
key_unchanged(Row *row, const Datum *key)
{
	for (int i = 0; i < table_key_count(row->table); i++)
		if (row_value(row, i + 1) != key[i])
			return false;
	return true;
}

/*
 * Lock the version that a probe found, or with FIND_LAST_VERSION in flags the
 * latest one; the row then has its values. A row that we may not lock because
 * somebody changed it is 40001 in REPEATABLE READ and above. Without flags a
 * row that is not locked in the end is not locked at all:
 * LOCK_UPDATE_IN_PROGRESS would lock the versions that come after the one asked
 * for.
 */
static TM_Result
lock_tuple(Row *row, LockWaitPolicy wait, uint8 flags, bool *traversed)
{
	Relation	rel = row_open_for_write(row->work, row->table)->rel;
	ItemPointerData tid = row->tuple->tts_tid;
	TM_FailureData failure;
	TM_Result	result;

	stop_point("row_lock");
	result = table_tuple_lock(rel, &tid, GetActiveSnapshot(), row->tuple,
							  GetCurrentCommandId(false),
							  LockTupleNoKeyExclusive, wait, flags, &failure);
	*traversed = failure.traversed;
	switch (result)
	{
		case TM_Ok:
			ExecMaterializeSlot(row->tuple);
			stop_point("row_locked");
			break;

		case TM_Updated:
		case TM_Deleted:
			if (IsolationUsesXactSnapshot())
				row_serialization_failure();
			break;

		case TM_WouldBlock:
			break;

		case TM_SelfModified:
		case TM_Invisible:
			ereport(ERROR,
					(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
					 errmsg("row of table \"%s\" was already changed by the current command",
							RelationGetRelationName(rel)),
					 errhint("Consider using an AFTER trigger instead of a BEFORE trigger.")));

		default:
			elog(ERROR, "unexpected table_tuple_lock status: %u", result);
	}
	return result;
}

bool
row_lock_found(Row *row)
{
	Datum		key[MAX_KEYS];
	uint8		flags = TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS;
	bool		traversed;

	if (!IsolationUsesXactSnapshot())
		flags |= TUPLE_LOCK_FLAG_FIND_LAST_VERSION;
	for (int i = 0; i < table_key_count(row->table); i++)
		key[i] = row_value(row, i + 1);
	return lock_tuple(row, LockWaitBlock, flags, &traversed) == TM_Ok &&
		(!traversed || key_unchanged(row, key));
}

bool
row_lock_unchanged(Row *row, bool waits, bool *is_busy)
{
	bool		traversed;
	TM_Result	result = lock_tuple(row, waits ? LockWaitBlock : LockWaitSkip,
									0, &traversed);

	*is_busy = result == TM_WouldBlock;
	return result == TM_Ok;
}

static Row *
lock(Work *work, TableId table, const Datum *key)
{
	bool		looked_again = false;

	row_will_write(work, table);
	for (;;)
	{
		Row		   *row = probe(work, table, key);

		if (row != NULL && row_lock_found(row))
			return row;

		if (IsolationUsesXactSnapshot())
		{
			check_not_made_since(work, table, key);
			return NULL;
		}
		if (row == NULL && looked_again)
			return NULL;

		/* Our snapshot may just be older than the row. */
		CHECK_FOR_INTERRUPTS();
		row_refresh(work);
		looked_again = true;
	}
}

/* Collect the variadic key. */
#define COLLECT_KEY(key, table) \
	do { \
		va_list		args_; \
		va_start(args_, table); \
		for (int i_ = 0; i_ < table_key_count(table); i_++) \
			(key)[i_] = va_arg(args_, Datum); \
		va_end(args_); \
	} while (0)

Row *
row_find(Work *work, TableId table, ...)
{
	Datum		key[MAX_KEYS];

	COLLECT_KEY(key, table);
	return find(work, table, key);
}

Row *
row_lock(Work *work, TableId table, ...)
{
	Datum		key[MAX_KEYS];

	COLLECT_KEY(key, table);
	return lock(work, table, key);
}

Row *
row_look(Work *work, TableId table, ...)
{
	Datum		key[MAX_KEYS];

	COLLECT_KEY(key, table);
	row_will_write(work, table);
	return probe(work, table, key);
}
