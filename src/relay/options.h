/*
 * options.h
 *		What the relay was told, by its command line and its configuration file.
 *
 * The texts point into the command line and the file's text. What each option
 * is, and its default, is in option_table.c.
 */
#ifndef RELAY_OPTIONS_H
#define RELAY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "signature.h"

#define HEADER_OPTIONS_MAX	32

/* Where an option was given; the command line goes before the file. */
typedef enum OptionSource
{
	FROM_ARGUMENTS,
	FROM_FILE,
	OPTION_SOURCES
} OptionSource;

typedef struct Options
{
	const char *conninfo;
	const char *subscription;
	const char *url;
	char	   *shown_url;		/* without user, password and query */
	const char *ca_file;
	const char *config;
	char	   *config_text;	/* what the file holds, cut into values */
	const char *secret_files[SECRETS_MAX];
	int			secret_file_count;
	const char *headers[HEADER_OPTIONS_MAX];
	int			header_count;
	const char *header_file;
	const char *metrics_listen; /* NULL: no metrics */
	int			batch_size;
	int			concurrency;
	int64_t		lease_us;
	int64_t		timeout_us;
	int64_t		poll_interval_us;
	int64_t		status_interval_us; /* 0: never */
	bool		once;
	bool		to_stdout;
	uint32_t	given[OPTION_SOURCES];	/* a bit for each row of the table */
} Options;

static inline void
options_free(Options *options)
{
	free(options->shown_url);
	free(options->config_text);
}

#endif
