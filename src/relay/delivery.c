/*
 * delivery.c
 *		Events on their way to the receiver: queued, and in flight.
 *
 * A delivery starts when the receiver is to be sent one (receiver.c), and only
 * if it would time out before the lease ends. What waits in vain for either is
 * given back, so that nobody waits for the end of its lease.
 */
#include "delivery.h"

#include "clock.h"
#include "log.h"

/* What is queued is kept while the receiver is to be sent nothing so long. */
#define QUEUE_US		US_PER_S
/* A receiver that refuses everything must not fill the log. */
#define LOGGED_A_SECOND	10

void
delivery_init(Delivery *delivery, const Options *options,
			  const Secrets *secrets, Headers *headers, CURLM *multi,
			  Record *record)
{
	Delivery	fresh = {
		.options = options,
		.record = record,
		.multi = multi,
		.pace = {.options = options}
	};

	*delivery = fresh;
	if (!options->to_stdout)
		delivery->http = http_new(multi, options, secrets, headers);
}

void
delivery_free(Delivery *delivery)
{
	if (delivery->http != NULL)
		http_free(delivery->http);
	event_free_first(&delivery->queued, delivery->queued.count);
	event_free_first(&delivery->in_flight, delivery->in_flight.count);
}

int
delivery_count(const Delivery *delivery)
{
	return delivery->queued.count + delivery->in_flight.count;
}

/* ---- log ---- */

/* Whether one more entry about an event has room. */
static bool
may_log(Delivery *delivery, int64_t now)
{
	LogEntry	entry;

	if (now >= delivery->second_us + US_PER_S)
	{
		if (delivery->not_logged > 0)
		{
			log_begin(&entry, LOG_WARNING, "not_logged");
			log_int(&entry, "entries", delivery->not_logged);
			log_end(&entry);
		}
		delivery->second_us = now;
		delivery->logged = 0;
		delivery->not_logged = 0;
	}
	if (delivery->logged == LOGGED_A_SECOND)
	{
		delivery->not_logged++;
		return false;
	}
	delivery->logged++;
	return true;
}

static void
log_away(const Receiver *receiver, const Event *event, int64_t now)
{
	LogEntry	entry;

	log_begin(&entry, LOG_WARNING, "receiver_away");
	log_int(&entry, "next_try_ms", (receiver->probe_us - now) / US_PER_MS);
	log_text(&entry, "error", event->error);
	log_end(&entry);
}

static void
log_back(const Receiver *receiver, int64_t now)
{
	LogEntry	entry;

	log_begin(&entry, LOG_INFO, "receiver_back");
	log_int(&entry, "away_ms", (now - receiver->away_us) / US_PER_MS);
	log_end(&entry);
}

/* ---- give back ---- */

static void
give_back_first(Delivery *delivery)
{
	Event	   *event = delivery->queued.first;

	event_remove(&delivery->queued, event);
	record_released(delivery->record, event, 0);
}

static int64_t
last_start_us(const Delivery *delivery, const Event *event)
{
	return event->lease_end_us - delivery->options->timeout_us;
}

/* What is queued and cannot be delivered in time. */
static void
give_back(Delivery *delivery, bool stopping)
{
	int64_t		now = clock_now();
	int64_t		next_us = receiver_next_us(&delivery->receiver);
	bool		all = stopping || next_us > now + QUEUE_US ||
		(delivery->receiver.away && next_us > now);

	while (all && delivery->queued.count > 0)
		give_back_first(delivery);
	while (delivery->queued.count > 0 &&
		   now > last_start_us(delivery, delivery->queued.first))
	{
		if (may_log(delivery, now))
			event_log(LOG_WARNING, "lease_too_short", delivery->queued.first,
					  "given back: the lease would end before the timeout");
		give_back_first(delivery);
		delivery->too_slow = true;
	}
}

/* ---- start and end ---- */

/* The next queued event, if there is one and it may start now. */
static Event *
next_queued(Delivery *delivery)
{
	Event	   *event = delivery->queued.first;
	int64_t		now = clock_now();

	if (event == NULL || now < receiver_next_us(&delivery->receiver) ||
		now > last_start_us(delivery, event))
		return NULL;
	event_remove(&delivery->queued, event);
	event->started_us = now;
	event_append(&delivery->in_flight, event);
	receiver_started(&delivery->receiver, now);
	return event;
}

