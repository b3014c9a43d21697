/*
 * event.h
 *		Events for the outside world: writing one.
 */
#ifndef COMMERCE_EVENT_H
#define COMMERCE_EVENT_H

#include "row/row.h"
#include "utils/array.h"
#include "utils/jsonb.h"

/* Every type of event there is. */
#define EVENT_ORDER_PAID "order.paid"
#define EVENT_ORDER_CANCELLED "order.cancelled"
#define EVENT_ORDER_REFUNDED "order.refunded"

/*
 * Write an order's first event, order.paid, or a later one, and have the
 * transaction's commit notify channel commerce_outbox. The caller holds the
 * order's lock. refund is what the payload of EVENT_ORDER_REFUNDED says of it;
 * NULL for others.
 */
extern void event_write_first(Row *order);
extern void event_write_later(Row *order, const char *event_type,
							  Jsonb *refund);

/* Is there such a type of events? */
extern bool event_type_exists(const char *event_type);

/* Names this database among those that events may come from. */
extern int64 event_origin(void);

#endif							/* COMMERCE_EVENT_H */
