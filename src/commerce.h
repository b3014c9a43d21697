/*
 * commerce.h
 *		The settings, and what every file of the extension includes first.
 */
#ifndef COMMERCE_H
#define COMMERCE_H

#include "postgres.h"

#include "compat.h"
#include "fmgr.h"

/* Most that one charge may add, in minor currency units. */
extern int64 commerce_max_charge_amount;

/* Most elements of an items argument. */
extern int	commerce_max_order_lines;

#endif							/* COMMERCE_H */
