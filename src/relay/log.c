/*
 * log.c
 *		The log: one line per entry to stderr.
 *
 *			time=2026-01-02T03:04:05.678Z level=info event=start key=value ...
 *
 * A value is quoted when it holds a blank, a quote, a backslash, an equals
 * sign or nothing; within quotes these are escaped: \" \\ \n \xHH. So a line
 * is a line whatever a value holds. An entry is one write, so that lines of
 * several processes do not mix.
 */
#include "log.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

/* An entry that is too long loses its end, never its line feed. */
static void
append_to_entry(LogEntry *entry, const char *text, size_t length)
{
	size_t		room = sizeof(entry->text) - 1 - entry->length;

	if (length > room)
		length = room;
	memcpy(entry->text + entry->length, text, length);
	entry->length += length;
}

static void
append_entry_key(LogEntry *entry, const char *key)
{
	if (entry->length > 0)
		append_to_entry(entry, " ", 1);
	append_to_entry(entry, key, strlen(key));
	append_to_entry(entry, "=", 1);
}

void
log_begin(LogEntry *entry, const char *level, const char *event)
{
	struct timespec now;
	struct tm	utc;
	char		seconds[32];
	char		time_text[48];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(time_text, sizeof(time_text), "%s.%03ldZ",
			 seconds, now.tv_nsec / 1000000);

	entry->length = 0;
	log_text(entry, "time", time_text);
	log_text(entry, "level", level);
	log_text(entry, "event", event);
}

static bool
must_quote(const char *value)
{
	size_t		length = strlen(value);

	if (length == 0)
		return true;
	for (size_t i = 0; i < length;)
	{
		size_t		bytes = text_character(value + i, length - i);

		if (bytes == 0 || text_is_control(value + i) ||
			strchr(" \"\\=", value[i]) != NULL)
			return true;
		i += bytes;
	}
	return false;
}

void
log_text(LogEntry *entry, const char *key, const char *value)
{
	size_t		length = strlen(value);

	append_entry_key(entry, key);
	if (!must_quote(value))
	{
		append_to_entry(entry, value, length);
		return;
	}
	append_to_entry(entry, "\"", 1);
	for (size_t i = 0; i < length;)
	{
		size_t		bytes = text_character(value + i, length - i);
		char		escape[8];

		if (bytes > 0 && !text_is_control(value + i))
		{
			if (value[i] == '"' || value[i] == '\\')
				append_to_entry(entry, "\\", 1);
			append_to_entry(entry, value + i, bytes);
			i += bytes;
			continue;
		}
		if (value[i] == '\n')
			strcpy(escape, "\\n");
		else
			snprintf(escape, sizeof(escape), "\\x%02x",
					 (unsigned char) value[i]);
		append_to_entry(entry, escape, strlen(escape));
		i++;
	}
	append_to_entry(entry, "\"", 1);
}

void
log_int(LogEntry *entry, const char *key, int64_t value)
{
	char		digits[24];

	snprintf(digits, sizeof(digits), "%lld", (long long) value);
	append_entry_key(entry, key);
	append_to_entry(entry, digits, strlen(digits));
}

void
log_end(LogEntry *entry)
{
	entry->text[entry->length++] = '\n';
	/* There is nowhere to report that the log cannot be written. */
	if (write(STDERR_FILENO, entry->text, entry->length) < 0)
		return;
}
