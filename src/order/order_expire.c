/*
 * order_expire.c
 *		Closing a batch of orders that were not paid in time.
 *
 * An expiry takes the orders that nobody holds, and waits for no other:
 * whoever pays or cancels one right now is first, and what they leave pending
 * is for the next expiry. Then it takes the coupons of all these orders,
 * ascending, then their stock, option by option, ascending, each only once.
 * That is the lock order of order_lifecycle.c, for the whole batch as for one
 * order.
 *
 * A Work keeps its rows to its end, so each step begins a new one now and then.
 */
#include "postgres.h"

#include "base/args.h"
#include "base/entry.h"
#include "base/ids.h"
#include "base/refusal.h"
#include "base/sql.h"
#include "catalog/pg_type.h"
#include "order/order_lifecycle.h"
#include "shop/coupon.h"
#include "shop/stock.h"

/* Orders, coupons or options that one Work handles. */
#define WORK_SIZE 1000

/* A coupon and the order that it goes back from. */
typedef struct OrderCoupon
{
	int64		coupon_id;
	int64		order_id;
} OrderCoupon;

typedef struct Expiry
{
	int64	   *order_ids;
	int64		order_count;
	OrderCoupon *coupons;		/* room for one an order */
	int64		coupon_count;
	StockUnits *units;
	int64		unit_count;
	int64		unit_room;
} Expiry;

/* Lock up to batch_size orders that are due and free, the oldest first. */
static void
lock_due(int32 batch_size, Expiry *expiry)
{
	static SqlStatement lock = {
		.text = "SELECT order_id FROM commerce.orders"
		" WHERE status = 'pending' AND expires_at <= now()"
		" ORDER BY expires_at LIMIT $1"
		" FOR NO KEY UPDATE SKIP LOCKED",
		.argument_count = 1, .argument_types = {INT8OID}
	};
	Datum		arguments[] = {Int64GetDatum(batch_size)};
	SqlRun		run;
	bool		isnull;

	sql_begin_write(&run, "expire_orders()");
	sql_run(&run, &lock, arguments);
	expiry->order_count = SPI_processed;
	expiry->order_ids = SPI_palloc(Max(SPI_processed, 1) * sizeof(int64));
	for (int64 i = 0; i < expiry->order_count; i++)
		expiry->order_ids[i] =
			DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
										SPI_tuptable->tupdesc, 1, &isnull));
	sql_end(&run);
}

static void
collect_units(Expiry *expiry, Row *line)
{
	StockUnits *units;

	if (expiry->unit_count == expiry->unit_room)
	{
		expiry->unit_room *= 2;
		expiry->units = repalloc(expiry->units,
								 expiry->unit_room * sizeof(StockUnits));
	}
	units = &expiry->units[expiry->unit_count++];
	units->option_id = row_int64(line, ORDER_ITEMS_OPTION_ID);
	units->quantity = row_int64(line, ORDER_ITEMS_QUANTITY);
}

/* Close a locked order; its coupon and its stock are for later. */
static void
expire_order(Work *work, int64 order_id, Expiry *expiry)
{
	Row		   *order;
	Row		   *expired;
	OrderLines	lines;

	refusal_check(order_lock(work, order_id, &order));
	Assert(row_is(order, ORDERS_STATUS, ORDER_PENDING));
	expired = row_change(order);
	row_set_enum(expired, ORDERS_STATUS, ORDER_EXPIRED);
	row_set_now(expired, ORDERS_CLOSED_AT);
	row_update(order, expired);

	if (!row_is_null(order, ORDERS_COUPON_ID))
	{
		OrderCoupon *coupon = &expiry->coupons[expiry->coupon_count++];

		coupon->coupon_id = row_int64(order, ORDERS_COUPON_ID);
		coupon->order_id = order_id;
	}
	lines = order_lines(work, order_id);
	for (int i = 0; i < lines.count; i++)
		collect_units(expiry, lines.rows[i]);
}

/*
 * Sort the units and add up those of one option. An order has at most 10^9 of
 * one, and a batch at most 2^31 orders.
 */
static void
merge_units(Expiry *expiry)
{
	int64		merged = 0;

	qsort(expiry->units, expiry->unit_count, sizeof(StockUnits),
		  id_compare_first);
	for (int64 i = 1; i < expiry->unit_count; i++)
	{
		StockUnits *last = &expiry->units[merged];

		if (expiry->units[i].option_id == last->option_id)
			last->quantity += expiry->units[i].quantity;
		else
			expiry->units[++merged] = expiry->units[i];
	}
	expiry->unit_count = Min(expiry->unit_count, merged + 1);
}

/* How many of count are left from start on for one Work. */
static int
portion(int64 start, int64 count)
{
	return (int) Min(count - start, WORK_SIZE);
}

static void
expire_locked(Expiry *expiry)
{
	Work		work;

	for (int64 start = 0; start < expiry->order_count; start += WORK_SIZE)
	{
		row_begin_write(&work, "expire_orders()");
		for (int i = 0; i < portion(start, expiry->order_count); i++)
			expire_order(&work, expiry->order_ids[start + i], expiry);
		row_end(&work);
	}

	qsort(expiry->coupons, expiry->coupon_count, sizeof(OrderCoupon),
		  id_compare_first);
	for (int64 start = 0; start < expiry->coupon_count; start += WORK_SIZE)
	{
		row_begin_write(&work, "expire_orders()");
		for (int i = 0; i < portion(start, expiry->coupon_count); i++)
			coupon_give_back(&work, expiry->coupons[start + i].coupon_id,
							 expiry->coupons[start + i].order_id, false);
		row_end(&work);
	}

	merge_units(expiry);
	for (int64 start = 0; start < expiry->unit_count; start += WORK_SIZE)
	{
		row_begin_write(&work, "expire_orders()");
		refusal_check(stock_give_back(&work, &expiry->units[start],
									  portion(start, expiry->unit_count)));
		row_end(&work);
	}
}

static Entry expire_orders_entry = {
	.arguments = {{"batch_size", INT4OID}},
	.type = INT8OID
};

PG_FUNCTION_INFO_V1(commerce_expire_orders);

/* Close what was not paid in time: doc/reference.md, Orders. */
Datum
commerce_expire_orders(PG_FUNCTION_ARGS)
{
	int32		batch_size;
	Expiry		expiry = {0};

	entry_check(fcinfo, &expire_orders_entry);
	batch_size = PG_GETARG_INT32(0);
	if (batch_size < 1)
		args_invalid("batch_size", "be at least 1");

	lock_due(batch_size, &expiry);
	if (expiry.order_count == 0)
		PG_RETURN_INT64(0);
	expiry.coupons = palloc(expiry.order_count * sizeof(OrderCoupon));
	expiry.unit_room = expiry.order_count;
	expiry.units = palloc(expiry.unit_room * sizeof(StockUnits));
	expire_locked(&expiry);
	PG_RETURN_INT64(expiry.order_count);
}
