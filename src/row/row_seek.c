/*
 * row_seek.c
 *		Many looks along one index, which may be partial, be it at what others
 *		have not committed.
 *
 * row_scan.c is for the primary keys, one scan a look. A seek is begun once a
 * call and then looks for many keys, or through a range of times.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/tableam.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "row/row_work.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"

/* Equalities, and both ends of a range. */
#define MAX_SEEK_KEYS	(MAX_KEYS + 1)

struct RowSeek
{
	Work	   *work;
	TableId		table;
	Relation	index;
	Oid			types[MAX_KEYS];
	bool		sees_uncommitted;
	SnapshotData uncommitted;
	Snapshot	latest;			/* of a second look; NULL: none */
	IndexScanDesc scan;
	ScanKeyData keys[MAX_SEEK_KEYS];
	int			key_count;
	int64		invisible_count;
	Row		   *row;			/* the last one read, unless it is kept */
};

/* ---- the index ---- */

/* Does the index have every row for which the column is, or is not, NULL? */
static bool
has_all_rows(Relation index, const WorkTable *open, const RowIndex *wanted)
{
	List	   *predicate = RelationGetIndexPredicate(index);
	NullTest   *test;
	AttrNumber	attnum;
	Form_pg_attribute column;

	if (predicate == NIL)
		return true;
	if (wanted->null_column == 0)
		return false;
	attnum = open->attnums[wanted->null_column];
	column = TupleDescAttr(RelationGetDescr(open->rel), attnum - 1);
	test = makeNode(NullTest);
	test->arg = (Expr *) makeVar(1, attnum, column->atttypid,
								 column->atttypmod, column->attcollation, 0);
	test->nulltesttype = wanted->is_null ? IS_NULL : IS_NOT_NULL;
	test->argisrow = false;
	test->location = -1;
	return predicate_implied_by(predicate, list_make1(test), false);
}

static bool
fits(Relation index, const WorkTable *open, const RowIndex *wanted)
{
	Form_pg_index form = index->rd_index;

	if (form->indnkeyatts != wanted->column_count || !form->indisvalid ||
		index->rd_rel->relam != BTREE_AM_OID)
		return false;
	for (int i = 0; i < wanted->column_count; i++)
		if (form->indkey.values[i] != open->attnums[wanted->columns[i]] ||
			index->rd_indoption[i] != 0)
			return false;
	return has_all_rows(index, open, wanted);
}

static Relation
find_index(WorkTable *open, const RowIndex *wanted)
{
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(open->rel))
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (fits(index, open, wanted))
		{
			open->read_indexes = lappend(open->read_indexes, index);
			return index;
		}
		index_close(index, AccessShareLock);
	}
	row_lacks_index(open->rel);
}

/* ---- looking ---- */

RowSeek *
row_seek_begin(Work *work, TableId table, const RowIndex *index,
			   bool sees_uncommitted)
{
	RowSeek    *seek = palloc0(sizeof(RowSeek));
	WorkTable  *open = row_open_for_read(work, table);
	Snapshot	snapshot = GetActiveSnapshot();

	seek->work = work;
	seek->table = table;
	seek->index = find_index(open, index);
	for (int i = 0; i < index->column_count; i++)
		seek->types[i] = table_column_type(table, index->columns[i]);
	seek->sees_uncommitted = sees_uncommitted;
	if (sees_uncommitted)
	{
		InitDirtySnapshot(seek->uncommitted);
		snapshot = &seek->uncommitted;
	}
	/* As many keys as there may be; looking tells how many there are. */
	seek->scan = compat_index_beginscan(open->rel, seek->index, snapshot,
										index->column_count + 1);
	return seek;
}

static void
add_key(RowSeek *seek, int n, int column, StrategyNumber strategy,
		Datum value)
{
	RegProcedure procedure;

	switch (seek->types[column])
	{
		case INT8OID:
			procedure = strategy == BTEqualStrategyNumber ? F_INT8EQ :
				strategy == BTGreaterEqualStrategyNumber ? F_INT8GE : F_INT8LE;
			break;
		case INT4OID:
			procedure = strategy == BTEqualStrategyNumber ? F_INT4EQ :
				strategy == BTGreaterEqualStrategyNumber ? F_INT4GE : F_INT4LE;
			break;
		case TIMESTAMPTZOID:
			procedure = strategy == BTEqualStrategyNumber ? F_TIMESTAMPTZ_EQ :
				strategy == BTGreaterEqualStrategyNumber ? F_TIMESTAMPTZ_GE :
				F_TIMESTAMPTZ_LE;
			break;
		default:
			elog(ERROR, "unexpected type of an index column");
	}
	ScanKeyInit(&seek->keys[n], column + 1, strategy, procedure, value);
}

