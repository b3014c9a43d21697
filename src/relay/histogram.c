/*
 * histogram.c
 *		How long deliveries took: counts for bounds that go up.
 */
#include "histogram.h"

#include "clock.h"

const int64_t histogram_bounds_us[HISTOGRAM_BOUNDS] = {
	1 * US_PER_MS, 2.5 * US_PER_MS, 5 * US_PER_MS,
	10 * US_PER_MS, 25 * US_PER_MS, 50 * US_PER_MS,
	100 * US_PER_MS, 250 * US_PER_MS, 500 * US_PER_MS,
	1 * US_PER_S, 2.5 * US_PER_S, 5 * US_PER_S,
	10 * US_PER_S, 30 * US_PER_S, 60 * US_PER_S
};

void
histogram_add(Histogram *histogram, int64_t us)
{
	int			i = 0;

	while (i < HISTOGRAM_BOUNDS && us > histogram_bounds_us[i])
		i++;
	histogram->counts[i]++;
	histogram->sum_us += us;
}
