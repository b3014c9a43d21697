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
	bool		has_expected_total;
	int64		expected_total; /* what it may cost, in minor units */
	Interval   *ttl;			/* how long to hold it unpaid; NULL: pay now */
	TimestampTz expires_at;		/* when that is over */
} OrderRequest;

/* Read user_id, items, coupon_id, the first three arguments of a call. */
extern void order_request_read(FunctionCallInfo fcinfo,
							   OrderRequest *request);

/* Read expected_total, or NULL. */
extern void order_request_read_expected_total(FunctionCallInfo fcinfo, int n,
											  OrderRequest *request);
#define EXPECTED_TOTAL_MUST "be at least 0"

/* The setting commerce.max_hold_time, in seconds. */
extern int	order_max_hold_s;

/* Read ttl, an argument of hold_order. */
extern void order_request_read_ttl(FunctionCallInfo fcinfo, int n,
								   OrderRequest *request);

/*
 * A text equal for equal requests: what a key stands for. The user is no part
 * of it, nor is what the order was expected to cost.
 */
extern void order_request_canonical(const OrderRequest *request,
									StringInfo text);

#endif							/* COMMERCE_ORDER_REQUEST_H */
