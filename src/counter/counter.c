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
 *   n and nobody else holds it, that is all.
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
 * To give: to all slots, merged, if nobody holds any; else to one that is free.
 * To give back what was taken: to one that is free.
 *
 * Waiting. A slot is locked only in the version that a snapshot showed to
 * suffice, or not at all; so no taker holds a slot in vain, and a taker that
 * waits for one slot holds no other of this counter. Only one that locks all
 * holds some and waits for others, and of these slot 0 lets in one at a time.
 * Hence takers of one counter never deadlock.
 *
 * In REPEATABLE READ and above the snapshot is the transaction's: a slot that
 * changed since is 40001, and to tell that there is too little takes the locks
 * of all slots, as proof that none did.
 *
 * Lock order: counters are last of all, ascending by id, slots within. The
 * hottest lock is so held shortest: from counter_hold() to the commit.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/compat.h"
#include "common/int.h"
#include "counter/counter.h"
#include "miscadmin.h"
#include "storage/proc.h"

/* Far more than 2^level slots can be. */
#define MAX_LEVEL			30

/*
 * Calls that add more than ALL_SLOTS_QUANTITY, or to more than ALL_SLOTS_SUM,
 * lock all slots: or else several at once might pass 2^63-1 together.
 */
#define ALL_SLOTS_QUANTITY	(INT64CONST(1) << 40)
#define ALL_SLOTS_SUM		(INT64CONST(1) << 62)

/* Slots of a counter as a snapshot has them, ascending. */
typedef struct Slots
{
	Row		  **slots;
	int			count;
	int			room;
	int64		sum;			/* of all, whichever these are */
} Slots;

int			counter_max_slots;

/* ---- slots ---- */

static void
insert_slot(Work *work, TableId table, int64 id, int32 number, int32 level,
			int64 quantity)
{
	Row		   *slot = row_new(work, table);

	row_set_int64(slot, SLOTS_ID, id);
	row_set_int32(slot, SLOTS_SLOT, number);
	row_set_int32(slot, SLOTS_LEVEL, level);
	row_set_int64(slot, SLOTS_QUANTITY, quantity);
	row_insert(slot);
}

static void
update_slot(Row *slot, int32 level, int64 quantity)
{
	Row		   *changed = row_change(slot);

	row_set_int32(changed, SLOTS_LEVEL, level);
	row_set_int64(changed, SLOTS_QUANTITY, quantity);
	row_update(slot, changed);
}

void
counter_create(Work *work, TableId table, int64 id, int64 quantity)
{
	insert_slot(work, table, id, 0, 0, quantity);
}

