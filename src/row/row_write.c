/*
 * row_write.c
 *		Insert, update and delete rows; row_work.c says by which rules.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/sysattr.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/compat.h"
#include "base/stop.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "row/row_target.h"
#include "row/row_work.h"
#include "storage/lmgr.h"
#include "utils/snapmgr.h"

/* The default of a column that is not ours. */
typedef struct AddedColumn
{
	AttrNumber	attnum;
	ExprState  *value;
} AddedColumn;

/* Which columns are ours? */
static bool *
mark_our_columns(const WorkTable *open, int natts)
{
	bool	   *is_ours = palloc0((natts + 1) * sizeof(bool));

	for (int i = 1; i <= MAX_COLUMNS; i++)
		is_ours[open->attnums[i]] = true;
	return is_ours;
}

/* Look up, once a call, the defaults of columns that somebody added. */
static void
prepare_added_columns(WorkTable *open, TableId table)
{
	TupleDesc	desc = RelationGetDescr(open->rel);
	bool	   *is_ours;

	open->added_known = true;
	if (desc->natts == table_column_count(table))
		return;
	is_ours = mark_our_columns(open, desc->natts);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		AddedColumn *added;
		Expr	   *expr;

		if (is_ours[i + 1] || att->attisdropped || att->attgenerated)
			continue;
		expr = (Expr *) build_column_default(open->rel, i + 1);
		if (expr == NULL)
			continue;
		added = palloc(sizeof(AddedColumn));
		added->attnum = i + 1;
		added->value = ExecInitExpr(expression_planner(expr), NULL);
		open->added_columns = lappend(open->added_columns, added);
	}
	pfree(is_ours);
}

Row *
row_new(Work *work, TableId table)
{
	WorkTable  *open = row_open_for_write(work, table);
	Row		   *row = row_make(work, table, &TTSOpsVirtual);
	ListCell   *cell;

	ExecClearTuple(row->tuple);
	memset(row->tuple->tts_isnull, true,
		   row->tuple->tts_tupleDescriptor->natts * sizeof(bool));

	if (!open->added_known)
		prepare_added_columns(open, table);
	foreach(cell, open->added_columns)
	{
		AddedColumn *added = lfirst(cell);

		row->tuple->tts_values[added->attnum - 1] =
			ExecEvalExpr(added->value,
						 GetPerTupleExprContext(work->estate),
						 &row->tuple->tts_isnull[added->attnum - 1]);
	}
	ExecStoreVirtualTuple(row->tuple);
	return row;
}

Row *
row_change(Row *locked)
{
	Row		   *row = row_make(locked->work, locked->table, &TTSOpsVirtual);
	int			natts = row->tuple->tts_tupleDescriptor->natts;

	slot_getallattrs(locked->tuple);
	ExecClearTuple(row->tuple);
	memcpy(row->tuple->tts_values, locked->tuple->tts_values,
		   natts * sizeof(Datum));
	memcpy(row->tuple->tts_isnull, locked->tuple->tts_isnull,
		   natts * sizeof(bool));
	ExecStoreVirtualTuple(row->tuple);

	/* UPDATE OF triggers ask for the columns; nobody else does. */
	if (locked->work->tables[locked->table].rel->trigdesc != NULL)
		row->changed = bms_make_singleton(0);
	return row;
}

/* Purchases are all or nothing: a trigger may fail, but not leave rows out. */
static void
suppressed(Relation rel)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("a trigger on table \"%s\" suppressed a row",
					RelationGetRelationName(rel)),
			 errhint("Raise an error in the trigger to refuse the whole call.")));
}

static void
check_written(Row *row)
{
	if (!ItemPointerIsValid(&row->tuple->tts_tid))
		suppressed(row->work->tables[row->table].rel);
}

static void
insert_one(Row *row)
{
	Work	   *work = row->work;
	ResultRelInfo *result = work->tables[row->table].result;

	compat_forget_generated(result);
	stop_point("row_insert");
	ExecSimpleRelationInsert(result, work->estate, row->tuple);
	check_written(row);
}

void
row_insert(Row *row)
{
	WorkTable  *open = &row->work->tables[row->table];

	if (open->queues)
		open->queue = lappend(open->queue, row);
	else
		insert_one(row);
}

void
row_queue_inserts(Work *work, TableId table)
{
	work->tables[table].queues = true;
}

void
row_inserts_done(Work *work, TableId table)
{
	WorkTable  *open = &work->tables[table];

	if (open->result == NULL || open->queues)
		return;
	row_target_close(open->result, RowExclusiveLock);
	open->result = NULL;
}

/* What a new row must pass before it is written. */
static void
check_new(ResultRelInfo *result, EState *estate, TupleTableSlot *slot)
{
	TupleDesc	desc = RelationGetDescr(result->ri_RelationDesc);
	TupleConstr *constraints = desc->constr;

	compat_forget_generated(result);
	if (constraints && constraints->has_generated_stored)
		ExecComputeStoredGenerated(result, estate, slot, CMD_INSERT);
	if (constraints)
		ExecConstraints(result, slot, estate);
}

/* Insert rows of one table: in fewer WAL records than one by one. */
static void
insert_together(ResultRelInfo *result, EState *estate, List *rows)
{
	int			count = list_length(rows);
	TupleTableSlot **slots = palloc(count * sizeof(TupleTableSlot *));

	for (int i = 0; i < count; i++)
	{
		slots[i] = ((Row *) list_nth(rows, i))->tuple;
		check_new(result, estate, slots[i]);
	}
	stop_point("row_insert_together");
	table_multi_insert(result->ri_RelationDesc, slots, count,
					   GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < count; i++)
	{
		List	   *recheck = NIL;

		if (result->ri_NumIndices > 0)
			recheck = compat_ExecInsertIndexTuples(result, slots[i], estate,
												   false, false, NULL, NIL,
												   false);
		ExecARInsertTriggers(estate, result, slots[i], recheck, NULL);
		list_free(recheck);
		ResetPerTupleExprContext(estate);
	}
	pfree(slots);
}

