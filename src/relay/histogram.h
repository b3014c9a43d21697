/*
 * histogram.h
 *		How long deliveries took: counts for bounds that go up.
 */
#ifndef RELAY_HISTOGRAM_H
#define RELAY_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BOUNDS	15

/* Empty when zeroed. */
typedef struct Histogram
{
	int64_t		counts[HISTOGRAM_BOUNDS + 1];	/* up to the bound; above */
	int64_t		sum_us;
} Histogram;

extern const int64_t histogram_bounds_us[HISTOGRAM_BOUNDS];

extern void histogram_add(Histogram *histogram, int64_t us);

#endif
