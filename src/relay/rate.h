/*
 * rate.h
 *		How many requests a second a receiver takes that answers 429 to more.
 */
#ifndef RELAY_RATE_H
#define RELAY_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* Without a limit when zeroed. */
typedef struct Rate
{
	bool		limited;
	bool		searching;		/* only one was too many so far */
	double		per_s;			/* searching: at first; else: all it takes */
	int64_t		cut_us;			/* when it was last found to be too many */
	int64_t		grow_us;		/* since when it grows again */
	int			taken;			/* requests that began since, and were taken */
	int64_t		next_us;		/* when the next may start */

	/* Requests taken in this second, and in the one before. */
	int64_t		second_us;
	int			taken_now;
	int			taken_before;
} Rate;

/* A request, which began then, was taken. */
extern void rate_taken(Rate *rate, int64_t now_us, int64_t began_us);

/*
 * A request, which began then, was one too many; the receiver asks not to come
 * for so many seconds (0: does not say). False if it takes not even one a
 * second.
 */
extern bool rate_refused(Rate *rate, int64_t now_us, int64_t began_us,
						 int retry_after_s);

/* A request starts. */
extern void rate_started(Rate *rate, int64_t now_us);

/* The time between two starts, 0 without a limit. */
extern int64_t rate_pause_us(const Rate *rate, int64_t now_us);

/* Forget the limit if the receiver has not spoken of it for long. */
extern void rate_look(Rate *rate, int64_t now_us);

#endif
