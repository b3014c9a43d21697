/*
 * pricing.c
 *		Lines -> subtotal, discount, total.
 *
 * The one place where an order is priced: place_order and quote_order differ
 * only in what they do with the result.
 */
#include "postgres.h"

#include "base/money.h"
#include "shop/catalogue.h"
#include "shop/pricing.h"

/* In a rush all want the same few. */
static Row *
find_option(Work *work, int64 option_id)
{
	Row		   *option = row_recall(work, TABLE_PRODUCT_OPTIONS, option_id, 0);

	if (option != NULL)
		return option;
	option = row_find(work, TABLE_PRODUCT_OPTIONS, Int64GetDatum(option_id));
	if (option != NULL)
		row_remember(option);
	return option;
}

/* Look every option up; refuses with PRODUCT_OPTION_NOT_FOUND. */
static Refusal *
find_options(Work *work, const OrderItems *items, PricedLine *lines)
{
	for (int i = 0; i < items->count; i++)
	{
		int64		option_id = items->by_line[i].option_id;
		Row		   *option = find_option(work, option_id);

		if (option == NULL)
			return refuse_product_option_not_found(option_id);
		lines[i].product_id = row_int64(option, PRODUCT_OPTIONS_PRODUCT_ID);
		lines[i].unit_price = row_int64(option, PRODUCT_OPTIONS_PRICE);
	}
	return NULL;
}

Refusal *
pricing_lines(Work *work, const OrderItems *items, Pricing *pricing)
{
	Refusal    *refusal;

	pricing->items = items;
	pricing->lines = palloc(items->count * sizeof(PricedLine));
	pricing->line_totals = palloc(items->count * sizeof(int64));
	pricing->subtotal = 0;

	refusal = find_options(work, items, pricing->lines);
	if (refusal)
		return refusal;
	for (int i = 0; i < items->count; i++)
	{
		const OrderItem *item = &items->by_line[i];

		if (pg_mul_s64_overflow(pricing->lines[i].unit_price, item->quantity,
								&pricing->line_totals[i]) ||
			pg_add_s64_overflow(pricing->subtotal, pricing->line_totals[i],
								&pricing->subtotal))
			return refuse_subtotal_out_of_range(item->option_id);
	}

	pricing_discount(pricing, 0);
	return NULL;
}

void
pricing_discount(Pricing *pricing, int64 discount)
{
	int			count = pricing->items->count;
	int64	   *shares = palloc(count * sizeof(int64));

	Assert(discount >= 0 && discount <= pricing->subtotal);
	pricing->discount = discount;
	pricing->total = pricing->subtotal - discount;
	money_prorate(discount, pricing->subtotal, pricing->line_totals, shares,
				  count);
	for (int i = 0; i < count; i++)
		pricing->lines[i].discount = shares[i];
	pfree(shares);
}