/* A BEFORE trigger may look at the rows before its own: they must be there. */
void
row_insert_queued(Work *work)
{
	ListCell   *cell;

	for (int i = 0; i < TABLE_COUNT; i++)
	{
		WorkTable  *open = &work->tables[i];
		TriggerDesc *triggers;

		if (open->queue == NIL)
			continue;
		triggers = open->result->ri_TrigDesc;
		if (triggers == NULL || !triggers->trig_insert_before_row)
			insert_together(open->result, work->estate, open->queue);
		else
			foreach(cell, open->queue)
				insert_one(lfirst(cell));
		open->queue = NIL;
	}
}

void
row_update(Row *locked, Row *changed)
{
	Work	   *work = locked->work;
	ResultRelInfo *result = work->tables[locked->table].result;

	compat_forget_generated(result);
	if (changed->changed)
		compat_set_changed_columns(work->estate, result,
								   bms_del_member(changed->changed, 0));
	stop_point("row_update");
	ExecSimpleRelationUpdate(result, work->estate, &work->epqstate,
							 locked->tuple, changed->tuple);
	check_written(changed);
}

/* A trigger may have kept the row, as it was or as a later version. */
static bool
is_deleted(Row *locked)
{
	Relation	rel = locked->work->tables[locked->table].rel;
	Row		   *left = row_make_stored(locked->work, locked->table);
	HeapTupleHeader header;
	bool		deleted;

	if (!table_tuple_fetch_row_version(rel, &locked->tuple->tts_tid,
									   SnapshotAny, left->tuple))
		return true;
	header = ExecFetchSlotHeapTuple(left->tuple, true, NULL)->t_data;
	deleted = (header->t_infomask & HEAP_XMAX_INVALID) == 0 &&
		!HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask) &&
		ItemPointerEquals(&header->t_ctid, &locked->tuple->tts_tid);
	ExecClearTuple(left->tuple);
	return deleted;
}

void
row_delete(Row *locked)
{
	Work	   *work = locked->work;
	ResultRelInfo *result = work->tables[locked->table].result;

	stop_point("row_delete");
	ExecSimpleRelationDelete(result, work->estate, &work->epqstate,
							 locked->tuple);
	if (result->ri_TrigDesc && result->ri_TrigDesc->trig_delete_before_row &&
		!is_deleted(locked))
		suppressed(result->ri_RelationDesc);
}

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
	Datum		value;
	TransactionId xmin;

	if (!IsolationUsesXactSnapshot())
		return;

	other = row_make_stored(work, row->table);
	if (!table_tuple_fetch_row_version(rel, tid, SnapshotAny, other->tuple))
		elog(ERROR, "could not fetch the conflicting row");
	value = slot_getsysattr(other->tuple, MinTransactionIdAttributeNumber,
							&isnull);
	xmin = DatumGetTransactionId(value);
	if (!table_tuple_satisfies_snapshot(rel, other->tuple,
										GetActiveSnapshot()) &&
		!TransactionIdIsCurrentTransactionId(xmin))
		row_serialization_failure();
	ExecClearTuple(other->tuple);
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
		stop_point("row_insert_if_absent");
		ItemPointerSetInvalid(&invalid);
		if (!compat_ExecCheckIndexConstraints(result, row->tuple, work->estate,
											  &conflict, &invalid,
											  arbiters))
		{
			check_conflict_visible(row, &conflict);
			return false;
		}

		stop_point("speculative_insert");
		token = SpeculativeInsertionLockAcquire(GetCurrentTransactionId());
		table_tuple_insert_speculative(rel, row->tuple,
									   GetCurrentCommandId(true), 0, NULL,
									   token);
		stop_point("speculative_index");
		*recheck = compat_ExecInsertIndexTuples(result, row->tuple,
												work->estate, false, true,
												&conflicted, arbiters, false);
		stop_point("speculative_end");
		table_tuple_complete_speculative(rel, row->tuple, token, !conflicted);
		SpeculativeInsertionLockRelease(GetCurrentTransactionId());
		if (!conflicted)
			return true;
		list_free(*recheck);
	}
}

bool
row_insert_if_absent_by(Row *row, int column_count, const ColumnId *columns)
{
	Work	   *work = row->work;
	ResultRelInfo *result = work->tables[row->table].result;
	List	   *arbiters = row_index_arbiters(&work->tables[row->table],
											  column_count, columns);
	List	   *recheck = NIL;

	Assert(table_is_contested(row->table));
	if (result->ri_TrigDesc && result->ri_TrigDesc->trig_insert_before_row &&
		!ExecBRInsertTriggers(work->estate, result, row->tuple))
	{
		ItemPointerSetInvalid(&row->tuple->tts_tid);
		check_written(row);
	}
	check_new(result, work->estate, row->tuple);

	if (!insert_speculatively(row, arbiters, &recheck))
		return false;

	ExecARInsertTriggers(work->estate, result, row->tuple, recheck, NULL);
	list_free(recheck);
	return true;
}

bool
row_insert_if_absent(Row *row)
{
	return row_insert_if_absent_by(row, table_key_count(row->table),
								   row_key_columns);
}
