/*
 * balance.h
 *		Balances and their history.
 */
#ifndef COMMERCE_BALANCE_H
#define COMMERCE_BALANCE_H

#include "base/ids.h"
#include "base/refusal.h"
#include "row/row.h"

/* The setting commerce.max_charge_amount, minor currency units. */
extern int64 balance_max_charge_amount;

/* Refuses with INSUFFICIENT_BALANCE when amount is more than the balance. */
extern Refusal *balance_check(Row *balance, int64 amount);

/* Refuses with BALANCE_LIMIT_EXCEEDED when amount more would pass 2^63-1. */
extern Refusal *balance_check_room(Row *balance, int64 amount);

/*
 * Add the signed amount to a locked balance and record it. The caller has
 * checked that the result is from 0 to 2^63-1 and that amount is not 0.
 * Returns the history's row.
 */
extern Row *balance_move(Row *balance, EnumLabel type, int64 amount,
						 int64 order_id);

/*
 * Add it to a balance that row_look() found, which nobody has locked, and write
 * that; balance_record() has to follow. NULL: nothing is done, lock it and
 * check it anew.
 */
extern Row *balance_add_unlocked(Row *balance, int64 amount);

/*
 * The same in steps, for one of several movements: add to changed, the balance
 * as row_change() copied it, and record what was added last. The caller writes
 * changed, before or after.
 */
extern void balance_add(Row *changed, int64 amount);
extern Row *balance_record(Row *changed, EnumLabel type, int64 amount,
						   int64 order_id);

#endif							/* COMMERCE_BALANCE_H */
