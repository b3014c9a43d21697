/*
 * order_lifecycle.c
 *		What paying, cancelling, refunding and expiring an order share.
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

#include "base/ids.h"
#include "order/order_lifecycle.h"
#include "shop/coupon.h"
#include "utils/fmgrprotos.h"

Refusal *
order_lock(Work *work, int64 order_id, Row **order)
{
	*order = row_lock(work, TABLE_ORDERS, Int64GetDatum(order_id));
	if (*order == NULL)
		return refuse_order_not_found(order_id);

	/* We may have waited for somebody who changed its lines. */
	row_refresh(work);
	return NULL;
}

Refusal *
order_state_conflict(Row *order, const char *must_be)
{
	Datum		status = DirectFunctionCall1(enum_out,
											 row_value(order, ORDERS_STATUS));

	return refuse_order_state_conflict(row_int64(order, ORDERS_ORDER_ID),
									   DatumGetCString(status), must_be);
}

void
order_give_back_coupon(Row *order)
{
	if (!row_is_null(order, ORDERS_COUPON_ID))
		coupon_give_back(order->work, row_int64(order, ORDERS_COUPON_ID),
						 row_int64(order, ORDERS_ORDER_ID),
						 !row_is_null(order, ORDERS_PAID_AT));
}

/* ---- lines ---- */

static int
compare_line_options(const void *a, const void *b)
{
	return id_compare(row_int64(*(Row *const *) a, ORDER_ITEMS_OPTION_ID),
					  row_int64(*(Row *const *) b, ORDER_ITEMS_OPTION_ID));
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
	qsort(lines.rows, lines.count, sizeof(Row *), compare_line_options);
	return lines;
}

void
order_set_refunded(Row *line, int64 refunded_quantity)
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
