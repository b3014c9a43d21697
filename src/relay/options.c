/*
 * options.c
 *		What the relay was told, by its command line and its configuration file.
 *
 * The table below is the one list of options; both sources go by it. The command
 * line is read first and wins. Everything is checked here, before anything is
 * done: a relay that starts has options it can work with.
 *
 * The arguments of a program can be read by everybody on the machine, so that
 * passwords are refused there.
 */
#include "options.h"

#include <curl/curl.h>
#include <getopt.h>
#include <libpq-fe.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "exits.h"
#include "memory.h"

#define MINUTE_US	(60 * US_PER_S)
#define HOUR_US		(60 * MINUTE_US)

typedef enum OptionKind
{
	OPTION_TEXT,
	OPTION_COUNT,
	OPTION_DURATION,
	OPTION_SWITCH,
	OPTION_SECRET_FILE,
	OPTION_DESTINATION,
	OPTION_HELP,
	OPTION_VERSION
} OptionKind;

typedef struct Option
{
	const char *name;
	OptionKind	kind;
	size_t		offset;
	int64_t		minimum;
	int64_t		maximum;
	const char *bounds;			/* the same, for people */
} Option;

#define AT(field)	offsetof(Options, field)

static const Option option_list[] = {
	{"conninfo", OPTION_TEXT, AT(conninfo), 0, 0, NULL},
	{"url", OPTION_TEXT, AT(url), 0, 0, NULL},
	{"secret-file", OPTION_SECRET_FILE, 0, 0, 0, NULL},
	{"ca-file", OPTION_TEXT, AT(ca_file), 0, 0, NULL},
	{"batch-size", OPTION_COUNT, AT(batch_size), 1, 10000, "1 to 10000"},
	{"concurrency", OPTION_COUNT, AT(concurrency), 1, 1000, "1 to 1000"},
	{"lease", OPTION_DURATION, AT(lease_us),
	US_PER_S, 24 * HOUR_US, "1s to 24h"},
	{"timeout", OPTION_DURATION, AT(timeout_us),
	100 * US_PER_MS, HOUR_US, "100ms to 1h"},
	{"poll-interval", OPTION_DURATION, AT(poll_interval_us),
	10 * US_PER_MS, HOUR_US, "10ms to 1h"},
	{"status-interval", OPTION_DURATION, AT(status_interval_us),
	0, 24 * HOUR_US, "0 to 24h"},
	{"once", OPTION_SWITCH, AT(once), 0, 0, NULL},
	{"to", OPTION_DESTINATION, AT(to_stdout), 0, 0, NULL},
	{"config", OPTION_TEXT, AT(config), 0, 0, NULL},
	{"help", OPTION_HELP, 0, 0, 0, NULL},
	{"version", OPTION_VERSION, 0, 0, 0, NULL}
};

#define OPTION_COUNT_ALL	((int) (sizeof(option_list) / sizeof(option_list[0])))

/* Which options the command line gave, and which the configuration file. */
static bool given_by_arguments[OPTION_COUNT_ALL];
static bool given_by_file[OPTION_COUNT_ALL];

void
options_error(const char *format, ...)
{
	va_list		arguments;

	fputs(PROGRAM ": ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs("\nTry \"" PROGRAM " --help\".\n", stderr);
	exit(EXIT_CONFIGURATION);
}

/* ---- one value ---- */

/* A whole number; -1 if it is none. */
static int64_t
parse_count(const char *value)
{
	size_t		digits = strspn(value, "0123456789");

	if (digits == 0 || digits > 9 || value[digits] != '\0')
		return -1;
	return strtol(value, NULL, 10);
}

/* A number and ms, s, min, h or nothing, which is s; -1 if it is something else. */
static int64_t
parse_duration(const char *value)
{
	static const struct
	{
		const char *name;
		int64_t		us;
	}			units[] = {
		{"ms", US_PER_MS}, {"s", US_PER_S}, {"", US_PER_S},
		{"min", MINUTE_US}, {"h", HOUR_US}
	};
	size_t		digits = strspn(value, "0123456789");
	const char *unit = value + digits;

	if (digits > 0 && *unit == '.')
		unit += 1 + strspn(unit + 1, "0123456789");
	if (digits == 0 || digits > 9 || unit[-1] == '.')
		return -1;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
	{
		if (strcmp(unit, units[i].name) == 0)
			return (int64_t) (strtod(value, NULL) * (double) units[i].us + 0.5);
	}
	return -1;
}

