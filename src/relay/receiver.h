/*
 * receiver.h
 *		Whether the receiver is there, and who is to blame if an event does not
 *		get through.
 */
#ifndef RELAY_RECEIVER_H
#define RELAY_RECEIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "event.h"
#include "rate.h"
#include "suspects.h"

typedef enum ReceiverState
{
	RECEIVER_WELL,
	RECEIVER_LIMITING,			/* takes so many requests a second */
	RECEIVER_AWAY				/* is tried with one request now and then */
} ReceiverState;

/* What the database is told of a delivery that ended. */
typedef enum Verdict
{
	VERDICT_DELIVERED,
	VERDICT_FAILED,				/* the event is to blame */
	VERDICT_RELEASED			/* it is not; for RELEASE_US if unwell */
} Verdict;

/* A suspect comes again after that, as long as nobody is known to be away. */
#define RELEASE_US		(500 * US_PER_MS)

/* Well when zeroed. */
typedef struct Receiver
{
	Rate		rate;
	Suspects	suspects;
	int64_t		good_began_us;	/* the latest start of one that got through */
	int64_t		good_ended_us;	/* when one got through last */
	int			unwell_in_a_row;

	bool		away;
	int64_t		away_us;		/* since when */
	int64_t		wait_us;		/* between two probes */
	int64_t		probe_us;		/* when the next one may start */
	bool		probing;		/* it has not ended */
} Receiver;

extern ReceiverState receiver_state(const Receiver *receiver);

/* "well", "limiting" or "away" */
extern const char *receiver_state_name(ReceiverState state);

/* A delivery ended: what becomes of the event. Its start is in it. */
extern Verdict receiver_judge(Receiver *receiver, const Event *event,
							  int64_t now_us);

/* When the next delivery may start; INT64_MAX: not before another ended. */
extern int64_t receiver_next_us(const Receiver *receiver);

/* A delivery starts. */
extern void receiver_started(Receiver *receiver, int64_t now_us);

/* How many events to claim for a probe, and which of them it is. */
extern int	receiver_probe_size(const Receiver *receiver);
extern Event *receiver_choose(Receiver *receiver, const EventList *list);

/* Time has passed. */
extern void receiver_look(Receiver *receiver, int64_t now_us);

#endif
