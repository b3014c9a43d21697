/*
 * arguments.c
 *		The command line.
 *
 * It is read before the configuration file, which it may name, and wins.
 */
#include "arguments.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "help.h"
#include "memory.h"
#include "option_table.h"
#include "option_value.h"
#include "program.h"

/* The table as getopt_long wants it. */
static struct option *
make_long_options(void)
{
	struct option *long_options =
		memory_new(sizeof(struct option) * ((size_t) option_count + 1));

	for (int i = 0; i < option_count; i++)
	{
		long_options[i].name = option_table[i].name;
		long_options[i].has_arg = option_table[i].value_name != NULL ?
			required_argument : no_argument;
	}
	return long_options;
}

static void
take_argument(Options *options, const Option *option, const char *value)
{
	char		origin[64];

	if (option->kind == OPTION_HELP)
	{
		help_print();
		exit(EXIT_DONE);
	}
	if (option->kind == OPTION_VERSION)
	{
		puts(PROGRAM " " COMMERCE_VERSION);
		exit(EXIT_DONE);
	}
	snprintf(origin, sizeof(origin), "--%s", option->name);
	option_set(options, option, FROM_ARGUMENTS, value, origin);
}

void
arguments_read(Options *options, int argc, char **argv)
{
	struct option *long_options = make_long_options();
	int			chosen = 0;
	int			found;

	opterr = 0;
	while ((found = getopt_long(argc, argv, ":", long_options, &chosen)) != -1)
	{
		if (found == ':')
			program_refuse("%s needs a value", argv[optind - 1]);
		if (found == '?' && optopt != 0)
			program_refuse("there is no option \"-%c\"", optopt);
		if (found == '?')
			program_refuse("there is no option \"%s\", or it takes no value",
						   argv[optind - 1]);
		take_argument(options, &option_table[chosen], optarg);
	}
	if (optind < argc)
		program_refuse("unexpected argument \"%s\"", argv[optind]);
	free(long_options);
}