static bool
parse_switch(const char *value, const char *origin)
{
	if (value == NULL || strcmp(value, "on") == 0)
		return true;
	if (strcmp(value, "off") != 0)
		options_error("%s must be on or off, not \"%s\"", origin, value);
	return false;
}

static bool
parse_destination(const char *value, const char *origin)
{
	if (strcmp(value, "stdout") == 0)
		return true;
	if (strcmp(value, "http") != 0)
		options_error("%s must be http or stdout, not \"%s\"", origin, value);
	return false;
}

/* Check the value, and set the option unless only checking. */
static void
set_option(Options *options, const Option *option, const char *value,
		   const char *origin)
{
	char	   *field = (char *) options + option->offset;
	int64_t		number = 0;

	if (option->kind == OPTION_COUNT)
		number = parse_count(value);
	else if (option->kind == OPTION_DURATION)
		number = parse_duration(value);
	if (option->bounds != NULL &&
		(number < option->minimum || number > option->maximum))
		options_error("%s must be %s, not \"%s\"", origin, option->bounds, value);

	switch (option->kind)
	{
		case OPTION_TEXT:
			*(const char **) field = value;
			break;
		case OPTION_COUNT:
			*(int *) field = (int) number;
			break;
		case OPTION_DURATION:
			*(int64_t *) field = number;
			break;
		case OPTION_SWITCH:
			*(bool *) field = parse_switch(value, origin);
			break;
		case OPTION_DESTINATION:
			*(bool *) field = parse_destination(value, origin);
			break;
		case OPTION_SECRET_FILE:
			if (options->secret_file_count == SECRETS_MAX)
				options_error("%s: there are at most %d secret files",
							  origin, SECRETS_MAX);
			options->secret_files[options->secret_file_count++] = value;
			break;
		case OPTION_HELP:
			fputs(help_text, stdout);
			exit(EXIT_DONE);
		case OPTION_VERSION:
			puts(PROGRAM " " COMMERCE_VERSION);
			exit(EXIT_DONE);
	}
}

/* An option has one value, but for the secret files. */
static void
note_given(bool *given, const Option *option, const char *origin)
{
	if (given[option - option_list] && option->kind != OPTION_SECRET_FILE)
		options_error("%s is given twice", origin);
	given[option - option_list] = true;
}

/* ---- the two sources ---- */

void
options_set(Options *options, const char *name, const char *value,
			const char *origin)
{
	for (int i = 0; i < OPTION_COUNT_ALL; i++)
	{
		const Option *option = &option_list[i];
		Options		checked = {0};
		char		place[1200];

		if (strcmp(option->name, name) != 0 || option->kind >= OPTION_HELP ||
			option->offset == AT(config))
			continue;
		snprintf(place, sizeof(place), "%s: %s", origin, name);
		note_given(given_by_file, option, place);
		set_option(given_by_arguments[i] ? &checked : options, option, value, place);
		return;
	}
	options_error("%s: there is no setting \"%s\"", origin, name);
}

static void
read_arguments(Options *options, int argc, char **argv)
{
	struct option long_options[OPTION_COUNT_ALL + 1] = {{0}};
	int			chosen = 0;
	int			found;

	for (int i = 0; i < OPTION_COUNT_ALL; i++)
	{
		bool		alone = option_list[i].kind == OPTION_SWITCH ||
			option_list[i].kind >= OPTION_HELP;

		long_options[i].name = option_list[i].name;
		long_options[i].has_arg = alone ? no_argument : required_argument;
	}
	opterr = 0;
	while ((found = getopt_long(argc, argv, ":", long_options, &chosen)) != -1)
	{
		char		origin[64];

		if (found == ':')
			options_error("%s needs a value", argv[optind - 1]);
		if (found == '?' && optopt != 0)
			options_error("there is no option \"-%c\"", optopt);
		if (found == '?')
			options_error("there is no option \"%s\", or it takes no value",
						  argv[optind - 1]);
		snprintf(origin, sizeof(origin), "--%s", option_list[chosen].name);
		note_given(given_by_arguments, &option_list[chosen], origin);
		set_option(options, &option_list[chosen], optarg, origin);
	}
	if (optind < argc)
		options_error("unexpected argument \"%s\"", argv[optind]);
}

/* ---- what the values must be together ---- */

