/*
 * money.c
 *		Bounds, percentages and proration of amounts.
 *
 * Whoever adds or multiplies checks the overflow with common/int.h; what is
 * here cannot overflow.
 */
#include "postgres.h"

#include "base/money.h"

typedef struct Remainder
{
	int64		remainder;
	int			index;
} Remainder;

Refusal *
money_check_amount(int64 amount, int64 maximum)
{
	if (amount >= 1 && amount <= maximum)
		return NULL;
	return refuse_invalid_amount(amount, 1,
								 maximum == PG_INT64_MAX ? 0 : maximum);
}

int64
money_percent(int64 amount, int64 percent)
{
	Assert(amount >= 0 && percent >= 0 && percent <= 100);
	return amount / 100 * percent + amount % 100 * percent / 100;
}

/* Largest first, ties by lower index. */
static int
compare_remainders(const void *a, const void *b)
{
	const Remainder *x = a;
	const Remainder *y = b;

	if (x->remainder != y->remainder)
		return x->remainder > y->remainder ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

void
money_prorate(int64 total, int64 sum, const int64 *parts, int64 *shares,
			  int count)
{
	Remainder  *remainders;
	int64		left = total;

	Assert(total >= 0 && total <= sum);
	if (total == 0)
	{
		memset(shares, 0, count * sizeof(int64));
		return;
	}

	remainders = palloc(count * sizeof(Remainder));
	for (int i = 0; i < count; i++)
	{
		int128		product = (int128) total * parts[i];

		shares[i] = (int64) (product / sum);
		remainders[i].remainder = (int64) (product % sum);
		remainders[i].index = i;
		left -= shares[i];
	}

	/* Fewer units are left than there are parts with a remainder. */
	Assert(left >= 0 && left < count);
	if (left > 0)
		qsort(remainders, count, sizeof(Remainder), compare_remainders);
	for (int i = 0; i < left; i++)
		shares[remainders[i].index]++;
	pfree(remainders);
}

int64
money_part(int64 amount, int64 units, int64 done, int64 next)
{
	Assert(amount >= 0 && done >= 0 && next >= 0 && done + next <= units);
	return (int64) ((int128) amount * (done + next) / units -
					(int128) amount * done / units);
}
