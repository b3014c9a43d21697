/*
 * options.h
 *		What the relay was told, by its command line and its configuration file.
 */
#ifndef RELAY_OPTIONS_H
#define RELAY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "signature.h"

#define PROGRAM		"commerce_relay"

typedef struct Options
{
	const char *conninfo;
	const char *url;
	char	   *shown_url;		/* without user, password and query */
	const char *ca_file;
	const char *config;
	char	   *config_text;	/* what the file holds, cut into values */
	const char *secret_files[SECRETS_MAX];
	int			secret_file_count;
	int			batch_size;
	int			concurrency;
	int64_t		lease_us;
	int64_t		timeout_us;
	int64_t		poll_interval_us;
	int64_t		status_interval_us;		/* 0: never */
	bool		once;
	bool		to_stdout;
} Options;

/*
 * Read the command line, and the configuration file it names. Ends the program
 * after --help and --version, and with EXIT_CONFIGURATION if something is wrong.
 */
extern void options_read(Options *options, int argc, char **argv);

extern void options_free(Options *options);

/*
 * For the reader of the configuration file: take the setting called name. What
 * the command line said stays. The origin ("file:line") leads error messages.
 */
extern void options_set(Options *options, const char *name, const char *value,
						const char *origin);

/* Say what is wrong with the options, and end the program. */
extern void options_error(const char *format, ...)
			__attribute__((noreturn, format(printf, 1, 2)));

/* config.c: call options_set for each setting of the file; whether the file is private. */
extern bool config_read(Options *options, const char *file);

/* help.c: the text of --help */
extern const char help_text[];

#endif
