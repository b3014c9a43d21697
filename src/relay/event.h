/*
 * event.h
 *		A claimed event on its way through the relay, and lists of them.
 *
 * An event is in exactly one list at a time: queued, in flight, or one of those
 * whose outcome is to be recorded.
 */
#ifndef RELAY_EVENT_H
#define RELAY_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How its delivery ended, whoever is to blame. */
typedef enum Outcome
{
	OUTCOME_DELIVERED,
	OUTCOME_REFUSED,			/* the answer speaks of this event */
	OUTCOME_LIMITED,			/* too many requests */
	OUTCOME_UNWELL,				/* an error of the receiver's, or no answer */
	OUTCOME_GONE				/* the endpoint is gone for good */
} Outcome;

typedef struct Event
{
	struct Event *previous;
	struct Event *next;
	int64_t		event_id;
	int64_t		order_id;
	int			attempt;
	int64_t		occurred_us;	/* as clock_now() has it, may be negative */
	int64_t		lease_end_us;
	int64_t		started_us;		/* when its delivery began */
	Outcome		outcome;
	char	   *error;			/* why it was not delivered; NULL: it was */
	int			retry_after_s;	/* what the endpoint asked for; 0: nothing */
	int64_t		release_us;		/* released: available again after that */
	int			refusals;		/* how often its outcome, alone, was refused */
	bool		in_doubt;		/* the outcome may have been recorded already */
	size_t		payload_length;
	char		payload[];		/* and a zero byte */
} Event;

typedef struct EventList
{
	Event	   *first;
	Event	   *last;
	int			count;
} EventList;

extern Event *event_new(const char *payload, size_t length);
extern void event_free(Event *event);

/* Note why it is not delivered; the first reason is the one that counts. */
extern void event_fail(Event *event, Outcome outcome, const char *format, ...)
			__attribute__((format(printf, 3, 4)));

/* An entry of the log about the event, with an error unless that is NULL. */
extern void event_log(const char *level, const char *name, const Event *event,
					  const char *error);

extern void event_append(EventList *list, Event *event);
extern void event_remove(EventList *list, Event *event);

/* When the oldest of them occurred, if not later than that. */
extern int64_t event_oldest_us(const EventList *list, int64_t so_far_us);

/* Free the first so many events of the list. */
extern void event_free_first(EventList *list, int count);

#endif
