/*
 * coupon_issue.h
 *		Issuing coupons, one or many.
 */
#ifndef COMMERCE_COUPON_ISSUE_H
#define COMMERCE_COUPON_ISSUE_H

/* The setting commerce.max_batch_users. */
extern int	coupon_max_batch_users;

#endif							/* COMMERCE_COUPON_ISSUE_H */
