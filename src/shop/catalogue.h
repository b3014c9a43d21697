/*
 * catalogue.h
 *		Products, options, their prices and stock.
 */
#ifndef COMMERCE_CATALOGUE_H
#define COMMERCE_CATALOGUE_H

#include "base/refusal.h"
#include "row/row.h"

/*
 * Insert row under the given id, or, if that is NULL, under a generated one
 * that nobody has; returns the id. An explicit id that exists is 23505.
 * key_column is the row's only unique column.
 */
extern int64 catalogue_insert(Row *row, ColumnId key_column,
							  SequenceId sequence, NullableDatum given);

#endif							/* COMMERCE_CATALOGUE_H */
