/*
 * payment.c
 *		Paying for orders, and giving payments back.
 *
 * The one home of what paying means for orders: place, pay, cancel and refund
 * know nothing else of it. Each way to pay is a file of its own, listed in
 * payment_ways.def. A user pays in the first of these ways in which they have
 * an account, and gets payments back in the same one.
 */
#include "postgres.h"

#include "base/metrics.h"
#include "shop/payment.h"

static const PaymentWay *const payment_ways[] = {
#define PAYMENT_WAY(name) &payment_##name,
#include "shop/payment_ways.def"
#undef PAYMENT_WAY
};

void
payment_lock(Work *work, int64 user_id, Payment *payment)
{
	payment->user_id = user_id;
	payment->way = payment_ways[0];
	payment->changed = NULL;
	payment->taken = 0;
	for (int i = 0; i < (int) lengthof(payment_ways); i++)
	{
		payment->account = payment_ways[i]->lock(work, user_id);
		if (payment->account != NULL)
		{
			payment->way = payment_ways[i];
			return;
		}
	}
}

bool
payment_take_unlocked(Work *work, int64 user_id, int64 amount,
					  Payment *payment)
{
	const PaymentWay *first = payment_ways[0];
	Row		   *changed = NULL;

	/* Without an account there, it takes a lock to know. */
	if (first->take_unlocked && amount > 0)
		changed = first->take_unlocked(work, user_id, amount);
	if (changed == NULL)
		return false;
	payment->user_id = user_id;
	payment->way = first;
	payment->account = payment->changed = changed;
	payment->taken = amount;
	return true;
}

Refusal *
payment_lock_payer(Row *order, int64 amount, Payment *payment)
{
	payment_lock(order->work, row_int64(order, ORDERS_USER_ID), payment);
	if (payment->account == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the account that paid for user " INT64_FORMAT " is missing",
						payment->user_id)));
	return payment->way->check_give_back(payment->account, amount);
}

Refusal *
payment_check(const Payment *payment, int64 amount)
{
	Row		   *account = payment->changed ?
		payment->changed : payment->account;

	if (payment->taken > 0)
	{
		Assert(amount == payment->taken);
		return NULL;
	}
	if (account == NULL)
		return payment->way->not_found(payment->user_id);
	return payment->way->check_take(account, amount);
}

static Row *
changed_account(Payment *payment)
{
	if (payment->changed == NULL)
		payment->changed = row_change(payment->account);
	return payment->changed;
}

void
payment_take(Payment *payment, int64 amount, int64 order_id)
{
	if (payment->taken > 0)
		payment->way->record_take(payment->changed, amount, order_id);
	else if (amount > 0)
		payment->way->take(changed_account(payment), amount, order_id);
	metrics_add(COUNTER_MONEY_SOLD, amount);
}

void
payment_give_back(Payment *payment, int64 amount, int64 order_id)
{
	payment->way->give_back(changed_account(payment), amount, order_id);
	metrics_add(COUNTER_MONEY_REFUNDED, amount);
}

void
payment_write(Payment *payment)
{
	if (payment->changed != NULL && payment->taken == 0)
		row_update(payment->account, payment->changed);
}
