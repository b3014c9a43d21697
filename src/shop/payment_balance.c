/*
 * payment_balance.c
 *		Paying from the user's balance.
 */
#include "postgres.h"

#include "shop/balance.h"
#include "shop/payment_way.h"

static Row *
lock_balance(Work *work, int64 user_id)
{
	return row_lock(work, TABLE_BALANCES, Int64GetDatum(user_id));
}

static Row *
take_unlocked(Work *work, int64 user_id, int64 amount)
{
	Row		   *balance = row_look(work, TABLE_BALANCES,
								   Int64GetDatum(user_id));

	if (balance == NULL || balance_check(balance, amount) != NULL)
		return NULL;
	return balance_add_unlocked(balance, -amount);
}

/* An order locks many relations, and writes no more to this one. */
static void
record(Row *changed, EnumLabel type, int64 amount, int64 order_id)
{
	(void) balance_record(changed, type, amount, order_id);
	row_inserts_done(changed->work, TABLE_BALANCE_HISTORY);
}

static void
record_payment(Row *changed, int64 amount, int64 order_id)
{
	record(changed, ENTRY_PAYMENT, -amount, order_id);
}

static void
take_payment(Row *changed, int64 amount, int64 order_id)
{
	balance_add(changed, -amount);
	record_payment(changed, amount, order_id);
}

static void
give_payment_back(Row *changed, int64 amount, int64 order_id)
{
	balance_add(changed, amount);
	record(changed, ENTRY_REFUND, amount, order_id);
}

const PaymentWay payment_balance = {
	.lock = lock_balance,
	.take_unlocked = take_unlocked,
	.not_found = refuse_balance_account_not_found,
	.check_take = balance_check,
	.check_give_back = balance_check_room,
	.take = take_payment,
	.record_take = record_payment,
	.give_back = give_payment_back
};
