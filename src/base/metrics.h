/*
 * metrics.h
 *		Counting what happens, for commerce.metrics().
 *
 * Counters are in shared memory, so there are none unless the library is
 * preloaded, and they begin with 0 when the server starts. They belong to the
 * current database. What is counted stays counted, whatever the transaction
 * does then.
 */
#ifndef COMMERCE_METRICS_H
#define COMMERCE_METRICS_H

typedef enum Metric
{
#define CALLS(function)			CALLS_##function,
#define DELIVERIES(id, outcome) DELIVERIES_##id,
#define COUNTER(id, name)		COUNTER_##id,
#include "base/metrics.def"
	METRIC_COUNT
} Metric;

/* Is anything counted? */
extern bool metrics_are_kept(void);

/* Count a COUNTER_; amounts below 1 count nothing. */
extern void metrics_add(Metric metric, int64 amount);

/* Count events of a subscription, a DELIVERIES_. */
extern void metrics_add_deliveries(Metric metric, int32 subscription_no,
								   int64 amount);

/* Count calls, a CALLS_, that ended with this SQLSTATE; 0: successfully. */
extern void metrics_add_calls(Metric metric, int sqlstate, int64 amount);

/* A counter of the current database, as far as it goes. */
typedef struct MetricValue
{
	Metric		metric;
	int			sqlstate;		/* of a CALLS_ */
	int32		subscription_no;	/* of a DELIVERIES_ */
	int64		value;
} MetricValue;

/* All that are not 0, in no order; returns their number. */
extern int	metrics_read(MetricValue **values);

/* Called once, by _PG_init. */
extern void metrics_init(void);

#endif							/* COMMERCE_METRICS_H */
