/*
 * option_table.c
 *		The list of options: one row says all there is to say of an option.
 *
 * The command line, the configuration file, the checks of single values, the
 * defaults and --help all go by it. Defaults and bounds are written as a user
 * writes them, and read as a user's are. In the manual, doc/commerce_relay.1,
 * and in commerce_relay.conf they stand once more; a test compares these with
 * --help.
 */
#include "option_table.h"

#include <string.h>

#include "options.h"

#define AT(field)	offsetof(Options, field)
/* INDENT OFF */
const Option option_table[] = {
	{"conninfo", OPTION_TEXT, AT(conninfo), "CONNINFO", NULL, NULL, NULL,
		"the database, e.g. \"host=/run/postgresql dbname=shop\"; its\n"
		"role needs: SELECT commerce.grant_access('ROLE', 'relay')"},
	{"subscription", OPTION_SUBSCRIPTION, AT(subscription), "NAME",
		"default", NULL, NULL,
		"whose events to transmit"},
	{"url", OPTION_TEXT, AT(url), "URL", NULL, NULL, NULL,
		"where to POST to, http or https"},
	{"secret-file", OPTION_SECRET_FILE, AT(secret_files), "FILE",
		NULL, NULL, NULL,
		"the secret to sign with; twice while you change it"},
	{"header", OPTION_HEADER, AT(headers), "HEADER", NULL, NULL, NULL,
		"add \"Name: value\" to each request; several times for\n"
		"several"},
	{"header-file", OPTION_TEXT, AT(header_file), "FILE", NULL, NULL, NULL,
		"add the headers of this file, one a line: those that\n"
		"nobody else may see"},
	{"ca-file", OPTION_TEXT, AT(ca_file), "FILE", NULL, NULL, NULL,
		"trust these CA certificates (PEM), not the system's"},
	{"batch-size", OPTION_COUNT, AT(batch_size), "NUMBER", "100", "1", "10000",
		"most events to claim at once"},
	{"concurrency", OPTION_COUNT, AT(concurrency), "NUMBER", "16", "1", "1000",
		"most requests at the same time"},
	{"lease", OPTION_DURATION, AT(lease_us), "DURATION", "30s", "1s", "24h",
		"how long a claimed event is ours; longer\n"
		"than --timeout"},
	{"timeout", OPTION_DURATION, AT(timeout_us), "DURATION",
		"15s", "100ms", "1h",
		"how long a request may take"},
	{"poll-interval", OPTION_DURATION, AT(poll_interval_us), "DURATION",
		"1s", "10ms", "1h",
		"look this often without being notified"},
	{"status-interval", OPTION_DURATION, AT(status_interval_us), "DURATION",
		"60s", "0", "24h",
		"log the counters this often, 0: never"},
	{"metrics-listen", OPTION_TEXT, AT(metrics_listen), "HOST:PORT",
		NULL, NULL, NULL,
		"serve /metrics and /healthz there, e.g. 127.0.0.1:9187\n"
		"or [::1]:9187"},
	{"once", OPTION_SWITCH, AT(once), NULL, NULL, NULL, NULL,
		"deliver what is due, then exit"},
	{"to", OPTION_DESTINATION, AT(to_stdout), "http|stdout", "http", NULL, NULL,
		"stdout: write each event as one line of JSON"},
	{"config", OPTION_CONFIG, AT(config), "FILE", NULL, NULL, NULL,
		"read options from a file; the command line wins"},
	{"help", OPTION_HELP, 0, NULL, NULL, NULL, NULL,
		"show this, and exit"},
	{"version", OPTION_VERSION, 0, NULL, NULL, NULL, NULL,
		"show the version, and exit"},
	{NULL}
};
/* INDENT ON */

#define ROWS	((int) (sizeof(option_table) / sizeof(option_table[0])) - 1)

/* Each has a bit in Options. */
_Static_assert(ROWS <= 32, "too many options");

const int	option_count = ROWS;

const Option *
option_find(const char *name)
{
	for (const Option *option = option_table; option->name != NULL; option++)
	{
		if (strcmp(option->name, name) == 0)
			return option;
	}
	return NULL;
}
