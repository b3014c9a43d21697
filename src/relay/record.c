/*
 * record.c
 *		The outcomes of deliveries, until the database has them.
 *
 * An event whose outcome was sent stays in its list until the answer is here:
 * if the connection breaks, it is sent again. The attempt number makes that
 * harmless.
 *
 * If the server answers with an error, that may be one event's fault: batches
 * become smaller then, until the others are recorded and that one is alone.
 * Then, or when its lease has ended, it is dropped: its lease lapses, it is
 * claimed again, and its failures are spent in the end.
 */
#include "record.h"

#include <limits.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "statement.h"
#include "text.h"

/* How long an ack may wait for others. */
#define ACK_DELAY_US		(10 * US_PER_MS)
/* An outcome is dropped when the server has refused it alone so often. */
#define REFUSALS_MAX		3

void
record_init(Record *record, Database *database, const Options *options)
{
	Record		fresh = {
		.database = database,
		.options = options,
		.delivered = {.most = INT_MAX},
		.released = {.most = INT_MAX}
	};

	*record = fresh;
}

void
record_free(Record *record)
{
	event_free_first(&record->delivered.events, record->delivered.events.count);
	event_free_first(&record->released.events, record->released.events.count);
	event_free_first(&record->failed, record->failed.count);
}

void
record_delivered(Record *record, Event *event)
{
	if (record->delivered.events.count == 0)
		record->ack_due_us = clock_now() + ACK_DELAY_US;
	event_append(&record->delivered.events, event);
}

void
record_failed(Record *record, Event *event)
{
	event_append(&record->failed, event);
}

void
record_released(Record *record, Event *event, int64_t after_us)
{
	event->release_us = after_us;
	event_append(&record->released.events, event);
}

int
record_left(const Record *record)
{
	return record->delivered.events.count + record->released.events.count +
		record->failed.count;
}

static bool
leases_ended(const EventList *list)
{
	int64_t		now = clock_now();

	for (const Event *event = list->first; event != NULL; event = event->next)
	{
		if (event->lease_end_us > now)
			return false;
	}
	return true;
}

bool
record_is_too_late(const Record *record)
{
	return leases_ended(&record->delivered.events) &&
		leases_ended(&record->released.events) &&
		leases_ended(&record->failed);
}

int64_t
record_oldest_us(const Record *record, int64_t so_far_us)
{
	so_far_us = event_oldest_us(&record->delivered.events, so_far_us);
	so_far_us = event_oldest_us(&record->released.events, so_far_us);
	return event_oldest_us(&record->failed, so_far_us);
}

/* ---- send ---- */

/* Whether a batch of acks is full, or the first has waited for long enough. */
static bool
are_acks_due(const Record *record)
{
	int			count = record->delivered.events.count;

	return count > 0 && (count >= record->options->batch_size ||
						 clock_now() >= record->ack_due_us);
}

static void
ack(Record *record)
{
	Batch	   *batch = &record->delivered;

	batch->sending = batch->events.count < batch->most ?
		batch->events.count : batch->most;
	statement_ack(record->database, record->options, batch->events.first,
				  batch->sending);
}

/* The first ones that are released for the same time. */
static void
release(Record *record)
{
	Batch	   *batch = &record->released;
	const Event *first = batch->events.first;
	int64_t		after_us = first->release_us;

	batch->sending = 0;
	for (const Event *event = first;
		 event != NULL && event->release_us == after_us &&
		 batch->sending < batch->most; event = event->next)
		batch->sending++;
	statement_release(record->database, record->options, first, batch->sending,
					  after_us);
}

bool
record_send(Record *record, bool at_once)
{
	if (are_acks_due(record))
		ack(record);
	else if (record->failed.count > 0)
		statement_fail(record->database, record->options, record->failed.first);
	else if (record->released.events.count > 0)
		release(record);
	else if (at_once && record->delivered.events.count > 0)
		ack(record);
	else
		return false;
	return true;
}

/* ---- the answer ---- */

/* The batch was recorded; how many of it. */
static int64_t
batch_recorded(Record *record, Batch *batch, const PGresult *result)
{
	int64_t		count = atoll(PQgetvalue(result, 0, 0));
	const Event *event = batch->events.first;
	LogEntry	entry;

	/* It does not count again what it recorded before the connection broke. */
	for (int i = 0; i < batch->sending; i++, event = event->next)
		count += event->in_doubt;
	if (count > batch->sending)
		count = batch->sending;
	if (count < batch->sending)
	{
		log_begin(&entry, LOG_WARNING, "lease_lost");
		log_int(&entry, "sent", batch->sending);
		log_int(&entry, "recorded", count);
		log_end(&entry);
	}
	record->lost_count += batch->sending - count;
	event_free_first(&batch->events, batch->sending);
	if (batch->most < INT_MAX / 2)
		batch->most *= 2;
	return count;
}

