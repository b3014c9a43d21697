/*
 * option_value.c
 *		The value of one option: read, checked, and put where it belongs.
 *
 * A value is checked even if another source goes before it, so that a wrong
 * line of the configuration file does not wait until it counts.
 */
#include "option_value.h"

#include <string.h>

#include "clock.h"
#include "program.h"

#define MINUTE_US	(60 * US_PER_S)
#define HOUR_US		(60 * MINUTE_US)

/* ---- kinds ---- */

/* A whole number; -1 if it is none. */
static int64_t
parse_count(const char *value)
{
	size_t		digits = strspn(value, "0123456789");

	if (digits == 0 || digits > 9 || value[digits] != '\0')
		return -1;
	return strtol(value, NULL, 10);
}

/* In us: a number and ms, s, min, h or nothing, which is s; -1: it is none. */
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

/* Within the option's bounds, which are written as its values are. */
static int64_t
parse_within(const Option *option, int64_t (*parse) (const char *),
			 const char *value, const char *origin)
{
	int64_t		number = parse(value);

	if (number < parse(option->minimum) || number > parse(option->maximum))
		program_refuse("%s must be %s to %s, not \"%s\"", origin,
					   option->minimum, option->maximum, value);
	return number;
}

static bool
parse_switch(const char *value, const char *origin)
{
	if (value == NULL || strcmp(value, "on") == 0)
		return true;
	if (strcmp(value, "off") != 0)
		program_refuse("%s must be on or off, not \"%s\"", origin, value);
	return false;
}

static bool
parse_destination(const char *value, const char *origin)
{
	if (strcmp(value, "stdout") == 0)
		return true;
	if (strcmp(value, "http") != 0)
		program_refuse("%s must be http or stdout, not \"%s\"", origin, value);
	return false;
}

#define NAME_LETTERS	"abcdefghijklmnopqrstuvwxyz0123456789_-"
#define NAME_MAX_LENGTH	63

static const char *
parse_subscription(const char *value, const char *origin)
{
	size_t		length = strlen(value);

	if (length == 0 || length > NAME_MAX_LENGTH ||
		strspn(value, NAME_LETTERS) != length)
		program_refuse("%s must have 1 to %d characters a-z 0-9 _ -", origin,
					   NAME_MAX_LENGTH);
	return value;
}

/* ---- values ---- */

/* One more of a list that has so many already, and room for a few. */
static void
put_in_list(const char **list, int *count, int most, const char *value,
			const char *origin)
{
	if (*count == most)
		program_refuse("%s may be given at most %d times", origin, most);
	list[(*count)++] = value;
}

static void
put_value(Options *options, const Option *option, const char *value,
		  const char *origin)
{
	void	   *field = (char *) options + option->offset;

	switch (option->kind)
	{
		case OPTION_TEXT:
		case OPTION_CONFIG:
			*(const char **) field = value;
			break;
		case OPTION_COUNT:
			*(int *) field =
				(int) parse_within(option, parse_count, value, origin);
			break;
		case OPTION_DURATION:
			*(int64_t *) field =
				parse_within(option, parse_duration, value, origin);
			break;
		case OPTION_SWITCH:
			*(bool *) field = parse_switch(value, origin);
			break;
		case OPTION_DESTINATION:
			*(bool *) field = parse_destination(value, origin);
			break;
		case OPTION_SUBSCRIPTION:
			*(const char **) field = parse_subscription(value, origin);
			break;
		case OPTION_SECRET_FILE:
			put_in_list(field, &options->secret_file_count, SECRETS_MAX, value,
						origin);
			break;
		case OPTION_HEADER:
			put_in_list(field, &options->header_count, HEADER_OPTIONS_MAX,
						value, origin);
			break;
		case OPTION_HELP:
		case OPTION_VERSION:
			/* They have no value. */
			break;
	}
}

static uint32_t
bit_of(const Option *option)
{
	return UINT32_C(1) << (option - option_table);
}

void
option_set_usual(Options *options)
{
	for (const Option *option = option_table; option->name != NULL; option++)
	{
		if (option->usual != NULL)
			put_value(options, option, option->usual, option->name);
	}
}

void
option_set(Options *options, const Option *option, OptionSource source,
		   const char *value, const char *origin)
{
	Options		checked = {0};
	bool		counts = source == FROM_ARGUMENTS ||
		!option_is_given(options, option->name, FROM_ARGUMENTS);

	if (option->kind != OPTION_SECRET_FILE && option->kind != OPTION_HEADER &&
		option_is_given(options, option->name, source))
		program_refuse("%s is given twice", origin);
	options->given[source] |= bit_of(option);
	put_value(counts ? options : &checked, option, value, origin);
}

bool
option_is_given(const Options *options, const char *name, OptionSource source)
{
	return (options->given[source] & bit_of(option_find(name))) != 0;
}
