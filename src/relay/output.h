/*
 * output.h
 *		Delivery of events to stdout, one line of JSON each.
 */
#ifndef RELAY_OUTPUT_H
#define RELAY_OUTPUT_H

#include <stdbool.h>

#include "event.h"

typedef struct Output
{
	Event	   *event;			/* the one being written, or NULL */
	const char *line;			/* its payload, or escaped; with its end */
	char	   *escaped;		/* or NULL */
	size_t		length;
	size_t		written;		/* bytes of the line */
	bool		broken;			/* nothing can be written any more */
} Output;

/* Begin to write the event's line; only when there is none. */
extern void output_start(Output *output, Event *event);

/*
 * Write what fits at once; the event whose line is complete now, or that has an
 * error since it cannot be written, or NULL.
 */
extern Event *output_take_finished(Output *output);

#endif
