/*
 * relay.c
 *		The relay's loop: claim, deliver, record.
 *
 * One thread, one place to wait. An event goes through these lists:
 *
 *		claim -> queued -> in_flight -> delivered -> ack
 *					\			\-----> failed ----> fail
 *					 \-----------\----> released --> release
 *
 * No transaction is open while an event is in any of them: a claim is
 * committed when its result is here, and the lease keeps the event ours. So
 * the rules are about time:
 *
 *	- A delivery starts only if it would time out before the lease ends.
 *	- Claim only what can be started soon; pace.c says when and how much that
 *	  is, and receiver.c when nothing can.
 *	- The database runs one statement at a time. Whether our subscription is
 *	  there goes first, then a full or waiting batch of acks, failures, what is
 *	  released, claims, and acks that need not wait for more.
 *
 * The lists up to the delivery's end are in delivery.c, the others in record.c.
 */
#include "relay.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "database.h"
#include "delivery.h"
#include "event.h"
#include "figures.h"
#include "log.h"
#include "memory.h"
#include "monitor.h"
#include "program.h"
#include "record.h"
#include "report.h"
#include "statement.h"

#define GONE_REASON		"the endpoint answered 410"

typedef enum RelayState
{
	RELAY_RUNNING,
	RELAY_STOPPING,				/* starts nothing more */
	RELAY_ABANDONED				/* nothing can be recorded any more */
} RelayState;

typedef struct Relay
{
	const Options *options;
	Setup	   *setup;
	Database   *database;
	Monitor    *monitor;		/* NULL: there are no metrics */
	CURLM	   *multi;
	RelayState	state;
	int			exit_code;

	Delivery	delivery;
	Record		record;

	bool		list_due;		/* look whether our subscription is there */
	bool		pause_due;
	int64_t		pause_until_us; /* try for so long */

	int64_t		look_us;		/* when there may be something to claim */
	int64_t		look_again_us;	/* the latest time of which that is true */
	bool		claimed_alone;	/* nothing else was here at the last claim */
	int			claim_size;
	int64_t		claim_us;		/* when the last one was sent */

	int64_t		status_due_us;
	int64_t		claimed_count;
	int64_t		dropped_before; /* outcomes, before we began to stop */
} Relay;

static int64_t
smaller(int64_t one, int64_t other)
{
	return one < other ? one : other;
}

static int64_t
larger(int64_t one, int64_t other)
{
	return one > other ? one : other;
}

/* ---- figures ---- */

static void
look_at_relay(Figures *figures, const void *argument)
{
	const Relay *relay = argument;
	const Delivery *delivery = &relay->delivery;
	const Record *record = &relay->record;
	int64_t		now = clock_now();
	int64_t		first_us = event_oldest_us(&delivery->queued, now);

	first_us = event_oldest_us(&delivery->in_flight, first_us);
	figures->subscription = relay->options->subscription;
	figures->claimed = relay->claimed_count;
	figures->delivered = record->delivered_count;
	figures->failed = record->failed_count;
	figures->dead = record->dead_count;
	figures->released = record->released_count;
	figures->lease_lost = record->lost_count;
	figures->took = &delivery->took;
	figures->in_flight = delivery->in_flight.count;
	figures->queued = delivery->queued.count;
	figures->lag_us = now - record_oldest_us(record, first_us);
	figures->receiver = receiver_state(&delivery->receiver);
	figures->connected = database_is_up(relay->database);
	figures->stopping = relay->state != RELAY_RUNNING;
}

static void
log_status(const Relay *relay)
{
	Figures		figures;

	look_at_relay(&figures, relay);
	report_status(&figures);
}

/* ---- stop ---- */

static void
stop(Relay *relay, RelayState state, int exit_code, const char *reason)
{
	Figures		figures;
	bool		expected = exit_code == EXIT_DONE ||
		exit_code == EXIT_SOME_FAILED;

	if (state <= relay->state)
		return;
	if (relay->state == RELAY_RUNNING)
		relay->dropped_before = relay->record.dropped_count;
	if (relay->exit_code == EXIT_DONE)
		relay->exit_code = exit_code;
	relay->state = state;
	look_at_relay(&figures, relay);
	report_stopping(expected ? LOG_INFO : LOG_ERROR, reason, &figures);
}

