/*
 * order_expire_part.h
 *		Closing some orders that were not paid in time, together.
 */
#ifndef COMMERCE_ORDER_EXPIRE_PART_H
#define COMMERCE_ORDER_EXPIRE_PART_H

#include "c.h"

/*
 * Close as many of these orders, at most as many as one Work should handle, as
 * can be had without waiting beyond deadline_ms of clock_ms(). Returns how
 * many; is_left tells of each whether it is left for later, as somebody holds
 * what it needs. Any other trouble is an error.
 */
extern int	order_expire_part(const int64 *order_ids, int count,
							  int64 deadline_ms, bool *is_left);

#endif							/* COMMERCE_ORDER_EXPIRE_PART_H */
