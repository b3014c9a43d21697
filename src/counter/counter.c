/*
 * counter.c
 *		A quantity that many take from at once: stock and coupon quota.
 *
 * A counter is the sum of its slots, rows (id, slot, level, quantity). It has
 * slot 0, and more of them where takers had to wait for each other.
 *
 * To take n:
 *
 * - Usually: look at the slot that is this backend's by its number. If it has
 *   n and nobody else holds it, that is all. If somebody does, or has taken
 *   from it since, look at it and at the next few once more.
 * - Else read all slots in a fresh snapshot, whose sum is the exact committed
 *   total. Less than n: short, told without a lock. Otherwise try every slot
 *   that has n. If somebody holds each of those, wait for one to be let go, and
 *   look again.
 * - A taker that had to wait splits the slot it then takes from: half of the
 *   rest goes to a child. Slot s at level L has the child s + 2^L and becomes
 *   level L + 1, so that only the one that locked the parent can make it. Thus
 *   contention itself widens the counter, up to commerce.max_slots, and
 *   backends with different numbers mod 2^L stop meeting.
 * - A taker that empties a slot deletes it, unless it is slot 0.
 * - If no slot has n, but all together do: lock all of them, ascending, until a
 *   snapshot taken after the last lock shows no other one, and merge them into
 *   slot 0.
 *
 * A caller that ends in an error whatever is in the way later may take from its
 * own slot without holding it first: counter_take_looked(). The update fails
 * where somebody has changed the slot since the look, and is not tried where
 * somebody holds it; then all of the above follows.
 *
 * To give: to all slots, shared out anew, if nobody holds any; else to one that
 * is free. To give back what was taken: to one that is free.
 *
 * To spread: lock all slots, then share what is in them out over as many as are
 * asked for, with the levels that splitting would have left.
 *
 * Waiting. A slot is locked only in the version that a snapshot showed to
 * suffice, or not at all; so no taker holds a slot in vain, and a taker that
 * waits for one slot holds no other of this counter. Only one that locks all
 * holds some and waits for others, and of these slot 0 lets in one at a time.
 * Hence takers of one counter never deadlock. Nor does one that takes at once
 * and is just then forestalled: it waits for one slot and holds no other.
 *
 * In REPEATABLE READ and above the snapshot is the transaction's: a slot that
 * changed since is 40001, and to tell that there is too little takes the locks
 * of all slots, as proof that none did.
 *
 * Lock order: counters are last of all, ascending by id, slots within. The
 * hottest lock is so held shortest: from counter_hold() to the commit. An
 * update that is its own lock comes where the lock would.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/compat.h"
#include "base/metrics.h"
#include "base/stop.h"
#include "counter/counter.h"
#include "miscadmin.h"
#include "storage/proc.h"

/* Far more than 2^level slots can be. */
#define MAX_LEVEL			30

/* Slots beside the own one that are tried before all are read. */
#define NEARBY				3

int			counter_max_slots;

void
counter_create(Work *work, TableId table, int64 id, int64 quantity)
{
	slot_insert(work, table, id, 0, 0, quantity);
}

int64
counter_available(Work *work, TableId table, int64 id)
{
	return slots_read(work, table, id, PG_INT64_MAX).sum;
}

/* ---- hold ---- */

/* The slot that has this backend's share of one that was split more often. */
static Row *
find_own_child(Row *slot, int level)
{
	int64		id = row_int64(slot, SLOTS_ID);

	for (int deep = Min(row_int32(slot, SLOTS_LEVEL), MAX_LEVEL);
		 deep > level; deep--)
	{
		int32		number = compat_my_proc_number() & ((1 << deep) - 1);
		Row		   *child;

		if (number == row_int32(slot, SLOTS_SLOT))
			break;
		child = slot_find(slot->work, slot->table, id, number);
		if (child != NULL)
			return child;
	}
	return slot;
}

/*
 * This backend's slot. Slot 0 tells how many there may be: 2^level, if all
 * were split as often; where one was not, its parent stands in, and where one
 * was split more often, its child is looked for. With slot 0 used up most are,
 * and to look for a parent is not worth it.
 */
