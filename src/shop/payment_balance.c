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

static void
take_payment(Row *changed, int64 amount, int64 order_id)
{
	(void) balance_record(changed, ENTRY_PAYMENT, -amount, order_id);
}

static void
give_payment_back(Row *changed, int64 amount, int64 order_id)
{
	(void) balance_record(changed, ENTRY_REFUND, amount, order_id);
}

const PaymentWay payment_balance = {
	.lock = lock_balance,
	.not_found = refuse_balance_account_not_found,
	.check_take = balance_check,
	.check_give_back = balance_check_room,
	.take = take_payment,
	.give_back = give_payment_back
};
