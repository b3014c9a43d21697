/*
 * outbox.h
 *		Events for the outside world.
 */
#ifndef COMMERCE_OUTBOX_H
#define COMMERCE_OUTBOX_H

#include "row/row.h"
#include "utils/jsonb.h"

#define EVENT_ORDER_PAID "order.paid"
#define EVENT_ORDER_CANCELLED "order.cancelled"
#define EVENT_ORDER_REFUNDED "order.refunded"

/*
 * Write an event about an order, and have the transaction's commit notify
 * channel commerce_outbox. Events of one order are written under its lock, so
 * that their ids follow their order.
 */
extern void outbox_write(Work *work, const char *event_type, int64 order_id);

/* The same for EVENT_ORDER_REFUNDED: refund is what its payload says of it. */
extern void outbox_write_refund(Work *work, int64 order_id, Jsonb *refund);

#endif							/* COMMERCE_OUTBOX_H */
