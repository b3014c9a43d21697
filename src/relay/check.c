/*
 * check.c
 *		What the options must be together.
 *
 * Everything is checked before anything is done: a relay that starts has
 * options it can work with.
 *
 * The arguments of a program can be read by everybody on the machine, so that
 * passwords are refused there.
 */
#include "check.h"

#include <curl/curl.h>
#include <libpq-fe.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "option_value.h"
#include "program.h"

/* Whether the conninfo, which must be one, has a password in it. */
static bool
conninfo_has_password(const char *conninfo)
{
	PQconninfoOption *parts = PQconninfoParse(conninfo, NULL);
	bool		found = false;

	/* libpq's message would repeat some of it, which may be a password. */
	if (parts == NULL)
		program_refuse("conninfo is not valid: it must be"
					   " \"keyword=value ...\", with keywords that libpq knows,"
					   " or \"postgresql://...\"");
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

/* Check the URL, and keep what of it may be shown; whether it has a user. */
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
		program_refuse("url is not valid: %s", curl_url_strerror(code));
	curl_url_get(url, CURLUPART_SCHEME, &scheme, 0);
	if (scheme == NULL ||
		(strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
		program_refuse("url must begin with http:// or https://");
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

/* A password belongs into a file that only the relay's user can read. */
static void
check_private(const Options *options, const char *name, bool config_is_private,
			  const char *what, const char *instead)
{
	if (option_is_given(options, name, FROM_ARGUMENTS))
		program_refuse("%s on the command line can be read by everybody on this"
					   " machine: use %s--config", what, instead);
	if (!config_is_private)
		program_refuse("configuration file \"%s\" holds %s, but can be"
					   " accessed by others: chmod 600 it",
					   options->config, what);
}

static void
check_destination(const Options *options)
{
	if (options->to_stdout)
	{
		if (options->url != NULL || options->secret_file_count > 0 ||
			options->ca_file != NULL || options->header_count > 0 ||
			options->header_file != NULL)
			program_refuse("url, secret-file, ca-file, header and header-file"
						   " have no meaning with --to stdout");
		return;
	}
	if (options->url == NULL)
		program_refuse("--url is missing");
	if (options->secret_file_count == 0)
		program_refuse("--secret-file is missing");
	if (options->ca_file != NULL && access(options->ca_file, R_OK) != 0)
		program_refuse("could not read ca-file \"%s\"", options->ca_file);
}

void
check_options(Options *options, bool config_is_private)
{
	if (options->conninfo == NULL)
		program_refuse("--conninfo is missing");
	if (conninfo_has_password(options->conninfo))
		check_private(options, "conninfo", config_is_private,
					  "a password in conninfo",
					  "a password file (passfile=), a service file (service=)"
					  " or ");
	check_destination(options);
	if (!options->to_stdout && check_url(options))
		check_private(options, "url", config_is_private, "a user in url", "");
	if (options->lease_us <= options->timeout_us)
		program_refuse("lease must be longer than timeout: an event that"
					   " somebody else may claim must not be on its way any"
					   " more");
}
