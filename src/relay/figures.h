/*
 * figures.h
 *		What there is to tell of a relay: in its log, and in its metrics.
 */
#ifndef RELAY_FIGURES_H
#define RELAY_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"
#include "receiver.h"

typedef struct Figures
{
	const char *subscription;

	/* since the start */
	int64_t		claimed;
	int64_t		delivered;
	int64_t		failed;
	int64_t		dead;
	int64_t		released;
	int64_t		lease_lost;
	const Histogram *took;

	/* at present */
	int			in_flight;
	int			queued;
	int64_t		lag_us;			/* of the oldest that is not recorded */
	ReceiverState receiver;
	bool		connected;		/* to the database */
	bool		stopping;
} Figures;

#endif
