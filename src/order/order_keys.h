/*
 * order_keys.h
 *		The idempotency keys of a batch of orders.
 */
#ifndef COMMERCE_ORDER_KEYS_H
#define COMMERCE_ORDER_KEYS_H

#include "order/order_requests.h"
#include "shop/idempotency.h"

typedef struct OrderKey
{
	Idempotency scope;
	int			first_request;	/* that bears it */
	bool		is_reserved;	/* by us; else it was used before */
	bool		is_used;		/* before, or by one of our requests */
	bytea	   *digest;			/* of the arguments that used it */
	bytea	   *written_digest; /* what the table says */
	int64		order_id;
} OrderKey;

typedef struct OrderKeys
{
	OrderKey   *keys;			/* in their lock order */
	int			count;
} OrderKeys;

/*
 * Reserve the keys of all requests, ascending; waits for anybody who is using
 * one of them now. If there are any, each request gets its order_id, in array
 * order.
 */
extern OrderKeys order_keys_lock(RequestedOrder *requests, int count);

/* The key of a well-formed request, or NULL: it has none. */
extern OrderKey *order_keys_find(const OrderKeys *keys,
								 const RequestedOrder *requested);

/*
 * The key is used: *order_id becomes the order it made. Refuses with
 * IDEMPOTENCY_KEY_CONFLICT, and with ORDER_NOT_FOUND where somebody deleted it.
 */
extern Refusal *order_key_replay(Work *work, const OrderKey *key,
								 const OrderRequest *request, int64 *order_id);

/* The request made the key's order. */
extern void order_key_use(Work *work, OrderKey *key,
						  const OrderRequest *request);

/* Have the table say what became of the keys: none is kept for a refusal. */
extern void order_keys_write(const OrderKeys *keys);

#endif							/* COMMERCE_ORDER_KEYS_H */
