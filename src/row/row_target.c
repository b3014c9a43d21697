/*
 * row_target.c
 *		A table's indexes and CHECKs, prepared for writing once a session.
 *
 * What the executor builds anew for every statement, the description of each
 * index with the state of its predicate and the state of each CHECK, costs a
 * purchase more than the rows it writes. It depends on the catalogue alone, so
 * it is kept until a relcache invalidation of the table or of one of its
 * indexes. Locks and relcache entries are taken at each call, as by any
 * statement.
 *
 * Kept is only what nothing but such an invalidation can change, and what no
 * evaluation leaves anything in: B-trees on plain columns, and expressions of
 * built-in functions alone. For the rest, which is what a DBA adds, the
 * executor's own ways are used: indexes are described, and CHECKs compiled, at
 * each call.
 *
 * An entry that became invalid may be in use by a call further up, whose
 * trigger called us. So its memory goes with the transaction, not at once.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "base/compat.h"
#include "catalog/index.h"
#include "catalog/pg_am_d.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "row/row_target.h"
#include "utils/inval.h"
#include "utils/memutils.h"

typedef struct Target
{
	MemoryContext context;
	bool		is_filled;
	bool		is_valid;		/* no invalidation since filling began */
	Oid			relid;
	int			index_count;
	Oid		   *index_ids;
	IndexInfo **indexes;		/* NULL: described at each call */
	ExprState **checks;			/* NULL: none, or compiled at each call */
} Target;

static Target *targets[TABLE_COUNT];

uint64		row_target_changes;

/* ---- what can be kept ---- */

static bool
is_not_built_in(Oid function, void *context)
{
	return function >= FirstNormalObjectId;
}

/* Domains are left out as well: their constraints change by themselves. */
static bool
needs_more(Node *node, void *context)
{
	if (node == NULL)
		return false;
	return IsA(node, CoerceToDomain) ||
		check_functions_in_node(node, is_not_built_in, context) ||
		expression_tree_walker(node, needs_more, context);
}

static IndexInfo *
describe(Relation index, bool speculative)
{
	IndexInfo  *info = BuildIndexInfo(index);

	if (speculative && info->ii_Unique && !index->rd_index->indisexclusion)
		BuildSpeculativeIndexInfo(index, info);
	return info;
}

static IndexInfo *
keep_index(Relation index, bool speculative, EState *estate)
{
	IndexInfo  *info;

	if (index->rd_rel->relam != BTREE_AM_OID ||
		RelationGetIndexExpressions(index) != NIL ||
		needs_more((Node *) RelationGetIndexPredicate(index), NULL))
		return NULL;
	info = describe(index, speculative);
	info->ii_PredicateState = ExecPrepareQual(info->ii_Predicate, estate);
	return info;
}

/* As ExecConstraints() would compile them. */
static ExprState **
keep_checks(Relation rel, EState *estate)
{
	TupleConstr *constraints = RelationGetDescr(rel)->constr;
	ExprState **states;

	if (constraints == NULL || constraints->num_check == 0 ||
		compat_has_virtual_columns(constraints))
		return NULL;
	states = palloc(constraints->num_check * sizeof(ExprState *));
	for (int i = 0; i < constraints->num_check; i++)
	{
		Expr	   *check = stringToNode(constraints->check[i].ccbin);

		if (needs_more((Node *) check, NULL))
			return NULL;
		states[i] = ExecPrepareExpr(check, estate);
	}
	return states;
}

/* ---- the cache ---- */

static void
invalidate(Datum arg, Oid relid)
{
	row_target_changes++;
	for (int i = 0; i < TABLE_COUNT; i++)
	{
		Target	   *target = targets[i];
		bool		is_meant;

		if (target == NULL)
			continue;
		is_meant = relid == InvalidOid || relid == target->relid;
		for (int j = 0; j < target->index_count && !is_meant; j++)
			is_meant = relid == target->index_ids[j];
		if (is_meant)
			target->is_valid = false;
	}
}

static void
forget(TableId table)
{
	if (targets[table] != NULL)
		MemoryContextSetParent(targets[table]->context, TopTransactionContext);
	targets[table] = NULL;
}

/*
 * Fill the entry; invalidations see it already. An error leaves it unfilled.
 */
static void
fill(Target *target, Relation rel, bool speculative)
{
	MemoryContext old = MemoryContextSwitchTo(target->context);
	List	   *index_ids = RelationGetIndexList(rel);
	EState	   *estate = CreateExecutorState();
	ListCell   *cell;

	target->relid = RelationGetRelid(rel);
	target->index_ids = palloc(list_length(index_ids) * sizeof(Oid));
	target->indexes = palloc(list_length(index_ids) * sizeof(IndexInfo *));
	foreach(cell, index_ids)
		target->index_ids[target->index_count++] = lfirst_oid(cell);
	target->is_valid = true;

	MemoryContextSwitchTo(estate->es_query_cxt);
	for (int i = 0; i < target->index_count; i++)
	{
		Relation	index = index_open(target->index_ids[i], RowExclusiveLock);

		target->indexes[i] = keep_index(index, speculative, estate);
		index_close(index, RowExclusiveLock);
	}
	target->checks = keep_checks(rel, estate);
	target->is_filled = true;
	MemoryContextSwitchTo(old);
}

static Target *
make_target(Relation rel, TableId table, bool speculative)
{
	MemoryContext context;

	forget(table);
	context = AllocSetContextCreate(CacheMemoryContext, "commerce target",
									ALLOCSET_SMALL_SIZES);
	targets[table] = MemoryContextAllocZero(context, sizeof(Target));
	targets[table]->context = context;
	fill(targets[table], rel, speculative);
	return targets[table];
}

void
row_target_open(ResultRelInfo *result, TableId table)
{
	bool		speculative = table_is_contested(table);
	Relation	rel = result->ri_RelationDesc;
	Target	   *target = targets[table];
	int			count;

	if (target == NULL || !target->is_filled || !target->is_valid ||
		target->relid != RelationGetRelid(rel))
		target = make_target(rel, table, speculative);

	count = target->index_count;
	result->ri_IndexRelationDescs = palloc(count * sizeof(Relation));
	result->ri_IndexRelationInfo = palloc(count * sizeof(IndexInfo *));
	for (int i = 0; i < count; i++)
	{
		Relation	index = index_open(target->index_ids[i], RowExclusiveLock);

		result->ri_IndexRelationDescs[i] = index;
		result->ri_IndexRelationInfo[i] = target->indexes[i] ?
			target->indexes[i] : describe(index, speculative);
		result->ri_NumIndices = i + 1;
	}
	compat_check_states(result) = target->checks;
}

void
row_target_close(ResultRelInfo *result, LOCKMODE release)
{
	for (int i = 0; i < result->ri_NumIndices; i++)
	{
		compat_index_insert_cleanup(result->ri_IndexRelationDescs[i],
									result->ri_IndexRelationInfo[i]);
		index_close(result->ri_IndexRelationDescs[i], release);
	}
	result->ri_NumIndices = 0;
}

void
row_target_init(void)
{
	CacheRegisterRelcacheCallback(invalidate, (Datum) 0);
}
