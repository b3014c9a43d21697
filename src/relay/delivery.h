/*
 * delivery.h
 *		Events on their way to the receiver: queued, and in flight.
 */
#ifndef RELAY_DELIVERY_H
#define RELAY_DELIVERY_H

#include <curl/curl.h>
#include <stdbool.h>

#include "event.h"
#include "headers.h"
#include "histogram.h"
#include "http.h"
#include "options.h"
#include "output.h"
#include "pace.h"
#include "receiver.h"
#include "record.h"

typedef struct Delivery
{
	const Options *options;
	Record	   *record;			/* takes the outcomes */
	CURLM	   *multi;
	Http	   *http;			/* NULL when writing to stdout */
	Output		output;
	Pace		pace;
	Receiver	receiver;

	EventList	queued;
	EventList	in_flight;
	bool		too_slow;		/* some waited in vain for one to end */
	bool		gone;			/* the endpoint says so */
	Histogram	took;			/* those that were delivered */

	/* Entries of the log in this second. */
	int64_t		second_us;
	int			logged;
	int			not_logged;
} Delivery;

/* The headers and secrets are NULL when writing to stdout. */
extern void delivery_init(Delivery *delivery, const Options *options,
						  const Secrets *secrets, Headers *headers,
						  CURLM *multi, Record *record);
extern void delivery_free(Delivery *delivery);

/* Take all events of a claim. */
extern void delivery_take(Delivery *delivery, EventList *claimed);

/*
 * Start what can be started, or nothing more when stopping; take what ended.
 * Whether something did, so that there is more to do before waiting.
 */
extern bool delivery_go_on(Delivery *delivery, bool stopping);

/* When there is something to do without anything to happen before. */
extern int64_t delivery_until_us(const Delivery *delivery);

/* How many events are to be delivered. */
extern int	delivery_count(const Delivery *delivery);

/* How many a claim may bring, and from when on it makes sense. */
extern int	delivery_room(const Delivery *delivery);
extern int64_t delivery_claim_us(const Delivery *delivery);

#endif
