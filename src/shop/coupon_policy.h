/*
 * coupon_policy.h
 *		The terms of a coupon policy: what a coupon is worth, who may get one.
 */
#ifndef COMMERCE_COUPON_POLICY_H
#define COMMERCE_COUPON_POLICY_H

#include "base/refusal.h"
#include "row/row.h"

/* The policy's row, unlocked; NULL when there is none. */
extern Row *coupon_policy_find(Work *work, int64 policy_id);

/* An end, DT_NOEND where the column is NULL. */
extern TimestampTz coupon_policy_end(Row *policy, ColumnId column);

/*
 * What a coupon of this policy takes off amount (both minor units): never
 * more than the amount itself.
 */
extern int64 coupon_policy_discount(Row *policy, int64 amount);

/* When a coupon that is issued at this time expires, DT_NOEND for never. */
extern TimestampTz coupon_policy_expiry(Row *policy, TimestampTz issued_at);

/*
 * Is amount (minor units) enough for a coupon of this policy? Refuses with
 * COUPON_MIN_ORDER_NOT_MET.
 */
extern Refusal *coupon_policy_check_minimum(Row *policy, int64 coupon_id,
											int64 amount);

/*
 * Is now within the policy's period of issue? A closed policy is over. Refuses
 * with COUPON_ISSUE_ENDED, COUPON_ISSUE_NOT_STARTED.
 */
extern Refusal *coupon_policy_check_period(Row *policy);

/* Does a coupon of this policy come back from an order that was paid? */
extern bool coupon_policy_restores(Work *work, int64 policy_id);

#endif							/* COMMERCE_COUPON_POLICY_H */
