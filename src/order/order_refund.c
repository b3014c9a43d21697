/*
 * order_refund.c
 *		Refunding part of an order: doc/reference.md, Orders.
 *
 * The lock order is that of order_lifecycle.c. The idempotency key comes
 * first, and its scope is the order's user: an order never changes hands, so
 * reading that needs no lock.
 */
#include "postgres.h"

#include "base/args.h"
#include "base/entry.h"
#include "base/json.h"
#include "base/money.h"
#include "catalog/pg_type.h"
#include "event/event.h"
#include "order/order_lifecycle.h"
#include "shop/actor.h"
#include "shop/idempotency.h"
#include "shop/items.h"
#include "shop/payment.h"
#include "shop/stock.h"

/* What is to go back, found and locked, before anything is written. */
typedef struct RefundPlan
{
	const OrderItems *items;
	bool		restock;		/* the goods are back, to be sold again */
	Row		  **lines;			/* as items->by_line */
	int64	   *amounts;		/* the same, minor units */
	int64		amount;			/* their sum */
	bool		is_rest;		/* nothing is left to refund then */
	Payment		payment;		/* without an account: amount is 0 */
} RefundPlan;

/* The order's line with this option, or NULL. */
static Row *
find_line(const OrderLines *lines, int64 option_id)
{
	int			low = 0;
	int			high = lines->count;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;
		int64		found = row_int64(lines->rows[middle],
									  ORDER_ITEMS_OPTION_ID);

		if (found == option_id)
			return lines->rows[middle];
		if (found < option_id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Units bought and not yet refunded. */
static int64
refundable(Row *line)
{
	return row_int64(line, ORDER_ITEMS_QUANTITY) -
		row_int64(line, ORDER_ITEMS_REFUNDED_QUANTITY);
}

/* What more units of a line give back. */
static int64
line_amount(Row *line, int64 quantity)
{
	int64		bought = row_int64(line, ORDER_ITEMS_QUANTITY);
	int64		net = bought * row_int64(line, ORDER_ITEMS_UNIT_PRICE) -
		row_int64(line, ORDER_ITEMS_DISCOUNT_AMOUNT);

	return money_part(net, bought,
					  row_int64(line, ORDER_ITEMS_REFUNDED_QUANTITY),
					  quantity);
}

/*
 * Find the lines and what they give back. Refuses with
 * REFUND_QUANTITY_EXCEEDED, listing every item that the order has not.
 */
static Refusal *
decide_lines(Work *work, int64 order_id, RefundPlan *plan)
{
	OrderLines	lines = order_lines(work, order_id);
	RefusalOptions *excess = NULL;
	int64		left = 0;

	for (int i = 0; i < lines.count; i++)
		left += refundable(lines.rows[i]);
	for (int i = 0; i < plan->items->count; i++)
	{
		const OrderItem *item = &plan->items->by_line[i];
		Row		   *line = find_line(&lines, item->option_id);
		int64		available = line ? refundable(line) : 0;

		if (item->quantity > available)
		{
			refusal_add_option(&excess, plan->items->count, item->option_id,
							   item->quantity, available);
			continue;
		}
		plan->lines[i] = line;
		plan->amounts[i] = line_amount(line, item->quantity);
		plan->amount += plan->amounts[i];
		left -= item->quantity;
	}
	plan->is_rest = (left == 0);
	return excess ? refuse_refund_quantity_exceeded(order_id, excess) : NULL;
}

static Refusal *
decide_refund(Row *order, RefundPlan *plan)
{
	int			count = plan->items->count;
	Refusal    *refusal;

	if (!row_is(order, ORDERS_STATUS, ORDER_PAID) &&
		!row_is(order, ORDERS_STATUS, ORDER_PARTIALLY_REFUNDED))
		return order_state_conflict(order, "paid or partially_refunded");

	plan->lines = palloc(count * sizeof(Row *));
	plan->amounts = palloc(count * sizeof(int64));
	refusal = decide_lines(order->work, row_int64(order, ORDERS_ORDER_ID),
						   plan);
	if (refusal || plan->amount == 0)
		return refusal;
	return payment_lock_payer(order, plan->amount, &plan->payment);
}

/* ---- write ---- */

static void
push_field(JsonbParseState **state, const char *key, int64 number)
{
	json_push_key(state, key);
	json_push_number(state, number);
}

/* {"amount", "restock", "items": [{option_id, quantity, amount}, ...]} */
static Jsonb *
describe_refund(const RefundPlan *plan)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_field(&state, "amount", plan->amount);
	json_push_key(&state, "restock");
	json_push_bool(&state, plan->restock);
	json_push_key(&state, "items");
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < plan->items->count; i++)
	{
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		push_field(&state, "option_id", plan->items->by_line[i].option_id);
		push_field(&state, "quantity", plan->items->by_line[i].quantity);
		push_field(&state, "amount", plan->amounts[i]);
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

static Row *
write_refunded(Row *order, const RefundPlan *plan)
{
	Row		   *refunded = row_change(order);

	row_set_enum(refunded, ORDERS_STATUS,
				 plan->is_rest ? ORDER_REFUNDED : ORDER_PARTIALLY_REFUNDED);
	row_set_int64(refunded, ORDERS_REFUNDED,
				  row_int64(order, ORDERS_REFUNDED) + plan->amount);
	if (plan->is_rest)
	{
		row_set_now(refunded, ORDERS_CLOSED_AT);
		actor_set(refunded, ORDERS_CLOSED_BY);
	}
	row_update(order, refunded);
	return refunded;
}

static Refusal *
give_back_items(Work *work, int64 order_id, const RefundPlan *plan)
{
	const OrderItems *items = plan->items;
	StockUnits *units = palloc(items->count * sizeof(StockUnits));

	for (int i = 0; i < items->count; i++)
	{
		const OrderItem *item = &items->by_line[items->by_option[i]];

		units[i].option_id = item->option_id;
		units[i].quantity = item->quantity;
	}
	if (plan->restock)
		return stock_give_back(work, units, items->count);
	stock_write_off(work, units, items->count, order_id);
	return NULL;
}

/* Write what was decided; *refunded becomes the order's new row. */
static Refusal *
write_refund(Row *order, RefundPlan *plan, Row **refunded)
{
	int64		order_id = row_int64(order, ORDERS_ORDER_ID);

	*refunded = write_refunded(order, plan);
	for (int i = 0; i < plan->items->count; i++)
	{
		Row		   *line = plan->lines[i];

		order_set_refunded(line,
						   row_int64(line, ORDER_ITEMS_REFUNDED_QUANTITY) +
						   plan->items->by_line[i].quantity);
	}
	if (plan->payment.account)
	{
		payment_give_back(&plan->payment, plan->amount, order_id);
		payment_write(&plan->payment);
	}
	event_write_later(order, EVENT_ORDER_REFUNDED, describe_refund(plan));
	if (plan->is_rest)
		order_give_back_coupon(order);
	return give_back_items(order->work, order_id, plan);
}

/* ---- the call ---- */

/*
 * Claim the key in the scope of the order's user. If it was used before,
 * *replayed becomes the order as it is now.
 */
static Refusal *
claim_refund_key(Work *work, int64 order_id, const RefundPlan *plan,
				 text *key, Row **replayed)
{
	Row		   *order = row_find(work, TABLE_ORDERS,
								 Int64GetDatum(order_id));
	Idempotency scope = {.function = "refund_order", .key = key};
	StringInfoData arguments;
	Refusal    *refusal;
	bool		replay;

	if (order == NULL)
		return refuse_order_not_found(order_id);
	scope.user_id = row_int64(order, ORDERS_USER_ID);
	initStringInfo(&arguments);
	appendStringInfo(&arguments, INT64_FORMAT " ", order_id);
	items_canonical(plan->items, &arguments);
	if (!plan->restock)
		appendStringInfoString(&arguments, "not restocked");
	refusal = idempotency_claim(work, &scope, &arguments, &order_id, &replay);
	if (refusal || !replay)
		return refusal;
	*replayed = row_find(work, TABLE_ORDERS, Int64GetDatum(order_id));
	return *replayed ? NULL : refuse_order_not_found(order_id);
}

/* *refunded becomes the orders row, of now or of the replay. */
static Refusal *
refund_locked(Work *work, int64 order_id, RefundPlan *plan, text *key,
			  Row **refunded)
{
	Row		   *order;
	Refusal    *refusal;

	if (key)
	{
		refusal = claim_refund_key(work, order_id, plan, key, refunded);
		if (refusal || *refunded)
			return refusal;
	}
	refusal = order_lock(work, order_id, &order);
	if (refusal)
		return refusal;
	refusal = decide_refund(order, plan);
	if (refusal)
		return refusal;
	return write_refund(order, plan, refunded);
}

static Entry refund_order_entry = {
	.arguments = {
		{"order_id", INT8OID},
		{"items", JSONBOID},
		{"idempotency_key", TEXTOID, true},
		{"restock", BOOLOID}
	},
	.row = "orders"
};

/* Take part of an order back: doc/reference.md, Orders. */
ENTRY_POINT(refund_order)
{
	OrderItems	items;
	RefundPlan	plan = {.items = &items};
	text	   *key;
	Work		work;
	Row		   *refunded = NULL;
	Datum		result;

	refusal_check(items_parse(PG_GETARG_JSONB_P(1), &items));
	key = args_idempotency_key(fcinfo, 2);
	plan.restock = PG_GETARG_BOOL(3);

	row_begin_write(&work, "refund_order()");
	refusal_check(refund_locked(&work, PG_GETARG_INT64(0), &plan, key,
								&refunded));
	result = row_datum(refunded);
	row_end(&work);
	return result;
}
