/*
 * database.h
 *		The connection to the database, and what becomes of a statement on it.
 */
#ifndef RELAY_DATABASE_H
#define RELAY_DATABASE_H

#include <curl/curl.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "options.h"

typedef enum Statement
{
	STATEMENT_NONE,
	STATEMENT_LIST,				/* the subscriptions */
	STATEMENT_CLAIM,
	STATEMENT_ACK,
	STATEMENT_FAIL,
	STATEMENT_RELEASE,
	STATEMENT_PAUSE
} Statement;

/* What became of a statement. */
typedef enum Answer
{
	ANSWER_RESULT,				/* a result */
	ANSWER_REFUSED,				/* a failure is not ours to report: class SC */
	ANSWER_UNFIT,				/* a failure's error does not fit: class 22 */
	ANSWER_NO_SUBSCRIPTION,		/* what is next is delayed */
	ANSWER_ERROR,				/* another error; what is next is delayed */
	ANSWER_NONE					/* the connection broke: maybe it is done */
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

/* Send a statement with so many parameters; only when idle. */
extern void database_send(Database *database, Statement statement,
						  const char *sql, int count,
						  const char *const *values);

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

#endif
