/*
 * coupon_policy.h
 *		Coupon policies: what a coupon is worth and who may get one.
 */
#ifndef COMMERCE_COUPON_POLICY_H
#define COMMERCE_COUPON_POLICY_H

#include "base/refusal.h"
#include "row/row.h"

/* The policy's row, unlocked; NULL when there is none. */
extern Row *coupon_policy_find(Work *work, int64 policy_id);

/*
 * What a coupon of this policy takes off amount (both minor units): never
 * more than the amount itself.
 */
extern int64 coupon_policy_discount(Row *policy, int64 amount);

/* When a coupon of this policy expires that is issued at this time. */
extern TimestampTz coupon_policy_expiry(Row *policy, TimestampTz issued_at);

#endif							/* COMMERCE_COUPON_POLICY_H */
