/*
 * shortage.h
 *		What a router's sessions tell each other of options that are short.
 *
 * At the end of a rush most callers are told that all nodes together have too
 * little. To know that, one has to ask all nodes; whoever called before that
 * began may take its answer. A refusal undoes its transaction, so this is
 * noted in shared memory, if the library is preloaded; else every call asks.
 *
 * No clock says what came before: a mark counts the times that nodes were
 * asked. Source: doc/scale.md, "How it works".
 */
#ifndef COMMERCE_SHORTAGE_H
#define COMMERCE_SHORTAGE_H

#include "postgres.h"

/* Whoever asks the nodes from now on gets a higher one. 0: nothing is noted. */
extern int64 shortage_mark(void);

/*
 * What all nodes together had, asked after the mark; false: nobody has.
 * Raises 22023 unless the counter is stock or coupon_quota.
 */
extern bool shortage_known(const char *counter, int64 object_id, int64 since,
						   int64 *total);

/* Called once, by _PG_init. */
extern void shortage_init(void);

#endif							/* COMMERCE_SHORTAGE_H */
