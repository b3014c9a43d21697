/*
 * database.c
 *		The connection to the database, and what becomes of a statement on it.
 *
 * Requests go on while the database works or is away, so that nothing here
 * waits for it, with two exceptions in libpq: connecting looks the host's name
 * up, and cancelling a claim at the end connects once more. One statement runs
 * at a time:
 *
 *	DOWN -> CONNECTING -> CHECKING -> (LISTENING) -> IDLE <-> BUSY -> (PAUSED)
 *
 * Each is a transaction of its own, sent without preparing it, so that
 * PgBouncer may give every one to another server. LISTEN alone needs a server
 * of our own: CHECKING asks the server for its process id, and if that is not
 * the one we connected to, somebody stands between and we only poll.
 *
 * Whatever goes wrong that commerce did not refuse drops the connection, and a
 * new one is tried after a delay that doubles up to BACKOFF_MAX_US: the relay
 * outlives a restart, a failover, a missing grant. A conflict of transactions
 * keeps the connection, but is followed by the same delay. The connection
 * counts as up with its first good statement; only a change of that state is
 * logged.
 */
#include "database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "memory.h"
#include "program.h"
#include "text.h"
#include "wait.h"

#define BACKOFF_MIN_US		(100 * US_PER_MS)
#define BACKOFF_MAX_US		(5 * US_PER_S)
/* Longer than tcp_user_timeout, so that libpq gets to the next host. */
#define CONNECT_TIMEOUT_US	(20 * US_PER_S)
#define NO_SUBSCRIPTION		"SC008"
/* At the end of the program, a statement that runs for so long is stuck. */
#define PATIENCE_US			US_PER_S

typedef enum DatabaseState
{
	DATABASE_DOWN,
	DATABASE_CONNECTING,
	DATABASE_CHECKING,
	DATABASE_LISTENING,
	DATABASE_IDLE,
	DATABASE_BUSY,
	DATABASE_PAUSED
} DatabaseState;

struct Database
{
	const Options *options;
	PGconn	   *connection;
	DatabaseState state;
	PostgresPollingStatusType awaited;	/* while connecting */
	int64_t		deadline_us;	/* DOWN, PAUSED: of the next try; before IDLE:
								 * to give up, unless something comes */
	int64_t		backoff_us;
	bool		up;
	bool		listening;
	bool		polling_logged;
	bool		loss;
	bool		notified;
	char		last_error[ERROR_SIZE];

	Statement	statement;		/* the one running, or ended and not taken */
	int64_t		sent_us;		/* when it was sent, or cancelled */
	bool		cancelled;
	bool		ended;
	Answer		answer;
	PGresult   *result;			/* what came of the one running so far */
};

Database *
database_new(const Options *options)
{
	Database   *database = memory_new(sizeof(Database));

	database->options = options;
	database->state = DATABASE_DOWN;
	database->backoff_us = BACKOFF_MIN_US;
	return database;
}

void
database_free(Database *database)
{
	PQclear(database->result);
	PQfinish(database->connection);
	free(database);
}

/* ---- up and down ---- */

static void
log_loss(Database *database, const char *error)
{
	LogEntry	entry;

	if (!database->up && strcmp(error, database->last_error) == 0)
		return;
	log_begin(&entry, LOG_ERROR,
			  database->up ? "connection_lost" : "not_connected");
	log_text(&entry, "error", error);
	log_end(&entry);
	snprintf(database->last_error, sizeof(database->last_error), "%s", error);
}

/* The next thing to do waits, longer each time until something succeeds. */
static void
delay(Database *database)
{
	database->deadline_us = clock_now() + database->backoff_us;
	database->backoff_us *= 2;
	if (database->backoff_us > BACKOFF_MAX_US)
		database->backoff_us = BACKOFF_MAX_US;
}

/* Drop the connection; whether what ran on it was done is not known. */
static void
lose(Database *database, const char *message)
{
	char		error[ERROR_SIZE];

	text_printable(error, sizeof(error), message, strlen(message));
	log_loss(database, error);
	PQfinish(database->connection);
	database->connection = NULL;
	PQclear(database->result);
	database->result = NULL;
	if (database->state == DATABASE_BUSY)
	{
		database->ended = true;
		database->answer = ANSWER_NONE;
	}
	database->state = DATABASE_DOWN;
	database->up = false;
	database->loss = true;
	delay(database);
}

/* The server did as we asked. */
static void
note_up(Database *database)
{
	LogEntry	entry;

	database->backoff_us = BACKOFF_MIN_US;
	if (database->up)
		return;
	database->up = true;
	database->last_error[0] = '\0';
	log_begin(&entry, LOG_INFO, "connected");
	log_text(&entry, "mode", database->listening ? "listening" : "polling");
	log_end(&entry);
}

static void
log_polling(Database *database)
{
	LogEntry	entry;

	if (database->polling_logged)
		return;
	database->polling_logged = true;
	log_begin(&entry, LOG_WARNING, "polling");
	log_text(&entry, "reason", "a connection pooler stands between, LISTEN does"
			 " not work through it");
	log_int(&entry, "poll_interval_ms",
			database->options->poll_interval_us / US_PER_MS);
	log_end(&entry);
}

