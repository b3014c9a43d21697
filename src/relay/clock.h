/*
 * clock.h
 *		Time as the relay counts it.
 *
 * That is microseconds of a clock that nobody sets, and that goes on while the
 * machine sleeps, as leases do. Only what the outside sees (log,
 * webhook-timestamp, Retry-After) is wall-clock time.
 */
#ifndef RELAY_CLOCK_H
#define RELAY_CLOCK_H

#include <stdint.h>
#include <time.h>

#ifdef CLOCK_BOOTTIME
#define RELAY_CLOCK	CLOCK_BOOTTIME
#else
#define RELAY_CLOCK	CLOCK_MONOTONIC
#endif

#define US_PER_MS	INT64_C(1000)
#define US_PER_S	INT64_C(1000000)

static inline int64_t
clock_now(void)
{
	struct timespec now;

	clock_gettime(RELAY_CLOCK, &now);
	return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

#endif
