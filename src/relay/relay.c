/*
 * relay.c
 *		The relay's loop: claim, deliver, record.
 *
 * One thread, one place to wait. An event goes through four lists:
 *
 *		claim -> queued -> in_flight -> delivered -> ack
 *									 \-> failed ---> fail
 *
 * No transaction is open while an event is in any of them: a claim is
 * committed when its result is here, and the lease keeps the event ours. So
 * the rules are about time:
 *
 *	- A delivery starts only if it would time out before the lease ends.
 *	  Otherwise the event is dropped; its lease lapses and it is claimed again.
 *	- Claim only what can be started soon; pace.c says when and how much that
 *	  is.
 *	- The database runs one statement at a time. A full or waiting batch of
 *	  acks goes first, then failures, then claims, and acks that need not wait
 *	  for more.
 *
 * What follows delivery is in record.c.
 */
#include "relay.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "database.h"
#include "event.h"
#include "http.h"
#include "log.h"
#include "memory.h"
#include "output.h"
#include "pace.h"
#include "program.h"
#include "record.h"
#include "statement.h"

typedef enum RelayState
{
	RELAY_RUNNING,
	RELAY_DRAINING,				/* claims nothing more */
	RELAY_ENDING				/* starts nothing more */
} RelayState;

typedef struct Relay
{
	const Options *options;
	Secrets    *secrets;
	Database   *database;
	CURLM	   *multi;
	Http	   *http;			/* NULL when writing to stdout */
	Output		output;
	RelayState	state;
	int			exit_code;

	EventList	queued;
	EventList	in_flight;
	Record		record;

	bool		look;			/* there may be something to claim */
	bool		claimed_alone;	/* nothing else was here at the last claim */
	int			claim_size;
	int64_t		claim_us;		/* when the last one was sent */
	Pace		pace;

	int64_t		status_due_us;
	int64_t		claimed_count;
	int64_t		too_short_count;	/* leases that were too short to deliver */
	int64_t		dropped_before; /* outcomes, before we began to stop */
} Relay;

/* ---- log ---- */

static void
log_start(const Options *options)
{
	LogEntry	entry;

	log_begin(&entry, LOG_INFO, "start");
	log_text(&entry, "version", COMMERCE_VERSION);
	log_text(&entry, "to", options->to_stdout ? "stdout" : options->shown_url);
	log_int(&entry, "secrets", options->secret_file_count);
	log_int(&entry, "batch_size", options->batch_size);
	log_int(&entry, "concurrency", options->concurrency);
	log_int(&entry, "lease_ms", options->lease_us / US_PER_MS);
	log_int(&entry, "timeout_ms", options->timeout_us / US_PER_MS);
	log_int(&entry, "poll_interval_ms", options->poll_interval_us / US_PER_MS);
	log_text(&entry, "once", options->once ? "on" : "off");
	log_end(&entry);
}

static int64_t
oldest(const EventList *list, int64_t so_far)
{
	for (const Event *event = list->first; event != NULL; event = event->next)
	{
		if (event->occurred_us < so_far)
			so_far = event->occurred_us;
	}
	return so_far;
}

static void
log_status(const Relay *relay)
{
	int64_t		now = clock_now();
	int64_t		first = now;
	LogEntry	entry;

	first = oldest(&relay->queued, first);
	first = oldest(&relay->in_flight, first);
	first = oldest(&relay->record.delivered, first);
	first = oldest(&relay->record.failed, first);
	log_begin(&entry, LOG_INFO, "status");
	log_int(&entry, "claimed", relay->claimed_count);
	log_int(&entry, "delivered", relay->record.delivered_count);
	log_int(&entry, "failed", relay->record.failed_count);
	log_int(&entry, "dead", relay->record.dead_count);
	log_int(&entry, "in_flight", relay->in_flight.count);
	log_int(&entry, "queued", relay->queued.count);
	log_int(&entry, "lag_ms", (now - first) / US_PER_MS);
	log_int(&entry, "lease_lost",
			relay->record.lost_count + relay->too_short_count);
	log_end(&entry);
}

/* ---- stop ---- */

static void
stop(Relay *relay, RelayState state, int exit_code, const char *reason)
{
	LogEntry	entry;

	if (state <= relay->state)
		return;
	relay->state = state;
	relay->exit_code = exit_code;
	relay->dropped_before = relay->record.dropped_count;
	log_begin(&entry,
			  exit_code == EXIT_ENDPOINT_GONE || exit_code == EXIT_STDOUT ?
			  LOG_ERROR : LOG_INFO, "stopping");
	log_text(&entry, "reason", reason);
	log_int(&entry, "in_flight", relay->in_flight.count);
	log_int(&entry, "queued", relay->queued.count);
	log_end(&entry);
}

