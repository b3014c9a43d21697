/*
 * database.h
 *		The connection to the database, and the statements the relay runs there.
 */
#ifndef RELAY_DATABASE_H
#define RELAY_DATABASE_H

#include <curl/curl.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "event.h"
#include "options.h"

typedef enum Statement
{
	STATEMENT_NONE,
	STATEMENT_CLAIM,
	STATEMENT_ACK,
	STATEMENT_FAIL
} Statement;

/* What became of a statement. */
typedef enum Answer
{
	ANSWER_RESULT,				/* a result */
	ANSWER_REFUSED,				/* a failure is not ours to report: class SC */
	ANSWER_UNFIT,				/* a failure's error does not fit: class 22 */
	ANSWER_ERROR,				/* another error; the next statement is delayed */
	ANSWER_NONE					/* the connection broke: it may be done or not */
} Answer;

typedef struct Database Database;

extern Database *database_new(const Options *options);
extern void database_free(Database *database);

/* Go on with whatever can go on without waiting. */
extern void database_advance(Database *database);

/* Whether a statement can be sent now. */
extern bool database_is_idle(const Database *database);

/* Whether a statement is running, or its answer waits to be taken. */
extern bool database_is_busy(const Database *database);

/* Whether the server did as we asked, and the connection holds since. */
extern bool database_is_up(const Database *database);

/* The connection was lost, or could not be made, since the last call. */
extern bool database_take_loss(Database *database);

/* Notified since the last call, or newly connected. */
extern bool database_take_notification(Database *database);

/* What to wait for: the file, if true, and the time (INT64_MAX: none). */
extern bool database_wait(const Database *database, struct curl_waitfd *file,
						  int64_t *until_us);

/* Send a statement; only when idle. */
extern void database_claim(Database *database, int batch_size);
extern void database_ack(Database *database, const Event *first, int count);
extern void database_fail(Database *database, const Event *event);

/*
 * The relay is about to end: end a claim that has been running for too long.
 */
extern void database_end_claim(Database *database);

/* Whether a statement has been running for too long. */
extern bool database_is_stuck(const Database *database);

/*
 * The statement that ended, or STATEMENT_NONE. The caller clears the result,
 * which is NULL unless the answer is ANSWER_RESULT.
 */
extern Statement database_take_answer(Database *database, Answer *answer,
									  PGresult **result);

/* Columns of a claim's result. */
enum
{
	CLAIM_EVENT_ID,
	CLAIM_ORDER_ID,
	CLAIM_ATTEMPT,
	CLAIM_AGE_US,
	CLAIM_PAYLOAD
};

#endif