static Row *
find_own_slot(Work *work, TableId table, int64 id)
{
	Row		   *first = slot_find(work, table, id, 0);
	int			level = first ? row_int32(first, SLOTS_LEVEL) : 0;

	for (level = Min(level, MAX_LEVEL); level > 0; level--)
	{
		int32		number = compat_my_proc_number() & ((1 << level) - 1);
		Row		   *slot;

		if (number == 0)
			break;
		slot = slot_find(work, table, id, number);
		if (slot != NULL)
			return find_own_child(slot, level);
		if (row_int64(first, SLOTS_QUANTITY) == 0)
			return NULL;
	}
	return first;
}

/* Hold all slots, if there is enough in them together. */
static bool
hold_all(Work *work, TableId table, int64 id, CounterHold *hold,
		 int64 *available)
{
	Slots		all = slots_lock_all(work, table, id);

	hold->slots = all.slots;
	hold->slot_count = all.count;
	*available = all.sum;
	return all.sum >= hold->quantity;
}

/* Slot 0 that was never split since it was the only one is so still. */
static bool
is_only(Row *slot)
{
	return row_int32(slot, SLOTS_SLOT) == 0 &&
		row_int32(slot, SLOTS_LEVEL) == 0;
}

bool
counter_look(Work *work, TableId table, int64 id, int64 quantity,
			 CounterHold *hold)
{
	memset(hold, 0, sizeof(CounterHold));
	hold->quantity = quantity;
	row_will_write(work, table);
	hold->own = find_own_slot(work, table, id);
	if (hold->own != NULL && is_only(hold->own))
	{
		hold->is_only = true;
		hold->seen = row_int64(hold->own, SLOTS_QUANTITY);
	}
	if (hold->own != NULL && row_int64(hold->own, SLOTS_QUANTITY) < quantity)
		hold->own = NULL;
	return hold->own != NULL;
}

/*
 * In REPEATABLE READ and above a taker that waited for somebody ends in 40001,
 * before it could split. So the session keeps in mind where that was, and its
 * retry counts as the one that waited.
 */
typedef struct CounterName
{
	TableId		table;
	int64		id;				/* 0: none */
} CounterName;

static CounterName failed_at;

static bool
failed_here(TableId table, int64 id)
{
	return failed_at.id == id && failed_at.table == table;
}

/*
 * As of now, this backend's own slot or one of the next few, if it has enough
 * and is free: before all are read.
 */
static bool
hold_nearby(Work *work, TableId table, int64 id, CounterHold *hold)
{
	int32		number = row_int32(hold->own, SLOTS_SLOT);
	int32		level = row_int32(hold->own, SLOTS_LEVEL);
	int32		last = (1 << Max(Min(level, MAX_LEVEL), 0)) - 1;

	if (last == 0)
		return false;
	row_refresh(work);
	for (int i = 0; i <= Min(last, NEARBY); i++)
	{
		Row		   *slot = slot_find(work, table, id, (number + i) & last);
		bool		is_busy;

		if (slot != NULL &&
			row_int64(slot, SLOTS_QUANTITY) >= hold->quantity &&
			row_lock_unchanged(slot, false, &is_busy))
		{
			slot_hold(hold, slot);
			return true;
		}
	}
	return false;
}

static bool
hold_looked(Work *work, TableId table, int64 id, CounterHold *hold,
			int64 *available)
{
	int64		quantity = hold->quantity;
	bool		is_busy;

	*available = quantity;
	if (hold->own != NULL && row_lock_unchanged(hold->own, false, &is_busy))
	{
		slot_hold(hold, hold->own);
		return true;
	}
	if (hold->own != NULL && !IsolationUsesXactSnapshot() &&
		hold_nearby(work, table, id, hold))
		return true;

	for (;;)
	{
		Slots		fit = slots_read_now(work, table, id, quantity);
		int32		busy;

		stop_point("counter_before_hold");
		*available = fit.sum;
		if (fit.sum < quantity && !IsolationUsesXactSnapshot())
			return false;
		switch (slot_hold_free(&fit, hold, &busy))
		{
			case HELD:
				return true;
			case BUSY:
				stop_point("counter_before_wait");
				if (slot_wait(work, table, id, busy, hold))
					return true;
				break;
			case CHANGED:
				break;
			case NONE_SUFFICES:
				stop_point("counter_before_hold_all");
				return hold_all(work, table, id, hold, available);
		}
		CHECK_FOR_INTERRUPTS();
	}
}

