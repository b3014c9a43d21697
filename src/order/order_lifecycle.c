/*
 * order_lifecycle.c
 *		Paying and cancelling an order; refund and expire share its tools.
 *
 *		pending -> paid -> partially_refunded -> refunded
 *			|	 |		\_____________________________^
 *			|	 +--> cancelled
 *			+-------> cancelled, expired
 *
 * An order is changed under the lock of its row, which comes before all that
 * changes with it: idempotency key, order, balance, coupon, stock by option
 * ascending. Making an order needs no such lock, as nobody else can see it.
 *
 * What an order gives back is decided once it is locked: its lines and its
 * coupon are nobody else's business then. Decide first, write after; only the
 * stock, the hottest, is both locked and written at the very end.
 *
 * The events of an order are written under its lock: in the order of their ids.
 */
#include "postgres.h"

#include "base/args.h"
#include "order/order.h"
#include "order/order_lifecycle.h"
#include "shop/balance.h"
#include "shop/coupon.h"
#include "shop/outbox.h"
#include "shop/stock.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

Refusal *
order_lock(Work *work, int64 order_id, Row **order)
{
	*order = row_lock(work, TABLE_ORDERS, Int64GetDatum(order_id));
	if (*order == NULL)
		return order_not_found(order_id);

	/* We may have waited for who changed its lines. */
	row_refresh(work);
	return NULL;
}

Refusal *
order_state_conflict(Row *order, const char *must_be)
{
	int64		order_id = row_int64(order, ORDERS_ORDER_ID);
	Datum		status = DirectFunctionCall1(enum_out,
											 row_value(order, ORDERS_STATUS));
	Refusal    *refusal;

	refusal = refusal_new(ORDER_STATE_CONFLICT,
						  "order " INT64_FORMAT " is %s, not %s",
						  order_id, DatumGetCString(status), must_be);
	refusal_int64(refusal, "order_id", order_id);
	return refusal_text(refusal, "status", DatumGetCString(status));
}

Refusal *
order_lock_payer(Row *order, int64 amount, Row **balance)
{
	int64		user_id = row_int64(order, ORDERS_USER_ID);

	*balance = row_lock(order->work, TABLE_BALANCES, Int64GetDatum(user_id));
	if (*balance == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("balance account of user " INT64_FORMAT " is missing",
						user_id)));
	return balance_check_room(*balance, amount);
}

void
order_restore_coupon(Row *order)
{
	if (!row_is_null(order, ORDERS_COUPON_ID))
		coupon_restore(order->work, row_int64(order, ORDERS_COUPON_ID),
					   row_int64(order, ORDERS_ORDER_ID),
					   !row_is_null(order, ORDERS_PAID_AT));
}

/* ---- lines ---- */

static int
compare_by_option(const void *a, const void *b)
{
	int64		x = row_int64(*(Row *const *) a, ORDER_ITEMS_OPTION_ID);
	int64		y = row_int64(*(Row *const *) b, ORDER_ITEMS_OPTION_ID);

	return (x > y) - (x < y);
}

OrderLines
order_lines(Work *work, int64 order_id)
{
	Datum		key = Int64GetDatum(order_id);
	RowScan    *scan = row_scan_begin(work, TABLE_ORDER_ITEMS, 1, &key);
	OrderLines	lines = {0};
	int			room = 8;
	Row		   *row;

	lines.rows = palloc(room * sizeof(Row *));
	while ((row = row_scan_next(scan)) != NULL)
	{
		if (lines.count == room)
		{
			room *= 2;
			lines.rows = repalloc(lines.rows, room * sizeof(Row *));
		}
		lines.rows[lines.count++] = row;
	}
	row_scan_end(scan);
	qsort(lines.rows, lines.count, sizeof(Row *), compare_by_option);
	return lines;
}

void
order_return_line(Row *line, int64 refunded_quantity)
{
	Row		   *changed;

	/* Nobody changes a line but under its order's lock. */
	if (!row_lock_found(line))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("a line of order " INT64_FORMAT " is gone",
						row_int64(line, ORDER_ITEMS_ORDER_ID))));
	changed = row_change(line);
	row_set_int64(changed, ORDER_ITEMS_REFUNDED_QUANTITY, refunded_quantity);
	row_update(line, changed);
}

/* ---- pay ---- */

/* Unpaid for too long, swept or not? */
static bool
is_expired(Row *order)
{
	if (row_is(order, ORDERS_STATUS, ORDER_PENDING))
		return GetCurrentTransactionStartTimestamp() >=
			row_time(order, ORDERS_EXPIRES_AT);
	return row_is(order, ORDERS_STATUS, ORDER_IS_EXPIRED);
}

static Refusal *
check_payable(Row *order)
{
	int64		order_id = row_int64(order, ORDERS_ORDER_ID);
	Refusal    *refusal;

	if (is_expired(order))
	{
		refusal = refusal_new(ORDER_EXPIRED,
							  "order " INT64_FORMAT " has expired", order_id);
		refusal_int64(refusal, "order_id", order_id);
		return refusal_time(refusal, "expires_at",
							row_time(order, ORDERS_EXPIRES_AT));
	}
	if (!row_is(order, ORDERS_STATUS, ORDER_PENDING))
		return order_state_conflict(order, "pending");
	return NULL;
}

