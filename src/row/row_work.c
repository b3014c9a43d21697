/*
 * row_work.c
 *		The work of one call: open and close what it needs.
 *
 * This is the executor-level interface that logical replication's apply
 * worker uses, without plans: indexes, CHECKs, generated columns and row
 * triggers work as for any statement, table ACLs are not looked at (EXECUTE
 * on the entry point is the gate), statement triggers do not fire.
 *
 * Snapshots. A writing call pushes one fresh snapshot, GetTransactionSnapshot,
 * which in REPEATABLE READ and above is the transaction's own. Probing with it
 * and then locking the latest version is what SELECT ... FOR NO KEY UPDATE
 * does: READ COMMITTED follows the row to its latest version, the levels above
 * raise 40001. A row that a probe does not find may have been made since: READ
 * COMMITTED looks again with a newer snapshot, the levels above look with the
 * latest one and raise 40001 when it is there. So nobody is refused for what
 * an old snapshot cannot see. As the scans use MVCC snapshots, SSI sees them.
 * Where an update can be its own lock, row_update.c does both in one.
 * A table that was rewritten has no rows for older snapshots: follow_changes().
 *
 * Locks. Relations stay locked to the end of the transaction, as after a
 * statement; but the indexes of a table that is only inserted into not longer
 * than needed (row_inserts_done()), since PostgreSQL keeps 16 of a session's
 * relation locks where it meets nobody else. Rows are locked FOR NO KEY
 * UPDATE; which ones in which order is the callers' business.
 *
 * No row is touched twice in one command: row_refresh() is what separates
 * two writes to the same row.
 *
 * This file opens and closes; row_target.c keeps what opening a table for
 * writing needs; row_index.c tells which index fits; row_fetch.c reads what it
 * leads to; row_scan.c finds and locks, row_write.c and row_update.c write.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/bucket_lock.h"
#include "base/compat.h"
#include "base/stop.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "row/row_target.h"
#include "row/row_work.h"
#include "storage/lmgr.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* Rows of a table in one call before their descriptor is worth a copy. */
#define FEW_TUPLES 16

const ColumnId row_key_columns[MAX_KEYS] = {1, 2, 3};

void
row_begin_read(Work *work)
{
	memset(work, 0, sizeof(Work));
	work->caller_context = CurrentMemoryContext;
	work->estate = CreateExecutorState();
	work->estate->es_snapshot = GetActiveSnapshot();
	MemoryContextSwitchTo(work->estate->es_query_cxt);
}

void
row_begin_write(Work *work, const char *function)
{
	PreventCommandIfReadOnly(function);
	PreventCommandIfParallelMode(function);

	bucket_begin_write();
	PushActiveSnapshot(GetTransactionSnapshot());
	row_begin_read(work);
	work->snapshot_count = 1;
	work->changes_seen = row_target_changes;
	work->writing = true;
	work->estate->es_output_cid = GetCurrentCommandId(true);
	compat_EvalPlanQualInit(&work->epqstate, work->estate);
	AfterTriggerBeginQuery();
	stop_point("row_begin_write");
}

void
row_end(Work *work)
{
	ListCell   *cell;

	if (work->writing)
	{
		row_insert_queued(work);
		AfterTriggerEndQuery(work->estate);
	}

	for (int i = 0; i < TABLE_COUNT; i++)
		if (work->tables[i].result)
			row_target_close(work->tables[i].result, NoLock);
	ExecCloseResultRelations(work->estate);
	ExecResetTupleTable(work->estate->es_tupleTable, false);
	for (int i = 0; i < TABLE_COUNT; i++)
	{
		foreach(cell, work->tables[i].read_indexes)
			index_close(lfirst(cell), NoLock);
		if (work->tables[i].rel)
			table_close(work->tables[i].rel, NoLock);
	}

	MemoryContextSwitchTo(work->caller_context);
	FreeExecutorState(work->estate);

	for (int i = 0; i < work->snapshot_count; i++)
		PopActiveSnapshot();
	if (work->writing)
		CommandCounterIncrement();
}

void
row_refresh(Work *work)
{
	Assert(work->writing);
	CommandCounterIncrement();
	stop_point("row_refresh");
	PopActiveSnapshot();
	PushActiveSnapshot(GetTransactionSnapshot());
	work->changes_seen = row_target_changes;
	work->estate->es_snapshot = GetActiveSnapshot();
	work->estate->es_output_cid = GetCurrentCommandId(true);
}