bool
counter_hold_looked(Work *work, TableId table, int64 id, CounterHold *hold,
					int64 *available)
{
	bool		is_retry;
	bool		is_held;

	if (!IsolationUsesXactSnapshot())
		return hold_looked(work, table, id, hold, available);

	is_retry = failed_here(table, id);
	failed_at.table = table;
	failed_at.id = id;
	is_held = hold_looked(work, table, id, hold, available);
	failed_at.id = 0;
	hold->waited |= is_retry;
	return is_held;
}

bool
counter_take_looked(CounterHold *hold)
{
	Row		   *slot = hold->own;
	int64		rest;

	/* A retry splits the slot that it takes from. */
	if (slot == NULL || (IsolationUsesXactSnapshot() &&
						 failed_here(slot->table, row_int64(slot, SLOTS_ID))))
		return false;

	/* One that is used up goes. */
	rest = row_int64(slot, SLOTS_QUANTITY) - hold->quantity;
	if (rest == 0 && row_int32(slot, SLOTS_SLOT) != 0)
		return false;
	hold->is_taken = slot_update_unchanged(slot, rest);
	return hold->is_taken;
}

bool
counter_hold(Work *work, TableId table, int64 id, int64 quantity,
			 CounterHold *hold, int64 *available)
{
	(void) counter_look(work, table, id, quantity, hold);
	return counter_hold_looked(work, table, id, hold, available);
}

int64
counter_hold_most(Work *work, TableId table, int64 id, int64 quantity,
				  CounterHold *hold)
{
	int64		available;

	if (counter_hold(work, table, id, quantity, hold, &available))
		return quantity;
	(void) hold_all(work, table, id, hold, &available);
	return Min(available, quantity);
}

/* ---- take ---- */

/*
 * Take from one slot, and split it if that had to be waited for. A slot that is
 * used up goes, so that latecomers have few of them to read.
 */
static void
take_from_one(CounterHold *hold)
{
	Row		   *slot = hold->slots[0];
	int32		level = row_int32(slot, SLOTS_LEVEL);
	int32		number = row_int32(slot, SLOTS_SLOT);
	int64		rest = row_int64(slot, SLOTS_QUANTITY) - hold->quantity;
	int64		half = rest / 2;

	/* A half that is too small for another one like us would help nobody. */
	if (hold->waited && level >= 0 && level < MAX_LEVEL &&
		half >= hold->quantity &&
		number + (1 << level) < counter_max_slots)
	{
		level++;
		slot_insert(slot->work, slot->table, row_int64(slot, SLOTS_ID),
					number + (1 << (level - 1)), level, half);
		metrics_add(COUNTER_SLOT_SPLITS, 1);
		rest -= half;
	}
	if (rest == 0 && number != 0)
		row_delete(slot);
	else
		slot_update(slot, level, rest);
}

/* All slots are ours: leave one, with that much. */
static void
merge(Row **slots, int count, int64 quantity)
{
	slot_update(slots[0], 0, quantity);
	for (int i = 1; i < count; i++)
		row_delete(slots[i]);
	metrics_add(COUNTER_SLOT_MERGES, 1);
}

static int64
sum_of(const CounterHold *hold)
{
	int64		sum = 0;

	for (int i = 0; i < hold->slot_count; i++)
		sum += row_int64(hold->slots[i], SLOTS_QUANTITY);
	return sum;
}

void
counter_take(CounterHold *hold)
{
	if (hold->is_taken)
		return;
	if (hold->slot_count == 1)
		take_from_one(hold);
	else
		merge(hold->slots, hold->slot_count, sum_of(hold) - hold->quantity);
}

void
counter_take_less(CounterHold *hold, int64 quantity)
{
	hold->quantity = quantity;
	if (quantity > 0)
		counter_take(hold);
}
