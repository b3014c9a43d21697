/*
 * receiver.c
 *		Whether the receiver is there, and who is to blame if an event does not
 *		get through.
 *
 * An answer that speaks of the event (any but 2xx, 410, 429 and 5xx) is the
 * event's failure. 429 is never: it is a matter of pace (rate.c). All else, 5xx
 * or no answer, may be due to either, and the other events tell to which:
 *
 *	- The first time, the event is released, for RELEASE_US, and remembered as a
 *	  suspect.
 *	- The next time it has failed, if a delivery of another event began after
 *	  the first time and got through: the receiver was there in between. That
 *	  one holds also when there is nothing else to send any more, so that a
 *	  poisoned event comes to its end.
 *	- But not while the receiver is away.
 *
 * It is away after AWAY_AFTER releases in a row, or after one if its error asks
 * to wait, provided that nothing got through since that one began. It is away
 * as well if it takes not even one request a second, or its 429 asks to wait
 * for longer than WAIT_MAX_S. Then nothing goes but a probe: one event after
 * WAIT_MIN_US, then after twice as long, and so on to WAIT_MAX_S, and never
 * before the receiver asked to come. The first one that it takes, or says
 * something about, ends that: on at full speed.
 *
 * A probe takes the event that was not tried for the longest time: a poisoned
 * event that looks like a receiver that is away does not hold up the others for
 * longer than until the next probe.
 */
#include "receiver.h"

#include <stddef.h>

#include "clock.h"

#define AWAY_AFTER		3
#define WAIT_MIN_US		US_PER_S
#define WAIT_MAX_S		30
/* What an answer asks for is believed so far. */
#define ASKED_MAX_S		3600

ReceiverState
receiver_state(const Receiver *receiver)
{
	if (receiver->away)
		return RECEIVER_AWAY;
	return receiver->rate.limited ? RECEIVER_LIMITING : RECEIVER_WELL;
}

const char *
receiver_state_name(ReceiverState state)
{
	static const char *const names[] = {
		[RECEIVER_WELL] = "well",
		[RECEIVER_LIMITING] = "limiting",
		[RECEIVER_AWAY] = "away"
	};

	return names[state];
}

/* ---- away and back ---- */

static void
probe_at(Receiver *receiver, int64_t time_us)
{
	if (receiver->probe_us < time_us)
		receiver->probe_us = time_us;
}

static void
go_away(Receiver *receiver, int64_t now_us)
{
	receiver->away = true;
	receiver->away_us = now_us;
	receiver->wait_us = WAIT_MIN_US;
	receiver->probing = false;
	receiver->probe_us = now_us + WAIT_MIN_US;
}

static void
probe_in_vain(Receiver *receiver, int64_t now_us)
{
	receiver->probing = false;
	receiver->wait_us *= 2;
	if (receiver->wait_us > WAIT_MAX_S * US_PER_S)
		receiver->wait_us = WAIT_MAX_S * US_PER_S;
	probe_at(receiver, now_us + receiver->wait_us);
}

/* It did not take the event, and is to blame. */
static void
not_taken(Receiver *receiver, const Event *event, bool is_away, int64_t now_us)
{
	int64_t		asked_s = event->retry_after_s;

	if (asked_s > ASKED_MAX_S)
		asked_s = ASKED_MAX_S;
	if (receiver->away && event->started_us >= receiver->away_us)
		probe_in_vain(receiver, now_us);
	else if (!receiver->away && is_away)
		go_away(receiver, now_us);
	if (receiver->away)
		probe_at(receiver, now_us + asked_s * US_PER_S);
}

/* It answered to an event. */
static void
is_there(Receiver *receiver)
{
	Rate		unlimited = {0};

	receiver->unwell_in_a_row = 0;
	if (!receiver->away)
		return;
	receiver->away = false;
	receiver->rate = unlimited;
}

/* ---- who is to blame ---- */

static void
delivered(Receiver *receiver, const Event *event, int64_t now_us)
{
	suspects_forget(&receiver->suspects, event->event_id);
	if (event->started_us > receiver->good_began_us)
		receiver->good_began_us = event->started_us;
	receiver->good_ended_us = now_us;
	is_there(receiver);
	rate_taken(&receiver->rate, now_us, event->started_us);
}

static void
limited(Receiver *receiver, const Event *event, int64_t now_us)
{
	bool		too_long = event->retry_after_s > WAIT_MAX_S;

	receiver->unwell_in_a_row = 0;
	if (!receiver->away && !too_long)
		too_long = !rate_refused(&receiver->rate, now_us, event->started_us,
								 event->retry_after_s);
	not_taken(receiver, event, too_long, now_us);
}

static Verdict
unwell(Receiver *receiver, const Event *event, int64_t now_us)
{
	const Suspect *suspect =
		suspects_find(&receiver->suspects, event->event_id);
	bool		to_blame = suspect != NULL && !receiver->away &&
		receiver->good_began_us >= suspect->first_us;

	suspects_note(&receiver->suspects, event->event_id, now_us);
	if (to_blame)
		return VERDICT_FAILED;
	receiver->unwell_in_a_row++;
	not_taken(receiver, event, event->started_us >= receiver->good_ended_us &&
			  (receiver->unwell_in_a_row >= AWAY_AFTER ||
			   event->retry_after_s > 0), now_us);
	return VERDICT_RELEASED;
}

Verdict
receiver_judge(Receiver *receiver, const Event *event, int64_t now_us)
{
	switch (event->outcome)
	{
		case OUTCOME_DELIVERED:
			delivered(receiver, event, now_us);
			return VERDICT_DELIVERED;
		case OUTCOME_REFUSED:
			suspects_forget(&receiver->suspects, event->event_id);
			is_there(receiver);
			return VERDICT_FAILED;
		case OUTCOME_LIMITED:
			limited(receiver, event, now_us);
			return VERDICT_RELEASED;
		case OUTCOME_UNWELL:
			return unwell(receiver, event, now_us);
		case OUTCOME_GONE:
			break;
	}
	return VERDICT_RELEASED;
}

/* ---- for whoever starts deliveries ---- */

int64_t
receiver_next_us(const Receiver *receiver)
{
	if (!receiver->away)
		return receiver->rate.next_us;
	return receiver->probing ? INT64_MAX : receiver->probe_us;
}

void
receiver_started(Receiver *receiver, int64_t now_us)
{
	receiver->probing = receiver->away;
	rate_started(&receiver->rate, now_us);
}

int
receiver_probe_size(const Receiver *receiver)
{
	return receiver->suspects.count + 1;
}

Event *
receiver_choose(Receiver *receiver, const EventList *list)
{
	Event	   *chosen = NULL;
	int64_t		chosen_us = INT64_MAX;

	for (Event *event = list->first; event != NULL; event = event->next)
	{
		const Suspect *suspect =
			suspects_find(&receiver->suspects, event->event_id);
		int64_t		last_us = suspect != NULL ? suspect->last_us : 0;

		if (last_us < chosen_us)
		{
			chosen = event;
			chosen_us = last_us;
		}
	}
	return chosen;
}

void
receiver_look(Receiver *receiver, int64_t now_us)
{
	rate_look(&receiver->rate, now_us);
}
