/*
 * refused.c
 *		How many calls a second are refused: what remains is gone, and many ask.
 *
 *		refused CONNECTIONS SECONDS SQLSTATE USERS STATEMENT
 *
 * Each connection calls the prepared STATEMENT again and again, with a user for $1
 * out of the upper half of USERS. All calls must be refused with SQLSTATE, or there
 * is no figure. Prints refusals per second.
 *
 * With 0 SECONDS it is the rush that comes before: the users 1, 2, 3... up to half of
 * USERS call, and succeed, until every connection has been refused once. libpq's
 * environment variables say where the server is.
 */
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct Caller
{
	PGconn	   *connection;
	bool		refused;
} Caller;

static Caller *callers;
static int	caller_count;
static const char *sqlstate;
static long users;
static bool rush;
static long rush_users;			/* how many the rush has had */

static void
die(const char *reason)
{
	fprintf(stderr, "refused: %s\n", reason);
	exit(1);
}

static double
seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static long
next_user(void)
{
	if (!rush)
		return users / 2 + 1 + random() % (users / 2);
	if (rush_users >= users / 2)
		die("more is left than half of the users want");
	return ++rush_users;
}

static void
call(Caller *caller)
{
	char		user[32];
	const char *parameters[] = {user};

	snprintf(user, sizeof(user), "%ld", next_user());
	if (!PQsendQueryPrepared(caller->connection, "call", 1, parameters,
							 NULL, NULL, 0))
		die(PQerrorMessage(caller->connection));
}

static void
start(Caller *caller, const char *statement)
{
	PGresult   *result;

	caller->connection = PQconnectdb("");
	if (PQstatus(caller->connection) != CONNECTION_OK)
		die(PQerrorMessage(caller->connection));
	result = PQprepare(caller->connection, "call", statement, 0, NULL);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		die(PQerrorMessage(caller->connection));
	PQclear(result);
	caller->refused = false;
}

/* What a call came to: true if it was refused. */
static bool
judge(Caller *caller, PGresult *result)
{
	const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	if (code == NULL)
	{
		if (!rush)
			die("a call succeeded");
		return false;
	}
	if (strcmp(code, sqlstate) != 0)
		die(PQresultErrorMessage(result));
	caller->refused = true;
	return true;
}

/*
 * Take what came. If that was all, call again, but in the rush not after a
 * refusal. Returns the refusals.
 */
static long
go_on(Caller *caller)
{
	PGresult   *result;
	long		refusals = 0;

	if (!PQconsumeInput(caller->connection))
		die(PQerrorMessage(caller->connection));
	if (PQisBusy(caller->connection))
		return 0;
	while ((result = PQgetResult(caller->connection)) != NULL)
	{
		refusals += judge(caller, result);
		PQclear(result);
	}
	if (!rush || !caller->refused)
		call(caller);
	return refusals;
}

/* One look at all connections. Returns the refusals. */
static long
look(struct pollfd *polled)
{
	long		refusals = 0;

	if (poll(polled, caller_count, -1) < 0 && errno != EINTR)
		die(strerror(errno));
	for (int i = 0; i < caller_count; i++)
		if (polled[i].revents != 0)
			refusals += go_on(&callers[i]);
	return refusals;
}

int
main(int argc, char **argv)
{
	double		seconds = argc == 6 ? atof(argv[2]) : -1;
	double		started;
	double		now;
	long		refusals = 0;
	struct pollfd *polled;

	caller_count = argc == 6 ? atoi(argv[1]) : 0;
	users = argc == 6 ? atol(argv[4]) : 0;
	if (caller_count < 1 || seconds < 0 || users < 2)
		die("usage: refused CONNECTIONS SECONDS SQLSTATE USERS STATEMENT");
	sqlstate = argv[3];
	rush = seconds == 0;

	callers = calloc(caller_count, sizeof(*callers));
	polled = calloc(caller_count, sizeof(*polled));
	if (callers == NULL || polled == NULL)
		die("out of memory");
	for (int i = 0; i < caller_count; i++)
	{
		start(&callers[i], argv[5]);
		polled[i].fd = PQsocket(callers[i].connection);
		polled[i].events = POLLIN;
	}
	for (int i = 0; i < caller_count; i++)
		call(&callers[i]);

	started = now = seconds_now();
	while (rush ? refusals < caller_count : now - started < seconds)
	{
		refusals += look(polled);
		now = seconds_now();
	}
	if (!rush)
		printf("%.0f\n", refusals / (now - started));
	free(polled);
	return 0;
}
