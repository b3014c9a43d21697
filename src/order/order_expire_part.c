/*
 * order_expire_part.c
 *		Closing some orders that were not paid in time, together.
 *
 * Lock first, write after: the orders, then their coupons, ascending, then
 * their stock, option by option, ascending, each once. That is the lock order
 * of order_lifecycle.c. None is waited for in the server's queue: it is tried,
 * and until the deadline tried again. An order that lacks a lock in the end is
 * left as it is.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/ids.h"
#include "counter/counter.h"
#include "miscadmin.h"
#include "order/order_expire_part.h"
#include "order/order_lifecycle.h"
#include "shop/actor.h"
#include "shop/coupon.h"

#define RETRY_EVERY_US	2000

/* Some units of an option, and the order that has them; sorted by option. */
typedef struct PartUnits
{
	int64		option_id;
	int64		quantity;
	int			order;
} PartUnits;

typedef struct PartCoupon
{
	int64		coupon_id;
	int			order;
} PartCoupon;

typedef struct ExpirePart
{
	Work		work;
	int64		deadline_ms;
	const int64 *order_ids;
	bool	   *is_left;		/* as order_ids */
	Row		  **orders;			/* the same; NULL: not ours to close */
	int			count;
	PartCoupon *coupons;
	int			coupon_count;
	PartUnits  *units;
	int			unit_count;
	int			unit_room;
	CounterHold *holds;			/* at the first units of each option */
} ExpirePart;

/* May something that is busy be tried again? */
static bool
may_retry(const ExpirePart *part)
{
	CHECK_FOR_INTERRUPTS();
	if (clock_ms() >= part->deadline_ms)
		return false;
	pg_usleep(RETRY_EVERY_US);
	row_refresh((Work *) &part->work);
	return true;
}

static bool
is_due(Row *order)
{
	return row_is(order, ORDERS_STATUS, ORDER_PENDING) &&
		!row_is_null(order, ORDERS_EXPIRES_AT) &&
		row_time(order, ORDERS_EXPIRES_AT) <=
		GetCurrentTransactionStartTimestamp();
}

/* An order that somebody pays or cancels right now is theirs. */
static void
lock_order(ExpirePart *part, int i)
{
	Row		   *order = row_find(&part->work, TABLE_ORDERS,
								 Int64GetDatum(part->order_ids[i]));
	bool		is_busy;

	if (order == NULL || !is_due(order))
		return;
	if (row_lock_unchanged(order, false, &is_busy))
		part->orders[i] = order;
	else
		part->is_left[i] = true;
}

static void
collect_units(ExpirePart *part, int i)
{
	OrderLines	lines = order_lines(&part->work, part->order_ids[i]);

	for (int j = 0; j < lines.count; j++)
	{
		PartUnits  *units;

		if (part->unit_count == part->unit_room)
		{
			part->unit_room *= 2;
			part->units = repalloc(part->units,
								   part->unit_room * sizeof(PartUnits));
		}
		units = &part->units[part->unit_count++];
		units->option_id = row_int64(lines.rows[j], ORDER_ITEMS_OPTION_ID);
		units->quantity = row_int64(lines.rows[j], ORDER_ITEMS_QUANTITY);
		units->order = i;
	}
}

static void
collect(ExpirePart *part)
{
	int			count = part->count;

	part->orders = palloc0(count * sizeof(Row *));
	part->coupons = palloc(count * sizeof(PartCoupon));
	part->unit_room = count;
	part->units = palloc(part->unit_room * sizeof(PartUnits));
	for (int i = 0; i < count; i++)
	{
		Row		   *order;

		CHECK_FOR_INTERRUPTS();
		lock_order(part, i);
		order = part->orders[i];
		if (order == NULL)
			continue;
		if (!row_is_null(order, ORDERS_COUPON_ID))
		{
			PartCoupon *coupon = &part->coupons[part->coupon_count++];

			coupon->coupon_id = row_int64(order, ORDERS_COUPON_ID);
			coupon->order = i;
		}
		collect_units(part, i);
	}
	qsort(part->coupons, part->coupon_count, sizeof(PartCoupon),
		  id_compare_first);
	qsort(part->units, part->unit_count, sizeof(PartUnits), id_compare_first);
}

