/*
 * counter_give.c
 *		Giving to a counter, and spreading it over slots.
 *
 * counter.c says how.
 */
#include "postgres.h"

#include "base/args.h"
#include "base/bucket.h"
#include "common/int.h"
#include "counter/counter.h"
#include "miscadmin.h"

/*
 * Calls that add more than ALL_SLOTS_QUANTITY, or to more than ALL_SLOTS_SUM,
 * lock all slots: or else several at once might pass 2^63-1 together.
 */
#define ALL_SLOTS_QUANTITY	(INT64CONST(1) << 40)
#define ALL_SLOTS_SUM		(INT64CONST(1) << 62)

static void
counter_create_if_absent(Work *work, TableId table, int64 id)
{
	(void) row_insert_if_absent(slot_new(work, table, id, 0, 0, 0));
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

/*
 * All slots are ours: as many as before, with that much together. If there is
 * one only, as after a rush, it may be split from the start again.
 */
static void
share_out(const Slots *all, int64 sum)
{
	for (int i = 0; i < all->count; i++)
	{
		Row		   *slot = all->slots[i];
		int32		level = all->count > 1 ? row_int32(slot, SLOTS_LEVEL) : 0;
		int64		share = sum / all->count + (i < sum % all->count);

		if (share == 0 && row_int32(slot, SLOTS_SLOT) != 0)
			row_delete(slot);
		else
			slot_update(slot, level, share);
	}
}

/* Hold any slot, whatever is in it. */
static bool
hold_any_slot(Work *work, TableId table, int64 id, const Slots *all,
			  CounterHold *hold)
{
	int32		busy;

	switch (slot_hold_free(all, hold, &busy))
	{
		case HELD:
			return true;
		case BUSY:
			return slot_wait(work, table, id, busy, hold);
		default:
			return false;
	}
}

/*
 * If it is the only slot, as after a rush, it may be split from the start
 * again. No other was made since: all come from splitting this one, which has
 * not changed.
 */
void
counter_put_back(const CounterHold *hold, int64 quantity)
{
	Row		   *slot = hold->slots[0];

	slot_update(slot, hold->is_only ? 0 : row_int32(slot, SLOTS_LEVEL),
				row_int64(slot, SLOTS_QUANTITY) + quantity);
}

/* Add quantity to any one slot; false: they have changed, look again. */
static bool
give_to_one(Work *work, TableId table, int64 id, const Slots *all,
			int64 quantity)
{
	CounterHold hold = {.is_only = all->count == 1};

	if (!hold_any_slot(work, table, id, all, &hold))
		return false;
	counter_put_back(&hold, quantity);
	return true;
}

/* Only with all slots locked is it certain that so much may be added. */
static bool
needs_all_slots(const Slots *all, int64 quantity)
{
	return all->sum > ALL_SLOTS_SUM || quantity > ALL_SLOTS_QUANTITY;
}

/*
 * All slots of a counter that somebody gives to. A node of a cluster makes it
 * then: of most counters it had nothing yet.
 */
static Slots
read_slots_to_give(Work *work, TableId table, int64 id)
{
	Slots		all = slots_read_now(work, table, id, 0);

	if (all.count == 0 && bucket_is_in_cluster())
	{
		counter_create_if_absent(work, table, id);
		all = slots_read_now(work, table, id, 0);
	}
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
			all = slots_lock_all(work, table, id);
		if (pg_add_s64_overflow(all.sum, quantity, &sum))
			return false;

		if (is_all || lock_free_slots(&all) == all.count)
		{
			share_out(&all, sum);
			return true;
		}
		all = slots_read(work, table, id, 0);
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

/* Hold all of these slots; false: one is not free, or has changed. */
static bool
try_all_slots(const Slots *all, CounterHold *hold)
{
	hold->slots = all->slots;
	hold->slot_count = lock_free_slots(all);
	return hold->slot_count == all->count;
}

CounterTry
counter_try_to_give(Work *work, TableId table, int64 id, int64 quantity,
					CounterHold *hold)
{
	for (;;)
	{
		Slots		all = read_slots_to_give(work, table, id);
		int32		busy;
		int64		sum;

		if (pg_add_s64_overflow(all.sum, quantity, &sum))
			return COUNTER_FULL;
		memset(hold, 0, sizeof(CounterHold));
		hold->is_only = all.count == 1;
		if (needs_all_slots(&all, quantity))
			return try_all_slots(&all, hold) ? COUNTER_HELD : COUNTER_BUSY;
		switch (slot_hold_free(&all, hold, &busy))
		{
			case HELD:
				return COUNTER_HELD;
			case BUSY:
				return COUNTER_BUSY;
			default:
				break;
		}
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * The level of a slot in a counter of so many, as if each had been split from
 * its parent in turn.
 */
static int32
spread_level(int32 number, int32 count)
{
	int32		level = 0;

	while (number >= 1 << level || number + (1 << level) < count)
		level++;
	return level;
}

void
counter_check_slots(int32 slots)
{
	if (slots < 1 || slots > counter_max_slots)
		args_invalid("slots",
					 psprintf("be from 1 to %d, commerce.max_slots",
							  counter_max_slots));
}

int32
counter_spread(Work *work, TableId table, int64 id, int32 wanted)
{
	Slots		all = slots_lock_all(work, table, id);
	int32		count = Max(all.count, Min(wanted, all.sum));
	int			next = 0;

	if (count == all.count)
		return count;
	for (int32 number = 0; number < count; number++)
	{
		int64		share = all.sum / count + (number < all.sum % count);
		int32		level = spread_level(number, count);

		if (next < all.count &&
			row_int32(all.slots[next], SLOTS_SLOT) == number)
			slot_update(all.slots[next++], level, share);
		else
			slot_insert(work, table, id, number, level, share);
	}
	while (next < all.count)
		row_delete(all.slots[next++]);
	return count;
}