static void
end_second_look(RowSeek *seek)
{
	if (seek->latest == NULL)
		return;
	seek->scan->xs_snapshot = &seek->uncommitted;
	UnregisterSnapshot(seek->latest);
	seek->latest = NULL;
}

static void
look(RowSeek *seek, int key_count)
{
	end_second_look(seek);
	seek->key_count = key_count;
	seek->scan->numberOfKeys = key_count;
	index_rescan(seek->scan, seek->keys, key_count, NULL, 0);
	seek->invisible_count = 0;
}

/*
 * A look at what is uncommitted may miss a row: we read a page of the index,
 * the row is updated, which adds an entry to that page, and the version that we
 * go to is gone. So where an entry led to no row we look again, with a snapshot
 * of now: of whatever was committed by then, or done by this call, it has one
 * version.
 */
static bool
begin_second_look(RowSeek *seek)
{
	if (!seek->sees_uncommitted || seek->latest != NULL ||
		seek->invisible_count == 0)
		return false;
	seek->latest = RegisterSnapshot(GetLatestSnapshot());
	seek->latest->curcid = GetCurrentCommandId(false) + 1;
	seek->scan->xs_snapshot = seek->latest;
	index_rescan(seek->scan, seek->keys, seek->key_count, NULL, 0);
	return true;
}

void
row_seek(RowSeek *seek, int count, const Datum *values)
{
	for (int i = 0; i < count; i++)
		add_key(seek, i, i, BTEqualStrategyNumber, values[i]);
	look(seek, count);
}

void
row_seek_range(RowSeek *seek, int count, const Datum *values, Datum from,
			   Datum until)
{
	for (int i = 0; i < count; i++)
		add_key(seek, i, i, BTEqualStrategyNumber, values[i]);
	add_key(seek, count, count, BTGreaterEqualStrategyNumber, from);
	add_key(seek, count + 1, count, BTLessEqualStrategyNumber, until);
	look(seek, count + 2);
}

Row *
row_seek_next(RowSeek *seek)
{
	IndexScanDesc scan = seek->scan;

	if (seek->row == NULL)
		seek->row = row_make_stored(seek->work, seek->table);
	for (;;)
	{
		if (!scan->xs_heap_continue &&
			index_getnext_tid(scan, ForwardScanDirection) == NULL)
		{
			if (begin_second_look(seek))
				continue;
			return NULL;
		}
		if (index_fetch_heap(scan, seek->row->tuple))
			return seek->row;
		seek->invisible_count++;
	}
}

Row *
row_seek_keep(RowSeek *seek)
{
	Row		   *row = seek->row;

	ExecMaterializeSlot(row->tuple);
	seek->row = NULL;
	return row;
}

bool
row_seek_is_inserting(const RowSeek *seek)
{
	return seek->latest == NULL &&
		TransactionIdIsValid(seek->uncommitted.xmin);
}

TransactionId
row_seek_inserter(const RowSeek *seek)
{
	return seek->uncommitted.xmin;
}

int64
row_seek_invisible_count(const RowSeek *seek)
{
	return seek->invisible_count;
}

bool
row_seek_is_in_snapshot(const RowSeek *seek)
{
	Relation	rel = seek->work->tables[seek->table].rel;

	return table_tuple_satisfies_snapshot(rel, seek->row->tuple,
										  GetActiveSnapshot());
}

bool
row_seek_is_gone(const RowSeek *seek)
{
	Relation	rel = seek->work->tables[seek->table].rel;
	Snapshot	latest = RegisterSnapshot(GetLatestSnapshot());
	bool		is_there = table_tuple_satisfies_snapshot(rel,
														  seek->row->tuple,
														  latest);

	UnregisterSnapshot(latest);
	return !is_there;
}

void
row_seek_end(RowSeek *seek)
{
	if (seek->row)
		ExecClearTuple(seek->row->tuple);
	end_second_look(seek);
	index_endscan(seek->scan);
	pfree(seek);
}
