/*
 * order_quote.c
 *		Quoting an order.
 */
#include "postgres.h"

#include "base/args.h"
#include "counter/counter.h"
#include "funcapi.h"
#include "order/order.h"
#include "shop/catalogue.h"
#include "shop/pricing.h"
#include "utils/tuplestore.h"

/* Price a request as order_decide() would, in a reading work. */
static Refusal *
quote(Work *work, const OrderRequest *request, Pricing *pricing)
{
	CouponUse	use;
	Refusal    *refusal = catalogue_check_user(work, request->user_id);

	if (refusal)
		return refusal;
	refusal = pricing_lines(work, &request->items, pricing);
	if (refusal || !request->has_coupon)
		return refusal;
	refusal = coupon_check(work, request->user_id, request->coupon_id,
						   pricing->subtotal, &use);
	if (refusal)
		return refusal;
	pricing_discount(pricing, use.discount);
	return NULL;
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

PG_FUNCTION_INFO_V1(commerce_quote_order);

/* What place_order would ask for: README, Orders. */
Datum
commerce_quote_order(PG_FUNCTION_ARGS)
{
	OrderRequest request = {0};
	Pricing		pricing;
	Work		work;

	ARGS_NO_NULLS(fcinfo, "user_id", "items");
	order_read_request(fcinfo, &request);
	InitMaterializedSRF(fcinfo, 0);

	row_begin_read(&work);
	refusal_check(quote(&work, &request, &pricing));
	for (int i = 0; i < request.items.count; i++)
		put_quote_line(&work, &pricing, i, (ReturnSetInfo *) fcinfo->resultinfo);
	row_end(&work);
	return (Datum) 0;
}
