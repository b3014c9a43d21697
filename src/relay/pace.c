/*
 * pace.c
 *		When to claim and how much, by how long things took lately.
 *
 * A claim is sent when slots are free, or will be before it is back. It asks
 * for no more than can be expected to start within half the time there is:
 * from the claim to the last moment at which a delivery would still time out
 * before the lease ends. As long as nothing is known, that is one round of all
 * slots. A receiver that limits the rate gets no more than that either.
 */
#include "pace.h"

/* Let the latest time count for an eighth of what it usually takes. */
static void
learn(int64_t *usual_us, int64_t latest_us)
{
	if (*usual_us == 0)
		*usual_us = latest_us;
	else
		*usual_us += (latest_us - *usual_us) / 8;
	if (*usual_us < 1)
		*usual_us = 1;
}

void
pace_learn_claim(Pace *pace, int64_t took_us)
{
	learn(&pace->claim_took_us, took_us);
}

void
pace_learn_delivery(Pace *pace, int64_t took_us)
{
	learn(&pace->delivery_took_us, took_us);
}

int
pace_room(const Pace *pace, int undelivered, int64_t pause_us)
{
	const Options *options = pace->options;
	int64_t		time_us = (options->lease_us - options->timeout_us) / 2;
	int64_t		rounds = 1;
	int64_t		in_time;
	int64_t		most = 2 * options->batch_size + options->concurrency;

	if (pace->delivery_took_us > 0 && pace->delivery_took_us < time_us)
		rounds = time_us / pace->delivery_took_us;
	in_time = rounds * options->concurrency;
	if (pause_us > 0 && in_time > time_us / pause_us)
		in_time = 1 + time_us / pause_us;
	return (int) (in_time < most ? in_time : most) - undelivered;
}

bool
pace_is_time(const Pace *pace, int undelivered)
{
	int			concurrency = pace->options->concurrency;

	return undelivered < concurrency ||
		undelivered * pace->delivery_took_us <
		concurrency * pace->claim_took_us;
}
