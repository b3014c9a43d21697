/*
 * counter_slots.c
 *		The slots of one counter: read, write, hold one or all.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/compat.h"
#include "common/int.h"
#include "counter/counter_slots.h"
#include "miscadmin.h"
#include "storage/proc.h"

Row *
slot_new(Work *work, TableId table, int64 id, int32 number, int32 level,
		 int64 quantity)
{
	Row		   *slot = row_new(work, table);

	row_set_int64(slot, SLOTS_ID, id);
	row_set_int32(slot, SLOTS_SLOT, number);
	row_set_int32(slot, SLOTS_LEVEL, level);
	row_set_int64(slot, SLOTS_QUANTITY, quantity);
	return slot;
}

void
slot_insert(Work *work, TableId table, int64 id, int32 number, int32 level,
			int64 quantity)
{
	row_insert(slot_new(work, table, id, number, level, quantity));
}

void
slot_update(Row *slot, int32 level, int64 quantity)
{
	Row		   *changed = row_change(slot);

	row_set_int32(changed, SLOTS_LEVEL, level);
	row_set_int64(changed, SLOTS_QUANTITY, quantity);
	row_update(slot, changed);
	row_remember(changed);
}

bool
slot_update_unchanged(Row *slot, int64 quantity)
{
	Row		   *changed = row_change(slot);

	row_set_int64(changed, SLOTS_QUANTITY, quantity);
	if (!row_update_unchanged(slot, changed))
		return false;
	row_remember(changed);
	return true;
}

Row *
slot_find(Work *work, TableId table, int64 id, int32 number)
{
	Datum		key[] = {Int64GetDatum(id), Int32GetDatum(number)};
	Row		   *slot = row_recall(work, table, id, number);
	RowScan    *scan;

	if (slot != NULL)
		return slot;
	scan = row_scan_begin(work, table, lengthof(key), key);
	slot = row_scan_next(scan);
	row_scan_end(scan);
	if (slot != NULL)
		row_remember(slot);
	return slot;
}

static void
add_slot(Slots *all, Row *slot)
{
	if (all->count == all->room)
	{
		all->room *= 2;
		all->slots = repalloc(all->slots, all->room * sizeof(Row *));
	}
	all->slots[all->count++] = slot;
}

Slots
slots_read(Work *work, TableId table, int64 id, int64 at_least)
{
	Datum		key = Int64GetDatum(id);
	RowScan    *scan = row_scan_begin(work, table, 1, &key);
	Slots		all = {.room = 8};
	Row		   *slot;

	all.slots = palloc(all.room * sizeof(Row *));
	while ((slot = row_scan_read(scan)) != NULL)
	{
		int64		quantity = row_int64(slot, SLOTS_QUANTITY);

		if (pg_add_s64_overflow(all.sum, quantity, &all.sum))
			all.sum = PG_INT64_MAX;
		if (quantity >= at_least)
			add_slot(&all, row_scan_keep(scan));
	}
	row_scan_end(scan);
	return all;
}

Slots
slots_read_now(Work *work, TableId table, int64 id, int64 at_least)
{
	if (!IsolationUsesXactSnapshot())
		row_refresh(work);
	return slots_read(work, table, id, at_least);
}

void
slot_hold(CounterHold *hold, Row *slot)
{
	hold->slots = palloc(sizeof(Row *));
	hold->slots[0] = slot;
	hold->slot_count = 1;
}

Outcome
slot_hold_free(const Slots *fit, CounterHold *hold, int32 *busy)
{
	Outcome		outcome = NONE_SUFFICES;

	for (int i = 0; i < fit->count; i++)
	{
		int			nth = (i + compat_my_proc_number()) % fit->count;
		Row		   *slot = fit->slots[nth];
		int32		number = row_int32(slot, SLOTS_SLOT);
		bool		is_busy;

		if (row_lock_unchanged(slot, false, &is_busy))
		{
			slot_hold(hold, slot);
			return HELD;
		}
		if (!is_busy)
			outcome = CHANGED;
		else if (outcome == NONE_SUFFICES)
		{
			*busy = number;
			outcome = BUSY;
		}
	}
	return outcome;
}

/* Are these the slots of before, none more and none less? */
static bool
same_slots(const Slots *all, const Slots *before)
{
	if (all->count != before->count)
		return false;
	for (int i = 0; i < all->count; i++)
		if (row_int32(all->slots[i], SLOTS_SLOT) !=
			row_int32(before->slots[i], SLOTS_SLOT))
			return false;
	return true;
}

Slots
slots_lock_all(Work *work, TableId table, int64 id)
{
	Slots		locked = {0};

	for (;;)
	{
		Slots		all = slots_read_now(work, table, id, 0);
		bool		is_gone = false;

		if (same_slots(&all, &locked))
			return all;
		for (int i = 0; i < all.count; i++)
			if (!row_lock_found(all.slots[i]))
				is_gone = true;
		if (!is_gone)
			locked = all;
		CHECK_FOR_INTERRUPTS();
	}
}

bool
slot_wait(Work *work, TableId table, int64 id, int32 number,
		  CounterHold *hold)
{
	Row		   *slot = slot_find(work, table, id, number);
	bool		is_busy;

	hold->waited = true;
	if (slot == NULL || !row_lock_unchanged(slot, true, &is_busy))
		return false;
	slot_hold(hold, slot);
	return true;
}
