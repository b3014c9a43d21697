/*
 * sweep.h
 *		Expiring orders that were not paid in time, from a background worker.
 */
#ifndef COMMERCE_SWEEP_H
#define COMMERCE_SWEEP_H

/*
 * Expire one batch of orders that are due, in a transaction of its own; the
 * caller is in none. Whatever goes wrong is a warning in the log, never an
 * error. Returns after how many milliseconds to call it again: 0 if more may
 * be due.
 */
extern int64 sweep_batch(void);

#endif							/* COMMERCE_SWEEP_H */
