/*
 * pricing.h
 *		Lines -> subtotal, discount, total. All amounts in minor units.
 */
#ifndef COMMERCE_PRICING_H
#define COMMERCE_PRICING_H

#include "shop/coupon.h"
#include "shop/items.h"

typedef struct PricedLine
{
	int64		product_id;
	int64		unit_price;
	int64		discount;		/* the line's share */
} PricedLine;

typedef struct Pricing
{
	const OrderItems *items;
	PricedLine *lines;			/* as items->by_line */
	int64	   *line_totals;	/* before the discount */
	int64		subtotal;
	int64		discount;
	int64		total;			/* subtotal - discount */
} Pricing;

/*
 * Look up the prices and add up; no discount yet. Refuses with
 * PRODUCT_OPTION_NOT_FOUND for the first option missing, and with
 * SUBTOTAL_OUT_OF_RANGE. Prices are read, not locked: an order pays what was
 * committed when it asked.
 */
extern Refusal *pricing_lines(Work *work, const OrderItems *items,
							  Pricing *pricing);

/* Take a discount of at most the subtotal off, sharing it over the lines. */
extern void pricing_discount(Pricing *pricing, int64 discount);

#endif							/* COMMERCE_PRICING_H */
