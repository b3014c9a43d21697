/*
 * order_decide.c
 *		May this order be made? The one home of the order of its refusals.
 *
 * Rows are locked in the order that holds everywhere: balance, coupon, stock by
 * option ascending. Refusals rank in another one, rank_refusals(). So whatever
 * is amiss is noted down, and what ranks before it is still looked at, but no
 * longer locked, as nothing will be written.
 *
 * Users, options and prices are read without locks: nothing deletes them.
 */
#include "postgres.h"

#include "order/order_decide.h"
#include "shop/user.h"

/* What is amiss, or NULL for each. */
typedef struct Findings
{
	Refusal    *user;
	Refusal    *price;			/* an option is missing, or the sum too large */
	Refusal    *stock;
	Refusal    *coupon;
	Refusal    *total;			/* it is not what was expected */
	Refusal    *payment;
} Findings;

/* The order of the refusals: doc/reference.md, Orders. */
static Refusal *
rank_refusals(const Findings *findings)
{
	const Refusal *price = findings->price;
	bool		is_priced = price == NULL ||
		price->code == REFUSAL_SUBTOTAL_OUT_OF_RANGE;

	if (findings->user)
		return findings->user;
	if (!is_priced)
		return findings->price;
	if (findings->stock)
		return findings->stock;
	if (findings->price)
		return findings->price;
	if (findings->coupon)
		return findings->coupon;
	if (findings->total)
		return findings->total;
	return findings->payment;
}

/* Coupon, total and payment; what the coupon takes off is taken off. */
static void
find_terms(OrderSource *source, const OrderRequest *request,
		   OrderDecision *decision, Findings *findings)
{
	Pricing    *pricing = &decision->pricing;

	if (request->has_coupon)
	{
		Row		   *coupon = source->find_coupon(source, request->coupon_id);

		findings->coupon = coupon_check(coupon, request->user_id,
										request->coupon_id, pricing->subtotal,
										&decision->coupon);
		if (findings->coupon)
			return;
		pricing_discount(pricing, decision->coupon.discount);
	}
	if (request->has_expected_total &&
		pricing->total != request->expected_total)
		findings->total = refuse_total_changed(request->expected_total,
											   pricing->total);
	else if (decision->payment)
		findings->payment = payment_check(decision->payment, pricing->total);
}

/* What can be found without locking anything. */
static void
find_unlocked(OrderSource *source, const OrderRequest *request,
			  OrderDecision *decision, Findings *findings)
{
	findings->price = source->find_price ?
		source->find_price(source, request, &decision->pricing) :
		pricing_lines(source->work, &request->items, &decision->pricing);
	if (findings->price &&
		findings->price->code != REFUSAL_SUBTOTAL_OUT_OF_RANGE)
		return;
	if (source->look_at_stock)
		findings->stock = source->look_at_stock(source, &request->items,
												findings->price != NULL);
}

/* An account proves its user. */
static Refusal *
check_user(OrderSource *source, const OrderRequest *request,
		   const OrderDecision *decision)
{
	if (decision->payment && decision->payment->account)
		return NULL;
	return user_check(source->work, request->user_id);
}

Refusal *
order_decide(OrderSource *source, const OrderRequest *request,
			 OrderDecision *decision)
{
	Findings	findings = {0};

	/*
	 * What is gone is refused without a lock: of most calls in a rush,
	 * nothing is written, not even that there was a transaction.
	 */
	find_unlocked(source, request, decision, &findings);
	if (source->find_payment &&
		(!source->locks || (!findings.price && !findings.stock)))
		decision->payment = source->find_payment(source, request,
												 &decision->pricing);
	findings.user = check_user(source, request, decision);
	if (findings.user || findings.price || findings.stock)
		return rank_refusals(&findings);

	find_terms(source, request, decision, &findings);
	if (source->hold_stock)
		findings.stock =
			source->hold_stock(source, &request->items,
							   findings.coupon || findings.total ||
							   findings.payment);
	return rank_refusals(&findings);
}