static void
log_reload(const char *what, int count, const char *error)
{
	char		name[32];
	LogEntry	entry;

	snprintf(name, sizeof(name), "%s_%s", what,
			 error == NULL ? "loaded" : "not_loaded");
	log_begin(&entry, error == NULL ? LOG_INFO : LOG_ERROR, name);
	if (error == NULL)
		log_int(&entry, what, count);
	else
		log_text(&entry, "error", error);
	log_end(&entry);
}

static void
reload(Relay *relay)
{
	const Options *options = relay->options;
	Secrets    *secrets = &relay->setup->secrets;
	Headers    *headers;
	char		error[ERROR_SIZE];

	if (options->to_stdout)
		return;
	if (secrets_load(secrets, options->secret_files,
					 options->secret_file_count, error))
		log_reload("secrets", secrets->count, NULL);
	else
		log_reload("secrets", 0, error);
	if (options->header_file == NULL)
		return;
	headers = headers_load(options, error);
	if (headers == NULL)
	{
		log_reload("headers", 0, error);
		return;
	}
	log_reload("headers", headers_added(headers), NULL);
	http_set_headers(relay->delivery.http, headers);
	headers_drop(headers);
}

static void
react_to_signals(Relay *relay)
{
	char		numbers[64];
	ssize_t		count = read(relay->setup->signals, numbers, sizeof(numbers));

	for (ssize_t i = 0; i < count; i++)
	{
		if (numbers[i] == SIGHUP)
			reload(relay);
		else
			stop(relay, RELAY_STOPPING, EXIT_DONE,
				 numbers[i] == SIGTERM ? "SIGTERM" : "SIGINT");
	}
}

/* ---- the subscription ---- */

/* Go on only if it is among those that there are. */
static void
listed(Relay *relay, const PGresult *result)
{
	const char *ours = relay->options->subscription;
	char		reason[ERROR_SIZE];
	size_t		used;

	relay->list_due = false;
	for (int i = 0; i < PQntuples(result); i++)
	{
		if (strcmp(PQgetvalue(result, i, 0), ours) == 0)
			return;
	}
	used = (size_t) snprintf(reason, sizeof(reason), "there is no subscription"
							 " %s, but %s", ours,
							 PQntuples(result) > 0 ? "" : "none at all");
	for (int i = 0; i < PQntuples(result) && used < sizeof(reason); i++)
		used += (size_t) snprintf(reason + used, sizeof(reason) - used,
								  "%s%s", i > 0 ? ", " : "",
								  PQgetvalue(result, i, 0));
	stop(relay, RELAY_ABANDONED, EXIT_CONFIGURATION, reason);
}

static void
pause_subscription(Relay *relay)
{
	if (relay->state != RELAY_RUNNING)
		return;
	stop(relay, RELAY_STOPPING, EXIT_ENDPOINT_GONE, GONE_REASON);
	relay->pause_due = true;
	relay->pause_until_us = clock_now() + relay->options->lease_us;
}

static void
paused(Relay *relay)
{
	LogEntry	entry;

	relay->pause_due = false;
	log_begin(&entry, LOG_WARNING, "subscription_paused");
	log_text(&entry, "subscription", relay->options->subscription);
	log_end(&entry);
}

/* ---- claim ---- */

/* From that time on there is, or may be, something to claim. */
static void
note_claimable(Relay *relay, int64_t time_us)
{
	if (time_us == INT64_MAX)
		return;
	relay->look_us = smaller(relay->look_us, time_us);
	relay->look_again_us = larger(relay->look_again_us, time_us);
}

static bool
nothing_here(const Relay *relay)
{
	return delivery_count(&relay->delivery) + record_left(&relay->record) == 0;
}

/* When to claim, if nothing happens before. */
static int64_t
claim_due_us(const Relay *relay)
{
	int64_t		due_us = smaller(relay->look_us, relay->claim_us +
								 relay->options->poll_interval_us);

	if (relay->state != RELAY_RUNNING || delivery_room(&relay->delivery) <= 0)
		return INT64_MAX;
	if (relay->options->once && nothing_here(relay))
		due_us = 0;
	return larger(due_us, delivery_claim_us(&relay->delivery));
}

