/*
 * row.c
 *		Find, lock, update, insert one row of a commerce table.
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
 *
 * Locks. Relations stay locked to the end of the transaction, as after a
 * statement. Rows are locked FOR NO KEY UPDATE; which ones in which order is
 * the callers' business.
 *
 * No row is touched twice in one command: row_refresh() is what separates
 * two writes to the same row.
 */
#include "commerce.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "row.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define MAX_KEYS 3

/* A primary key is always the first columns. */
static const AttrNumber key_columns[MAX_KEYS] = {1, 2, 3};

struct RowScan
{
	Work	   *work;
	TableId		table;
	Relation	index;
	bool		index_opened;	/* by the scan itself */
	IndexScanDesc scan;
	ScanKeyData keys[MAX_KEYS];
};

/* The default of a column that is not ours. */
typedef struct AddedColumn
{
	AttrNumber	column;
	ExprState  *value;
} AddedColumn;

/*
 * Tables that row_insert_if_absent() is used on: their unique indexes are
 * prepared for speculative insertion.
 */
static bool
is_contested(TableId table)
{
	switch (table)
	{
		case TABLE_USERS:
		case TABLE_BALANCES:
		case TABLE_COUPON_POLICIES:
		case TABLE_COUPONS:
		case TABLE_PRODUCTS:
		case TABLE_PRODUCT_OPTIONS:
		case TABLE_IDEMPOTENCY_KEYS:
			return true;
		default:
			return false;
	}
}

/* ---- opening and closing ---- */

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

	PushActiveSnapshot(GetTransactionSnapshot());
	row_begin_read(work);
	work->writing = true;
	work->estate->es_output_cid = GetCurrentCommandId(true);
	compat_EvalPlanQualInit(&work->epqstate, work->estate);
	AfterTriggerBeginQuery();
}

void
row_end(Work *work)
{
	if (work->writing)
		AfterTriggerEndQuery(work->estate);

	ExecCloseResultRelations(work->estate);
	ExecResetTupleTable(work->estate->es_tupleTable, false);
	for (int i = 0; i < TABLE_COUNT; i++)
		if (work->tables[i].rel)
			table_close(work->tables[i].rel, NoLock);

	MemoryContextSwitchTo(work->caller_context);
	FreeExecutorState(work->estate);

	if (work->writing)
	{
		PopActiveSnapshot();
		CommandCounterIncrement();
	}
}

void
row_refresh(Work *work)
{
	Assert(work->writing);
	CommandCounterIncrement();
	PopActiveSnapshot();
	PushActiveSnapshot(GetTransactionSnapshot());
	work->estate->es_snapshot = GetActiveSnapshot();
	work->estate->es_output_cid = GetCurrentCommandId(true);
}

static WorkTable *
open_for_read(Work *work, TableId table)
{
	WorkTable  *open = &work->tables[table];

	if (open->rel == NULL)
		open->rel = table_open(table_oid(table), AccessShareLock);
	return open;
}

static WorkTable *
open_for_write(Work *work, TableId table)
{
	WorkTable  *open = &work->tables[table];
	ResultRelInfo *result;

	Assert(work->writing);
	if (open->result != NULL)
		return open;

	if (open->rel == NULL)
		open->rel = table_open(table_oid(table), RowExclusiveLock);
	else
		LockRelationOid(RelationGetRelid(open->rel), RowExclusiveLock);

	result = makeNode(ResultRelInfo);
	InitResultRelInfo(result, open->rel, 0, NULL, 0);
	ExecOpenIndices(result, is_contested(table));
	work->estate->es_opened_result_relations =
		lappend(work->estate->es_opened_result_relations, result);
	open->result = result;
	return open;
}

/* ---- rows ---- */

static Row *
make_row(Work *work, TableId table, const TupleTableSlotOps *ops)
{
	Row		   *row = palloc(sizeof(Row));

	row->work = work;
	row->table = table;
	row->slot = ExecAllocTableSlot(&work->estate->es_tupleTable,
								   RelationGetDescr(work->tables[table].rel),
								   ops);
	row->changed = NULL;
	return row;
}

/* A row that a scan can fill. */
static Row *
make_stored_row(Work *work, TableId table)
{
	return make_row(work, table,
					table_slot_callbacks(work->tables[table].rel));
}

Datum
row_datum(Row *row)
{
	MemoryContext old = MemoryContextSwitchTo(row->work->caller_context);
	Datum		datum;

	/*
	 * Formed anew: a stored tuple may be older than its table's last column,
	 * whose default only the relation's own descriptor knows.
	 */
	slot_getallattrs(row->slot);
	datum = HeapTupleGetDatum(heap_form_tuple(row->slot->tts_tupleDescriptor,
											  row->slot->tts_values,
											  row->slot->tts_isnull));
	MemoryContextSwitchTo(old);
	return datum;
}

