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
 * Give the order's coupon back, if it has one; if the order was paid, only as
 * its policy says.
 */
extern void order_give_back_coupon(Row *order);

/* The lines of a locked order. */
typedef struct OrderLines
{
	Row		  **rows;			/* option_id ascending */
	int			count;
} OrderLines;

extern OrderLines order_lines(Work *work, int64 order_id);

/* Set a line's refunded_quantity; its order is locked. */
extern void order_set_refunded(Row *line, int64 refunded_quantity);

#endif							/* COMMERCE_ORDER_LIFECYCLE_H */
