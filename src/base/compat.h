/*
 * compat.h
 *		All differences between server versions.
 *
 * Nothing else tests PG_VERSION_NUM. Each wrapper takes the newest signature
 * and says what changed when.
 */
#ifndef COMMERCE_COMPAT_H
#define COMMERCE_COMPAT_H

#include "access/genam.h"
#include "access/tableam.h"
#include "executor/executor.h"
#include "nodes/parsenodes.h"
#include "utils/guc.h"
#include "utils/rel.h"

/* 16 moved VARDATA_ANY and its kin, and the permissions of a range table */
#if PG_VERSION_NUM >= 160000
#include "parser/parse_relation.h"
#include "varatt.h"
#endif

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "commerce supports PostgreSQL 15 to 18"
#endif

#ifndef HAVE_INT128
#error "commerce needs a 128-bit integer type"
#endif

/* 15.4 and 16 know databases whose DROP was interrupted */
#include "catalog/pg_database.h"
#ifndef DATCONNLIMIT_INVALID_DB
#define DATCONNLIMIT_INVALID_DB (-2)
#endif

/* 17 gives extensions wait events of their own names */
#include "utils/wait_event.h"
#if PG_VERSION_NUM >= 170000
#define compat_wait_event(name) WaitEventExtensionNew(name)
#else
#define compat_wait_event(name) PG_WAIT_EXTENSION
#endif

/* 17 replaced pgprocno */
#if PG_VERSION_NUM >= 170000
#define compat_my_proc_number() ((int) MyProcNumber)
#else
#define compat_my_proc_number() MyProc->pgprocno
#endif

/* 18 replaced pg_attribute_noreturn() */
#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

/* 16 frees what a check hook leaves with an allocator of its own */
static inline void *
compat_guc_malloc(size_t size)
{
#if PG_VERSION_NUM >= 160000
	return guc_malloc(LOG, size);
#else
	return malloc(size);
#endif
}

/*
 * 15 keeps one list of generated columns to compute per target: that of the
 * first INSERT or UPDATE, whatever comes after. 16 keeps one of each.
 */
static inline void
compat_forget_generated(ResultRelInfo *relinfo)
{
#if PG_VERSION_NUM < 160000
	relinfo->ri_GeneratedExprs = NULL;
#endif
}

/* 16 added onlySummarizing */
static inline List *
compat_ExecInsertIndexTuples(ResultRelInfo *relinfo, TupleTableSlot *slot,
							 EState *estate, bool update, bool noDupErr,
							 bool *specConflict, List *arbiterIndexes,
							 bool onlySummarizing)
{
#if PG_VERSION_NUM >= 160000
	return ExecInsertIndexTuples(relinfo, slot, estate, update, noDupErr,
								 specConflict, arbiterIndexes,
								 onlySummarizing);
#else
	return ExecInsertIndexTuples(relinfo, slot, estate, update, noDupErr,
								 specConflict, arbiterIndexes);
#endif
}

/*
 * Update a row in the version at otid, and say which of its indexes need an
 * entry. 16 tells apart those that only summarize.
 */
static inline TM_Result
compat_table_tuple_update(Relation rel, ItemPointer otid, TupleTableSlot *slot,
						  CommandId cid, Snapshot snapshot,
						  TM_FailureData *failure, bool *update_indexes,
						  bool *only_summarizing)
{
	LockTupleMode lockmode;
	TM_Result	result;
#if PG_VERSION_NUM >= 160000
	TU_UpdateIndexes needed;
#else
	bool		needed;
#endif

	result = table_tuple_update(rel, otid, slot, cid, snapshot,
								InvalidSnapshot, true, failure, &lockmode,
								&needed);
#if PG_VERSION_NUM >= 160000
	*update_indexes = needed != TU_None;
	*only_summarizing = needed == TU_Summarizing;
#else
	*update_indexes = needed;
	*only_summarizing = false;
#endif
	return result;
}

/* 18 added tupleid, the row that may not conflict with itself */
static inline bool
compat_ExecCheckIndexConstraints(ResultRelInfo *relinfo, TupleTableSlot *slot,
								 EState *estate, ItemPointer conflictTid,
								 ItemPointer tupleid, List *arbiterIndexes)
{
#if PG_VERSION_NUM >= 180000
	return ExecCheckIndexConstraints(relinfo, slot, estate, conflictTid,
									 tupleid, arbiterIndexes);
#else
	return ExecCheckIndexConstraints(relinfo, slot, estate, conflictTid,
									 arbiterIndexes);
#endif
}

