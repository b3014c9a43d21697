/*
 * clock.h
 *		Time as the relay counts it: microseconds of the monotonic clock, which
 *		nobody sets. Only what the outside sees (log, webhook-timestamp,
 *		Retry-After) is wall-clock time.
 */
#ifndef RELAY_CLOCK_H
#define RELAY_CLOCK_H

#include <stdint.h>
#include <time.h>

#define US_PER_MS	INT64_C(1000)
#define US_PER_S	INT64_C(1000000)

static inline int64_t
clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

#endif
