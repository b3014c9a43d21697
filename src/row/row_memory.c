/*
 * row_memory.c
 *		Where this session saw a row last.
 *
 * An index leads to the oldest version of a row that anybody may still see, and
 * from there to the newer ones, one after the other. A row that every order
 * changes has thousands of them while somebody holds an old snapshot. So for
 * rows that are worth it the session remembers where it saw or wrote the
 * latest version, and looks from there on.
 *
 * What is remembered is no more than a hint: the place may have another row by
 * now, or none, or not be there any more. A version is taken that the snapshot
 * sees and that has the key; as the key is unique, it is the one that the index
 * would have led to. If there is none, the index is asked.
 *
 * Reading by an index clears a full page of dead versions; so this does, too.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "executor/tuptable.h"
#include "row/row_work.h"
#include "storage/bufmgr.h"
#include "utils/snapmgr.h"

/* A power of 2. Two rows that meet in a place take turns in being forgotten. */
#define PLACES	256

typedef struct Place
{
	TableId		table;
	int64		id;
	int32		number;
	ItemPointerData tid;		/* invalid: nothing is remembered */
} Place;

static Place places[PLACES];

static Place *
place_of(TableId table, int64 id, int32 number)
{
	return &places[(id * 31 + number * 7 + table) & (PLACES - 1)];
}

static int32
number_of(Row *row)
{
	return table_key_count(row->table) > 1 ?
		row_int32(row, row_key_columns[1]) : 0;
}

static bool
is_this_row(Row *row, int64 id, int32 number)
{
	return row_int64(row, row_key_columns[0]) == id &&
		number_of(row) == number;
}

static void
clear_page(Relation rel, ItemPointer tid)
{
	Buffer		buffer = ReadBuffer(rel, ItemPointerGetBlockNumber(tid));

	row_clear_page(rel, buffer);
	ReleaseBuffer(buffer);
}

/* Reads the latest version that the snapshot sees of what is at the tid. */
static bool
read_latest(Relation rel, ItemPointerData tid, TupleTableSlot *tuple)
{
	Snapshot	snapshot = GetActiveSnapshot();
	TableScanDesc scan = table_beginscan_tid(rel, snapshot);
	bool		is_there = rel->rd_tableam->tuple_tid_valid(scan, &tid);

	if (is_there)
	{
		clear_page(rel, &tid);
		table_tuple_get_latest_tid(scan, &tid);
		is_there = table_tuple_fetch_row_version(rel, &tid, snapshot, tuple);
	}
	table_endscan(scan);
	return is_there;
}

Row *
row_recall(Work *work, TableId table, int64 id, int32 number)
{
	Place	   *place = place_of(table, id, number);
	Relation	rel;
	Row		   *row;

	if (!ItemPointerIsValid(&place->tid) || place->table != table ||
		place->id != id || place->number != number)
		return NULL;
	rel = row_open_for_read(work, table)->rel;
	if (!row_is_in_heap(rel))
		return NULL;
	row = row_make_stored(work, table);
	if (!read_latest(rel, place->tid, row->tuple) ||
		!is_this_row(row, id, number))
	{
		ExecClearTuple(row->tuple);
		return NULL;
	}
	place->tid = row->tuple->tts_tid;
	ExecMaterializeSlot(row->tuple);
	return row;
}

void
row_remember(Row *row)
{
	int64		id = row_int64(row, row_key_columns[0]);
	int32		number = number_of(row);
	Place	   *place = place_of(row->table, id, number);

	place->table = row->table;
	place->id = id;
	place->number = number;
	place->tid = row->tuple->tts_tid;
}