/* ---- scans ---- */

static bool
index_has_columns(Relation index, int column_count, const AttrNumber *columns)
{
	Form_pg_index form = index->rd_index;

	if (form->indnkeyatts != column_count || !form->indisvalid)
		return false;
	for (int i = 0; i < column_count; i++)
		if (form->indkey.values[i] != columns[i])
			return false;
	return true;
}

/*
 * The index on exactly these columns, opened. Found by its columns each time,
 * so that REINDEX CONCURRENTLY and a renamed index go unnoticed. *opened tells
 * whether the caller must close it.
 */
static Relation
find_index(WorkTable *open, int column_count, const AttrNumber *columns,
		   bool *opened)
{
	List	   *indexes;
	ListCell   *cell;

	*opened = (open->result == NULL);
	if (open->result)
	{
		for (int i = 0; i < open->result->ri_NumIndices; i++)
			if (index_has_columns(open->result->ri_IndexRelationDescs[i],
								  column_count, columns))
				return open->result->ri_IndexRelationDescs[i];
	}
	else
	{
		indexes = RelationGetIndexList(open->rel);
		foreach(cell, indexes)
		{
			Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

			if (index_has_columns(index, column_count, columns))
				return index;
			index_close(index, AccessShareLock);
		}
	}

	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"%s\" lacks an index that the extension commerce needs",
					RelationGetRelationName(open->rel))));
}

/* Begin a scan under a prefix of the columns of an index. */
static RowScan *
begin_scan(Work *work, TableId table, int column_count,
		   const AttrNumber *columns, int prefix_count, const Datum *prefix,
		   Snapshot snapshot)
{
	RowScan    *scan = palloc(sizeof(RowScan));
	WorkTable  *open = open_for_read(work, table);

	scan->work = work;
	scan->table = table;
	scan->index = find_index(open, column_count, columns,
							 &scan->index_opened);

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

	scan->scan = compat_index_beginscan(open->rel, scan->index, snapshot,
										prefix_count);
	index_rescan(scan->scan, scan->keys, prefix_count, NULL, 0);
	return scan;
}

/*
 * The next row, or NULL. It is a copy: a large order would otherwise pin one
 * buffer a line.
 */
static Row *
next_row(RowScan *scan, ScanDirection direction)
{
	Row		   *row = make_stored_row(scan->work, scan->table);

	if (!index_getnext_slot(scan->scan, direction, row->slot))
		return NULL;
	ExecMaterializeSlot(row->slot);
	return row;
}

void
row_scan_end(RowScan *scan)
{
	index_endscan(scan->scan);
	if (scan->index_opened)
		index_close(scan->index, AccessShareLock);
	pfree(scan);
}

RowScan *
row_scan_begin(Work *work, TableId table, int prefix_count,
			   const Datum *prefix)
{
	return begin_scan(work, table, table_key_count(table), key_columns,
					  prefix_count, prefix, GetActiveSnapshot());
}

Row *
row_scan_next(RowScan *scan)
{
	return next_row(scan, ForwardScanDirection);
}

Row *
row_last(Work *work, TableId table, int column_count,
		 const AttrNumber *columns, int prefix_count, const Datum *prefix)
{
	RowScan    *scan;
	Row		   *row;

	if (work->writing)
		open_for_write(work, table);
	scan = begin_scan(work, table, column_count, columns, prefix_count,
					  prefix, GetActiveSnapshot());
	row = next_row(scan, BackwardScanDirection);
	row_scan_end(scan);
	return row;
}

/* ---- find and lock by primary key ---- */

static void
serialization_failure(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent update")));
}

static Row *
probe(Work *work, TableId table, const Datum *key, Snapshot snapshot)
{
	int			key_count = table_key_count(table);
	RowScan    *scan = begin_scan(work, table, key_count, key_columns,
								  key_count, key, snapshot);
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
	row = probe(work, table, key, GetActiveSnapshot());
	PopActiveSnapshot();
	if (row != NULL)
		serialization_failure();
}

static Row *
find(Work *work, TableId table, const Datum *key)
{
	Row		   *row = probe(work, table, key, GetActiveSnapshot());

	if (row == NULL && work->writing && IsolationUsesXactSnapshot())
		check_not_made_since(work, table, key);
	return row;
}

/* Does a later version still have the key? Locked tables have integer keys. */
static bool
key_unchanged(Row *row, const Datum *key)
{
	for (int i = 0; i < table_key_count(row->table); i++)
		if (row_value(row, i + 1) != key[i])
			return false;
	return true;
}

