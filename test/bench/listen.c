/*
 * listen.c
 *		listen N: N connections that LISTEN on commerce_outbox.
 *
 * Prints "listening" once all do, and from then on the clock, in microseconds
 * since 1970, at each wake-up of the first connection that brought a
 * notification. The clock is read before anything else is done with it. Runs
 * until killed. libpq's environment variables say where the server is.
 */
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void
die(PGconn *connection)
{
	fprintf(stderr, "listen: %s", PQerrorMessage(connection));
	exit(1);
}

static PGconn *
listen_once(void)
{
	PGconn	   *connection = PQconnectdb("");
	PGresult   *result;

	if (PQstatus(connection) != CONNECTION_OK)
		die(connection);
	result = PQexec(connection, "LISTEN commerce_outbox");
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		die(connection);
	PQclear(result);
	return connection;
}

/* Take what came; whether a notification was among it. */
static bool
take_notifications(PGconn *connection)
{
	PGnotify   *notification;
	bool		any = false;

	if (!PQconsumeInput(connection))
		die(connection);
	while ((notification = PQnotifies(connection)) != NULL)
	{
		PQfreemem(notification);
		any = true;
	}
	return any;
}

int
main(int argc, char **argv)
{
	int			count = argc == 2 ? atoi(argv[1]) : 0;
	PGconn	  **connections;
	struct pollfd *polled;

	if (count < 1)
	{
		fprintf(stderr, "usage: listen CONNECTIONS\n");
		return 1;
	}
	connections = calloc(count, sizeof(PGconn *));
	polled = calloc(count, sizeof(*polled));
	if (connections == NULL || polled == NULL)
		exit(1);
	for (int i = 0; i < count; i++)
	{
		connections[i] = listen_once();
		polled[i].fd = PQsocket(connections[i]);
		polled[i].events = POLLIN;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("listening");

	for (;;)
	{
		struct timespec now;

		if (poll(polled, count, -1) < 0 && errno != EINTR)
			exit(1);
		clock_gettime(CLOCK_REALTIME, &now);
		for (int i = 0; i < count; i++)
			if (polled[i].revents != 0 && take_notifications(connections[i]) && i == 0)
				printf("%lld\n", now.tv_sec * 1000000LL + now.tv_nsec / 1000);
	}
}
