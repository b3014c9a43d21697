/*
 * order_pay.c
 *		Paying a held order.
 *
 * The lock order is that of order_lifecycle.c.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/entry.h"
#include "catalog/pg_type.h"
#include "event/event.h"
#include "order/order_lifecycle.h"
#include "shop/payment.h"

/* Unpaid for too long, swept or not? */
static bool
has_expired(Row *order)
{
	if (row_is(order, ORDERS_STATUS, ORDER_PENDING))
		return GetCurrentTransactionStartTimestamp() >=
			row_time(order, ORDERS_EXPIRES_AT);
	return row_is(order, ORDERS_STATUS, ORDER_EXPIRED);
}

static Refusal *
check_payable(Row *order)
{
	if (has_expired(order))
		return refuse_order_expired(row_int64(order, ORDERS_ORDER_ID),
									row_time(order, ORDERS_EXPIRES_AT));
	if (!row_is(order, ORDERS_STATUS, ORDER_PENDING))
		return order_state_conflict(order, "pending");
	return NULL;
}

/* *paid becomes the order's new row. */
static Refusal *
pay_pending(Work *work, int64 order_id, Row **paid)
{
	Row		   *order;
	Payment		payment;
	int64		total;
	Refusal    *refusal = order_lock(work, order_id, &order);

	if (refusal)
		return refusal;
	refusal = check_payable(order);
	if (refusal)
		return refusal;
	total = row_int64(order, ORDERS_TOTAL);
	payment_lock(work, row_int64(order, ORDERS_USER_ID), &payment);
	refusal = payment_check(&payment, total);
	if (refusal)
		return refusal;

	payment_take(&payment, total, order_id);
	payment_write(&payment);
	*paid = row_change(order);
	row_set_enum(*paid, ORDERS_STATUS, ORDER_PAID);
	row_set_now(*paid, ORDERS_PAID_AT);
	row_update(order, *paid);
	event_write_first(order);
	return NULL;
}

static Entry pay_order_entry = {
	.arguments = {{"order_id", INT8OID}},
	.row = "orders"
};

/* Pay a pending order: doc/reference.md, Orders. */
ENTRY_POINT(pay_order)
{
	Work		work;
	Row		   *paid = NULL;
	Datum		result;

	row_begin_write(&work, "pay_order()");
	refusal_check(pay_pending(&work, PG_GETARG_INT64(0), &paid));
	result = row_datum(paid);
	row_end(&work);
	return result;
}