/*
 * What the server has to say beside its answers. libpq would write it to
 * stderr as it is, and its author may be anybody.
 */
static void
log_notice(void *argument, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	char		printable[ERROR_SIZE];
	LogEntry	entry;

	(void) argument;
	if (message == NULL)
		message = PQresultErrorMessage(result);
	text_printable(printable, sizeof(printable), message, strlen(message));
	log_begin(&entry, LOG_WARNING, "notice");
	log_text(&entry, "sqlstate", state != NULL ? state : "");
	log_text(&entry, "message", printable);
	log_end(&entry);
}

/* ---- connect ---- */

static void
connect_start(Database *database)
{
	/* Of a keyword given twice the last counts, so the user's win over ours. */
	static const char *const keywords[] = {
		"fallback_application_name", "keepalives_idle", "keepalives_interval",
		"keepalives_count", "tcp_user_timeout", "dbname", "client_encoding",
		NULL
	};
	const char *const values[] = {
		PROGRAM, "30", "10",
		"3", "10000", database->options->conninfo, "UTF8",
		NULL
	};

	database->connection =
		memory_check(PQconnectStartParams(keywords, values, 1));
	PQsetNoticeReceiver(database->connection, log_notice, NULL);
	database->state = DATABASE_CONNECTING;
	database->awaited = PGRES_POLLING_WRITING;
	database->deadline_us = clock_now() + CONNECT_TIMEOUT_US;
	database->listening = false;
	if (PQstatus(database->connection) == CONNECTION_BAD)
		lose(database, PQerrorMessage(database->connection));
}

static void
send_setup(Database *database, DatabaseState state, const char *sql)
{
	database->state = state;
	if (!PQsendQueryParams(database->connection, sql, 0, NULL, NULL,
						   NULL, NULL, 0))
		lose(database, PQerrorMessage(database->connection));
}

static short
awaited_events(const Database *database)
{
	if (database->state == DATABASE_CONNECTING &&
		database->awaited == PGRES_POLLING_WRITING)
		return POLLOUT;
	return POLLIN;
}

static void
connect_go_on(Database *database)
{
	if (!wait_is_ready(PQsocket(database->connection),
					   awaited_events(database)))
		return;
	database->deadline_us = clock_now() + CONNECT_TIMEOUT_US;
	database->awaited = PQconnectPoll(database->connection);
	if (database->awaited == PGRES_POLLING_FAILED)
		lose(database, PQerrorMessage(database->connection));
	else if (database->awaited == PGRES_POLLING_OK)
		send_setup(database, DATABASE_CHECKING,
				   "SELECT pg_catalog.pg_backend_pid()");
}

static void
become_idle(Database *database)
{
	database->state = DATABASE_IDLE;
	/* There may be something from before we listened. */
	database->notified = true;
}

/* A setup statement ended with this result. */
static void
setup_go_on(Database *database, PGresult *result)
{
	if (database->state == DATABASE_LISTENING)
	{
		database->listening = true;
		become_idle(database);
	}
	else if (PQntuples(result) == 1 &&
			 PQbackendPID(database->connection) ==
			 atoi(PQgetvalue(result, 0, 0)))
		send_setup(database, DATABASE_LISTENING, "LISTEN commerce_outbox");
	else
	{
		log_polling(database);
		become_idle(database);
	}
}

/* ---- statements ---- */

void
database_send(Database *database, Statement statement, const char *sql,
			  int count, const char *const *values)
{
	database->statement = statement;
	database->sent_us = clock_now();
	database->cancelled = false;
	database->state = DATABASE_BUSY;
	if (!PQsendQueryParams(database->connection, sql, count, NULL, values,
						   NULL, NULL, 0))
		lose(database, PQerrorMessage(database->connection));
}

/* Drop the connection because of the error that is the result. */
static void
lose_by_error(Database *database, const char *state)
{
	const char *message =
		PQresultErrorField(database->result, PG_DIAG_MESSAGE_PRIMARY);
	Answer		answer = ANSWER_ERROR;
	char		error[ERROR_SIZE];

	/* libpq's own errors have no state; 57P is the server's going down. */
	if (state[0] == '\0' || strncmp(state, "57P", 3) == 0)
		answer = ANSWER_NONE;
	if (message == NULL)
		message = PQresultErrorMessage(database->result);
	snprintf(error, sizeof(error), "%s%s%s",
			 state, state[0] != '\0' ? ": " : "", message);
	lose(database, error);
	database->answer = answer;
}