static void
reload_secrets(Relay *relay)
{
	const Options *options = relay->options;
	char		error[ERROR_SIZE];
	LogEntry	entry;

	if (secrets_load(relay->secrets, options->secret_files,
					 options->secret_file_count, error))
	{
		log_begin(&entry, LOG_INFO, "secrets_loaded");
		log_int(&entry, "secrets", relay->secrets->count);
	}
	else
	{
		log_begin(&entry, LOG_ERROR, "secrets_not_loaded");
		log_text(&entry, "error", error);
	}
	log_end(&entry);
}

static void
react_to_signals(Relay *relay, int signals)
{
	char		numbers[64];
	ssize_t		count = read(signals, numbers, sizeof(numbers));

	for (ssize_t i = 0; i < count; i++)
	{
		if (numbers[i] == SIGHUP)
			reload_secrets(relay);
		else
			stop(relay, RELAY_DRAINING, EXIT_DONE,
				 numbers[i] == SIGTERM ? "SIGTERM" : "SIGINT");
	}
}

/* ---- claim ---- */

static int64_t
smaller(int64_t one, int64_t other)
{
	return one < other ? one : other;
}

/* How many events are to be delivered. */
static int
undelivered(const Relay *relay)
{
	return relay->queued.count + relay->in_flight.count;
}

static bool
is_claim_wanted(const Relay *relay)
{
	if (relay->state != RELAY_RUNNING ||
		pace_room(&relay->pace, undelivered(relay)) <= 0 ||
		!pace_is_time(&relay->pace, undelivered(relay)))
		return false;
	if (relay->options->once &&
		undelivered(relay) + record_left(&relay->record) == 0)
		return true;
	return relay->look ||
		clock_now() >= relay->claim_us + relay->options->poll_interval_us;
}

static void
claim_more(Relay *relay)
{
	const Options *options = relay->options;
	int			room = pace_room(&relay->pace, undelivered(relay));

	relay->claim_size = (int) smaller(room, options->batch_size);
	relay->claimed_alone =
		undelivered(relay) + record_left(&relay->record) == 0;
	relay->look = false;
	/* Before it is sent, so that our lease ends before the database's. */
	relay->claim_us = clock_now();
	statement_claim(relay->database, options->lease_us, relay->claim_size);
}

static void
claimed(Relay *relay, const PGresult *result)
{
	int			count = PQntuples(result);
	int64_t		now = clock_now();

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
		event_append(&relay->queued, event);
	}
	pace_learn_claim(&relay->pace, now - relay->claim_us);
	relay->claimed_count += count;
	if (count == relay->claim_size)
		relay->look = true;
	if (relay->options->once && relay->claimed_alone && count == 0)
		stop(relay, RELAY_DRAINING,
			 relay->record.failed_count + relay->record.dropped_count +
			 relay->too_short_count > 0 ? EXIT_SOME_FAILED : EXIT_DONE,
			 "nothing is due");
}

/* ---- deliver ---- */

/* The next queued event that has time enough, or NULL. */
static Event *
next_queued(Relay *relay)
{
	int64_t		now = clock_now();
	Event	   *event;

	while ((event = relay->queued.first) != NULL)
	{
		event_remove(&relay->queued, event);
		if (now + relay->options->timeout_us <= event->lease_end_us)
		{
			event->started_us = now;
			event_append(&relay->in_flight, event);
			return event;
		}
		event_log(LOG_WARNING, "lease_too_short", event,
				  "not delivered: the lease would end before the timeout");
		relay->too_short_count++;
		event_free(event);
	}
	return NULL;
}

/* The delivery ended, well or with an error. */
static void
finished(Relay *relay, Event *event)
{
	pace_learn_delivery(&relay->pace, clock_now() - event->started_us);
	event_remove(&relay->in_flight, event);
	if (event->error != NULL)
		event_log(LOG_WARNING, "delivery_failed", event, event->error);
	record_add(&relay->record, event);
}

/* Whether some ended, so that there is more to do before waiting. */
static bool
deliver_by_http(Relay *relay)
{
	Event	   *event;
	int			unfinished;
	bool		some_finished = false;

	while (relay->state != RELAY_ENDING &&
		   relay->in_flight.count < relay->options->concurrency &&
		   (event = next_queued(relay)) != NULL)
	{
		if (!http_start(relay->http, event))
			finished(relay, event);
	}
	curl_multi_perform(relay->multi, &unfinished);
	while ((event = http_take_finished(relay->http)) != NULL)
	{
		finished(relay, event);
		some_finished = true;
	}
	if (http_is_gone(relay->http))
		stop(relay, RELAY_ENDING, EXIT_ENDPOINT_GONE,
			 "the endpoint answered 410");
	return some_finished;
}