static void
leave(ExpirePart *part, int order)
{
	part->orders[order] = NULL;
	part->is_left[order] = true;
}

static bool
try_coupon(ExpirePart *part, int64 coupon_id)
{
	bool		is_busy;

	do
	{
		Row		   *coupon = row_find(&part->work, TABLE_COUPONS,
									  Int64GetDatum(coupon_id));

		if (coupon == NULL || row_lock_unchanged(coupon, false, &is_busy))
			return true;
	} while (may_retry(part));
	return false;
}

/* What the part's orders, as far as they are not left, have of one option. */
static int64
units_wanted(const ExpirePart *part, int first, int end)
{
	int64		sum = 0;

	for (int i = first; i < end; i++)
		if (part->orders[part->units[i].order] != NULL)
			sum += part->units[i].quantity;
	return sum;
}

static int
end_of_option(const ExpirePart *part, int first)
{
	int			end = first;

	while (end < part->unit_count &&
		   part->units[end].option_id == part->units[first].option_id)
		end++;
	return end;
}

/* Refuses, as an error, what would pass 2^63-1. */
static bool
try_stock(ExpirePart *part, int first, int64 quantity)
{
	int64		option_id = part->units[first].option_id;

	do
	{
		switch (counter_try_to_give(&part->work, TABLE_STOCK_SLOTS, option_id,
									quantity, &part->holds[first]))
		{
			case COUNTER_HELD:
				return true;
			case COUNTER_FULL:
				refusal_raise(refuse_stock_out_of_range(option_id));
			case COUNTER_BUSY:
				break;
		}
	} while (may_retry(part));
	return false;
}

static void
lock_needed(ExpirePart *part)
{
	int			end;

	for (int i = 0; i < part->coupon_count; i++)
		if (!try_coupon(part, part->coupons[i].coupon_id))
			leave(part, part->coupons[i].order);

	part->holds = palloc0(Max(part->unit_count, 1) * sizeof(CounterHold));
	for (int first = 0; first < part->unit_count; first = end)
	{
		int64		quantity;

		end = end_of_option(part, first);
		quantity = units_wanted(part, first, end);
		if (quantity > 0 && !try_stock(part, first, quantity))
			for (int i = first; i < end; i++)
				leave(part, part->units[i].order);
	}
}

static void
close_order(Row *order)
{
	Row		   *expired = row_change(order);

	row_set_enum(expired, ORDERS_STATUS, ORDER_EXPIRED);
	row_set_now(expired, ORDERS_CLOSED_AT);
	actor_set(expired, ORDERS_CLOSED_BY);
	row_update(order, expired);
}

static int
write_all(ExpirePart *part)
{
	int			closed = 0;
	int			end;

	row_refresh(&part->work);
	for (int i = 0; i < part->count; i++)
		if (part->orders[i] != NULL)
		{
			close_order(part->orders[i]);
			closed++;
		}
	for (int i = 0; i < part->coupon_count; i++)
		if (part->orders[part->coupons[i].order] != NULL)
			coupon_give_back(&part->work, part->coupons[i].coupon_id,
							 part->order_ids[part->coupons[i].order], false);
	for (int first = 0; first < part->unit_count; first = end)
	{
		int64		quantity;

		end = end_of_option(part, first);
		quantity = units_wanted(part, first, end);
		if (quantity > 0)
			counter_put_back(&part->holds[first], quantity);
	}
	return closed;
}

int
order_expire_part(const int64 *order_ids, int count, int64 deadline_ms,
				  bool *is_left)
{
	ExpirePart	part = {
		.deadline_ms = deadline_ms, .order_ids = order_ids,
		.is_left = is_left, .count = count
	};
	int			closed;

	memset(is_left, 0, count * sizeof(bool));
	row_begin_write(&part.work, "expire_orders()");
	collect(&part);
	lock_needed(&part);
	closed = write_all(&part);
	row_end(&part.work);
	return closed;
}
