/*
 * counter.c
 *		A quantity that many take from at once: stock and coupon quota.
 *
 * A counter is the sum of its slots, rows (id, slot, level, quantity). Every
 * counter has slot 0 at level 0, and at present no other. Whoever takes waits
 * for that row's lock, then sees its latest quantity, so the last unit goes
 * to exactly one; whoever sees in a fresh snapshot that there is too little
 * does not wait.
 *
 * Lock order: counters are last of all, ascending by id, slots within. The
 * hottest lock is so held shortest: from counter_hold() to the commit.
 */
#include "commerce.h"

#include "access/xact.h"
#include "common/int.h"
#include "counter.h"
#include "miscadmin.h"

#define FIRST_SLOT	Int32GetDatum(0)

void
counter_create(Work *work, TableId table, int64 id, int64 quantity)
{
	Row		   *slot = row_new(work, table);

	row_set_int64(slot, SLOTS_ID, id);
	row_set(slot, SLOTS_SLOT, FIRST_SLOT);
	row_set_int32(slot, SLOTS_LEVEL, 0);
	row_set_int64(slot, SLOTS_QUANTITY, quantity);
	row_insert(slot);
}

int64
counter_available(Work *work, TableId table, int64 id)
{
	Datum		key = Int64GetDatum(id);
	RowScan    *scan = row_scan_begin(work, table, 1, &key);
	Row		   *slot;
	int64		available = 0;

	while ((slot = row_scan_next(scan)) != NULL)
		available += row_int64(slot, SLOTS_QUANTITY);
	row_scan_end(scan);
	return available;
}

bool
counter_is_short(Work *work, TableId table, int64 id, int64 quantity)
{
	if (counter_available(work, table, id) >= quantity)
		return false;
	row_refresh(work);
	return counter_available(work, table, id) < quantity;
}

static Row *
find_slot(Work *work, TableId table, int64 id, int64 *available)
{
	Row		   *slot = row_find(work, table, Int64GetDatum(id), FIRST_SLOT);

	*available = slot ? row_int64(slot, SLOTS_QUANTITY) : 0;
	return slot;
}

/*
 * The slot, when there seems to be enough: sold out is told at once, without
 * a lock. Only a fresh snapshot has the committed total of now.
 */
static Row *
find_sufficient_slot(Work *work, TableId table, int64 id, int64 quantity,
					 int64 *available)
{
	Row		   *slot = find_slot(work, table, id, available);

	if (*available >= quantity)
		return slot;
	row_refresh(work);
	slot = find_slot(work, table, id, available);
	return *available >= quantity ? slot : NULL;
}

bool
counter_hold(Work *work, TableId table, int64 id, int64 quantity,
			 CounterHold *hold, int64 *available)
{
	hold->quantity = quantity;
	for (;;)
	{
		/* In REPEATABLE READ and above the lock tells what is newer. */
		hold->slot = IsolationUsesXactSnapshot() ?
			find_slot(work, table, id, available) :
			find_sufficient_slot(work, table, id, quantity, available);
		if (hold->slot == NULL)
			return false;
		if (row_lock_found(hold->slot))
			break;
		CHECK_FOR_INTERRUPTS();
		row_refresh(work);
	}

	*available = row_int64(hold->slot, SLOTS_QUANTITY);
	return *available >= quantity;
}

void
counter_take(CounterHold *hold)
{
	Row		   *changed = row_change(hold->slot);

	row_set_int64(changed, SLOTS_QUANTITY,
				  row_int64(hold->slot, SLOTS_QUANTITY) - hold->quantity);
	row_update(hold->slot, changed);
}

bool
counter_give(Work *work, TableId table, int64 id, int64 quantity)
{
	Row		   *slot = row_lock(work, table, Int64GetDatum(id), FIRST_SLOT);
	Row		   *changed;
	int64		sum;

	if (slot == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("counter " INT64_FORMAT " in table \"%s\" has no slot",
						id, table_name(table))));
	if (pg_add_s64_overflow(row_int64(slot, SLOTS_QUANTITY), quantity, &sum))
		return false;
	changed = row_change(slot);
	row_set_int64(changed, SLOTS_QUANTITY, sum);
	row_update(slot, changed);
	return true;
}