/* The statement ended with an error: which answer is that, or is it a loss? */
static void
end_with_error(Database *database)
{
	const char *state = PQresultErrorField(database->result, PG_DIAG_SQLSTATE);
	bool		failing = database->statement == STATEMENT_FAIL;
	DatabaseState next = DATABASE_IDLE;

	if (state == NULL)
		state = "";
	if (database->state != DATABASE_BUSY)
		next = DATABASE_DOWN;
	else if (strcmp(state, NO_SUBSCRIPTION) == 0)
	{
		database->answer = ANSWER_NO_SUBSCRIPTION;
		next = DATABASE_PAUSED;
	}
	else if (failing && strncmp(state, "SC", 2) == 0)
		database->answer = ANSWER_REFUSED;
	else if (failing && strncmp(state, "22", 2) == 0)
		database->answer = ANSWER_UNFIT;
	else
	{
		database->answer = ANSWER_ERROR;
		/* 57014 is the answer to our cancelling it. */
		if (strncmp(state, "40", 2) == 0 ||
			(database->cancelled && strcmp(state, "57014") == 0))
			next = DATABASE_PAUSED;
		else
			next = DATABASE_DOWN;
	}
	if (next == DATABASE_DOWN)
	{
		lose_by_error(database, state);
		return;
	}
	PQclear(database->result);
	database->result = NULL;
	database->state = next;
	database->ended = true;
	if (next == DATABASE_PAUSED)
		delay(database);
}

/* All of the statement's answer is here. */
static void
statement_ended(Database *database)
{
	PGresult   *result = database->result;
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		end_with_error(database);
	else if (database->state == DATABASE_BUSY)
	{
		note_up(database);
		database->state = DATABASE_IDLE;
		database->answer = ANSWER_RESULT;
		database->ended = true;
	}
	else
	{
		database->result = NULL;
		setup_go_on(database, result);
		PQclear(result);
	}
}

static void
read_server(Database *database)
{
	PGnotify   *notification;

	if (!PQconsumeInput(database->connection))
	{
		lose(database, PQerrorMessage(database->connection));
		return;
	}
	while ((database->state == DATABASE_CHECKING ||
			database->state == DATABASE_LISTENING ||
			database->state == DATABASE_BUSY) &&
		   !PQisBusy(database->connection))
	{
		PGresult   *result = PQgetResult(database->connection);

		if (result == NULL)
			statement_ended(database);
		else if (database->result == NULL)
			database->result = result;
		else
			PQclear(result);
	}
	/* Last, since what came after a result is read together with it. */
	while ((notification = PQnotifies(database->connection)) != NULL)
	{
		database->notified = true;
		PQfreemem(notification);
	}
}

/* ---- for the loop ---- */

void
database_advance(Database *database)
{
	int64_t		now = clock_now();

	if (database->state == DATABASE_DOWN)
	{
		if (now >= database->deadline_us)
			connect_start(database);
		return;
	}
	if (database->state == DATABASE_CONNECTING)
		connect_go_on(database);
	else
		read_server(database);
	if (database->state == DATABASE_PAUSED && now >= database->deadline_us)
		database->state = DATABASE_IDLE;
	if ((database->state == DATABASE_CONNECTING ||
		 database->state == DATABASE_CHECKING ||
		 database->state == DATABASE_LISTENING) && now >= database->deadline_us)
		lose(database, "no answer from the server");
}

bool
database_is_idle(const Database *database)
{
	return database->state == DATABASE_IDLE &&
		database->statement == STATEMENT_NONE;
}

bool
database_is_busy(const Database *database)
{
	return database->statement != STATEMENT_NONE;
}

bool
database_is_up(const Database *database)
{
	return database->up;
}

bool
database_take_loss(Database *database)
{
	bool		loss = database->loss;

	database->loss = false;
	return loss;
}

bool
database_take_notification(Database *database)
{
	bool		notified = database->notified;

	database->notified = false;
	return notified;
}

bool
database_is_stuck(const Database *database)
{
	return database->state == DATABASE_BUSY &&
		clock_now() >= database->sent_us + PATIENCE_US;
}

void
database_end_claim(Database *database)
{
	PGcancel   *cancel;
	char		error[256];

	if (database->statement != STATEMENT_CLAIM || !database_is_stuck(database))
		return;
	if (database->cancelled)
	{
		lose(database, "the server did not end a claim that was cancelled");
		return;
	}
	/* Just to hang up would not do: it claims once what holds it up is gone. */
	database->cancelled = true;
	cancel = memory_check(PQgetCancel(database->connection));
	if (!PQcancel(cancel, error, sizeof(error)))
		lose(database, error);
	PQfreeCancel(cancel);
	database->sent_us = clock_now();
}

Statement
database_take_answer(Database *database, Answer *answer, PGresult **result)
{
	Statement	statement = database->statement;

	if (!database->ended)
		return STATEMENT_NONE;
	*answer = database->answer;
	*result = database->result;
	database->statement = STATEMENT_NONE;
	database->ended = false;
	database->result = NULL;
	return statement;
}

bool
database_wait(const Database *database, struct curl_waitfd *file,
			  int64_t *until_us)
{
	*until_us = INT64_MAX;
	if (database->state != DATABASE_IDLE && database->state != DATABASE_BUSY)
		*until_us = database->deadline_us;
	if (database->state == DATABASE_DOWN)
		return false;
	file->fd = PQsocket(database->connection);
	file->events = awaited_events(database) == POLLOUT ?
		CURL_WAIT_POLLOUT : CURL_WAIT_POLLIN;
	return true;
}
