/*
 * order_expire.c
 *		Expiring orders that were not paid in time: README, Orders.
 *
 * A sweep takes the orders that nobody holds, and waits for no other: who pays
 * or cancels one right now is first, and what they leave pending is for the
 * next sweep. Then it takes the coupons of all these orders, ascending, then
 * their stock, option by option, ascending, each only once. That is the lock
 * order of order_lifecycle.c, for the whole batch as for one order.
 *
 * A Work keeps its rows to its end, so each step begins a new one now and then.
 */
#include "postgres.h"

#include "base/args.h"
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

typedef struct Sweep
{
	int64	   *order_ids;
	int64		order_count;
	OrderCoupon *coupons;		/* room for one an order */
	int64		coupon_count;
	StockUnits *units;
	int64		unit_count;
	int64		unit_room;
} Sweep;

/* Lock up to batch_size orders that are due and free, the oldest first. */
static void
lock_due(int32 batch_size, Sweep *sweep)
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
	sweep->order_count = SPI_processed;
	sweep->order_ids = SPI_palloc(Max(SPI_processed, 1) * sizeof(int64));
	for (int64 i = 0; i < sweep->order_count; i++)
		sweep->order_ids[i] =
			DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
										SPI_tuptable->tupdesc, 1, &isnull));
	sql_end(&run);
}

static void
collect_units(Sweep *sweep, Row *line)
{
	StockUnits *units;

	if (sweep->unit_count == sweep->unit_room)
	{
		sweep->unit_room *= 2;
		sweep->units = repalloc(sweep->units,
								sweep->unit_room * sizeof(StockUnits));
	}
	units = &sweep->units[sweep->unit_count++];
	units->option_id = row_int64(line, ORDER_ITEMS_OPTION_ID);
	units->quantity = row_int64(line, ORDER_ITEMS_QUANTITY);
}

/* Close a locked order; its coupon and its stock are for later. */
static void
expire_order(Work *work, int64 order_id, Sweep *sweep)
{
	Row		   *order;
	Row		   *expired;
	OrderLines	lines;

	refusal_check(order_lock(work, order_id, &order));
	Assert(row_is(order, ORDERS_STATUS, ORDER_PENDING));
	expired = row_change(order);
	row_set_enum(expired, ORDERS_STATUS, ORDER_IS_EXPIRED);
	row_set_now(expired, ORDERS_CLOSED_AT);
	row_update(order, expired);

	if (!row_is_null(order, ORDERS_COUPON_ID))
	{
		OrderCoupon *coupon = &sweep->coupons[sweep->coupon_count++];

		coupon->coupon_id = row_int64(order, ORDERS_COUPON_ID);
		coupon->order_id = order_id;
	}
	lines = order_lines(work, order_id);
	for (int i = 0; i < lines.count; i++)
		collect_units(sweep, lines.rows[i]);
}

static int
compare_coupons(const void *a, const void *b)
{
	int64		x = ((const OrderCoupon *) a)->coupon_id;
	int64		y = ((const OrderCoupon *) b)->coupon_id;

	return (x > y) - (x < y);
}

static int
compare_units(const void *a, const void *b)
{
	int64		x = ((const StockUnits *) a)->option_id;
	int64		y = ((const StockUnits *) b)->option_id;

	return (x > y) - (x < y);
}

/*
 * Sort the units and add up those of one option. An order has at most 10^9 of
 * one, and a batch at most 2^31 orders.
 */
static void
merge_units(Sweep *sweep)
{
	int64		merged = 0;

	qsort(sweep->units, sweep->unit_count, sizeof(StockUnits), compare_units);
	for (int64 i = 1; i < sweep->unit_count; i++)
	{
		StockUnits *last = &sweep->units[merged];

		if (sweep->units[i].option_id == last->option_id)
			last->quantity += sweep->units[i].quantity;
		else
			sweep->units[++merged] = sweep->units[i];
	}
	sweep->unit_count = Min(sweep->unit_count, merged + 1);
}

/* How many of count are left from start on for one Work. */
static int
portion(int64 start, int64 count)
{
	return (int) Min(count - start, WORK_SIZE);
}

static void
expire_locked(Sweep *sweep)
{
	Work		work;

	for (int64 start = 0; start < sweep->order_count; start += WORK_SIZE)
	{
		row_begin_write(&work, "expire_orders()");
		for (int i = 0; i < portion(start, sweep->order_count); i++)
			expire_order(&work, sweep->order_ids[start + i], sweep);
		row_end(&work);
	}

	qsort(sweep->coupons, sweep->coupon_count, sizeof(OrderCoupon),
		  compare_coupons);
	for (int64 start = 0; start < sweep->coupon_count; start += WORK_SIZE)
	{
		row_begin_write(&work, "expire_orders()");
		for (int i = 0; i < portion(start, sweep->coupon_count); i++)
			coupon_restore(&work, sweep->coupons[start + i].coupon_id,
						   sweep->coupons[start + i].order_id, false);
		row_end(&work);
	}

	merge_units(sweep);
	for (int64 start = 0; start < sweep->unit_count; start += WORK_SIZE)
	{
		row_begin_write(&work, "expire_orders()");
		refusal_check(stock_give_back(&work, &sweep->units[start],
									  portion(start, sweep->unit_count)));
		row_end(&work);
	}
}

PG_FUNCTION_INFO_V1(commerce_expire_orders);

/* Close what was not paid in time: README, Orders. */
Datum
commerce_expire_orders(PG_FUNCTION_ARGS)
{
	int32		batch_size;
	Sweep		sweep = {0};

	ARGS_NO_NULLS(fcinfo, "batch_size");
	batch_size = PG_GETARG_INT32(0);
	if (batch_size < 1)
		args_invalid("batch_size", "be at least 1");

	lock_due(batch_size, &sweep);
	if (sweep.order_count == 0)
		PG_RETURN_INT64(0);
	sweep.coupons = palloc(sweep.order_count * sizeof(OrderCoupon));
	sweep.unit_room = sweep.order_count;
	sweep.units = palloc(sweep.unit_room * sizeof(StockUnits));
	expire_locked(&sweep);
	PG_RETURN_INT64(sweep.order_count);
}
