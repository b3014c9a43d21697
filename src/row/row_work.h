/*
 * row_work.h
 *		The work of one call: what the files of this floor share.
 */
#ifndef COMMERCE_ROW_WORK_H
#define COMMERCE_ROW_WORK_H

#include "access/genam.h"
#include "base/compat.h"
#include "row/row.h"
#include "storage/buf.h"

/* A primary key has the first ids. */
extern const ColumnId row_key_columns[MAX_KEYS];

/* The table, open and locked for the purpose. */
extern WorkTable *row_open_for_read(Work *work, TableId table);
extern WorkTable *row_open_for_write(Work *work, TableId table);

/* A new, empty row of an open table. */
extern Row *row_make(Work *work, TableId table, const TupleTableSlotOps *ops);

/* The same, for a scan to fill. */
extern Row *row_make_stored(Work *work, TableId table);

/*
 * Is this an index that proves that there is one row for each value of
 * exactly these columns, and that finds it? A DBA's own indexes may have the
 * same columns and yet be partial, deferrable, descending or no B-tree.
 */
extern bool row_index_fits(Relation index, int column_count,
						   const AttrNumber *attnums);

/* The index on exactly these columns, open to the end of the call. */
extern Relation row_index_for_scan(WorkTable *open, int column_count,
								   const ColumnId *columns);

/* The unique indexes on exactly these columns: a list of OIDs, not empty. */
extern List *row_index_arbiters(const WorkTable *open, int column_count,
								const ColumnId *columns);

/*
 * Read the next row of a scan along an index. *buffer is what is pinned for
 * that, at first InvalidBuffer: the caller releases it.
 */
extern bool row_fetch_next(IndexScanDesc scan, ScanDirection direction,
						   Buffer *buffer, TupleTableSlot *tuple);

/* Clear a page that is read of dead versions, if there is little room left. */
extern void row_clear_page(Relation rel, Buffer buffer);

/* Is the table stored as PostgreSQL does it unless told otherwise? */
extern bool row_is_in_heap(Relation rel);

/* Raise 55000: no index fits. */
pg_noreturn extern void row_lacks_index(Relation rel);

#endif							/* COMMERCE_ROW_WORK_H */
