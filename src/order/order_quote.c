/*
 * order_quote.c
 *		Quoting an order: what it would cost, as the snapshot has it.
 *
 * The decision is the order's own, from rows that are only looked at; stock and
 * payment are no part of it.
 */
#include "postgres.h"

#include "base/args.h"
#include "base/entry.h"
#include "catalog/pg_type.h"
#include "counter/counter.h"
#include "funcapi.h"
#include "order/order_decide.h"
#include "shop/catalogue.h"
#include "shop/pricing.h"
#include "utils/tuplestore.h"

static Row *
see_coupon(OrderSource *source, int64 coupon_id)
{
	return row_find(source->work, TABLE_COUPONS, Int64GetDatum(coupon_id));
}

static void
put_quote_line(Work *work, const Pricing *pricing, int line,
			   ReturnSetInfo *result)
{
	const OrderItem *item = &pricing->items->by_line[line];
	const PricedLine *priced = &pricing->lines[line];
	Datum		values[] = {
		Int32GetDatum(line + 1),
		Int64GetDatum(item->option_id),
		Int64GetDatum(item->quantity),
		Int64GetDatum(priced->unit_price),
		Int64GetDatum(pricing->line_totals[line]),
		Int64GetDatum(priced->discount),
		Int64GetDatum(counter_available(work, TABLE_STOCK_SLOTS,
										item->option_id))
	};
	bool		nulls[lengthof(values)] = {false};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static Entry quote_order_entry = {
	.arguments = {
		{"user_id", INT8OID},
		{"items", JSONBOID},
		{"coupon_id", INT8OID, true}
	},
	.columns = {INT4OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID}
};

/* What place_order would ask for: doc/reference.md, Orders. */
ENTRY_POINT(quote_order)
{
	OrderRequest request = {0};
	OrderDecision decision = {0};
	Work		work;
	OrderSource source = {.work = &work, .find_coupon = see_coupon};

	order_request_read(fcinfo, &request);
	InitMaterializedSRF(fcinfo, 0);

	row_begin_read(&work);
	refusal_check(order_decide(&source, &request, &decision));
	for (int i = 0; i < request.items.count; i++)
		put_quote_line(&work, &decision.pricing, i,
					   (ReturnSetInfo *) fcinfo->resultinfo);
	row_end(&work);
	return (Datum) 0;
}
