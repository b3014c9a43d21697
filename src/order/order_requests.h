/*
 * order_requests.h
 *		The requests argument of place_orders: parse.
 */
#ifndef COMMERCE_ORDER_REQUESTS_H
#define COMMERCE_ORDER_REQUESTS_H

#include "order/order_request.h"

/* One element: place_order's arguments, or what is wrong with them. */
typedef struct RequestedOrder
{
	OrderRequest order;
	text	   *idempotency_key;	/* or NULL */
	int64		order_id;		/* kept for it, or 0 */
	Refusal    *refusal;		/* NULL: well-formed */
} RequestedOrder;

/* The setting commerce.max_batch_requests. */
extern int	order_requests_max;

/*
 * Parse the argument. Raises 22023 when it is no array, has too many elements,
 * or holds a non-object, an unknown key or a value of a wrong type; whatever
 * else is wrong with one element becomes its refusal.
 */
extern RequestedOrder *order_requests_parse(Jsonb *argument, int *count);

#endif							/* COMMERCE_ORDER_REQUESTS_H */
