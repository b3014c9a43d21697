/*
 * wait.h
 *		Whether something can be done with a file at once.
 */
#ifndef RELAY_WAIT_H
#define RELAY_WAIT_H

#include <poll.h>
#include <stdbool.h>

/* Errors and hang-ups count as ready: doing it tells them. */
static inline bool
wait_is_ready(int fd, short events)
{
	struct pollfd file = {.fd = fd, .events = events};

	return poll(&file, 1, 0) > 0;
}

#endif
