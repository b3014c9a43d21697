/*
 * delivery.h
 *		A stored delivery: what has become of an event in a subscription.
 */
#ifndef COMMERCE_DELIVERY_H
#define COMMERCE_DELIVERY_H

#include "base/refusal.h"
#include "event/subscription.h"
#include "row/row.h"
#include "utils/hsearch.h"

/* So many failures, and an event is dead. */
#define DELIVERY_MAX_FAILURES	10

/* What there is of an event in a subscription. */
typedef enum DeliveryFound
{
	DELIVERY_NONE,
	DELIVERY_DOUBTFUL,			/* somebody is inserting it; may come to none */
	DELIVERY_STORED
} DeliveryFound;

/* To look for many of one subscription. */
typedef struct DeliveryLook
{
	Work	   *work;
	int32		subscription_no;
	RowSeek    *by_event;
	RowSeek    *by_order;		/* NULL until the first look */
	HTAB	   *held;			/* orders, see delivery_hold_order() */
} DeliveryLook;

extern void delivery_look_begin(DeliveryLook *look, Work *work,
								const Subscription *subscription);
extern void delivery_look_end(DeliveryLook *look);

/*
 * Is there one of the event, committed or not? In REPEATABLE READ and above
 * one that came after the snapshot is 40001.
 */
extern DeliveryFound delivery_find(DeliveryLook *look, int64 event_id);

/*
 * In this look, have the later events of the order wait for this one, which has
 * no stored delivery, or one that may come to none before they are looked at.
 */
extern void delivery_hold_order(DeliveryLook *look, int64 order_id,
								int64 event_id);

/*
 * Must the event wait for another of its order? For an older one that is
 * unfinished, or any that is leased, be it by what is not committed; and for an
 * older one that this look has found doubtful, or was told to hold the order
 * for.
 */
extern bool delivery_is_blocked(DeliveryLook *look, int64 order_id,
								int64 event_id);

/*
 * A new one of an event: running until due_at, its first attempt, available
 * from due_at on, or discarded at due_at.
 */
extern Row *delivery_new(Work *work, const Subscription *subscription,
						 Row *event, EnumLabel status, TimestampTz due_at);

/*
 * The changes of a locked one. A failure makes it available again, due_at, or
 * dead; the error is text.
 */
extern Row *delivery_lease(Row *delivery, TimestampTz until);
extern void delivery_set_leased(Row *changed, int32 attempt,
								TimestampTz until);
extern Row *delivery_finish(Row *delivery, EnumLabel status);
extern Row *delivery_release(Row *delivery, TimestampTz due_at);
extern Row *delivery_retry(Row *delivery);
extern Row *delivery_fail(Row *delivery, Datum error, TimestampTz due_at);

/* Is it under a lease that has ended? */
extern bool delivery_has_lapsed(Row *delivery, TimestampTz now);

/* Lock the subscription's delivery of an event, or NULL: none is stored. */
extern Row *delivery_lock(Work *work, const Subscription *subscription,
						  int64 event_id);

/* A refusal of what its state does not allow. */
extern Refusal *delivery_state_conflict(Row *delivery);

/*
 * A stored one as a row of view deliveries. Raises SC007 if somebody has just
 * dropped the subscription, or deleted the event by hand.
 */
extern Datum delivery_datum(const char *function, const char *subscription,
							int64 event_id);

#endif							/* COMMERCE_DELIVERY_H */