static void
claim_more(Relay *relay)
{
	const Options *options = relay->options;

	relay->claim_size = (int) smaller(delivery_room(&relay->delivery),
									  options->batch_size);
	relay->claimed_alone = nothing_here(relay);
	/* Before it is sent, so that our lease ends before the database's. */
	relay->claim_us = clock_now();
	relay->look_us = relay->look_again_us > relay->claim_us ?
		relay->look_again_us : INT64_MAX;
	statement_claim(relay->database, options, relay->claim_size);
}

static void
claimed(Relay *relay, const PGresult *result)
{
	int			count = PQntuples(result);
	int64_t		now = clock_now();
	EventList	events = {0};

	for (int i = 0; i < count; i++)
	{
		Event	   *event =
			event_new(PQgetvalue(result, i, CLAIM_PAYLOAD),
					  (size_t) PQgetlength(result, i, CLAIM_PAYLOAD));

		event->event_id = atoll(PQgetvalue(result, i, CLAIM_EVENT_ID));
		event->order_id = atoll(PQgetvalue(result, i, CLAIM_ORDER_ID));
		event->attempt = atoi(PQgetvalue(result, i, CLAIM_ATTEMPT));
		event->occurred_us = now - atoll(PQgetvalue(result, i, CLAIM_AGE_US));
		event->lease_end_us = relay->claim_us + relay->options->lease_us;
		event_append(&events, event);
	}
	delivery_take(&relay->delivery, &events);
	pace_learn_claim(&relay->delivery.pace, now - relay->claim_us);
	relay->claimed_count += count;
	if (count == relay->claim_size)
		note_claimable(relay, now);
	if (relay->options->once && relay->claimed_alone && count == 0)
		stop(relay, RELAY_STOPPING,
			 relay->record.failed_count + relay->record.dropped_count +
			 relay->delivery.receiver.suspects.count > 0 ?
			 EXIT_SOME_FAILED : EXIT_DONE, "nothing is due");
}

/* ---- the loop ---- */

static void
take_answer(Relay *relay)
{
	Answer		answer;
	PGresult   *result;
	Statement	statement =
		database_take_answer(relay->database, &answer, &result);

	if (statement == STATEMENT_NONE)
		return;
	if (answer == ANSWER_NO_SUBSCRIPTION)
		relay->list_due = true;
	switch (statement)
	{
		case STATEMENT_NONE:
			break;
		case STATEMENT_LIST:
			if (answer == ANSWER_RESULT)
				listed(relay, result);
			break;
		case STATEMENT_CLAIM:
			if (answer == ANSWER_RESULT)
				claimed(relay, result);
			else
				note_claimable(relay, clock_now());
			break;
		case STATEMENT_PAUSE:
			if (answer == ANSWER_RESULT)
				paused(relay);
			break;
		case STATEMENT_ACK:
		case STATEMENT_FAIL:
		case STATEMENT_RELEASE:
			note_claimable(relay, record_take_answer(&relay->record, statement,
													 answer, result));
			break;
	}
	PQclear(result);
}

static void
use_database(Relay *relay)
{
	Database   *database = relay->database;

	database_advance(database);
	if (relay->state != RELAY_RUNNING)
		database_end_claim(database);
	take_answer(relay);
	if (database_take_notification(database))
		note_claimable(relay, clock_now());
	if (database_take_loss(database))
	{
		relay->list_due = true;
		if (relay->options->once)
			relay->exit_code = EXIT_DATABASE;
	}
	if (!database_is_idle(database))
		return;

	if (relay->list_due)
		statement_list(database);
	else if (record_send(&relay->record, false))
		return;
	else if (relay->pause_due)
		statement_pause(database, relay->options, GONE_REASON);
	else if (clock_now() >= claim_due_us(relay))
		claim_more(relay);
	else if (delivery_count(&relay->delivery) == 0)
		record_send(&relay->record, true);
}

static void
deliver(Relay *relay, bool *more)
{
	Delivery   *delivery = &relay->delivery;

	*more = delivery_go_on(delivery, relay->state != RELAY_RUNNING);
	if (delivery->gone)
		pause_subscription(relay);
	else if (delivery->output.broken)
		stop(relay, RELAY_STOPPING, EXIT_STDOUT, "stdout cannot be written");
	else if (relay->options->once && delivery->receiver.away)
		stop(relay, RELAY_STOPPING, EXIT_SOME_FAILED, "the receiver is away");
}

