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
 * A payload is one line: jsonb's text has its control characters escaped.
 */
#include "output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "wait.h"

#define PAGE_BYTES	4096

void
output_start(Output *output, Event *event)
{
	/* The zero byte after the payload becomes the end of the line. */
	event->payload[event->payload_length] = '\n';
	output->event = event;
	output->written = 0;
}

Event *
output_take_finished(Output *output)
{
	Event	   *event = output->event;

	if (event == NULL)
		return NULL;
	while (output->written <= event->payload_length)
	{
		size_t		left = event->payload_length + 1 - output->written;
		ssize_t		written;

		if (!wait_is_ready(STDOUT_FILENO, POLLOUT))
			return NULL;
		written = write(STDOUT_FILENO, event->payload + output->written,
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
	output->event = NULL;
	return event;
}
