/*
 * statement.c
 *		The SQL that the relay runs.
 *
 * Every function, operator and type in it has its schema: the role's
 * search_path may lead through schemas where others can create some.
 */
#include "statement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "memory.h"

#define INTERVAL_SIZE	40

static const char *
write_interval(char interval[INTERVAL_SIZE], int64_t us)
{
	snprintf(interval, INTERVAL_SIZE, "%lld microseconds", (long long) us);
	return interval;
}

/* Of the events, as arrays; the caller frees both. */
static void
write_arrays(const Event *first, int count, char **event_ids, char **attempts)
{
	/* Per element: a number of at most 20 characters, and a separator. */
	size_t		size = 22 * (size_t) count + 2;
	char	   *id_end = *event_ids = memory_new(size);
	char	   *attempt_end = *attempts = memory_new(size);

	for (int i = 0; i < count; i++, first = first->next)
	{
		char		separator = i == 0 ? '{' : ',';

		id_end += sprintf(id_end, "%c%lld", separator,
						  (long long) first->event_id);
		attempt_end += sprintf(attempt_end, "%c%d", separator, first->attempt);
	}
	strcpy(id_end, "}");
	strcpy(attempt_end, "}");
}

void
statement_list(Database *database)
{
	database_send(database, STATEMENT_LIST,
				  "SELECT subscription FROM commerce.subscriptions ORDER BY 1",
				  0, NULL);
}

void
statement_claim(Database *database, const Options *options, int batch_size)
{
	char		batch[16];
	char		lease[INTERVAL_SIZE];
	const char *values[] = {
		batch, write_interval(lease, options->lease_us), options->subscription
	};

	snprintf(batch, sizeof(batch), "%d", batch_size);
	database_send(database, STATEMENT_CLAIM,
				  "SELECT event_id, order_id, attempt,"
				  " (extract(epoch FROM pg_catalog.clock_timestamp()"
				  "  OPERATOR(pg_catalog.-)"
				  "  (payload OPERATOR(pg_catalog.->>) 'timestamp')"
				  "  ::pg_catalog.timestamptz)"
				  "  OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8,"
				  " payload"
				  " FROM commerce.claim_events($1, $2, $3)", 3, values);
}

void
statement_ack(Database *database, const Options *options, const Event *first,
			  int count)
{
	char	   *event_ids;
	char	   *attempts;
	const char *values[3];

	write_arrays(first, count, &event_ids, &attempts);
	values[0] = event_ids;
	values[1] = attempts;
	values[2] = options->subscription;

	/*
	 * A crash that takes an ack back costs another delivery, as a crash just
	 * before the ack would have: not worth waiting for the disk. The next
	 * claim does, and so makes sure of the acks before it.
	 */
	database_send(database, STATEMENT_ACK,
				  "SELECT commerce.ack_events($1, $2, $3),"
				  " pg_catalog.set_config('synchronous_commit', 'off', true)",
				  3, values);
	free(event_ids);
	free(attempts);
}

void
statement_fail(Database *database, const Options *options, const Event *event)
{
	char		event_id[24];
	char		attempt[16];
	char		retry_after[INTERVAL_SIZE];
	const char *values[] = {
		event_id, attempt, event->error, NULL, options->subscription
	};

	snprintf(event_id, sizeof(event_id), "%lld", (long long) event->event_id);
	snprintf(attempt, sizeof(attempt), "%d", event->attempt);
	if (event->retry_after_s > 0)
		values[3] = write_interval(retry_after,
								   event->retry_after_s * US_PER_S);
	database_send(database, STATEMENT_FAIL,
				  "SELECT status FROM commerce.fail_event($1, $2, $3, $4, $5)",
				  5, values);
}

void
statement_release(Database *database, const Options *options,
				  const Event *first, int count, int64_t after_us)
{
	char	   *event_ids;
	char	   *attempts;
	char		after[INTERVAL_SIZE];
	const char *values[4];

	write_arrays(first, count, &event_ids, &attempts);
	values[0] = event_ids;
	values[1] = attempts;
	values[2] = write_interval(after, after_us);
	values[3] = options->subscription;
	/* As with an ack: a crash that takes it back costs the rest of a lease. */
	database_send(database, STATEMENT_RELEASE,
				  "SELECT commerce.release_events($1, $2, $3, $4),"
				  " pg_catalog.set_config('synchronous_commit', 'off', true)",
				  4, values);
	free(event_ids);
	free(attempts);
}

void
statement_pause(Database *database, const Options *options, const char *reason)
{
	const char *values[] = {options->subscription, reason};

	database_send(database, STATEMENT_PAUSE,
				  "SELECT subscription"
				  " FROM commerce.pause_subscription($1, NULL, $2)",
				  2, values);
}
