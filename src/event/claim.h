/*
 * claim.h
 *		One call of claim_events: what its parts share.
 */
#ifndef COMMERCE_CLAIM_H
#define COMMERCE_CLAIM_H

#include "event/delivery.h"
#include "event/subscription.h"
#include "row/row.h"

/* An event that the call hands out. */
typedef struct Claimed
{
	int64		origin;
	EventKey	key;
	int32		attempt;
} Claimed;

typedef struct Claim
{
	Work	   *work;
	Subscription *subscription;
	DeliveryLook look;
	TimestampTz now;
	TimestampTz lease_end;
	int			room;			/* so many more may be claimed */
	int			count;
	Claimed    *claimed;		/* with room for all */
	List	   *later;			/* due, never claimed: the walk comes first */
} Claim;

/* Hand the event out. */
extern void claim_add(Claim *claim, int64 origin, int64 xact_id,
					  int64 event_id, int32 attempt);

/* Claim stored deliveries that are due, and end lapsed leases. */
extern void claim_due(Claim *claim);

/* Claim one that is available and due, unless it is blocked or locked. */
extern void claim_available(Claim *claim, Row *delivery);

/* Claim events that no claim has come to. */
extern void claim_new(Claim *claim);

#endif							/* COMMERCE_CLAIM_H */
