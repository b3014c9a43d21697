/*
 * output.c
 *		Delivery of events to stdout, one line of JSON each.
 *
 * stdout may be shared with others, so it is left in blocking mode, and the
 * reader of a pipe may be slow. What poll() promises is room for one page,
 * which is what is written at once: then neither a lease nor a signal waits
 * for the reader. A line that was begun is completed, since half a line would
 * spoil the next.
 *
 * A payload is one line, as jsonb's text has control characters escaped. What
 * else drives a terminal, is invisible, or ends a line for some readers is
 * escaped here: whoever buys may have written it.
 */
#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "text.h"
#include "wait.h"

#define PAGE_BYTES	4096

/* "\u009b" */
#define ESCAPE_BYTES	6

/* Where the next hidden character is, or the end. */
static size_t
find_hidden(const char *text, size_t from, size_t length)
{
	while (from < length)
	{
		size_t		bytes = text_character(text + from, length - from);

		if (bytes > 0 && text_is_control(text + from))
			break;
		from += bytes > 0 ? bytes : 1;
	}
	return from;
}

/* The number of a character; a hidden one has three bytes at most. */
static unsigned int
code_point(const unsigned char *byte, size_t bytes)
{
	if (bytes == 1)
		return byte[0];
	if (bytes == 2)
		return (byte[0] & 0x1FU) << 6 | (byte[1] & 0x3FU);
	return (byte[0] & 0x0FU) << 12 | (byte[1] & 0x3FU) << 6 |
		(byte[2] & 0x3FU);
}

/*
 * The text with its hidden characters escaped, and its length. They stand in
 * strings only, and never behind a backslash: the value is the same.
 */
static char *
escape_hidden(const char *text, size_t *length)
{
	char	   *copy = memory_new(*length * ESCAPE_BYTES + 1);
	size_t		used = 0;

	for (size_t at = 0; at < *length;)
	{
		size_t		hidden = find_hidden(text, at, *length);
		size_t		bytes = text_character(text + hidden, *length - hidden);

		memcpy(copy + used, text + at, hidden - at);
		used += hidden - at;
		if (hidden < *length)
			used += (size_t) sprintf(copy + used, "\\u%04x",
									 code_point((const unsigned char *) text +
												hidden, bytes));
		at = hidden + bytes;
	}
	*length = used;
	return copy;
}

void
output_start(Output *output, Event *event)
{
	char	   *line = event->payload;

	output->event = event;
	output->written = 0;
	output->length = event->payload_length;
	if (find_hidden(line, 0, output->length) < output->length)
		line = output->escaped = escape_hidden(line, &output->length);
	/* The zero byte at the end becomes the end of the line. */
	line[output->length++] = '\n';
	output->line = line;
}

Event *
output_take_finished(Output *output)
{
	Event	   *event = output->event;

	if (event == NULL)
		return NULL;
	while (output->written < output->length)
	{
		size_t		left = output->length - output->written;
		ssize_t		written;

		if (!wait_is_ready(STDOUT_FILENO, POLLOUT))
			return NULL;
		written = write(STDOUT_FILENO, output->line + output->written,
						left < PAGE_BYTES ? left : PAGE_BYTES);
		if (written < 0)
		{
			if (errno == EINTR || errno == EAGAIN)
				return NULL;
			event_fail(event, OUTCOME_UNWELL, "could not write to stdout: %s",
					   strerror(errno));
			output->broken = true;
			break;
		}
		output->written += (size_t) written;
	}
	free(output->escaped);
	output->escaped = NULL;
	output->event = NULL;
	return event;
}