/* 16 added resultRelations */
static inline void
compat_EvalPlanQualInit(EPQState *epqstate, EState *estate)
{
#if PG_VERSION_NUM >= 160000
	EvalPlanQualInit(epqstate, estate, NULL, NIL, -1, NIL);
#else
	EvalPlanQualInit(epqstate, estate, NULL, NIL, -1);
#endif
}

/* 17 lets an index finish what its insertions began */
static inline void
compat_index_insert_cleanup(Relation index, IndexInfo *info)
{
#if PG_VERSION_NUM >= 170000
	index_insert_cleanup(index, info);
#endif
}

/* 18 renamed ri_ConstraintExprs, the states of the CHECKs */
#if PG_VERSION_NUM >= 180000
#define compat_check_states(relinfo) (relinfo)->ri_CheckConstraintExprs
#else
#define compat_check_states(relinfo) (relinfo)->ri_ConstraintExprs
#endif

/* 18 added virtual generated columns */
#if PG_VERSION_NUM >= 180000
#define compat_has_virtual_columns(constraints) \
	(constraints)->has_generated_virtual
#else
#define compat_has_virtual_columns(constraints) false
#endif

/* 17 lets the notification queue be smaller than 8 GB */
#if PG_VERSION_NUM >= 170000
#include "commands/async.h"
#endif
static inline bool
compat_notify_queue_is_small(void)
{
#if PG_VERSION_NUM >= 170000
	return max_notify_queue_pages < 1024 * 1024 * 1024 / BLCKSZ;
#else
	return false;
#endif
}

/* 17 knows intervals without end */
static inline bool
compat_interval_is_noend(const Interval *interval)
{
#if PG_VERSION_NUM >= 170000
	return INTERVAL_IS_NOEND(interval);
#else
	return false;
#endif
}

/* 18 added instrument */
static inline IndexScanDesc
compat_index_beginscan(Relation heap, Relation index, Snapshot snapshot,
					   int nkeys)
{
#if PG_VERSION_NUM >= 180000
	return index_beginscan(heap, index, snapshot, NULL, nkeys, 0);
#else
	return index_beginscan(heap, index, snapshot, nkeys, 0);
#endif
}

/*
 * Give the target of a change a range table entry that names the changed
 * columns, for the triggers that ask (UPDATE OF). 16 moved the columns to
 * RTEPermissionInfo, 18 made ExecInitRangeTable ask for the unpruned set.
 */
static inline void
compat_set_changed_columns(EState *estate, ResultRelInfo *relinfo,
						   Bitmapset *columns)
{
	Relation	rel = relinfo->ri_RelationDesc;
	RangeTblEntry *rte;
	List	   *range_table;

	if (relinfo->ri_RangeTableIndex == 0)
	{
#if PG_VERSION_NUM >= 160000
		List	   *permissions = list_copy(estate->es_rteperminfos);
#endif

		rte = makeNode(RangeTblEntry);
		rte->rtekind = RTE_RELATION;
		rte->relid = RelationGetRelid(rel);
		rte->relkind = rel->rd_rel->relkind;
		rte->rellockmode = RowExclusiveLock;
		range_table = lappend(list_copy(estate->es_range_table), rte);
#if PG_VERSION_NUM >= 160000
		addRTEPermissionInfo(&permissions, rte);
#endif

#if PG_VERSION_NUM >= 180000
		ExecInitRangeTable(estate, range_table, permissions,
						   bms_add_range(NULL, 1, list_length(range_table)));
#elif PG_VERSION_NUM >= 160000
		ExecInitRangeTable(estate, range_table, permissions);
#else
		ExecInitRangeTable(estate, range_table);
#endif
		relinfo->ri_RangeTableIndex = list_length(range_table);
	}

	rte = exec_rt_fetch(relinfo->ri_RangeTableIndex, estate);
#if PG_VERSION_NUM >= 160000
	getRTEPermissionInfo(estate->es_rteperminfos, rte)->updatedCols = columns;
#else
	rte->updatedCols = columns;
#endif
}

/*
 * Stop points: until PostgreSQL 16 the methods of a memory context are found
 * by it, and can be replaced.
 */
#if PG_VERSION_NUM < 160000
#define COMPAT_MEMORY_METHODS	1
#endif

#endif							/* COMMERCE_COMPAT_H */
