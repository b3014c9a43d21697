/*
 * option_value.h
 *		The value of one option: read, checked, and put where it belongs.
 */
#ifndef RELAY_OPTION_VALUE_H
#define RELAY_OPTION_VALUE_H

#include "option_table.h"
#include "options.h"

/* Give every option its default. */
extern void option_set_usual(Options *options);

/*
 * Take the value that a source gives for the option; NULL: the option has none.
 * What the command line said stays. Ends the program, with a message that the
 * origin leads, if the value is wrong or the source gave one before.
 */
extern void option_set(Options *options, const Option *option,
					   OptionSource source, const char *value,
					   const char *origin);

/* Whether the source gave the option of that name. */
extern bool option_is_given(const Options *options, const char *name,
							OptionSource source);

#endif