/* One slot as the snapshot has it, or NULL. */
static Row *
find_slot(Work *work, TableId table, int64 id, int32 number)
{
	Datum		key[] = {Int64GetDatum(id), Int32GetDatum(number)};
	RowScan    *scan = row_scan_begin(work, table, lengthof(key), key);
	Row		   *slot = row_scan_next(scan);

	row_scan_end(scan);
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

/* Those with at least so much in them; 0 is all. */
static Slots
read_slots(Work *work, TableId table, int64 id, int64 at_least)
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

/* The same as of now, where a snapshot can be. */
static Slots
read_slots_now(Work *work, TableId table, int64 id, int64 at_least)
{
	if (!IsolationUsesXactSnapshot())
		row_refresh(work);
	return read_slots(work, table, id, at_least);
}

int64
counter_available(Work *work, TableId table, int64 id)
{
	return read_slots(work, table, id, PG_INT64_MAX).sum;
}

/* ---- hold ---- */

/*
 * This backend's slot. Slot 0 tells how many there may be: 2^level, if all
 * were split as often; where one was not, its parent stands in. With slot 0
 * used up most are, and to look for a parent is not worth it.
 */
static Row *
find_own_slot(Work *work, TableId table, int64 id)
{
	Row		   *first = find_slot(work, table, id, 0);
	int			level = first ? row_int32(first, SLOTS_LEVEL) : 0;

	for (level = Min(level, MAX_LEVEL); level > 0; level--)
	{
		int32		number = compat_my_proc_number() & ((1 << level) - 1);
		Row		   *slot;

		if (number == 0)
			break;
		slot = find_slot(work, table, id, number);
		if (slot != NULL || row_int64(first, SLOTS_QUANTITY) == 0)
			return slot;
	}
	return first;
}

static void
hold_one(CounterHold *hold, Row *slot)
{
	hold->slots = palloc(sizeof(Row *));
	hold->slots[0] = slot;
	hold->slot_count = 1;
}

/* What came of a look at all slots. */
typedef enum Outcome
{
	HELD,						/* one that suffices and was free */
	BUSY,						/* those that suffice are somebody else's */
	CHANGED,					/* at least one has; it may be free */
	NONE_SUFFICES
} Outcome;

/* Hold one that is free of slots that suffice; *busy is one that is not. */
static Outcome
hold_free_slot(const Slots *fit, CounterHold *hold, int32 *busy)
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
			hold_one(hold, slot);
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

/* Lock all slots; what they sum up to is then exact. */
static Slots
lock_all(Work *work, TableId table, int64 id)
{
	Slots		locked = {0};

	for (;;)
	{
		Slots		all = read_slots_now(work, table, id, 0);
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

/* Hold all slots, if there is enough in them together. */
static bool
hold_all(Work *work, TableId table, int64 id, CounterHold *hold,
		 int64 *available)
{
	Slots		all = lock_all(work, table, id);

	hold->slots = all.slots;
	hold->slot_count = all.count;
	*available = all.sum;
	return all.sum >= hold->quantity;
}

/* Wait for the holder of that slot, without locking it unless they gave up. */
static bool
wait_for_slot(Work *work, TableId table, int64 id, int32 number,
			  CounterHold *hold)
{
	Row		   *slot = find_slot(work, table, id, number);
	bool		is_busy;

	hold->waited = true;
	if (slot == NULL || !row_lock_unchanged(slot, true, &is_busy))
		return false;
	hold_one(hold, slot);
	return true;
}

bool
counter_look(Work *work, TableId table, int64 id, int64 quantity,
			 CounterHold *hold)
{
	memset(hold, 0, sizeof(CounterHold));
	hold->quantity = quantity;
	row_will_write(work, table);
	hold->own = find_own_slot(work, table, id);
	if (hold->own != NULL && row_int64(hold->own, SLOTS_QUANTITY) < quantity)
		hold->own = NULL;
	return hold->own != NULL;
}

bool
counter_hold_looked(Work *work, TableId table, int64 id, CounterHold *hold,
					int64 *available)
{
	int64		quantity = hold->quantity;
	bool		is_busy;

	*available = quantity;
	if (hold->own != NULL && row_lock_unchanged(hold->own, false, &is_busy))
	{
		hold_one(hold, hold->own);
		return true;
	}

	for (;;)
	{
		Slots		fit = read_slots_now(work, table, id, quantity);
		int32		busy;

		*available = fit.sum;
		if (fit.sum < quantity && !IsolationUsesXactSnapshot())
			return false;
		switch (hold_free_slot(&fit, hold, &busy))
		{
			case HELD:
				return true;
			case BUSY:
				if (wait_for_slot(work, table, id, busy, hold))
					return true;
				break;
			case CHANGED:
				break;
			case NONE_SUFFICES:
				return hold_all(work, table, id, hold, available);
		}
		CHECK_FOR_INTERRUPTS();
	}
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

/* ---- take and give ---- */

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
		insert_slot(slot->work, slot->table, row_int64(slot, SLOTS_ID),
					number + (1 << (level - 1)), level, half);
		rest -= half;
	}
	if (rest == 0 && number != 0)
		row_delete(slot);
	else
		update_slot(slot, level, rest);
}

/* All slots are ours: leave one, with that much. */
static void
merge(Row **slots, int count, int64 quantity)
{
	update_slot(slots[0], 0, quantity);
	for (int i = 1; i < count; i++)
		row_delete(slots[i]);
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

/* Lock slots, ascending, until somebody else's; how many. */
static int
lock_free_slots(const Slots *all)
{
	int			count = 0;
	bool		is_busy;

	while (count < all->count &&
		   row_lock_unchanged(all->slots[count], false, &is_busy))
		count++;
	return count;
}

/* Hold any slot, whatever is in it. */
static bool
hold_any_slot(Work *work, TableId table, int64 id, const Slots *all,
			  CounterHold *hold)
{
	int32		busy;

	switch (hold_free_slot(all, hold, &busy))
	{
		case HELD:
			return true;
		case BUSY:
			return wait_for_slot(work, table, id, busy, hold);
		default:
			return false;
	}
}

/*
 * Add quantity to any one slot; false: they have changed, look again. If it is
 * the only one, as after a rush, it may be split from the start again. No other
 * was made since: all come from splitting this one, which has not changed.
 */
static bool
give_to_one(Work *work, TableId table, int64 id, const Slots *all,
			int64 quantity)
{
	CounterHold hold = {0};
	Row		   *slot;

	if (!hold_any_slot(work, table, id, all, &hold))
		return false;
	slot = hold.slots[0];
	update_slot(slot, all->count > 1 ? row_int32(slot, SLOTS_LEVEL) : 0,
				row_int64(slot, SLOTS_QUANTITY) + quantity);
	return true;
}

/* Only with all slots locked is it certain that so much may be added. */
static bool
needs_all_slots(const Slots *all, int64 quantity)
{
	return all->sum > ALL_SLOTS_SUM || quantity > ALL_SLOTS_QUANTITY;
}

/* All slots of a counter that somebody gives to. */
static Slots
read_slots_to_give(Work *work, TableId table, int64 id)
{
	Slots		all = read_slots_now(work, table, id, 0);

	if (all.count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("counter " INT64_FORMAT " in table \"%s\" has no slot",
						id, table_name(table))));
	return all;
}

bool
counter_give(Work *work, TableId table, int64 id, int64 quantity)
{
	for (;;)
	{
		Slots		all = read_slots_to_give(work, table, id);
		bool		is_all = needs_all_slots(&all, quantity);
		int64		sum;

		if (is_all)
			all = lock_all(work, table, id);
		if (pg_add_s64_overflow(all.sum, quantity, &sum))
			return false;

		if (is_all || lock_free_slots(&all) == all.count)
		{
			merge(all.slots, all.count, sum);
			return true;
		}
		all = read_slots(work, table, id, 0);
		if (give_to_one(work, table, id, &all, quantity))
			return true;
		CHECK_FOR_INTERRUPTS();
	}
}

bool
counter_give_back(Work *work, TableId table, int64 id, int64 quantity)
{
	for (;;)
	{
		Slots		all = read_slots_to_give(work, table, id);

		if (needs_all_slots(&all, quantity))
			return counter_give(work, table, id, quantity);
		if (give_to_one(work, table, id, &all, quantity))
			return true;
		CHECK_FOR_INTERRUPTS();
	}
}
