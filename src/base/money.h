/*
 * money.h
 *		Bounds, percentages and proration of amounts, all in minor units.
 */
#ifndef COMMERCE_MONEY_H
#define COMMERCE_MONEY_H

#include "base/refusal.h"
#include "common/int.h"

/* Refuses with INVALID_AMOUNT unless 1 <= amount <= maximum. */
extern Refusal *money_check_amount(int64 amount, int64 maximum);

/*
 * floor(amount x percent / 100) for amount >= 0, percent 0..100: cannot
 * overflow.
 */
extern int64 money_percent(int64 amount, int64 percent);

/*
 * Spread total over the count parts in proportion to them: by largest
 * remainder, ties to the lower index. The shares add up to total exactly and
 * none exceeds its part. Holds: 0 <= total <= sum, the parts' sum.
 */
extern void money_prorate(int64 total, int64 sum, const int64 *parts,
						  int64 *shares, int count);

/*
 * What falls on the next units when so many of them are done, of an amount for
 * all units: floor(amount x (done + next) / units), less the same without next.
 * The parts of a whole so add up to amount, whichever they are.
 * Holds: 0 <= amount, 0 <= done, 0 <= next, done + next <= units, 1 <= units.
 */
extern int64 money_part(int64 amount, int64 units, int64 done,
						int64 next);

#endif							/* COMMERCE_MONEY_H */
