/*
 * option_table.h
 *		The list of options.
 */
#ifndef RELAY_OPTION_TABLE_H
#define RELAY_OPTION_TABLE_H

#include <stddef.h>

typedef enum OptionKind
{
	OPTION_TEXT,
	OPTION_COUNT,				/* a whole number */
	OPTION_DURATION,			/* a number with ms, s, min, h, or nothing: s */
	OPTION_SWITCH,				/* on or off; on, when it has no value */
	OPTION_SUBSCRIPTION,		/* the name of one */
	OPTION_SECRET_FILE,			/* may be given several times */
	OPTION_HEADER,				/* as well */
	OPTION_DESTINATION,			/* http or stdout */
	/* only on the command line: */
	OPTION_CONFIG,
	OPTION_HELP,
	OPTION_VERSION
} OptionKind;

typedef struct Option
{
	const char *name;
	OptionKind	kind;
	size_t		offset;			/* of its value in Options */
	const char *value_name;		/* as --help calls it; NULL: takes none */
	const char *usual;			/* its default; NULL: none */
	const char *minimum;		/* NULL: it has no bounds */
	const char *maximum;
	const char *help;			/* what --help says of it; may have lines */
} Option;

/* The row after the last one has no name. */
extern const Option option_table[];

/* How many there are, for memory to be taken. */
extern const int option_count;

/* The row of that name, or NULL. */
extern const Option *option_find(const char *name);

#endif
