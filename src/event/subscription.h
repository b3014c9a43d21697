/*
 * subscription.h
 *		Subscriptions: which there are, and which events each wants.
 */
#ifndef COMMERCE_SUBSCRIPTION_H
#define COMMERCE_SUBSCRIPTION_H

#include "base/refusal.h"
#include "event/cursor.h"
#include "row/row.h"

#define DEFAULT_SUBSCRIPTION "default"
#define DEFAULT_SUBSCRIPTION_NO 1

typedef struct Subscription
{
	char	   *name;
	int32		number;			/* names it in other tables */
	Row		   *row;			/* NULL: default, as it was from the start */
	int			type_count;		/* 0: it wants events of all types */
	Datum	   *types;

	/* Its start, unless has_start is false: no event is before it. */
	bool		has_start;
	TimestampTz start_from;		/* DT_NOEND: no older events are wanted */
	XactSet		start;
	int			own_event_count;	/* before it, of the transaction itself */
	int64	   *own_events;
	int			other_origin_count; /* that are before it as a whole */
	int64	   *other_origins;
} Subscription;

/* The argument, a name; 22023 is left to create_subscription(). */
extern char *subscription_argument(FunctionCallInfo fcinfo, int n);

/* Find the subscription of this name; refuses with SUBSCRIPTION_NOT_FOUND. */
extern Refusal *subscription_find(Work *work, const char *name,
								  Subscription *subscription);

/* Is it paused now? */
extern bool subscription_is_paused(const Subscription *subscription);

/* Does it want this row of commerce.events? See also view wanted_events. */
extern bool subscription_wants(const Subscription *subscription, Row *event);

/*
 * One at a time may look for what is unclaimed in a subscription and store
 * deliveries for it. That lasts for a part of a call only, never to the end
 * of a transaction. The caller sees what others stored if it then calls
 * row_refresh(), and looks for what they have not committed.
 */
extern void subscription_begin_storing(const Subscription *subscription);
extern void subscription_end_storing(const Subscription *subscription);

/*
 * A row of view subscriptions, as functions return it. Raises SC008 if somebody
 * has dropped it just now.
 */
extern Datum subscription_datum(const char *function, const char *name);

#endif							/* COMMERCE_SUBSCRIPTION_H */
