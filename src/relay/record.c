/*
 * record.c
 *		The outcomes of deliveries, until the database has them.
 *
 * An event whose ack or failure was sent stays in its list until the answer is
 * here: if the connection breaks, it is sent again. The attempt number makes
 * that harmless.
 *
 * If the server answers with an error, that may be one event's fault: acks go
 * in smaller batches then, until the others are recorded and that one is
 * alone. Then, or when its lease has ended, it is dropped: its lease lapses,
 * it is claimed again, and its attempts are spent in the end.
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
record_init(Record *record, Database *database, int ack_full)
{
	Record		fresh = {
		.database = database,
		.ack_full = ack_full,
		.acks_max = INT_MAX
	};

	*record = fresh;
}

void
record_free(Record *record)
{
	event_free_first(&record->delivered, record->delivered.count);
	event_free_first(&record->failed, record->failed.count);
}

void
record_add(Record *record, Event *event)
{
	if (event->error != NULL)
	{
		event_append(&record->failed, event);
		return;
	}
	if (record->delivered.count == 0)
		record->ack_due_us = clock_now() + ACK_DELAY_US;
	event_append(&record->delivered, event);
}

int
record_left(const Record *record)
{
	return record->delivered.count + record->failed.count;
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
	return leases_ended(&record->delivered) && leases_ended(&record->failed);
}

/* ---- send ---- */

/* Whether a batch of acks is full, or the first has waited for long enough. */
static bool
are_acks_due(const Record *record)
{
	int			count = record->delivered.count;

	return count > 0 && (count >= record->ack_full ||
						 clock_now() >= record->ack_due_us);
}

static void
ack(Record *record)
{
	record->acking = record->delivered.count;
	if (record->acking > record->acks_max)
		record->acking = record->acks_max;
	statement_ack(record->database, record->delivered.first, record->acking);
}

bool
record_send(Record *record, bool at_once)
{
	if (are_acks_due(record))
		ack(record);
	else if (record->failed.count > 0)
		statement_fail(record->database, record->failed.first);
	else if (at_once && record->delivered.count > 0)
		ack(record);
	else
		return false;
	return true;
}

/* ---- the answer ---- */

static void
acked(Record *record, const PGresult *result)
{
	int64_t		count = atoll(PQgetvalue(result, 0, 0));
	const Event *event = record->delivered.first;
	LogEntry	entry;

	/* It does not count again what it recorded before the connection broke. */
	for (int i = 0; i < record->acking; i++, event = event->next)
		count += event->in_doubt;
	if (count > record->acking)
		count = record->acking;
	if (count < record->acking)
	{
		log_begin(&entry, LOG_WARNING, "lease_lost");
		log_int(&entry, "sent", record->acking);
		log_int(&entry, "acked", count);
		log_end(&entry);
	}
	record->delivered_count += count;
	record->lost_count += record->acking - count;
	event_free_first(&record->delivered, record->acking);
	if (record->acks_max < INT_MAX / 2)
		record->acks_max *= 2;
	record->ack_due_us = clock_now() + ACK_DELAY_US;
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
	event_log(LOG_ERROR, "lease_lost", event,
			  event->error != NULL ? "its failure could not be recorded" :
			  "its delivery could not be recorded");
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
ack_not_recorded(Record *record)
{
	record->acks_max = record->acking > 1 ? record->acking / 2 : 1;
	not_recorded(record, &record->delivered, record->acking);
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

bool
record_take_answer(Record *record, Statement statement, Answer answer,
				   const PGresult *result)
{
	if (answer == ANSWER_RESULT && statement == STATEMENT_ACK)
	{
		acked(record, result);
		/* The next event of the same order. */
		return true;
	}
	if (answer == ANSWER_RESULT)
		fail_recorded(record, result);
	else if (answer == ANSWER_NONE)
		note_doubt(statement == STATEMENT_ACK ?
				   &record->delivered : &record->failed,
				   statement == STATEMENT_ACK ? record->acking : 1);
	else if (statement == STATEMENT_ACK)
		ack_not_recorded(record);
	else
		fail_not_recorded(record, answer);
	return false;
}
