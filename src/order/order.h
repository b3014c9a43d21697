/*
 * order.h
 *		Orders: the request, and the order as an object.
 */
#ifndef COMMERCE_ORDER_H
#define COMMERCE_ORDER_H

#include "shop/pricing.h"

typedef struct OrderRequest
{
	int64		user_id;
	OrderItems	items;
	bool		has_coupon;
	int64		coupon_id;
	Interval   *ttl;			/* how long to hold it unpaid; NULL: pay now */
	TimestampTz expires_at;		/* when that is over */
} OrderRequest;

/* ORDER_NOT_FOUND, for whoever looked and did not find it. */
extern Refusal *order_not_found(int64 order_id);

/* Read user_id, items, coupon_id, the first three arguments of a call. */
extern void order_read_request(FunctionCallInfo fcinfo,
							   OrderRequest *request);

/* A text equal for equal requests, but for the user: what a key stands for. */
extern void order_canonical(const OrderRequest *request, StringInfo text);

/* Write an order that is decided, its lines and its event; returns its row. */
extern Row *order_insert(Work *work, int64 order_id,
						 const OrderRequest *request, const Pricing *pricing);

#endif							/* COMMERCE_ORDER_H */
