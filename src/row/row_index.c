/*
 * row_index.c
 *		Which index of a table fits.
 *
 * Indexes are found by their columns, each time, so that REINDEX CONCURRENTLY
 * and a renamed index go unnoticed.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_index.h"
#include "row/row_work.h"

/* Where these columns stand. */
static void
translate_columns(const WorkTable *open, int column_count,
				  const ColumnId *columns, AttrNumber *attnums)
{
	for (int i = 0; i < column_count; i++)
		attnums[i] = open->attnums[columns[i]];
}

bool
row_index_fits(Relation index, int column_count, const AttrNumber *attnums)
{
	Form_pg_index form = index->rd_index;

	if (form->indnkeyatts != column_count || !form->indisunique ||
		!form->indimmediate || !form->indisready ||
		index->rd_rel->relam != BTREE_AM_OID ||
		!heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL))
		return false;
	for (int i = 0; i < column_count; i++)
		if (form->indkey.values[i] != attnums[i] || index->rd_indoption[i] != 0)
			return false;
	return true;
}

void
row_lacks_index(Relation rel)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"%s\" lacks an index that the extension commerce needs",
					RelationGetRelationName(rel))));
}

Relation
row_index_for_scan(WorkTable *open, int column_count, const ColumnId *columns)
{
	AttrNumber	attnums[MAX_KEYS];
	ListCell   *cell;

	translate_columns(open, column_count, columns, attnums);
	for (int i = 0; open->result && i < open->result->ri_NumIndices; i++)
	{
		Relation	index = open->result->ri_IndexRelationDescs[i];

		if (index->rd_index->indisvalid &&
			row_index_fits(index, column_count, attnums))
			return index;
	}

	foreach(cell, open->read_indexes)
	{
		if (row_index_fits(lfirst(cell), column_count, attnums))
			return lfirst(cell);
	}

	foreach(cell, RelationGetIndexList(open->rel))
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (index->rd_index->indisvalid &&
			row_index_fits(index, column_count, attnums))
		{
			open->read_indexes = lappend(open->read_indexes, index);
			return index;
		}
		index_close(index, AccessShareLock);
	}

	row_lacks_index(open->rel);
}

/*
 * All indexes that hold these columns unique: while REINDEX CONCURRENTLY is
 * at work there are two, and the one not yet valid must not complain first.
 */
List *
row_index_arbiters(const WorkTable *open, int column_count,
				   const ColumnId *columns)
{
	AttrNumber	attnums[MAX_KEYS];
	List	   *arbiters = NIL;

	translate_columns(open, column_count, columns, attnums);
	for (int i = 0; i < open->result->ri_NumIndices; i++)
	{
		Relation	index = open->result->ri_IndexRelationDescs[i];

		if (row_index_fits(index, column_count, attnums))
			arbiters = lappend_oid(arbiters, RelationGetRelid(index));
	}
	if (arbiters == NIL)
		row_lacks_index(open->rel);
	return arbiters;
}
