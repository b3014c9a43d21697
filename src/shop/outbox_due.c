/*
 * outbox_due.c
 *		Which events are due: where to look for them.
 *
 * Every claim and every ack leaves a dead entry at the front of the index that
 * the next one starts from. While somebody holds an old snapshot (a dump, say)
 * these cannot be removed, and walking over them would soon be all a claim
 * does. So a session remembers where it found the first live entry, and starts
 * there. That alone could miss an event: one of a transaction that took longer
 * than LOOK_BACK_MS, one that another session gave back. So it also looks from
 * the very beginning: every time while there are few dead entries, and else
 * after as many claims, or as much time, as make the walk a small part of the
 * whole.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/tables.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "shop/outbox_due.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Transactions shorter than this cannot hide their events. */
#define LOOK_BACK_MS			3000

/* Dead entries that a claim may walk over without being thrifty. */
#define FEW_DEAD_ENTRIES		1000

/* How long an event may be missed for thrift. */
#define LOOK_EVERYWHERE_MS		10000

/* A search in the order of an index whose first column is a time. */
typedef struct Look
{
	const char *index;
	ColumnId	column;
	TimestampTz first;			/* the first live entry's, until now */
	TimestampTz from;			/* where to start: nothing was before */
	int64		thrifty_looks;	/* so many more may start there */
	int64		thrifty_until_ms;	/* and until then */
} Look;

static Look available = {
	.index = "outbox_available_idx", .column = OUTBOX_NEXT_ATTEMPT_AT
};
static Look running = {
	.index = "outbox_running_idx", .column = OUTBOX_LOCKED_UNTIL
};

/*
 * The first time of a live entry between two, or DT_NOEND; counts the dead
 * entries before it.
 */
static TimestampTz
first_live(Relation outbox, Relation index, AttrNumber column,
		   TimestampTz from, TimestampTz until, int64 *dead)
{
	IndexScanDesc scan = compat_index_beginscan(outbox, index,
												GetActiveSnapshot(), 2);
	TupleTableSlot *slot = table_slot_create(outbox, NULL);
	TimestampTz first = DT_NOEND;
	ScanKeyData keys[2];
	bool		isnull;

	ScanKeyInit(&keys[0], 1, BTGreaterEqualStrategyNumber, F_TIMESTAMPTZ_GE,
				TimestampTzGetDatum(from));
	ScanKeyInit(&keys[1], 1, BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE,
				TimestampTzGetDatum(until));
	index_rescan(scan, keys, 2, NULL, 0);
	*dead = 0;
	while (index_getnext_tid(scan, ForwardScanDirection) != NULL)
	{
		if (index_fetch_heap(scan, slot))
		{
			first = DatumGetTimestampTz(slot_getattr(slot, column, &isnull));
			break;
		}
		(*dead)++;
	}
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
	return first;
}

/* Is this the index to look along? */
static bool
is_index_of(Look *look, Relation index)
{
	return strcmp(RelationGetRelationName(index), look->index) == 0 &&
		index->rd_index->indisvalid &&
		index->rd_rel->relam == BTREE_AM_OID &&
		index->rd_index->indkey.values[0] ==
		table_attnums(TABLE_OUTBOX)[look->column] &&
		index->rd_opcintype[0] == TIMESTAMPTZOID &&
		index->rd_indoption[0] == 0;
}

/* Find the first live entry, thriftily or not. */
static void
look_along(Look *look, Relation outbox, Relation index, TimestampTz now)
{
	bool		is_thrifty = look->thrifty_looks > 0 &&
		clock_ms() < look->thrifty_until_ms;
	int64		dead;

	look->first = first_live(outbox, index,
							 table_attnums(TABLE_OUTBOX)[look->column],
							 is_thrifty ? look->from : DT_NOBEGIN, now, &dead);
	if (is_thrifty)
		look->thrifty_looks--;
	else
	{
		look->thrifty_looks = dead / FEW_DEAD_ENTRIES;
		look->thrifty_until_ms = clock_ms() + LOOK_EVERYWHERE_MS;
	}
}

/*
 * Find out where a search is to start that happens now: at the beginning if
 * the index is gone.
 */
static void
look_for_start(Look *look, TimestampTz now)
{
	Relation	outbox = table_open(table_oid(TABLE_OUTBOX), AccessShareLock);
	ListCell   *cell;

	look->first = DT_NOBEGIN;
	foreach(cell, RelationGetIndexList(outbox))
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (is_index_of(look, index))
			look_along(look, outbox, index, now);
		index_close(index, AccessShareLock);
	}
	table_close(outbox, AccessShareLock);
	look->from = Min(look->first,
					 TimestampTzPlusMilliseconds(now, -LOOK_BACK_MS));
}

TimestampTz
outbox_look_for_available(TimestampTz now)
{
	look_for_start(&available, now);
	return available.from;
}

TimestampTz
outbox_look_for_running(TimestampTz now)
{
	look_for_start(&running, now);
	return running.from;
}

bool
outbox_has_due(void)
{
	TimestampTz now = GetCurrentTimestamp();

	look_for_start(&available, now);
	look_for_start(&running, now);
	return available.first != DT_NOEND || running.first != DT_NOEND;
}