static void
deliver_to_stdout(Relay *relay)
{
	Event	   *event;

	for (;;)
	{
		if (relay->output.event == NULL)
		{
			event = next_queued(relay);
			if (event == NULL)
				return;
			output_start(&relay->output, event);
		}
		event = output_take_finished(&relay->output);
		if (event == NULL)
			break;
		finished(relay, event);
	}
	if (relay->output.broken)
		stop(relay, RELAY_ENDING, EXIT_STDOUT, relay->output.event->error);
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
	if (statement != STATEMENT_CLAIM)
	{
		if (record_take_answer(&relay->record, statement, answer, result))
			relay->look = true;
	}
	else if (answer == ANSWER_RESULT)
		claimed(relay, result);
	else
		relay->look = true;
	PQclear(result);
}

static void
use_database(Relay *relay)
{
	database_advance(relay->database);
	if (relay->state != RELAY_RUNNING)
		database_end_claim(relay->database);
	take_answer(relay);
	if (database_take_notification(relay->database))
		relay->look = true;
	if (database_take_loss(relay->database) && relay->options->once)
		relay->exit_code = EXIT_DATABASE;
	if (!database_is_idle(relay->database))
		return;

	if (record_send(&relay->record, false))
		return;
	if (is_claim_wanted(relay))
		claim_more(relay);
	else if (undelivered(relay) == 0)
		record_send(&relay->record, true);
}

/* Wait until there is something to do. */
static void
wait_for_work(Relay *relay, int signals)
{
	const Options *options = relay->options;
	struct curl_waitfd files[3] = {{.fd = signals, .events = CURL_WAIT_POLLIN}};
	unsigned	count = 1;
	int64_t		now = clock_now();
	int64_t		until;

	if (database_wait(relay->database, &files[count], &until))
		count++;
	if (relay->output.event != NULL && !relay->output.broken)
	{
		files[count].fd = STDOUT_FILENO;
		files[count++].events = CURL_WAIT_POLLOUT;
	}
	if (database_is_idle(relay->database))
	{
		if (relay->record.delivered.count > 0)
			until = smaller(until, relay->record.ack_due_us);
		if (relay->state == RELAY_RUNNING &&
			undelivered(relay) < options->concurrency)
			until = smaller(until, relay->claim_us + options->poll_interval_us);
	}
	if (options->status_interval_us > 0)
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
	bool		idle = relay->in_flight.count == 0 || relay->output.broken;

	if (relay->options->once && relay->exit_code == EXIT_DATABASE)
		return true;
	if (relay->state == RELAY_RUNNING || !idle ||
		(relay->state == RELAY_DRAINING && relay->queued.count > 0))
		return false;
	if (unrecorded == 0)
		return !database_is_busy(relay->database);
	if ((database_is_up(relay->database) &&
		 !database_is_stuck(relay->database)) ||
		!record_is_too_late(&relay->record))
		return false;
	relay->record.lost_count += unrecorded;
	relay->record.dropped_count += unrecorded;
	return true;
}

static void
loop(Relay *relay, int signals)
{
	int64_t		status_interval_us = relay->options->status_interval_us;

	relay->status_due_us = clock_now() + status_interval_us;
	for (;;)
	{
		bool		more = false;

		react_to_signals(relay, signals);
		use_database(relay);
		if (relay->http != NULL)
			more = deliver_by_http(relay);
		else if (relay->state != RELAY_ENDING)
			deliver_to_stdout(relay);
		/* What just ended can be recorded before we wait. */
		use_database(relay);
		if (is_done(relay))
			break;
		if (status_interval_us > 0 && clock_now() >= relay->status_due_us)
		{
			log_status(relay);
			relay->status_due_us = clock_now() + status_interval_us;
		}
		if (!more)
			wait_for_work(relay, signals);
	}
}

int
relay_run(const Options *options, Secrets *secrets, int signals)
{
	Relay		relay = {
		.options = options,
		.secrets = secrets,
		.pace = {.options = options}
	};
	LogEntry	entry;

	log_start(options);
	relay.multi = memory_check(curl_multi_init());
	if (!options->to_stdout)
		relay.http = http_new(relay.multi, options, secrets);
	relay.database = database_new(options);
	record_init(&relay.record, relay.database, options->batch_size);
	loop(&relay, signals);
	if (relay.exit_code == EXIT_DONE &&
		relay.record.dropped_count > relay.dropped_before)
		relay.exit_code = EXIT_DATABASE;

	log_status(&relay);
	log_begin(&entry, LOG_INFO, "shutdown");
	log_int(&entry, "exit_code", relay.exit_code);
	log_end(&entry);
	database_free(relay.database);
	if (relay.http != NULL)
		http_free(relay.http);
	curl_multi_cleanup(relay.multi);
	event_free_first(&relay.queued, relay.queued.count);
	event_free_first(&relay.in_flight, relay.in_flight.count);
	record_free(&relay.record);
	return relay.exit_code;
}
