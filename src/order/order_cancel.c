/*
 * order_cancel.c
 *		Cancelling an order, paid or not.
 *
 * The lock order is that of order_lifecycle.c.
 */
#include "postgres.h"

#include "base/args.h"
#include "base/entry.h"
#include "catalog/pg_type.h"
#include "event/event.h"
#include "order/order_lifecycle.h"
#include "shop/actor.h"
#include "shop/payment.h"
#include "shop/stock.h"

/* Give everything of a paid order back; total may be 0. */
static void
give_back_payment(Row *order, const OrderLines *lines, Payment *payment)
{
	if (payment->account)
	{
		payment_give_back(payment, row_int64(order, ORDERS_TOTAL),
						  row_int64(order, ORDERS_ORDER_ID));
		payment_write(payment);
	}
	for (int i = 0; i < lines->count; i++)
		order_set_refunded(lines->rows[i],
						   row_int64(lines->rows[i], ORDER_ITEMS_QUANTITY));
}

static Row *
write_cancelled(Row *order, bool was_paid, text *reason)
{
	Row		   *cancelled = row_change(order);

	row_set_enum(cancelled, ORDERS_STATUS, ORDER_CANCELLED);
	row_set_now(cancelled, ORDERS_CLOSED_AT);
	actor_set(cancelled, ORDERS_CLOSED_BY);
	if (was_paid)
		row_set(cancelled, ORDERS_REFUNDED, row_value(order, ORDERS_TOTAL));
	if (reason)
		row_set(cancelled, ORDERS_CANCEL_REASON, PointerGetDatum(reason));
	row_update(order, cancelled);
	return cancelled;
}

static Refusal *
give_back_lines(Work *work, int64 order_id, const OrderLines *lines,
				bool restock)
{
	StockUnits *units = palloc(lines->count * sizeof(StockUnits));

	for (int i = 0; i < lines->count; i++)
	{
		units[i].option_id = row_int64(lines->rows[i], ORDER_ITEMS_OPTION_ID);
		units[i].quantity = row_int64(lines->rows[i], ORDER_ITEMS_QUANTITY);
	}
	if (restock)
		return stock_give_back(work, units, lines->count);
	stock_write_off(work, units, lines->count, order_id);
	return NULL;
}

/* *cancelled becomes the order's new row. */
static Refusal *
cancel_locked(Work *work, int64 order_id, text *reason, bool restock,
			  Row **cancelled)
{
	Row		   *order;
	Payment		payment = {0};
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
		refusal = payment_lock_payer(order, row_int64(order, ORDERS_TOTAL),
									 &payment);
		if (refusal)
			return refusal;
	}
	lines = order_lines(work, order_id);

	*cancelled = write_cancelled(order, was_paid, reason);
	if (was_paid)
	{
		give_back_payment(order, &lines, &payment);
		event_write_later(order, EVENT_ORDER_CANCELLED, NULL);
	}
	order_give_back_coupon(order);
	return give_back_lines(work, order_id, &lines, restock);
}

static Entry cancel_order_entry = {
	.arguments = {
		{"order_id", INT8OID},
		{"reason", TEXTOID, true},
		{"restock", BOOLOID}
	},
	.row = "orders"
};

/* Undo an order, paid or not: doc/reference.md, Orders. */
ENTRY_POINT(cancel_order)
{
	text	   *reason;
	Work		work;
	Row		   *cancelled = NULL;
	Datum		result;

	reason = args_reason(fcinfo, 1);

	row_begin_write(&work, "cancel_order()");
	refusal_check(cancel_locked(&work, PG_GETARG_INT64(0), reason,
								PG_GETARG_BOOL(2), &cancelled));
	result = row_datum(cancelled);
	row_end(&work);
	return result;
}
