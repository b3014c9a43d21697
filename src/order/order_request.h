/*
 * order_request.h
 *		What is asked for: the arguments of an order.
 */
#ifndef COMMERCE_ORDER_REQUEST_H
#define COMMERCE_ORDER_REQUEST_H

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "shop/items.h"

typedef struct OrderRequest
{
	int64		user_id;
	OrderItems	items;
	bool		has_coupon;
	int64		coupon_id;
	Interval   *ttl;			/* how long to hold it unpaid; NULL: pay now */
	TimestampTz expires_at;		/* when that is over */
} OrderRequest;

/* Read user_id, items, coupon_id, the first three arguments of a call. */
extern void order_request_read(FunctionCallInfo fcinfo,
							   OrderRequest *request);

/* Read ttl, an argument of hold_order. */
extern void order_request_read_ttl(FunctionCallInfo fcinfo, int n,
								   OrderRequest *request);

/* A text equal for equal requests, but for the user: what a key stands for. */
extern void order_request_canonical(const OrderRequest *request,
									StringInfo text);

#endif							/* COMMERCE_ORDER_REQUEST_H */
