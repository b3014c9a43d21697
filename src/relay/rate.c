/*
 * rate.c
 *		How many requests a second a receiver takes that answers 429 to more.
 *
 * Nobody says how many, nor how the receiver counts: by the second, by a
 * bucket that fills up, or by the time since the request before. So requests
 * start at even distances, and the rate is found by trying, much as TCP finds
 * its own:
 *
 *	- The first 429 sets it to what was taken in the last second. From there it
 *	  grows ever faster until the next 429.
 *	- A 429 says by how much it was too many: by what was not taken. The rate is
 *	  cut to CUT of what should be right, soon returns to PLATEAU, and stays
 *	  there, since a 429 may cost a second (Retry-After has no smaller unit).
 *	  After PLATEAU_S it grows again, ever faster.
 *	- A 429 for a request that began before the cut says nothing new. One with
 *	  nothing taken in between may come from a second that was full already:
 *	  wait for as long as that has lasted. After a second, halve the rate.
 *
 * After FORGET_S without a 429 there is no limit any more.
 */
#include "rate.h"

#include "clock.h"

#define SEARCH_S		5.0
#define LEAST_SHARE		0.9
#define CUT				0.92
#define PLATEAU			0.95
#define RETURN_S		5.0
#define PLATEAU_S		25.0
#define GROWTH_S		10.0
#define FORGET_S		90
#define SLOWEST			(1.0 / 3600)
/* Starts that come too late are made up for within so much time. */
#define CATCH_UP_US		(2 * US_PER_MS)

static double
square(double number)
{
	return number * number;
}

static double
per_second(const Rate *rate, int64_t now_us)
{
	double		since_s = (double) (now_us - rate->grow_us) / US_PER_S;
	double		share = CUT;

	if (since_s < 0)
		since_s = 0;

	if (rate->searching)
		return rate->per_s * square(1 + since_s / SEARCH_S);
	share += (PLATEAU - CUT) *
		(since_s < RETURN_S ? since_s / RETURN_S : 1);
	if (since_s > PLATEAU_S)
		share *= 1 + square((since_s - PLATEAU_S) / GROWTH_S);
	return rate->per_s * share;
}

int64_t
rate_pause_us(const Rate *rate, int64_t now_us)
{
	if (!rate->limited)
		return 0;
	return (int64_t) (US_PER_S / per_second(rate, now_us));
}

/* ---- what is taken ---- */

static void
count_second(Rate *rate, int64_t now_us)
{
	if (now_us < rate->second_us + US_PER_S)
		return;
	rate->taken_before = now_us < rate->second_us + 2 * US_PER_S ?
		rate->taken_now : 0;
	rate->taken_now = 0;
	rate->second_us = now_us;
}

void
rate_taken(Rate *rate, int64_t now_us, int64_t began_us)
{
	count_second(rate, now_us);
	rate->taken_now++;
	if (began_us >= rate->cut_us)
		rate->taken++;
}

/* ---- what is not ---- */

/* While nothing starts, the rate does not grow. */
static void
wait_at_least(Rate *rate, int64_t until_us)
{
	if (rate->next_us < until_us)
		rate->next_us = until_us;
	rate->grow_us = rate->next_us;
}

static void
begin_limit(Rate *rate, int64_t now_us)
{
	int			taken = rate->taken_now;

	count_second(rate, now_us);
	if (taken < rate->taken_before)
		taken = rate->taken_before;
	rate->limited = true;
	rate->searching = true;
	rate->per_s = taken > 1 ? taken : 1;
}

static void
cut(Rate *rate, int64_t now_us)
{
	double		share = rate->taken / (rate->taken + 1.0);

	if (rate->taken == 0)
		share = 0.5;
	else if (share < LEAST_SHARE)
		share = LEAST_SHARE;
	rate->per_s = per_second(rate, now_us) * share;
	if (rate->per_s < SLOWEST)
		rate->per_s = SLOWEST;
	rate->searching = false;
}

/* Find the new rate; false if only waiting helps. */
static bool
slow_down(Rate *rate, int64_t now_us, int64_t began_us)
{
	if (!rate->limited)
		begin_limit(rate, now_us);
	else if (began_us < rate->cut_us)
		return false;
	else if (rate->taken == 0 && now_us < rate->cut_us + US_PER_S)
	{
		wait_at_least(rate, now_us + (now_us - rate->cut_us));
		return false;
	}
	else
		cut(rate, now_us);
	rate->cut_us = now_us;
	rate->grow_us = now_us;
	wait_at_least(rate, now_us + rate_pause_us(rate, now_us));
	return true;
}

bool
rate_refused(Rate *rate, int64_t now_us, int64_t began_us, int retry_after_s)
{
	bool		none_taken = rate->limited && rate->taken == 0;
	bool		slower = slow_down(rate, now_us, began_us);

	if (slower)
		rate->taken = 0;
	if (retry_after_s > 0)
		wait_at_least(rate, now_us + retry_after_s * US_PER_S);
	return !slower || !none_taken || rate->per_s >= 1;
}

/* ---- for whoever starts requests ---- */

void
rate_started(Rate *rate, int64_t now_us)
{
	if (!rate->limited)
		return;
	if (rate->next_us < now_us - CATCH_UP_US)
		rate->next_us = now_us - CATCH_UP_US;
	rate->next_us += rate_pause_us(rate, now_us);
}

void
rate_look(Rate *rate, int64_t now_us)
{
	if (rate->limited && now_us >= rate->cut_us + FORGET_S * US_PER_S)
	{
		rate->limited = false;
		rate->next_us = 0;
	}
}
