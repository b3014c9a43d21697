/*
 * order_place.c
 *		Making an order, paid at once or held to be paid later.
 *
 * Decide first, write after. The idempotency key comes first in the lock order;
 * the rest is order_decide.c's.
 *
 * A refusal here is an error, which undoes what was written. So once all that
 * can be seen without locks is in favour, a balance or a slot that nobody holds
 * is not locked first: its update comes where its lock would, and is the lock.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/args.h"
#include "base/bucket.h"
#include "base/entry.h"
#include "catalog/pg_type.h"
#include "order/order_decide.h"
#include "order/order_insert.h"
#include "shop/idempotency.h"
#include "shop/stock.h"

/* Locks what an order needs itself, when it is asked for. */
typedef struct LockingSource
{
	OrderSource source;
	Payment		payment;
	CounterHold *holds;			/* as items.by_option */
	bool		seems_there;	/* the stock, by a look at the slots */
} LockingSource;

/* We may have waited for the key, or for the table. */
static void
see_stock_now(Work *work)
{
	row_will_write(work, TABLE_STOCK_SLOTS);
	if (!IsolationUsesXactSnapshot())
		row_refresh(work);
}

/*
 * In REPEATABLE READ and above only locks tell what has changed since the
 * snapshot: so nobody is refused for what it shows.
 */
static Refusal *
look_at_slots(OrderSource *source, const OrderItems *items, bool is_refused)
{
	LockingSource *locking = (LockingSource *) source;
	Refusal    *refusal;

	if (is_refused)
		return stock_check_available(source->work, items);
	locking->holds = palloc(items->count * sizeof(CounterHold));
	see_stock_now(source->work);
	locking->seems_there = stock_look(source->work, items, locking->holds);
	if (locking->seems_there || IsolationUsesXactSnapshot())
		return NULL;
	refusal = stock_refuse_looked(items, locking->holds);
	return refusal ? refusal : stock_check_available(source->work, items);
}

/*
 * Is nothing in the way of this order, by what was seen without locks? Then the
 * payment is written where it would be locked; a coupon is to be locked after
 * it, and tells the total. Triggers are to see what they see of a call that
 * locks first.
 */
static bool
may_pay_first(const LockingSource *locking, const OrderRequest *request,
			  const Pricing *pricing)
{
	return locking->seems_there && !request->has_coupon &&
		(!request->has_expected_total ||
		 request->expected_total == pricing->total) &&
		row_is_plain(locking->source.work, TABLE_STOCK_SLOTS);
}

static Payment *
lock_payment(OrderSource *source, const OrderRequest *request,
			 const Pricing *pricing)
{
	LockingSource *locking = (LockingSource *) source;
	Payment    *payment = &locking->payment;

	if (request->ttl)
		return NULL;
	if (!may_pay_first(locking, request, pricing) ||
		!payment_take_unlocked(source->work, request->user_id,
							   pricing->total, payment))
		payment_lock(source->work, request->user_id, payment);
	return payment;
}

static Row *
lock_coupon(OrderSource *source, int64 coupon_id)
{
	return row_lock(source->work, TABLE_COUPONS, Int64GetDatum(coupon_id));
}

static Refusal *
hold_slots(OrderSource *source, const OrderItems *items, bool is_refused)
{
	if (is_refused && !IsolationUsesXactSnapshot())
		return stock_check_available(source->work, items);
	return stock_hold(source->work, items, !is_refused,
					  ((LockingSource *) source)->holds);
}

/* Write what was decided. */
static Row *
write_order(LockingSource *locking, int64 order_id,
			const OrderRequest *request, OrderDecision *decision)
{
	for (int i = 0; i < request->items.count; i++)
		counter_take(&locking->holds[i]);
	if (decision->payment)
	{
		payment_take(decision->payment, decision->pricing.total, order_id);
		payment_write(decision->payment);
	}
	if (request->has_coupon)
		coupon_use(&decision->coupon, order_id);
	return order_insert(locking->source.work, order_id, request,
						&decision->pricing);
}

/*
 * Claim the key for the order with this id. If it was used before, *replayed
 * becomes the order as it is now.
 */
static Refusal *
claim_key(Work *work, const OrderRequest *request, text *key, int64 order_id,
		  Row **replayed)
{
	Idempotency scope = {
		request->ttl ? "hold_order" : "place_order", request->user_id, key
	};
	StringInfoData arguments;
	Refusal    *refusal;
	bool		replay;

	order_request_canonical(request, &arguments);
	refusal = idempotency_claim(work, &scope, &arguments, &order_id, &replay);
	if (refusal || !replay)
		return refusal;
	*replayed = row_find(work, TABLE_ORDERS, Int64GetDatum(order_id));
	return *replayed ? NULL : refuse_order_not_found(order_id);
}

/* *order becomes the orders row, of now or of the replay. */
static Refusal *
make_order(Work *work, const OrderRequest *request, text *key, Row **order)
{
	LockingSource locking = {
		.source = {
			.work = work, .locks = true, .look_at_stock = look_at_slots,
			.find_payment = lock_payment, .find_coupon = lock_coupon,
			.hold_stock = hold_slots
		}
	};
	OrderDecision decision = {0};
	int64		order_id = 0;
	Refusal    *refusal;

	if (key)
	{
		order_id = id_next(SEQUENCE_ORDER_ID, request->user_id);
		refusal = claim_key(work, request, key, order_id, order);
		if (refusal || *order)
			return refusal;
	}
	refusal = order_decide(&locking.source, request, &decision);
	if (refusal)
		return refusal;
	if (order_id == 0)
		order_id = id_next(SEQUENCE_ORDER_ID, request->user_id);
	*order = write_order(&locking, order_id, request, &decision);
	return NULL;
}

static Entry place_order_entry = {
	.arguments = {
		{"user_id", INT8OID},
		{"items", JSONBOID},
		{"coupon_id", INT8OID, true},
		{"idempotency_key", TEXTOID, true},
		{"expected_total", INT8OID, true}
	},
	.row = "orders"
};

/* Buy and pay in one step: doc/flow-chart.md, 3. */
ENTRY_POINT(place_order)
{
	OrderRequest request = {0};
	text	   *key;
	Work		work;
	Row		   *order = NULL;
	Datum		result;

	order_request_read(fcinfo, &request);
	key = args_idempotency_key(fcinfo, 3);
	order_request_read_expected_total(fcinfo, 4, &request);

	row_begin_write(&work, "place_order()");
	refusal_check(make_order(&work, &request, key, &order));
	result = row_datum(order);
	row_end(&work);
	return result;
}

static Entry hold_order_entry = {
	.arguments = {
		{"user_id", INT8OID},
		{"items", JSONBOID},
		{"coupon_id", INT8OID, true},
		{"ttl", INTERVALOID},
		{"idempotency_key", TEXTOID, true},
		{"expected_total", INT8OID, true}
	},
	.row = "orders"
};

/* Take stock and coupon, to be paid in time: doc/reference.md, Orders. */
ENTRY_POINT(hold_order)
{
	OrderRequest request = {0};
	text	   *key;
	Work		work;
	Row		   *order = NULL;
	Datum		result;

	order_request_read(fcinfo, &request);
	order_request_read_ttl(fcinfo, 3, &request);
	key = args_idempotency_key(fcinfo, 4);
	order_request_read_expected_total(fcinfo, 5, &request);

	row_begin_write(&work, "hold_order()");
	refusal_check(make_order(&work, &request, key, &order));
	result = row_datum(order);
	row_end(&work);
	return result;
}