bool
row_lock_found(Row *row)
{
	Datum		key[MAX_KEYS];
	Relation	rel = open_for_write(row->work, row->table)->rel;
	ItemPointerData tid = row->slot->tts_tid;
	uint8		flags = TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS;
	TM_FailureData failure;
	TM_Result	result;

	for (int i = 0; i < table_key_count(row->table); i++)
		key[i] = row_value(row, i + 1);
	if (!IsolationUsesXactSnapshot())
		flags |= TUPLE_LOCK_FLAG_FIND_LAST_VERSION;

	result = table_tuple_lock(rel, &tid, GetActiveSnapshot(), row->slot,
							  GetCurrentCommandId(false),
							  LockTupleNoKeyExclusive, LockWaitBlock, flags,
							  &failure);
	switch (result)
	{
		case TM_Ok:
			ExecMaterializeSlot(row->slot);
			return !failure.traversed || key_unchanged(row, key);

		case TM_Updated:
		case TM_Deleted:
			if (IsolationUsesXactSnapshot())
				serialization_failure();
			return false;

		case TM_SelfModified:
			ereport(ERROR,
					(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
					 errmsg("row of table \"%s\" was already changed by the current command",
							RelationGetRelationName(rel))));

		default:
			elog(ERROR, "unexpected table_tuple_lock status: %u", result);
	}
	return false;
}

static Row *
lock(Work *work, TableId table, const Datum *key)
{
	bool		looked_again = false;

	for (;;)
	{
		Row		   *row = probe(work, table, key, GetActiveSnapshot());

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
row_find(Work *work, TableId table,...)
{
	Datum		key[MAX_KEYS];

	COLLECT_KEY(key, table);
	return find(work, table, key);
}

Row *
row_lock(Work *work, TableId table,...)
{
	Datum		key[MAX_KEYS];

	COLLECT_KEY(key, table);
	return lock(work, table, key);
}

Row *
row_get(Work *work, TableId table,...)
{
	Datum		key[MAX_KEYS];

	COLLECT_KEY(key, table);
	return work->writing ? lock(work, table, key) : find(work, table, key);
}

/* ---- writing ---- */

/* Look up, once a call, the defaults of columns that somebody added. */
static void
prepare_added_columns(Work *work, WorkTable *open, TableId table)
{
	TupleDesc	desc = RelationGetDescr(open->rel);

	for (int i = table_column_count(table); i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		AddedColumn *added;
		Expr	   *expr;

		if (att->attisdropped || att->attgenerated)
			continue;
		expr = (Expr *) build_column_default(open->rel, i + 1);
		if (expr == NULL)
			continue;
		added = palloc(sizeof(AddedColumn));
		added->column = i + 1;
		added->value = ExecInitExpr(expression_planner(expr), NULL);
		open->added_columns = lappend(open->added_columns, added);
	}
	open->added_known = true;
}

Row *
row_new(Work *work, TableId table)
{
	WorkTable  *open = open_for_write(work, table);
	Row		   *row = make_row(work, table, &TTSOpsVirtual);
	ListCell   *cell;

	ExecClearTuple(row->slot);
	memset(row->slot->tts_isnull, true,
		   row->slot->tts_tupleDescriptor->natts * sizeof(bool));

	if (!open->added_known)
		prepare_added_columns(work, open, table);
	foreach(cell, open->added_columns)
	{
		AddedColumn *added = lfirst(cell);

		row->slot->tts_values[added->column - 1] =
			ExecEvalExpr(added->value,
						 GetPerTupleExprContext(work->estate),
						 &row->slot->tts_isnull[added->column - 1]);
	}
	ExecStoreVirtualTuple(row->slot);
	return row;
}

Row *
row_change(Row *locked)
{
	Row		   *row = make_row(locked->work, locked->table, &TTSOpsVirtual);
	int			natts = row->slot->tts_tupleDescriptor->natts;

	slot_getallattrs(locked->slot);
	ExecClearTuple(row->slot);
	memcpy(row->slot->tts_values, locked->slot->tts_values,
		   natts * sizeof(Datum));
	memcpy(row->slot->tts_isnull, locked->slot->tts_isnull,
		   natts * sizeof(bool));
	ExecStoreVirtualTuple(row->slot);

	/* UPDATE OF triggers ask for the columns; nobody else does. */
	if (locked->work->tables[locked->table].rel->trigdesc != NULL)
		row->changed = bms_make_singleton(0);
	return row;
}

/* Purchases are all or nothing: a trigger may fail, but not leave rows out. */
static void
check_written(Row *row)
{
	if (!ItemPointerIsValid(&row->slot->tts_tid))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("a trigger on table \"%s\" suppressed a row",
						RelationGetRelationName(row->work->tables[row->table].rel)),
				 errhint("Raise an error in the trigger to refuse the whole call.")));
}

