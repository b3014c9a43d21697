/*
 * order_lifecycle.h
 *		What pay, cancel, refund and expire share.
 */
#ifndef COMMERCE_ORDER_LIFECYCLE_H
#define COMMERCE_ORDER_LIFECYCLE_H

#include "base/refusal.h"
#include "row/row.h"

/*
 * Lock an order: whatever else changes with it is safe from others then, and
 * can be read as it is. Refuses with ORDER_NOT_FOUND.
 */
extern Refusal *order_lock(Work *work, int64 order_id, Row **order);

/* ORDER_STATE_CONFLICT: the order is not in the state that it must be. */
extern Refusal *order_state_conflict(Row *order, const char *must_be);

/*
 * Lock the balance that paid the order, to give amount (> 0) back to it.
 * Refuses with BALANCE_LIMIT_EXCEEDED.
 */
extern Refusal *order_lock_payer(Row *order, int64 amount, Row **balance);

/* Restore the order's coupon, if it has one and its policy lets it. */
extern void order_restore_coupon(Row *order);

/* The lines of a locked order. */
typedef struct OrderLines
{
	Row		  **rows;			/* option_id ascending */
	int			count;
} OrderLines;

extern OrderLines order_lines(Work *work, int64 order_id);

/* Set a line's refunded_quantity; its order is locked. */
extern void order_return_line(Row *line, int64 refunded_quantity);

#endif							/* COMMERCE_ORDER_LIFECYCLE_H */