/* Has somebody altered the table whom the snapshot does not see? */
static bool
was_altered_since(Relation rel, Snapshot snapshot)
{
	Datum		relid = ObjectIdGetDatum(RelationGetRelid(rel));
	HeapTuple	tuple = SearchSysCache1(RELOID, relid);
	TransactionId xid = HeapTupleHeaderGetXmin(tuple->t_data);

	ReleaseSysCache(tuple);
	return !TransactionIdIsCurrentTransactionId(xid) &&
		XidInMVCCSnapshot(xid, snapshot);
}

/*
 * Whoever rewrites a table, by ALTER TABLE or pg_repack say, writes its rows
 * anew, and an older snapshot does not see these. So once we have the lock, the
 * snapshot must be newer than whatever was done to the table. The older one
 * stays where it is: scans of other tables may have it.
 */
static void
follow_changes(Work *work, Relation rel)
{
	if (IsolationUsesXactSnapshot())
	{
		if (was_altered_since(rel, GetActiveSnapshot()))
			row_serialization_failure();
	}
	else if (work->changes_seen != row_target_changes)
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		work->snapshot_count++;
		work->changes_seen = row_target_changes;
		work->estate->es_snapshot = GetActiveSnapshot();
	}
}

/*
 * Open what bears the table's name once we hold the lock: waiting for it, we
 * may have let somebody change or replace the table. Asking table_oid() again
 * finds the columns anew.
 */
static void
open_table(Work *work, TableId table, LOCKMODE mode)
{
	WorkTable  *open = &work->tables[table];

	for (;;)
	{
		Oid			relid = table_oid(table);

		open->rel = try_table_open(relid, mode);
		if (open->rel != NULL && relid == table_oid(table))
			break;
		if (open->rel != NULL)
			table_close(open->rel, mode);
	}
	open->attnums = table_attnums(table);
	if (work->writing)
		follow_changes(work, open->rel);
}

WorkTable *
row_open_for_read(Work *work, TableId table)
{
	WorkTable  *open = &work->tables[table];

	if (open->rel == NULL)
		open_table(work, table, AccessShareLock);
	return open;
}

WorkTable *
row_open_for_write(Work *work, TableId table)
{
	WorkTable  *open = &work->tables[table];
	ResultRelInfo *result;

	Assert(work->writing);
	if (open->result != NULL)
		return open;

	/* Having read it does not spare it from change before we write. */
	if (open->rel == NULL)
		open_table(work, table, RowExclusiveLock);
	else
	{
		LockRelationOid(RelationGetRelid(open->rel), RowExclusiveLock);
		(void) table_oid(table);
	}

	result = makeNode(ResultRelInfo);
	InitResultRelInfo(result, open->rel, 0, NULL, 0);
	row_target_open(result, table);
	work->estate->es_opened_result_relations =
		lappend(work->estate->es_opened_result_relations, result);
	open->result = result;
	return open;
}

void
row_will_write(Work *work, TableId table)
{
	(void) row_open_for_write(work, table);
}

/*
 * The descriptor for one more row. A row pins the relation's own one, and
 * thousands of pins of one thing are slow; a copy is not pinned.
 */
static TupleDesc
tuple_descriptor(WorkTable *open)
{
	if (open->tuple_count++ < FEW_TUPLES)
		return RelationGetDescr(open->rel);
	if (open->copied_desc == NULL)
		open->copied_desc =
			CreateTupleDescCopyConstr(RelationGetDescr(open->rel));
	return open->copied_desc;
}

Row *
row_make(Work *work, TableId table, const TupleTableSlotOps *ops)
{
	Row		   *row = palloc(sizeof(Row));

	row->work = work;
	row->table = table;
	row->attnums = work->tables[table].attnums;
	row->tuple = ExecAllocTableSlot(&work->estate->es_tupleTable,
									tuple_descriptor(&work->tables[table]),
									ops);
	row->changed = NULL;
	return row;
}

Row *
row_make_stored(Work *work, TableId table)
{
	return row_make(work, table,
					table_slot_callbacks(work->tables[table].rel));
}

Datum
row_datum(Row *row)
{
	MemoryContext old = MemoryContextSwitchTo(row->work->caller_context);
	Relation	rel = row->work->tables[row->table].rel;
	Datum		datum;

	/*
	 * Formed anew: a stored tuple may be older than its table's last column,
	 * whose default only the relation's own descriptor knows.
	 */
	slot_getallattrs(row->tuple);
	datum = HeapTupleGetDatum(heap_form_tuple(RelationGetDescr(rel),
											  row->tuple->tts_values,
											  row->tuple->tts_isnull));
	MemoryContextSwitchTo(old);
	return datum;
}

void
row_serialization_failure(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent update")));
}