void
row_insert(Row *row)
{
	Work	   *work = row->work;

	ExecSimpleRelationInsert(work->tables[row->table].result, work->estate,
							 row->slot);
	check_written(row);
}

void
row_update(Row *locked, Row *changed)
{
	Work	   *work = locked->work;
	ResultRelInfo *result = work->tables[locked->table].result;

	if (changed->changed)
		compat_set_changed_columns(work->estate, result,
								   bms_del_member(changed->changed, 0));
	ExecSimpleRelationUpdate(result, work->estate, &work->epqstate,
							 locked->slot, changed->slot);
	check_written(changed);
}

/* ---- insert if absent ---- */

/*
 * In REPEATABLE READ and above, doing nothing for a row that the snapshot
 * cannot see would be an answer from the future.
 */
static void
check_conflict_visible(Row *row, ItemPointer tid)
{
	Work	   *work = row->work;
	Relation	rel = work->tables[row->table].rel;
	Row		   *other;
	bool		isnull;
	TransactionId xmin;

	if (!IsolationUsesXactSnapshot())
		return;

	other = make_stored_row(work, row->table);
	if (!table_tuple_fetch_row_version(rel, tid, SnapshotAny, other->slot))
		elog(ERROR, "could not fetch the conflicting row");
	xmin = DatumGetTransactionId(slot_getsysattr(other->slot,
												 MinTransactionIdAttributeNumber,
												 &isnull));
	if (!table_tuple_satisfies_snapshot(rel, other->slot, GetActiveSnapshot()) &&
		!TransactionIdIsCurrentTransactionId(xmin))
		serialization_failure();
	ExecClearTuple(other->slot);
}

/* Put the row in speculatively until it is in or another one is there. */
static bool
insert_speculatively(Row *row, List *arbiters, List **recheck)
{
	Work	   *work = row->work;
	ResultRelInfo *result = work->tables[row->table].result;
	Relation	rel = result->ri_RelationDesc;

	for (;;)
	{
		ItemPointerData conflict;
		ItemPointerData invalid;
		bool		conflicted = false;
		uint32		token;

		CHECK_FOR_INTERRUPTS();
		ItemPointerSetInvalid(&invalid);
		if (!compat_ExecCheckIndexConstraints(result, row->slot, work->estate,
											  &conflict, &invalid,
											  arbiters))
		{
			check_conflict_visible(row, &conflict);
			return false;
		}

		token = SpeculativeInsertionLockAcquire(GetCurrentTransactionId());
		table_tuple_insert_speculative(rel, row->slot,
									   GetCurrentCommandId(true), 0, NULL,
									   token);
		*recheck = compat_ExecInsertIndexTuples(result, row->slot,
												work->estate, false, true,
												&conflicted, arbiters, false);
		table_tuple_complete_speculative(rel, row->slot, token, !conflicted);
		SpeculativeInsertionLockRelease(GetCurrentTransactionId());
		if (!conflicted)
			return true;
		list_free(*recheck);
	}
}

bool
row_insert_if_absent_by(Row *row, int column_count, const AttrNumber *columns)
{
	Work	   *work = row->work;
	WorkTable  *open = &work->tables[row->table];
	ResultRelInfo *result = open->result;
	TupleConstr *constraints = RelationGetDescr(open->rel)->constr;
	bool		opened;
	Relation	arbiter = find_index(open, column_count, columns, &opened);
	List	   *recheck = NIL;

	Assert(is_contested(row->table));
	if (result->ri_TrigDesc && result->ri_TrigDesc->trig_insert_before_row &&
		!ExecBRInsertTriggers(work->estate, result, row->slot))
	{
		ItemPointerSetInvalid(&row->slot->tts_tid);
		check_written(row);
	}
	if (constraints && constraints->has_generated_stored)
		ExecComputeStoredGenerated(result, work->estate, row->slot,
								   CMD_INSERT);
	if (constraints)
		ExecConstraints(result, row->slot, work->estate);

	if (!insert_speculatively(row, list_make1_oid(RelationGetRelid(arbiter)),
							  &recheck))
		return false;

	ExecARInsertTriggers(work->estate, result, row->slot, recheck, NULL);
	list_free(recheck);
	return true;
}

bool
row_insert_if_absent(Row *row)
{
	return row_insert_if_absent_by(row, table_key_count(row->table),
								   key_columns);
}