/* *paid becomes the order's new row. */
static Refusal *
pay(Work *work, int64 order_id, Row **paid)
{
	Row		   *order;
	Row		   *balance;
	int64		total;
	Refusal    *refusal = order_lock(work, order_id, &order);

	if (refusal)
		return refusal;
	refusal = check_payable(order);
	if (refusal)
		return refusal;
	balance = row_lock(work, TABLE_BALANCES,
					   row_value(order, ORDERS_USER_ID));
	if (balance == NULL)
		return balance_not_found(row_int64(order, ORDERS_USER_ID));
	total = row_int64(order, ORDERS_TOTAL);
	refusal = balance_check(balance, total);
	if (refusal)
		return refusal;

	if (total > 0)
		balance_move(balance, ENTRY_PAYMENT, -total, order_id);
	*paid = row_change(order);
	row_set_enum(*paid, ORDERS_STATUS, ORDER_PAID);
	row_set_now(*paid, ORDERS_PAID_AT);
	row_update(order, *paid);
	outbox_write(work, EVENT_ORDER_PAID, order_id);
	return NULL;
}

PG_FUNCTION_INFO_V1(commerce_pay_order);

/* Pay a pending order: README, Orders. */
Datum
commerce_pay_order(PG_FUNCTION_ARGS)
{
	Work		work;
	Row		   *paid = NULL;
	Datum		result;

	ARGS_NO_NULLS(fcinfo, "order_id");

	row_begin_write(&work, "pay_order()");
	refusal_check(pay(&work, PG_GETARG_INT64(0), &paid));
	result = row_datum(paid);
	row_end(&work);
	return result;
}

/* ---- cancel ---- */

/* Give everything of a paid order back to the balance. */
static void
return_payment(Row *order, const OrderLines *lines, Row *balance)
{
	if (balance)
		balance_move(balance, ENTRY_REFUND, row_int64(order, ORDERS_TOTAL),
					 row_int64(order, ORDERS_ORDER_ID));
	for (int i = 0; i < lines->count; i++)
		order_return_line(lines->rows[i],
						  row_int64(lines->rows[i], ORDER_ITEMS_QUANTITY));
}

static Row *
write_cancelled(Row *order, bool was_paid, text *reason)
{
	Row		   *cancelled = row_change(order);

	row_set_enum(cancelled, ORDERS_STATUS, ORDER_CANCELLED);
	row_set_now(cancelled, ORDERS_CLOSED_AT);
	if (was_paid)
		row_set(cancelled, ORDERS_REFUNDED, row_value(order, ORDERS_TOTAL));
	if (reason)
		row_set(cancelled, ORDERS_CANCEL_REASON, PointerGetDatum(reason));
	row_update(order, cancelled);
	return cancelled;
}

static Refusal *
give_back_lines(Work *work, const OrderLines *lines)
{
	StockUnits *units = palloc(lines->count * sizeof(StockUnits));

	for (int i = 0; i < lines->count; i++)
	{
		units[i].option_id = row_int64(lines->rows[i], ORDER_ITEMS_OPTION_ID);
		units[i].quantity = row_int64(lines->rows[i], ORDER_ITEMS_QUANTITY);
	}
	return stock_give_back(work, units, lines->count);
}

/* *cancelled becomes the order's new row. */
static Refusal *
cancel(Work *work, int64 order_id, text *reason, Row **cancelled)
{
	Row		   *order;
	Row		   *balance = NULL;
	OrderLines	lines;
	bool		was_paid;
	Refusal    *refusal = order_lock(work, order_id, &order);

	if (refusal)
		return refusal;
	was_paid = row_is(order, ORDERS_STATUS, ORDER_PAID);
	if (!was_paid && !row_is(order, ORDERS_STATUS, ORDER_PENDING))
		return order_state_conflict(order, "pending or paid");
	if (was_paid && row_int64(order, ORDERS_TOTAL) > 0)
	{
		refusal = order_lock_payer(order, row_int64(order, ORDERS_TOTAL),
								   &balance);
		if (refusal)
			return refusal;
	}
	lines = order_lines(work, order_id);

	*cancelled = write_cancelled(order, was_paid, reason);
	if (was_paid)
	{
		return_payment(order, &lines, balance);
		outbox_write(work, EVENT_ORDER_CANCELLED, order_id);
	}
	order_restore_coupon(order);
	return give_back_lines(work, &lines);
}

PG_FUNCTION_INFO_V1(commerce_cancel_order);

/* Undo an order, paid or not: README, Orders. */
Datum
commerce_cancel_order(PG_FUNCTION_ARGS)
{
	text	   *reason;
	Work		work;
	Row		   *cancelled = NULL;
	Datum		result;

	ARGS_NO_NULLS(fcinfo, "order_id");
	reason = args_reason(fcinfo, 1);

	row_begin_write(&work, "cancel_order()");
	refusal_check(cancel(&work, PG_GETARG_INT64(0), reason, &cancelled));
	result = row_datum(cancelled);
	row_end(&work);
	return result;
}
