/*
 * statement.h
 *		The SQL that the relay runs.
 */
#ifndef RELAY_STATEMENT_H
#define RELAY_STATEMENT_H

#include "database.h"
#include "event.h"

/* Columns of a claim's result. */
enum
{
	CLAIM_EVENT_ID,
	CLAIM_ORDER_ID,
	CLAIM_ATTEMPT,
	CLAIM_AGE_US,
	CLAIM_PAYLOAD
};

/* Each is sent only when the database is idle. */
extern void statement_list(Database *database);
extern void statement_claim(Database *database, const Options *options,
							int batch_size);
extern void statement_ack(Database *database, const Options *options,
						  const Event *first, int count);
extern void statement_fail(Database *database, const Options *options,
						   const Event *event);

/* They are available again after so long. */
extern void statement_release(Database *database, const Options *options,
							  const Event *first, int count, int64_t after_us);
extern void statement_pause(Database *database, const Options *options,
							const char *reason);

#endif