/* The delivery ended, well or with an error. */
static void
finished(Delivery *delivery, Event *event)
{
	Receiver   *receiver = &delivery->receiver;
	int64_t		now = clock_now();
	bool		was_away = receiver->away;
	Verdict		verdict = receiver_judge(receiver, event, now);

	pace_learn_delivery(&delivery->pace, now - event->started_us);
	event_remove(&delivery->in_flight, event);
	delivery->too_slow = false;
	if (event->error != NULL && may_log(delivery, now))
		event_log(LOG_WARNING, verdict == VERDICT_FAILED ?
				  "delivery_failed" : "delivery_released", event, event->error);
	if (receiver->away && !was_away)
		log_away(receiver, event, now);
	else if (was_away && !receiver->away)
		log_back(receiver, now);
	if (event->outcome == OUTCOME_GONE)
		delivery->gone = true;

	switch (verdict)
	{
		case VERDICT_DELIVERED:
			histogram_add(&delivery->took, now - event->started_us);
			record_delivered(delivery->record, event);
			break;
		case VERDICT_FAILED:
			record_failed(delivery->record, event);
			break;
		case VERDICT_RELEASED:
			record_released(delivery->record, event,
							event->outcome == OUTCOME_UNWELL &&
							!delivery->output.broken ? RELEASE_US : 0);
			break;
	}
}

static bool
go_on_by_http(Delivery *delivery)
{
	Event	   *event;
	int			unfinished;
	bool		some_finished = false;

	while (delivery->in_flight.count < delivery->options->concurrency &&
		   (event = next_queued(delivery)) != NULL)
	{
		if (!http_start(delivery->http, event))
			finished(delivery, event);
	}
	curl_multi_perform(delivery->multi, &unfinished);
	while ((event = http_take_finished(delivery->http)) != NULL)
	{
		finished(delivery, event);
		some_finished = true;
	}
	return some_finished;
}

static void
go_on_to_stdout(Delivery *delivery)
{
	Output	   *output = &delivery->output;
	Event	   *event;

	for (;;)
	{
		if (output->event == NULL)
		{
			event = output->broken ? NULL : next_queued(delivery);
			if (event == NULL)
				return;
			output_start(output, event);
		}
		event = output_take_finished(output);
		if (event == NULL)
			return;
		finished(delivery, event);
	}
}

bool
delivery_go_on(Delivery *delivery, bool stopping)
{
	receiver_look(&delivery->receiver, clock_now());
	give_back(delivery, stopping);
	if (delivery->http != NULL)
		return go_on_by_http(delivery);
	go_on_to_stdout(delivery);
	return false;
}

/* ---- claims ---- */

void
delivery_take(Delivery *delivery, EventList *claimed)
{
	Receiver   *receiver = &delivery->receiver;
	Event	   *probe = receiver->away ?
		receiver_choose(receiver, claimed) : NULL;
	Event	   *event;

	while ((event = claimed->first) != NULL)
	{
		event_remove(claimed, event);
		if (probe == NULL || event == probe)
			event_append(&delivery->queued, event);
		else
			record_released(delivery->record, event, 0);
	}
}

int
delivery_room(const Delivery *delivery)
{
	int			count = delivery_count(delivery);

	if (delivery->receiver.away)
		return receiver_probe_size(&delivery->receiver);
	if (delivery->too_slow)
		return delivery->options->concurrency - count;
	if (!pace_is_time(&delivery->pace, count))
		return 0;
	return pace_room(&delivery->pace, count,
					 rate_pause_us(&delivery->receiver.rate, clock_now()));
}

int64_t
delivery_claim_us(const Delivery *delivery)
{
	const Receiver *receiver = &delivery->receiver;
	int64_t		next_us = receiver_next_us(receiver);

	if (receiver->away)
		return delivery->queued.count == 0 ? next_us : INT64_MAX;
	return next_us > clock_now() + QUEUE_US ? next_us : 0;
}

int64_t
delivery_until_us(const Delivery *delivery)
{
	const Event *first = delivery->queued.first;
	int64_t		until_us;
	int64_t		next_us;

	if (first == NULL)
		return INT64_MAX;
	until_us = last_start_us(delivery, first) + 1;
	next_us = receiver_next_us(&delivery->receiver);
	if (delivery->in_flight.count < delivery->options->concurrency &&
		delivery->http != NULL && next_us < until_us)
		until_us = next_us;
	return until_us;
}
