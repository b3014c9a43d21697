/*
 * clock.h
 *		Time that only goes forward, whoever sets the machine's clock.
 */
#ifndef COMMERCE_CLOCK_H
#define COMMERCE_CLOCK_H

#include "portability/instr_time.h"

/* Milliseconds since some time. */
static inline int64
clock_ms(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MILLISEC(now);
}

#endif							/* COMMERCE_CLOCK_H */
