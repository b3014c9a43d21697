/*
 * statement.h
 *		The SQL that the relay runs: claim, acknowledge, report a failure.
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
extern void statement_claim(Database *database, int64_t lease_us,
							int batch_size);
extern void statement_ack(Database *database, const Event *first, int count);
extern void statement_fail(Database *database, const Event *event);

#endif
