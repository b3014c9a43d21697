/*
 * config.c
 *		The configuration file: "name = value" per line.
 *
 * Names are those of the options without their dashes. A value may stand in
 * single quotes, where '' is a quote. # begins a comment at the start of a
 * line, and after a value when a blank comes before it.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "memory.h"
#include "option_table.h"
#include "option_value.h"
#include "private_file.h"
#include "program.h"

#define FILE_BYTES_MAX	65536

static char *
skip_blanks(char *text)
{
	while (isspace((unsigned char) *text))
		text++;
	return text;
}

static void
cut_blanks(char *text)
{
	size_t		length = strlen(text);

	while (length > 0 && isspace((unsigned char) text[length - 1]))
		length--;
	text[length] = '\0';
}

/*
 * Unquote in place; whether the quote ends, and nothing but a comment follows.
 */
static bool
unquote(char *value)
{
	char	   *from = value + 1;
	char	   *to = value;
	bool		closed = false;

	for (; *from != '\0'; from++)
	{
		closed = *from == '\'' && *++from != '\'';
		if (closed)
			break;
		*to++ = *from;
	}
	*to = '\0';
	if (!closed)
		return false;
	from = skip_blanks(from);
	return *from == '\0' || *from == '#';
}

static void
cut_comment(char *value)
{
	for (char *at = value; *at != '\0'; at++)
	{
		if (*at == '#' && (at == value || isspace((unsigned char) at[-1])))
		{
			*at = '\0';
			break;
		}
	}
	cut_blanks(value);
}

static void
take_setting(Options *options, const char *name, const char *value,
			 const char *origin)
{
	const Option *option = option_find(name);
	char		place[1200];

	if (option == NULL || option->kind >= OPTION_CONFIG)
		program_refuse("%s: there is no setting \"%s\"", origin, name);
	snprintf(place, sizeof(place), "%s: %s", origin, name);
	option_set(options, option, FROM_FILE, value, place);
}

static void
read_line(Options *options, char *line, const char *origin)
{
	char	   *name = skip_blanks(line);
	char	   *value = strchr(name, '=');

	cut_blanks(name);
	if (*name == '\0' || *name == '#')
		return;
	if (value == NULL)
		program_refuse("%s: expected \"name = value\"", origin);
	*value = '\0';
	cut_blanks(name);
	value = skip_blanks(value + 1);
	if (*value != '\'')
		cut_comment(value);
	else if (!unquote(value))
		program_refuse("%s: the quoted value of %s does not end", origin, name);
	take_setting(options, name, value, origin);
}

/* All of the file, as one text. */
static char *
read_file(FILE *stream, const char *file)
{
	char	   *text = memory_new(FILE_BYTES_MAX + 1);
	size_t		length = fread(text, 1, FILE_BYTES_MAX + 1, stream);

	if (ferror(stream))
		program_refuse("could not read configuration file \"%s\": %s",
					   file, strerror(errno));
	if (length > FILE_BYTES_MAX || strlen(text) != length)
		program_refuse("configuration file \"%s\" must be text of at most %d"
					   " bytes", file, FILE_BYTES_MAX);
	return text;
}

bool
config_read(Options *options, const char *file)
{
	FILE	   *stream = fopen(file, "r");
	struct stat status;
	char	   *rest;
	char	   *line;
	char		origin[1024];

	if (stream == NULL || fstat(fileno(stream), &status) != 0)
		program_refuse("could not open configuration file \"%s\": %s",
					   file, strerror(errno));
	/* The options point to their values in it. */
	options->config_text = read_file(stream, file);
	fclose(stream);
	rest = options->config_text;
	for (int number = 1; (line = strsep(&rest, "\n")) != NULL; number++)
	{
		snprintf(origin, sizeof(origin), "%s:%d", file, number);
		read_line(options, line, origin);
	}
	return private_file_is(file, status.st_mode);
}
