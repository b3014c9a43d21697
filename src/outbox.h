/*
 * outbox.h
 *		Events for the outside world.
 */
#ifndef COMMERCE_OUTBOX_H
#define COMMERCE_OUTBOX_H

#include "row.h"

#define EVENT_ORDER_PAID "order.paid"

/*
 * Write an event about an order, and have the transaction's commit notify
 * channel commerce_outbox. Events of one order are written under its lock, so
 * that their ids follow their order.
 */
extern void outbox_write(Work *work, const char *event_type, int64 order_id);

/* Is any event due, or its lease lapsed? Needs a snapshot. */
extern bool outbox_has_due(void);

#endif							/* COMMERCE_OUTBOX_H */
