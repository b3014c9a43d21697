/*
 * payment_way.h
 *		What a way to pay has to do.
 */
#ifndef COMMERCE_PAYMENT_WAY_H
#define COMMERCE_PAYMENT_WAY_H

#include "base/refusal.h"
#include "row/row.h"

/* All amounts are in minor currency units, and positive but where said. */
typedef struct PaymentWay
{
	/*
	 * Lock the row from which this user pays, as row_lock() would; NULL if
	 * there is none. An account proves its user.
	 */
	Row		   *(*lock) (Work *work, int64 user_id);

	/*
	 * Take an amount from the account, if the way can, before it is locked:
	 * it is enough by the snapshot, and nobody holds it. Returns the account
	 * as it is written, for record_take(). NULL: nothing is done.
	 */
	Row		   *(*take_unlocked) (Work *work, int64 user_id, int64 amount);

	/* The refusal of a user who has no account. */
	Refusal    *(*not_found) (int64 user_id);

	/* May amount, which may be 0, be taken from the account? */
	Refusal    *(*check_take) (Row *account, int64 amount);

	/* May amount be given back to it? */
	Refusal    *(*check_give_back) (Row *account, int64 amount);

	/*
	 * Take it, or give it back, in changed, the account as row_change()
	 * copied it; the caller writes that. Checked before. record_take() is the
	 * part of take() that is left after take_unlocked().
	 */
	void		(*take) (Row *changed, int64 amount, int64 order_id);
	void		(*record_take) (Row *changed, int64 amount, int64 order_id);
	void		(*give_back) (Row *changed, int64 amount, int64 order_id);
} PaymentWay;

#define PAYMENT_WAY(name) extern const PaymentWay payment_##name;
#include "shop/payment_ways.def"
#undef PAYMENT_WAY

#endif							/* COMMERCE_PAYMENT_WAY_H */
