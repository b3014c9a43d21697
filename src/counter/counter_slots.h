/*
 * counter_slots.h
 *		The slots of one counter: read, write, hold one or all.
 *
 * For the files of this floor. counter.c says how slots make a counter.
 */
#ifndef COMMERCE_COUNTER_SLOTS_H
#define COMMERCE_COUNTER_SLOTS_H

#include "row/row.h"

/* Slots of a counter as a snapshot has them, ascending. */
typedef struct Slots
{
	Row		  **slots;
	int			count;
	int			room;
	int64		sum;			/* of all, whichever these are */
} Slots;

/* What came of a look at all slots. */
typedef enum Outcome
{
	HELD,						/* one that suffices and was free */
	BUSY,						/* those that suffice are somebody else's */
	CHANGED,					/* at least one has; it may be free */
	NONE_SUFFICES
} Outcome;

/* What counter_look() found and counter_hold() locked, for counter_take(). */
typedef struct CounterHold
{
	Row		   *own;			/* the slot that is tried first, or NULL */
	Row		  **slots;			/* one that suffices, or all */
	int			slot_count;
	int64		quantity;
	bool		waited;			/* for somebody who took from the same slot */
	bool		is_only;		/* there is no other slot */
	int64		seen;			/* if so, what a look saw in it */
	bool		is_taken;		/* already: counter_take() has nothing to do */
} CounterHold;

/* A new slot, not inserted yet; and one that is. */
extern Row *slot_new(Work *work, TableId table, int64 id, int32 number,
					 int32 level, int64 quantity);
extern void slot_insert(Work *work, TableId table, int64 id, int32 number,
						int32 level, int64 quantity);
extern void slot_update(Row *slot, int32 level, int64 quantity);

/* The same of one that is not locked, as row_update_unchanged(). */
extern bool slot_update_unchanged(Row *slot, int64 quantity);

/* One slot as the snapshot has it, or NULL. */
extern Row *slot_find(Work *work, TableId table, int64 id, int32 number);

/* Those with at least so much in them; 0 is all. */
extern Slots slots_read(Work *work, TableId table, int64 id, int64 at_least);

/* The same as of now, where a snapshot can be. */
extern Slots slots_read_now(Work *work, TableId table, int64 id,
							int64 at_least);

/* This one is locked. */
extern void slot_hold(CounterHold *hold, Row *slot);

/* Hold one that is free of slots that suffice; *busy is one that is not. */
extern Outcome slot_hold_free(const Slots *fit, CounterHold *hold,
							  int32 *busy);

/* Wait for the holder of that slot, without locking it unless they gave up. */
extern bool slot_wait(Work *work, TableId table, int64 id, int32 number,
					  CounterHold *hold);

/* Lock all slots; what they sum up to is then exact. */
extern Slots slots_lock_all(Work *work, TableId table, int64 id);

#endif							/* COMMERCE_COUNTER_SLOTS_H */
