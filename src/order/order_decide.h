/*
 * order_decide.h
 *		May this order be made? The one home of the order of its refusals.
 */
#ifndef COMMERCE_ORDER_DECIDE_H
#define COMMERCE_ORDER_DECIDE_H

#include "order/order_request.h"
#include "shop/coupon.h"
#include "shop/payment.h"
#include "shop/pricing.h"

/*
 * Where the rows come from that a decision looks at. Each order is decided in
 * the same way; what differs is whether a row is locked now, was locked before,
 * or is only looked at. A source embeds this struct as its first member.
 */
typedef struct OrderSource OrderSource;
struct OrderSource
{
	Work	   *work;

	/* Asking for them locks and waits: so not before it has to be. */
	bool		locks;

	/*
	 * The prices that were looked up before, with pricing_lines()'s refusal.
	 * NULL: they are looked up now.
	 */
	Refusal    *(*find_price) (OrderSource *source,
							   const OrderRequest *request, Pricing *pricing);

	/*
	 * A first look at the stock, which locks nothing: INSUFFICIENT_STOCK, or
	 * NULL, which proves nothing. is_refused: the order is refused anyway,
	 * and it only matters what ranks before that. NULL: this source sells
	 * nothing.
	 */
	Refusal    *(*look_at_stock) (OrderSource *source,
								  const OrderItems *items, bool is_refused);

	/*
	 * Who pays, or NULL: the order is not paid now. The pricing has no
	 * discount yet.
	 */
	Payment    *(*find_payment) (OrderSource *source,
								 const OrderRequest *request,
								 const Pricing *pricing);

	/* The coupon, or NULL: there is none. */
	Row		   *(*find_coupon) (OrderSource *source, int64 coupon_id);

	/*
	 * Have the stock, to take it: refuses with INSUFFICIENT_STOCK. is_refused
	 * as above; NULL: nothing more to do.
	 */
	Refusal    *(*hold_stock) (OrderSource *source, const OrderItems *items,
							   bool is_refused);
};

/* What an order needs, found and locked, before anything is written. */
typedef struct OrderDecision
{
	Pricing		pricing;
	Payment    *payment;		/* NULL: it is not paid now */
	CouponUse	coupon;			/* if it has one */
} OrderDecision;

/*
 * Fill the decision, or return the refusal that ranks first: SC001, SC003,
 * SC301, 22003, the coupon's, SC306, SC102, SC103. Writes nothing.
 */
extern Refusal *order_decide(OrderSource *source, const OrderRequest *request,
							 OrderDecision *decision);

#endif							/* COMMERCE_ORDER_DECIDE_H */
