/*
 * row_update.c
 *		Update a row that nobody has locked: the update is then the lock.
 *
 * A lock is a change of the row's page and a record in the WAL, as the update
 * is. Whoever decides by what a snapshot shows, and can give up by an error,
 * need not write twice: the update itself fails where the row is no longer as
 * the snapshot has it.
 *
 * First we look whether anybody holds the row. If so, nothing is written, and
 * the caller locks it as ever: that waits, or goes to another row, and reads
 * what the holder leaves. Whoever comes between our look and the update is
 * waited for; a row that has changed then is not written either.
 *
 * Only plain tables: a BEFORE trigger must not fire for what is not written,
 * and what a trigger sees of a call is not to depend on who else was there.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/compat.h"
#include "base/stop.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "row/row_work.h"
#include "storage/bufmgr.h"
#include "utils/snapmgr.h"

bool
row_is_plain(Work *work, TableId table)
{
	Relation	rel = row_open_for_write(work, table)->rel;
	TupleConstr *constraints = RelationGetDescr(rel)->constr;

	return rel->trigdesc == NULL && row_is_in_heap(rel) &&
		!rel->rd_rel->relispartition &&
		(constraints == NULL ||
		 (!constraints->has_generated_stored &&
		  !compat_has_virtual_columns(constraints)));
}

/* Is this the latest version, and does nobody hold it? */
static bool
is_free(Relation rel, ItemPointer tid)
{
	Buffer		buffer = ReadBuffer(rel, ItemPointerGetBlockNumber(tid));
	Page		page = BufferGetPage(buffer);
	ItemId		item;
	bool		is_free = false;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	item = PageGetItemId(page, ItemPointerGetOffsetNumber(tid));
	if (ItemIdIsNormal(item))
	{
		HeapTupleData version;

		version.t_data = (HeapTupleHeader) PageGetItem(page, item);
		version.t_len = ItemIdGetLength(item);
		version.t_tableOid = RelationGetRelid(rel);
		version.t_self = *tid;
		is_free = HeapTupleSatisfiesUpdate(&version,
										   GetCurrentCommandId(false),
										   buffer) == TM_Ok;
	}
	UnlockReleaseBuffer(buffer);
	return is_free;
}

/* As ExecSimpleRelationUpdate() goes on after a plain update. */
static void
insert_index_entries(ResultRelInfo *result, EState *estate,
					 TupleTableSlot *tuple, bool only_summarizing)
{
	List	   *recheck = compat_ExecInsertIndexTuples(result, tuple, estate,
													   true, false, NULL, NIL,
													   only_summarizing);

	/* What is checked later is checked by triggers. */
	Assert(recheck == NIL);
	list_free(recheck);
}

bool
row_update_unchanged(Row *found, Row *changed)
{
	Work	   *work = found->work;
	ItemPointer tid = &found->tuple->tts_tid;
	TM_FailureData failure;
	bool		update_indexes;
	bool		only_summarizing;
	ResultRelInfo *result;
	Relation	rel;

	if (!row_is_plain(work, found->table))
		return false;
	result = work->tables[found->table].result;
	rel = result->ri_RelationDesc;
	if (!is_free(rel, tid))
		return false;

	CheckCmdReplicaIdentity(rel, CMD_UPDATE);
	if (RelationGetDescr(rel)->constr)
		ExecConstraints(result, changed->tuple, work->estate);
	stop_point("row_update_unchanged");
	switch (compat_table_tuple_update(rel, tid, changed->tuple,
									  GetCurrentCommandId(true),
									  work->estate->es_snapshot, &failure,
									  &update_indexes, &only_summarizing))
	{
		case TM_Ok:
			break;
		case TM_Updated:
		case TM_Deleted:
			return false;
		default:
			elog(ERROR, "unexpected result of an update of table \"%s\"",
				 RelationGetRelationName(rel));
	}
	if (update_indexes && result->ri_NumIndices > 0)
		insert_index_entries(result, work->estate, changed->tuple,
							 only_summarizing);
	return true;
}
