/*
 * monitor.c
 *		Answers whoever wants to know how the relay is, by HTTP.
 *
 *		/metrics	metrics, as Prometheus reads them
 *		/healthz	200 while the relay works and has its database, else 503
 *
 * libmicrohttpd does the work, without a thread of its own: it is asked in the
 * relay's loop, which waits for its epoll file as for others. So an answer also
 * says that the loop goes round. Whoever asks can neither change anything nor
 * take much: connections are few, short-lived and have little memory, and a
 * request's body is not read.
 */
#include "monitor.h"

#include <microhttpd.h>
#include <string.h>

#include "clock.h"
#include "memory.h"
#include "metrics.h"

#define CONNECTIONS_MAX	16
#define TIMEOUT_S		10
#define MEMORY_BYTES	8192

struct Monitor
{
	struct MHD_Daemon *daemon;
	Look		look;
	const void *argument;
};

static enum MHD_Result
reply(struct MHD_Connection *connection, unsigned status, const char *type,
	  const char *text)
{
	/* It is copied, and not changed before. */
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(text), (void *) text,
										MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (response == NULL)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result
reply_metrics(struct MHD_Connection *connection, const Figures *figures)
{
	char		text[METRICS_SIZE];

	metrics_write(text, figures);
	return reply(connection, MHD_HTTP_OK, METRICS_TYPE, text);
}

static enum MHD_Result
reply_health(struct MHD_Connection *connection, const Figures *figures)
{
	if (figures->stopping)
		return reply(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain",
					 "stopping\n");
	if (!figures->connected)
		return reply(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain",
					 "not connected to the database\n");
	return reply(connection, MHD_HTTP_OK, "text/plain", "ok\n");
}

/* libmicrohttpd has the head of a request, or more of its body. */
static enum MHD_Result
handle(void *argument, struct MHD_Connection *connection, const char *path,
	   const char *method, const char *version, const char *body,
	   size_t *body_length, void **state)
{
	const Monitor *monitor = argument;
	Figures		figures;

	(void) version;
	(void) body;
	(void) body_length;
	(void) state;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
		strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return reply(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain",
					 "only GET and HEAD\n");
	monitor->look(&figures, monitor->argument);
	if (strcmp(path, "/metrics") == 0)
		return reply_metrics(connection, &figures);
	if (strcmp(path, "/healthz") == 0)
		return reply_health(connection, &figures);
	return reply(connection, MHD_HTTP_NOT_FOUND, "text/plain",
				 "/metrics and /healthz are here\n");
}

Monitor *
monitor_new(int listener, Look look, const void *argument)
{
	Monitor    *monitor = memory_new(sizeof(Monitor));
	const struct MHD_OptionItem options[] = {
		{MHD_OPTION_LISTEN_SOCKET, listener, NULL},
		{MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S, NULL},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_BYTES, NULL},
		{MHD_OPTION_END, 0, NULL}
	};

	monitor->look = look;
	monitor->argument = argument;
	monitor->daemon =
		memory_check(MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, handle,
									  monitor, MHD_OPTION_ARRAY, options,
									  MHD_OPTION_END));
	return monitor;
}

void
monitor_free(Monitor *monitor)
{
	MHD_stop_daemon(monitor->daemon);
	free(monitor);
}

void
monitor_go_on(Monitor *monitor)
{
	MHD_run(monitor->daemon);
}

int64_t
monitor_wait(Monitor *monitor, struct curl_waitfd *file)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(monitor->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	MHD_UNSIGNED_LONG_LONG timeout_ms;

	file->fd = info->epoll_fd;
	file->events = CURL_WAIT_POLLIN;
	if (MHD_get_timeout(monitor->daemon, &timeout_ms) != MHD_YES)
		return INT64_MAX;
	return clock_now() + (int64_t) timeout_ms * US_PER_MS;
}
