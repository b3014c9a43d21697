/*
 * order_insert.c
 *		Writing a new order, its lines and its event.
 */
#include "postgres.h"

#include "base/metrics.h"
#include "event/event.h"
#include "order/order_insert.h"
#include "shop/actor.h"

static Row *
insert_order(Work *work, int64 order_id, const OrderRequest *request,
			 const Pricing *pricing)
{
	Row		   *order = row_new(work, TABLE_ORDERS);

	row_set_int64(order, ORDERS_ORDER_ID, order_id);
	row_set_int64(order, ORDERS_USER_ID, request->user_id);
	row_set_enum(order, ORDERS_STATUS,
				 request->ttl ? ORDER_PENDING : ORDER_PAID);
	row_set_int64(order, ORDERS_SUBTOTAL, pricing->subtotal);
	row_set_int64(order, ORDERS_DISCOUNT, pricing->discount);
	row_set_int64(order, ORDERS_TOTAL, pricing->total);
	row_set_int64(order, ORDERS_REFUNDED, 0);
	if (request->has_coupon)
		row_set_int64(order, ORDERS_COUPON_ID, request->coupon_id);
	row_set_now(order, ORDERS_PLACED_AT);
	actor_set(order, ORDERS_PLACED_BY);
	if (request->ttl)
		row_set(order, ORDERS_EXPIRES_AT,
				TimestampTzGetDatum(request->expires_at));
	else
		row_set_now(order, ORDERS_PAID_AT);
	row_insert(order);
	row_inserts_done(work, TABLE_ORDERS);
	return order;
}

static void
insert_lines(Work *work, int64 order_id, const Pricing *pricing)
{
	int64		units = 0;

	if (pricing->items->count > 1)
		row_queue_inserts(work, TABLE_ORDER_ITEMS);
	for (int i = 0; i < pricing->items->count; i++)
	{
		const OrderItem *item = &pricing->items->by_line[i];
		const PricedLine *line = &pricing->lines[i];
		Row		   *row = row_new(work, TABLE_ORDER_ITEMS);

		row_set_int64(row, ORDER_ITEMS_ORDER_ID, order_id);
		row_set_int32(row, ORDER_ITEMS_LINE_NO, i + 1);
		row_set_int64(row, ORDER_ITEMS_OPTION_ID, item->option_id);
		row_set_int64(row, ORDER_ITEMS_PRODUCT_ID, line->product_id);
		row_set_int64(row, ORDER_ITEMS_QUANTITY, item->quantity);
		row_set_int64(row, ORDER_ITEMS_UNIT_PRICE, line->unit_price);
		row_set_int64(row, ORDER_ITEMS_DISCOUNT_AMOUNT, line->discount);
		row_set_int64(row, ORDER_ITEMS_REFUNDED_QUANTITY, 0);
		row_insert(row);
		units += item->quantity;
	}
	row_inserts_done(work, TABLE_ORDER_ITEMS);
	metrics_add(COUNTER_UNITS_SOLD, units);
}

Row *
order_insert(Work *work, int64 order_id, const OrderRequest *request,
			 const Pricing *pricing)
{
	Row		   *order = insert_order(work, order_id, request, pricing);

	insert_lines(work, order_id, pricing);
	if (request->ttl == NULL)
		event_write_first(order);
	return order;
}
