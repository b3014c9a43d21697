/*
 * ids.h
 *		Ids: what stands for none, and their order.
 */
#ifndef COMMERCE_IDS_H
#define COMMERCE_IDS_H

/* The highest id that is made: what a JSON number carries without rounding. */
#define MAX_ID		((INT64CONST(1) << 53) - 1)

/* No order behind it; no user. No object has this id. */
#define NO_ORDER	INT64CONST(0)
#define NO_USER		INT64CONST(0)

static inline int
id_compare(int64 a, int64 b)
{
	return (a > b) - (a < b);
}

/* For qsort() and its kin, of structs that begin with their id. */
static inline int
id_compare_first(const void *a, const void *b)
{
	return id_compare(*(const int64 *) a, *(const int64 *) b);
}

#endif							/* COMMERCE_IDS_H */
