/*
 * counter.h
 *		A quantity that many take from at once: stock and coupon quota.
 */
#ifndef COMMERCE_COUNTER_H
#define COMMERCE_COUNTER_H

#include "counter/counter_slots.h"

/* The setting commerce.max_slots. */
extern int	counter_max_slots;

/* Make the counter id in a table of slots. */
extern void counter_create(Work *work, TableId table, int64 id,
						   int64 quantity);

/* The total as the snapshot has it; locks nothing. */
extern int64 counter_available(Work *work, TableId table, int64 id);

/*
 * A first look at the counter, before what comes before counters in the lock
 * order is locked. False: there is less than quantity if hold->is_only, and
 * hold->seen is what there is; else another look is due.
 */
extern bool counter_look(Work *work, TableId table, int64 id, int64 quantity,
						 CounterHold *hold);

/*
 * Lock enough of the counter to take quantity from it. False when there is
 * less; *available is what there is. Nothing is written yet.
 *
 * Caller holds whatever comes before counters in the lock order, and holds
 * several counters of a table in ascending order of id. counter_hold_looked is
 * the same after counter_look.
 */
extern bool counter_hold(Work *work, TableId table, int64 id, int64 quantity,
						 CounterHold *hold, int64 *available);
extern bool counter_hold_looked(Work *work, TableId table, int64 id,
								CounterHold *hold, int64 *available);

/*
 * Take what a look found at once, without a lock before: instead of holding it,
 * for a caller that ends in an error should anything be in the way later.
 * False: nothing is done, hold it. May wait as counter_hold does.
 */
extern bool counter_take_looked(CounterHold *hold);

/* Take what was held; nothing of what was taken at once. */
extern void counter_take(CounterHold *hold);

/*
 * The same for a caller that may take less in the end. counter_hold_most locks
 * all there is if that is less than quantity, and returns how much may be
 * taken.
 */
extern int64 counter_hold_most(Work *work, TableId table, int64 id,
							   int64 quantity, CounterHold *hold);
extern void counter_take_less(CounterHold *hold, int64 quantity);

/*
 * Add quantity; false, and nothing done, if that passes 2^63-1. Where nobody
 * is taking, all is shared out anew over the slots there are; else several
 * slots may stay locked to the end of the transaction.
 */
extern bool counter_give(Work *work, TableId table, int64 id, int64 quantity);

/*
 * The same for what was taken before: into one slot that nobody holds, so that
 * takers from the others do not wait for us. Waits where all are held.
 */
extern bool counter_give_back(Work *work, TableId table, int64 id,
							  int64 quantity);

/* What came of trying. */
typedef enum CounterTry
{
	COUNTER_HELD,
	COUNTER_BUSY,				/* somebody holds what it takes */
	COUNTER_FULL				/* it would pass 2^63-1 */
} CounterTry;

/*
 * The same in two steps, waiting for nobody: hold what it takes to give
 * quantity back, and give some of that, or nothing.
 */
extern CounterTry counter_try_to_give(Work *work, TableId table, int64 id,
									  int64 quantity, CounterHold *hold);
extern void counter_put_back(const CounterHold *hold, int64 quantity);

/* Raise 22023 unless slots, an argument, is 1..commerce.max_slots. */
extern void counter_check_slots(int32 slots);

/*
 * Spread what there is over so many slots, but over no fewer than before and
 * no more than there are units; returns how many that is. Waits for takers.
 */
extern int32 counter_spread(Work *work, TableId table, int64 id,
							int32 wanted);

#endif							/* COMMERCE_COUNTER_H */
