/*
 * statement.c
 *		The SQL that the relay runs: claim, acknowledge, report a failure.
 *
 * Every function, operator and type in it has its schema: the role's
 * search_path may lead through schemas where others can create some.
 */
#include "statement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

void
statement_claim(Database *database, int64_t lease_us, int batch_size)
{
	char		batch[16];
	char		lease[40];
	const char *values[] = {batch, lease};

	snprintf(batch, sizeof(batch), "%d", batch_size);
	snprintf(lease, sizeof(lease), "%lld microseconds",
			 (long long) lease_us);
	database_send(database, STATEMENT_CLAIM,
				  "SELECT event_id, order_id, attempt,"
				  " (extract(epoch FROM pg_catalog.clock_timestamp()"
				  "  OPERATOR(pg_catalog.-)"
				  "  (payload OPERATOR(pg_catalog.->>) 'timestamp')"
				  "  ::pg_catalog.timestamptz)"
				  "  OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8,"
				  " payload"
				  " FROM commerce.claim_events($1, $2)", 2, values);
}

void
statement_ack(Database *database, const Event *first, int count)
{
	/* Per element: a number of at most 20 characters, and a separator. */
	size_t		size = 22 * (size_t) count + 2;
	char	   *event_ids = memory_new(size);
	char	   *attempts = memory_new(size);
	char	   *id_end = event_ids;
	char	   *attempt_end = attempts;
	const char *values[] = {event_ids, attempts};

	for (int i = 0; i < count; i++, first = first->next)
	{
		char		separator = i == 0 ? '{' : ',';

		id_end += sprintf(id_end, "%c%lld", separator,
						  (long long) first->event_id);
		attempt_end += sprintf(attempt_end, "%c%d", separator, first->attempt);
	}
	strcpy(id_end, "}");
	strcpy(attempt_end, "}");

	/*
	 * A crash that takes an ack back costs another delivery, as a crash just
	 * before the ack would have: not worth waiting for the disk. The next
	 * claim does, and so makes sure of the acks before it.
	 */
	database_send(database, STATEMENT_ACK,
				  "SELECT commerce.ack_events($1, $2),"
				  " pg_catalog.set_config('synchronous_commit', 'off', true)",
				  2, values);
	free(event_ids);
	free(attempts);
}

void
statement_fail(Database *database, const Event *event)
{
	char		event_id[24];
	char		attempt[16];
	char		retry_after[32];
	const char *values[] = {event_id, attempt, event->error, NULL};

	snprintf(event_id, sizeof(event_id), "%lld", (long long) event->event_id);
	snprintf(attempt, sizeof(attempt), "%d", event->attempt);
	if (event->retry_after_s > 0)
	{
		snprintf(retry_after, sizeof(retry_after), "%d seconds",
				 event->retry_after_s);
		values[3] = retry_after;
	}
	database_send(database, STATEMENT_FAIL,
				  "SELECT status FROM commerce.fail_event($1, $2, $3, $4)",
				  4, values);
}
