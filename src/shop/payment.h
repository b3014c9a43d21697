/*
 * payment.h
 *		Paying for orders, and giving payments back.
 */
#ifndef COMMERCE_PAYMENT_H
#define COMMERCE_PAYMENT_H

#include "shop/payment_way.h"

/* Where one user's payments come from, and go back to. */
typedef struct Payment
{
	int64		user_id;
	const PaymentWay *way;
	Row		   *account;		/* locked, or NULL: there is none */
	Row		   *changed;		/* as payments so far leave it, or NULL */
	int64		taken;			/* of this, so much before it was locked */
} Payment;

/*
 * Find the user's way to pay, and lock its account. Comes before coupons and
 * stock in the lock order; of several users ascending.
 */
extern void payment_lock(Work *work, int64 user_id, Payment *payment);

/*
 * Take amount from it without locking it first, and write that: for a caller
 * that takes this, no more and no less, or ends in an error. payment_take()
 * then records it. False: nothing is done; lock it.
 */
extern bool payment_take_unlocked(Work *work, int64 user_id, int64 amount,
								  Payment *payment);

/*
 * Lock the account of the user who paid an order, to give amount (> 0, minor
 * units) back to it. Refuses as the way to pay does.
 */
extern Refusal *payment_lock_payer(Row *order, int64 amount,
								   Payment *payment);

/*
 * May amount (minor units, 0 is one too) be taken? Refuses as the way to pay
 * does: of a balance with BALANCE_ACCOUNT_NOT_FOUND, INSUFFICIENT_BALANCE.
 */
extern Refusal *payment_check(const Payment *payment, int64 amount);

/* Take a checked amount for an order; 0 takes and records nothing. */
extern void payment_take(Payment *payment, int64 amount, int64 order_id);

/* Give back what payment_lock_payer() was asked about. */
extern void payment_give_back(Payment *payment, int64 amount, int64 order_id);

/* Write the account, once, after all that was taken and given back. */
extern void payment_write(Payment *payment);

#endif							/* COMMERCE_PAYMENT_H */
