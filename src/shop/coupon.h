/*
 * coupon.h
 *		Coupons that users hold.
 */
#ifndef COMMERCE_COUPON_H
#define COMMERCE_COUPON_H

#include "base/refusal.h"
#include "row/row.h"

/* A coupon that may be used, and what it takes off. */
typedef struct CouponUse
{
	Row		   *coupon;
	int64		discount;
} CouponUse;

/*
 * May this user use this coupon, NULL if there is none, on amount (minor
 * units)? Refuses with COUPON_NOT_FOUND, COUPON_ALREADY_USED, COUPON_REVOKED,
 * COUPON_EXPIRED, COUPON_MIN_ORDER_NOT_MET, in this order.
 */
extern Refusal *coupon_check(Row *coupon, int64 user_id, int64 coupon_id,
							 int64 amount, CouponUse *use);

/* Use it; order_id NO_ORDER is a use outside of an order. */
extern Row *coupon_use(const CouponUse *use, int64 order_id);

/*
 * An order ends that used this coupon: it is issued again, with the expiry it
 * had. If the order was paid, only as its policy says.
 */
extern void coupon_give_back(Work *work, int64 coupon_id, int64 order_id,
							 bool was_paid);

#endif							/* COMMERCE_COUPON_H */
