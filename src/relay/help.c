/*
 * help.c
 *		The text of --help.
 *
 * The options' lines come from their table. The rest is prose; what it says of
 * attempts and of the delays between them is decided in the database.
 */
#include "help.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "option_table.h"

/* Columns where an option's explanation and its default begin. */
#define HELP_COLUMN		27
#define USUAL_COLUMN	68

static const char help_before[] =
"commerce_relay transmits the events of a commerce database: it claims what is due\n"
"in commerce.events, POSTs each event to a URL, signed after Standard Webhooks 1.0,\n"
"and records the outcome. Delivery is at least once, in order within each order.\n"
"\n"
"Usage:\n"
"  commerce_relay --conninfo CONNINFO --url URL --secret-file FILE [OPTION]...\n"
"  commerce_relay --conninfo CONNINFO --to stdout [OPTION]...\n"
"  commerce_relay --config FILE [OPTION]...\n"
"\n";

static const char help_after[] =
"A duration is a number with ms, s, min or h; without a unit it is in seconds.\n"
"\n"
"The request:\n"
"  POST, Content-Type: application/json, and the headers webhook-id (the event_id,\n"
"  the same in every attempt: drop what you have seen), webhook-timestamp (seconds)\n"
"  and webhook-signature: \"v1,\" and the base64 of the HMAC-SHA256 of\n"
"  \"ID.TIMESTAMP.BODY\", once per secret. TLS certificates are always verified;\n"
"  proxies are taken from http_proxy, https_proxy and no_proxy.\n"
"    2xx            delivered\n"
"    410            the endpoint is gone: the subscription is paused, the relay stops\n"
"    429            given back; fewer requests a second from now on\n"
"    5xx, none      given back the first time; later failed, if other events got\n"
"                   through in between\n"
"    anything else  failed, tried again after 5 s, 25 s, ... or when Retry-After (1 s\n"
"                   to 12 h) says; dead after 10 failures. Redirects are not followed.\n"
"  After three 5xx or none in a row the receiver is away: it is tried with one event\n"
"  after 1 s, 2 s, 4 s, ... 30 s, or when Retry-After says, until one gets through.\n"
"\n"
"The secret file holds one line whsec_<base64>, and nobody else may access it:\n"
"  (umask 077; echo \"whsec_$(openssl rand -base64 32)\" > secret)\n"
"To change the secret: make a new one, give both files, tell the receiver, and take\n"
"the old one away. A header file has to be as private: one \"Name: value\" a line.\n"
"\n"
"The configuration file has the options' names without dashes:\n"
"  conninfo = 'host=/run/postgresql dbname=shop user=relay'\n"
"  url = https://example.com/webhook      # a comment\n"
"  secret-file = /etc/commerce-relay/secret\n"
"  once = off\n"
"It must be mode 0600 when it holds a password or a user in the URL, which the command\n"
"line must not hold.\n"
"\n"
"Signals:\n"
"  SIGTERM, SIGINT  claim nothing more, deliver what is in flight, give back the rest,\n"
"                   record it, exit; at the second one exit at once: what is claimed\n"
"                   is due again when its lease ends\n"
"  SIGHUP           read the secret files and the header file again\n"
"\n"
"Exit codes:\n"
"  0  done, by --once or a signal\n"
"  1  a wrong option or file, or no such subscription\n"
"  2  the database could not be reached or refused; only with --once, or when outcomes\n"
"     could not be recorded before the end (otherwise the relay tries again for ever)\n"
"  3  the endpoint answered 410: the subscription is paused\n"
"  4  --once, and some events were not delivered, or the receiver is away\n"
"  5  stdout could not be written\n"
"  130, 143  a second SIGINT, a second SIGTERM\n"
"  134  out of memory (SIGABRT): what is claimed is due again when its lease ends\n"
"\n"
"The log goes to stderr, one line per entry:\n"
"  time=2026-01-02T03:04:05.678Z level=info event=start to=https://example.com/webhook\n"
"The entry event=status has the totals since the start: claimed, delivered, failed\n"
"(attempts), dead, released, lease_lost; and at present in_flight, queued, lag_ms, the\n"
"age of the oldest event claimed and not yet recorded, and receiver: well, limiting or\n"
"away.\n"
"\n"
"The connection may go through PgBouncer, in any mode; LISTEN does not work through it,\n"
"so the relay polls then. Any number of relays may run side by side.\n";

static void
print_option(const Option *option)
{
	const char *line = option->help;
	bool		has_value = option->value_name != NULL;
	int			column = printf("  --%s%s%s", option->name,
								has_value ? " " : "",
								has_value ? option->value_name : "");

	if (column >= HELP_COLUMN)
	{
		putchar('\n');
		column = 0;
	}
	for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
	{
		printf("%*s%.*s\n", HELP_COLUMN - column, "", (int) (end - line), line);
		column = 0;
	}
	column += printf("%*s%s", HELP_COLUMN - column, "", line);
	if (option->usual != NULL)
	{
		printf("%*s%s",
			   column < USUAL_COLUMN - 1 ? USUAL_COLUMN - column : 2, "",
			   option->usual);
		if (option->minimum != NULL)
			printf("%*s(%s to %s)", 5 - (int) strlen(option->usual), "",
				   option->minimum, option->maximum);
	}
	putchar('\n');
}

void
help_print(void)
{
	fputs(help_before, stdout);
	puts("Options:");
	for (const Option *option = option_table; option->name != NULL; option++)
		print_option(option);
	fputs(help_after, stdout);
}