/* Wait until there is something to do. */
static void
wait_for_work(Relay *relay)
{
	struct curl_waitfd files[4] = {
		{.fd = relay->setup->signals, .events = CURL_WAIT_POLLIN}
	};
	unsigned	count = 1;
	int64_t		now = clock_now();
	int64_t		until;

	if (database_wait(relay->database, &files[count], &until))
		count++;
	if (relay->delivery.output.event != NULL)
	{
		files[count].fd = STDOUT_FILENO;
		files[count++].events = CURL_WAIT_POLLOUT;
	}
	if (relay->monitor != NULL)
		until = smaller(until, monitor_wait(relay->monitor, &files[count++]));
	if (database_is_idle(relay->database))
	{
		if (relay->record.delivered.events.count > 0)
			until = smaller(until, relay->record.ack_due_us);
		until = smaller(until, claim_due_us(relay));
	}
	until = smaller(until, delivery_until_us(&relay->delivery));
	if (relay->options->status_interval_us > 0)
		until = smaller(until, relay->status_due_us);
	/* A lease that ends unrecorded may end the program. */
	until = smaller(until, now + US_PER_S);
	if (until > now)
		curl_multi_poll(relay->multi, files, count,
						(int) ((until - now + US_PER_MS - 1) / US_PER_MS),
						NULL);
}

static bool
is_done(Relay *relay)
{
	int			unrecorded = record_left(&relay->record);

	if (relay->state == RELAY_ABANDONED ||
		(relay->options->once && relay->exit_code == EXIT_DATABASE))
		return true;
	if (relay->state == RELAY_RUNNING || delivery_count(&relay->delivery) > 0)
		return false;
	if (unrecorded == 0 && !relay->pause_due)
		return !database_is_busy(relay->database);
	if ((database_is_up(relay->database) &&
		 !database_is_stuck(relay->database)) ||
		!record_is_too_late(&relay->record) ||
		(relay->pause_due && clock_now() < relay->pause_until_us))
		return false;
	relay->record.lost_count += unrecorded;
	relay->record.dropped_count += unrecorded;
	return true;
}

static void
loop(Relay *relay)
{
	int64_t		status_interval_us = relay->options->status_interval_us;

	relay->status_due_us = clock_now() + status_interval_us;
	for (;;)
	{
		bool		more;

		react_to_signals(relay);
		use_database(relay);
		deliver(relay, &more);
		/* What just ended can be recorded before we wait. */
		use_database(relay);
		if (is_done(relay))
			break;
		if (status_interval_us > 0 && clock_now() >= relay->status_due_us)
		{
			log_status(relay);
			relay->status_due_us = clock_now() + status_interval_us;
		}
		if (relay->monitor != NULL)
			monitor_go_on(relay->monitor);
		if (!more)
			wait_for_work(relay);
	}
}

int
relay_run(Setup *setup)
{
	const Options *options = &setup->options;
	Relay		relay = {
		.options = options,
		.setup = setup,
		.list_due = true
	};

	report_start(options,
				 setup->headers != NULL ? headers_added(setup->headers) : 0);
	relay.multi = memory_check(curl_multi_init());
	relay.database = database_new(options);
	record_init(&relay.record, relay.database, options);
	delivery_init(&relay.delivery, options, &setup->secrets, setup->headers,
				  relay.multi, &relay.record);
	if (setup->listener >= 0)
		relay.monitor = monitor_new(setup->listener, look_at_relay, &relay);
	loop(&relay);
	if (relay.exit_code == EXIT_DONE &&
		relay.record.dropped_count > relay.dropped_before)
		relay.exit_code = EXIT_DATABASE;

	log_status(&relay);
	report_end(relay.exit_code);
	if (relay.monitor != NULL)
		monitor_free(relay.monitor);
	delivery_free(&relay.delivery);
	database_free(relay.database);
	curl_multi_cleanup(relay.multi);
	record_free(&relay.record);
	return relay.exit_code;
}
