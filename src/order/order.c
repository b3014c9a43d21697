/*
 * order.c
 *		Making an order, paid at once or held to be paid later: flow chart 3.
 *
 * Decide first, write after. Deciding locks in the order that holds
 * everywhere: idempotency key, balance, coupon, stock by option ascending.
 * What is *reported* has an order of its own: SC001, SC003, SC301, the
 * coupon's, SC102, SC103. So when something locked early is amiss, what ranks
 * before it is still looked at, without locks, as nothing will be written.
 *
 * Users, options and prices are read without locks: nothing deletes them.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/args.h"
#include "order/order.h"
#include "shop/balance.h"
#include "shop/catalogue.h"
#include "shop/idempotency.h"
#include "shop/outbox.h"
#include "shop/pricing.h"
#include "shop/stock.h"
#include "utils/timestamp.h"

/* What an order needs, found and locked, before anything is written. */
typedef struct OrderPlan
{
	Pricing		pricing;
	Row		   *balance;
	CouponUse	coupon;
	CounterHold *holds;			/* as items.by_option */
} OrderPlan;

Refusal *
order_not_found(int64 order_id)
{
	return refusal_int64(refusal_new(ORDER_NOT_FOUND,
									 "order " INT64_FORMAT " not found",
									 order_id),
						 "order_id", order_id);
}

void
order_read_request(FunctionCallInfo fcinfo, OrderRequest *request)
{
	request->user_id = PG_GETARG_INT64(0);
	refusal_check(items_parse(PG_GETARG_JSONB_P(1), &request->items));
	request->has_coupon = !PG_ARGISNULL(2);
	if (request->has_coupon)
		request->coupon_id = PG_GETARG_INT64(2);
}

/* What is wrong with the coupon or the balance: what ranks after stock. */
static Refusal *
decide_payment(Work *work, const OrderRequest *request, OrderPlan *plan)
{
	Refusal    *refusal;

	if (request->has_coupon)
	{
		refusal = coupon_check(work, request->user_id, request->coupon_id,
							   plan->pricing.subtotal, &plan->coupon);
		if (refusal)
			return refusal;
		pricing_discount(&plan->pricing, plan->coupon.discount);
	}
	if (request->ttl)
		return NULL;
	if (plan->balance == NULL)
		return balance_not_found(request->user_id);
	return balance_check(plan->balance, plan->pricing.total);
}

/*
 * Fill the plan and lock, in the lock order, what it will change, or return
 * the refusal that ranks first. Writes nothing.
 */
static Refusal *
order_decide(Work *work, const OrderRequest *request, OrderPlan *plan)
{
	const OrderItems *items = &request->items;
	Refusal    *refusal;
	Refusal    *earlier;

	refusal = pricing_lines(work, items, &plan->pricing);
	if (refusal)
	{
		earlier = catalogue_check_user(work, request->user_id);
		if (earlier == NULL && refusal->code == AMOUNT_OUT_OF_RANGE)
			earlier = stock_look(work, items);
		return earlier ? earlier : refusal;
	}

	/*
	 * What is gone is refused without a lock: of most calls in a rush, nothing
	 * is written, not even that there was a transaction.
	 */
	plan->holds = palloc(items->count * sizeof(CounterHold));
	if (!stock_peek(work, items, plan->holds) && !IsolationUsesXactSnapshot())
	{
		refusal = stock_look(work, items);
		if (refusal)
		{
			earlier = catalogue_check_user(work, request->user_id);
			return earlier ? earlier : refusal;
		}
	}

	/* An account proves its user. */
	if (request->ttl == NULL)
		plan->balance = row_lock(work, TABLE_BALANCES,
								 Int64GetDatum(request->user_id));
	if (plan->balance == NULL)
	{
		refusal = catalogue_check_user(work, request->user_id);
		if (refusal)
			return refusal;
	}

	/*
	 * Refused anyway, we only look at the stock. Not so in REPEATABLE READ
	 * and above, where locking it is what tells whether it has changed since.
	 */
	refusal = decide_payment(work, request, plan);
	if (refusal && !IsolationUsesXactSnapshot())
	{
		earlier = stock_look(work, items);
		return earlier ? earlier : refusal;
	}

	earlier = stock_hold(work, items, plan->holds);
	return earlier ? earlier : refusal;
}

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
	if (request->ttl)
		row_set(order, ORDERS_EXPIRES_AT,
				TimestampTzGetDatum(request->expires_at));
	else
		row_set_now(order, ORDERS_PAID_AT);
	row_insert(order);
	return order;
}

