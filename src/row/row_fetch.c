/*
 * row_fetch.c
 *		Read the rows that an index leads to.
 *
 * As index_getnext_slot() does, but that it clears pages of dead versions less
 * often. The server clears a page that it reads once that is fuller than the
 * table's fillfactor asks for. Ours leaves room for the next updates; so that
 * would be nearly each time, for one dead version, at the cost of a WAL record
 * and of more instructions than the update itself takes. Here that room is
 * used up first, to a rest with which many sessions come by still in time.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/relscan.h"
#include "executor/tuptable.h"
#include "pgstat.h"
#include "row/row_work.h"
#include "storage/bufmgr.h"

/* Less room than this in a page, and it is cleared. */
#define LITTLE_ROOM	(BLCKSZ / 4)

bool
row_is_in_heap(Relation rel)
{
	return rel->rd_tableam == GetHeapamTableAmRoutine();
}

void
row_clear_page(Relation rel, Buffer buffer)
{
	Page		page = BufferGetPage(buffer);

	/* Unlocked, as the server looks: it looks again. */
	if (PageIsFull(page) || PageGetHeapFreeSpace(page) < LITTLE_ROOM)
		heap_page_prune_opt(rel, buffer);
}

/* Of the versions that an index entry leads to, the one the snapshot sees. */
static bool
fetch(IndexScanDesc scan, ItemPointer tid, Buffer *buffer,
	  TupleTableSlot *tuple)
{
	Relation	rel = scan->heapRelation;
	HeapTuple	version = &((BufferHeapTupleTableSlot *) tuple)->base.tupdata;
	Buffer		before = *buffer;
	bool		is_there;
	bool		all_dead;

	Assert(TTS_IS_BUFFERTUPLE(tuple));
	*buffer = ReleaseAndReadBuffer(before, rel, ItemPointerGetBlockNumber(tid));
	if (*buffer != before)
		row_clear_page(rel, *buffer);

	LockBuffer(*buffer, BUFFER_LOCK_SHARE);
	is_there = heap_hot_search_buffer(tid, rel, *buffer, scan->xs_snapshot,
									  version, &all_dead, true);
	LockBuffer(*buffer, BUFFER_LOCK_UNLOCK);
	if (!is_there)
	{
		if (!scan->xactStartedInRecovery)
			scan->kill_prior_tuple = all_dead;
		return false;
	}
	pgstat_count_heap_fetch(scan->indexRelation);
	tuple->tts_tableOid = RelationGetRelid(rel);
	ExecStoreBufferHeapTuple(version, tuple, *buffer);
	return true;
}

bool
row_fetch_next(IndexScanDesc scan, ScanDirection direction, Buffer *buffer,
			   TupleTableSlot *tuple)
{
	ItemPointer tid;

	if (!row_is_in_heap(scan->heapRelation))
		return index_getnext_slot(scan, direction, tuple);
	while ((tid = index_getnext_tid(scan, direction)) != NULL)
		if (fetch(scan, tid, buffer, tuple))
			return true;
	return false;
}