static void
fail_recorded(Record *record, const PGresult *result)
{
	Event	   *event = record->failed.first;

	record->failed_count++;
	if (PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), "dead") == 0)
	{
		record->dead_count++;
		event_log(LOG_ERROR, "dead", event, event->error);
	}
	event_free_first(&record->failed, 1);
}

static void
fail_refused(Record *record)
{
	Event	   *event = record->failed.first;

	if (event->in_doubt)
		record->failed_count++;
	else
	{
		event_log(LOG_WARNING, "lease_lost", event, NULL);
		record->lost_count++;
	}
	event_free_first(&record->failed, 1);
}

/* The outcome will not be recorded. */
static void
drop_outcome(Record *record, EventList *list, Event *event)
{
	const char *error = "its failure could not be recorded";

	if (list == &record->delivered.events)
		error = "its delivery could not be recorded";
	else if (list == &record->released.events)
		error = "it could not be given back";
	event_log(LOG_ERROR, "lease_lost", event, error);
	record->lost_count++;
	record->dropped_count++;
	event_remove(list, event);
	event_free(event);
}

/*
 * The server answered the first so many of the list with an error. What waits
 * too long for their sake goes too.
 */
static void
not_recorded(Record *record, EventList *list, int count)
{
	int64_t		now = clock_now();
	Event	   *event = list->first;
	Event	   *next;

	if (count == 1)
	{
		event->refusals++;
		/* The others first. */
		event_remove(list, event);
		event_append(list, event);
	}
	for (event = list->first; event != NULL; event = next)
	{
		next = event->next;
		if (event->refusals >= REFUSALS_MAX || event->lease_end_us <= now)
			drop_outcome(record, list, event);
	}
}

static void
batch_not_recorded(Record *record, Batch *batch)
{
	batch->most = batch->sending > 1 ? batch->sending / 2 : 1;
	not_recorded(record, &batch->events, batch->sending);
}

static void
fail_not_recorded(Record *record, Answer answer)
{
	if (answer == ANSWER_REFUSED)
		fail_refused(record);
	else if (answer == ANSWER_ERROR)
		not_recorded(record, &record->failed, 1);
	/* What does not fit even as ASCII never will. */
	else if (!text_make_ascii(record->failed.first->error))
		drop_outcome(record, &record->failed, record->failed.first);
}

static void
note_doubt(const EventList *list, int count)
{
	Event	   *event = list->first;

	for (int i = 0; i < count; i++, event = event->next)
		event->in_doubt = true;
}

/* The answer to a batch; when its events become claimable, if they do. */
static int64_t
take_batch_answer(Record *record, Batch *batch, Answer answer,
				  const PGresult *result)
{
	int64_t		after_us = batch->events.first->release_us;
	int64_t		count;

	if (answer == ANSWER_NONE || answer == ANSWER_NO_SUBSCRIPTION)
		note_doubt(&batch->events, batch->sending);
	else if (answer != ANSWER_RESULT)
		batch_not_recorded(record, batch);
	else
	{
		count = batch_recorded(record, batch, result);
		if (batch == &record->released)
			record->released_count += count;
		else
		{
			record->delivered_count += count;
			record->ack_due_us = clock_now() + ACK_DELAY_US;
		}
		/* These, or the next events of the same orders. */
		return clock_now() + after_us;
	}
	return INT64_MAX;
}

int64_t
record_take_answer(Record *record, Statement statement, Answer answer,
				   const PGresult *result)
{
	if (statement == STATEMENT_ACK)
		return take_batch_answer(record, &record->delivered, answer, result);
	if (statement == STATEMENT_RELEASE)
		return take_batch_answer(record, &record->released, answer, result);

	if (answer == ANSWER_RESULT)
		fail_recorded(record, result);
	else if (answer == ANSWER_NONE || answer == ANSWER_NO_SUBSCRIPTION)
		note_doubt(&record->failed, 1);
	else
		fail_not_recorded(record, answer);
	return INT64_MAX;
}