static void
insert_lines(Work *work, int64 order_id, const Pricing *pricing)
{
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
	}
}

Row *
order_insert(Work *work, int64 order_id, const OrderRequest *request,
			 const Pricing *pricing)
{
	Row		   *order = insert_order(work, order_id, request, pricing);

	insert_lines(work, order_id, pricing);
	if (request->ttl == NULL)
		outbox_write(work, EVENT_ORDER_PAID, order_id);
	return order;
}

/* Write what was decided. */
static Row *
write_order(Work *work, int64 order_id, const OrderRequest *request,
			OrderPlan *plan)
{
	for (int i = 0; i < request->items.count; i++)
		counter_take(&plan->holds[i]);
	if (request->ttl == NULL && plan->pricing.total > 0)
		balance_move(plan->balance, ENTRY_PAYMENT, -plan->pricing.total,
					 order_id);
	if (request->has_coupon)
		coupon_use(&plan->coupon, order_id);
	return order_insert(work, order_id, request, &plan->pricing);
}

void
order_canonical(const OrderRequest *request, StringInfo text)
{
	initStringInfo(text);
	items_canonical(&request->items, text);
	if (request->has_coupon)
		appendStringInfo(text, "coupon " INT64_FORMAT, request->coupon_id);
	if (request->ttl)
		appendStringInfo(text, "ttl %d,%d," INT64_FORMAT, request->ttl->month,
						 request->ttl->day, request->ttl->time);
}

/* *order becomes the orders row, of now or of the replay. */
static Refusal *
make_order(Work *work, const OrderRequest *request, text *idempotency_key,
		   Row **order)
{
	OrderPlan	plan = {0};
	int64		order_id = 0;
	Refusal    *refusal;

	if (idempotency_key)
	{
		Idempotency scope = {
			request->ttl ? "hold_order" : "place_order",
			request->user_id, idempotency_key
		};
		StringInfoData arguments;
		bool		replay;

		order_id = sequence_next(SEQUENCE_ORDER_ID);
		order_canonical(request, &arguments);
		refusal = idempotency_claim(work, &scope, &arguments, &order_id,
									&replay);
		if (refusal)
			return refusal;
		if (replay)
		{
			*order = row_find(work, TABLE_ORDERS, Int64GetDatum(order_id));
			return *order ? NULL : order_not_found(order_id);
		}
	}

	refusal = order_decide(work, request, &plan);
	if (refusal)
		return refusal;
	if (order_id == 0)
		order_id = sequence_next(SEQUENCE_ORDER_ID);
	*order = write_order(work, order_id, request, &plan);
	return NULL;
}

PG_FUNCTION_INFO_V1(commerce_place_order);

/* Buy and pay in one step: flow chart 3. */
Datum
commerce_place_order(PG_FUNCTION_ARGS)
{
	OrderRequest request = {0};
	text	   *key;
	Work		work;
	Row		   *order = NULL;
	Datum		result;

	ARGS_NO_NULLS(fcinfo, "user_id", "items");
	order_read_request(fcinfo, &request);
	key = args_idempotency_key(fcinfo, 3);

	row_begin_write(&work, "place_order()");
	refusal_check(make_order(&work, &request, key, &order));
	result = row_datum(order);
	row_end(&work);
	return result;
}

/* Read ttl; a month may be shorter than the days that are taken off it. */
static void
read_ttl(FunctionCallInfo fcinfo, int n, OrderRequest *request)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();

	request->ttl = args_interval(fcinfo, n, "ttl", true);
	request->expires_at = args_add_interval(now, request->ttl);
	if (request->expires_at <= now)
		args_invalid("ttl", "be positive");
}

PG_FUNCTION_INFO_V1(commerce_hold_order);

/* Take stock and coupon, to be paid in time: README, Orders. */
Datum
commerce_hold_order(PG_FUNCTION_ARGS)
{
	OrderRequest request = {0};
	text	   *key;
	Work		work;
	Row		   *order = NULL;
	Datum		result;

	ARGS_NO_NULLS(fcinfo, "user_id", "items", NULL, "ttl");
	order_read_request(fcinfo, &request);
	read_ttl(fcinfo, 3, &request);
	key = args_idempotency_key(fcinfo, 4);

	row_begin_write(&work, "hold_order()");
	refusal_check(make_order(&work, &request, key, &order));
	result = row_datum(order);
	row_end(&work);
	return result;
}
