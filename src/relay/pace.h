/*
 * pace.h
 *		When to claim and how much, by how long things took lately.
 */
#ifndef RELAY_PACE_H
#define RELAY_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"

typedef struct Pace
{
	const Options *options;
	int64_t		claim_took_us;	/* lately; 0: not known */
	int64_t		delivery_took_us;	/* as well */
} Pace;

extern void pace_learn_claim(Pace *pace, int64_t took_us);
extern void pace_learn_delivery(Pace *pace, int64_t took_us);

/*
 * How many more events there may be, beside those not delivered yet, if there
 * is so much time between two starts.
 */
extern int	pace_room(const Pace *pace, int undelivered, int64_t pause_us);

/* Whether slots are free, or will be when a claim is back. */
extern bool pace_is_time(const Pace *pace, int undelivered);

#endif
