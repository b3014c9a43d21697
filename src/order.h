/*
 * order.h
 *		Placing an order.
 */
#ifndef COMMERCE_ORDER_H
#define COMMERCE_ORDER_H

#include "idempotency.h"
#include "pricing.h"
#include "stock.h"

typedef struct OrderRequest
{
	int64		user_id;
	OrderItems	items;
	bool		has_coupon;
	int64		coupon_id;
} OrderRequest;

/* What an order needs, found and locked, before anything is written. */
typedef struct OrderPlan
{
	Pricing		pricing;
	Row		   *balance;
	CouponUse	coupon;
	CounterHold *holds;			/* as items.by_option */
} OrderPlan;

/* ORDER_NOT_FOUND, for whoever looked and did not find it. */
extern Refusal *order_not_found(int64 order_id);

/* Read user_id, items, coupon_id, the first three arguments of a call. */
extern void order_read_request(FunctionCallInfo fcinfo,
							   OrderRequest *request);

/*
 * SQL for get_order's object of the row of commerce.orders with this alias.
 * Times are in the session's zone: the function must set TimeZone to UTC.
 */
#define ORDER_AS_JSONB(alias) \
	"to_jsonb(" alias ") || jsonb_build_object('items', (" \
	"	SELECT coalesce(jsonb_agg(to_jsonb(i) - 'order_id' ORDER BY i.line_no), '[]')" \
	"	FROM commerce.order_items i WHERE i.order_id = " alias ".order_id))"

/*
 * Decide: fill the plan and lock, in the lock order, what it will change, or
 * return the refusal that ranks first. Writes nothing.
 */
extern Refusal *order_decide(Work *work, const OrderRequest *request,
							 OrderPlan *plan);

/* Place and pay; *order becomes the orders row, of now or of the replay. */
extern Refusal *order_place(Work *work, const OrderRequest *request,
							text *idempotency_key, Row **order);

#endif							/* COMMERCE_ORDER_H */