/* Whether the conninfo, which must be one, has a password in it. */
static bool
conninfo_has_password(const char *conninfo)
{
	PQconninfoOption *parts = PQconninfoParse(conninfo, NULL);
	bool		found = false;

	/* libpq's message would repeat some of it, which may be a password. */
	if (parts == NULL)
		options_error("conninfo is not valid: it must be \"keyword=value ...\","
					  " with keywords that libpq knows, or \"postgresql://...\"");
	for (PQconninfoOption *part = parts; part->keyword != NULL; part++)
	{
		if (part->val != NULL && (strcmp(part->keyword, "password") == 0 ||
								  strcmp(part->keyword, "sslpassword") == 0))
			found = true;
	}
	PQconninfoFree(parts);
	return found;
}

static bool
url_has(CURLU *url, CURLUPart part)
{
	char	   *value = NULL;
	bool		has = curl_url_get(url, part, &value, 0) == CURLUE_OK;

	curl_free(value);
	return has;
}

/* Check the URL, and keep what of it may be shown; whether there is a user in it. */
static bool
check_url(Options *options)
{
	CURLU	   *url = memory_check(curl_url());
	CURLUcode	code = curl_url_set(url, CURLUPART_URL, options->url, 0);
	char	   *scheme = NULL;
	char	   *shown = NULL;
	bool		has_user;

	/* The URL itself is not shown: it may hold a password. */
	if (code != CURLUE_OK)
		options_error("url is not valid: %s", curl_url_strerror(code));
	curl_url_get(url, CURLUPART_SCHEME, &scheme, 0);
	if (scheme == NULL || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
		options_error("url must begin with http:// or https://");
	has_user = url_has(url, CURLUPART_USER) || url_has(url, CURLUPART_PASSWORD);

	curl_url_set(url, CURLUPART_USER, NULL, 0);
	curl_url_set(url, CURLUPART_PASSWORD, NULL, 0);
	curl_url_set(url, CURLUPART_QUERY, NULL, 0);
	curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
	curl_url_get(url, CURLUPART_URL, &shown, 0);
	options->shown_url = memory_copy(memory_check(shown));
	curl_free(scheme);
	curl_free(shown);
	curl_url_cleanup(url);
	return has_user;
}

static bool
is_given(const bool *given, size_t offset)
{
	for (int i = 0; i < OPTION_COUNT_ALL; i++)
	{
		if (option_list[i].offset == offset && option_list[i].kind == OPTION_TEXT)
			return given[i];
	}
	return false;
}

/* A password belongs into a file that only the relay's user can read. */
static void
check_private(const Options *options, bool has_password, size_t offset,
			  bool config_is_private, const char *what, const char *instead)
{
	if (!has_password)
		return;
	if (is_given(given_by_arguments, offset))
		options_error("%s on the command line can be read by everybody on this"
					  " machine: use %s--config", what, instead);
	if (!config_is_private)
		options_error("configuration file \"%s\" holds %s, but can be accessed by"
					  " others: chmod 600 it", options->config, what);
}

static void
check_destination(const Options *options)
{
	if (options->to_stdout)
	{
		if (options->url != NULL || options->secret_file_count > 0 ||
			options->ca_file != NULL)
			options_error("url, secret-file and ca-file have no meaning with"
						  " --to stdout");
		return;
	}
	if (options->url == NULL)
		options_error("--url is missing");
	if (options->secret_file_count == 0)
		options_error("--secret-file is missing");
	if (options->ca_file != NULL && access(options->ca_file, R_OK) != 0)
		options_error("could not read ca-file \"%s\"", options->ca_file);
}

void
options_read(Options *options, int argc, char **argv)
{
	bool		config_is_private = true;

	*options = (Options) {
		.batch_size = 100,
		.concurrency = 16,
		.lease_us = 30 * US_PER_S,
		.timeout_us = 15 * US_PER_S,
		.poll_interval_us = US_PER_S,
		.status_interval_us = MINUTE_US
	};
	read_arguments(options, argc, argv);
	if (options->config != NULL)
		config_is_private = config_read(options, options->config);

	if (options->conninfo == NULL)
		options_error("--conninfo is missing");
	check_private(options, conninfo_has_password(options->conninfo), AT(conninfo),
				  config_is_private, "a password in conninfo",
				  "a password file (passfile=), a service file (service=) or ");
	check_destination(options);
	if (!options->to_stdout)
		check_private(options, check_url(options), AT(url),
					  config_is_private, "a user in url", "");
	if (options->lease_us <= options->timeout_us)
		options_error("lease must be longer than timeout: an event that somebody"
					  " else may claim must not be on its way any more");
}

void
options_free(Options *options)
{
	free(options->shown_url);
	free(options->config_text);
}
