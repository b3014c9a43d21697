/*
 * items.h
 *		The items argument: parse, merge, sort.
 */
#ifndef COMMERCE_ITEMS_H
#define COMMERCE_ITEMS_H

#include "base/refusal.h"
#include "lib/stringinfo.h"
#include "utils/jsonb.h"

/* The setting commerce.max_order_lines. */
extern int	items_max_elements;

typedef struct OrderItem
{
	int64		option_id;
	int64		quantity;		/* of all elements of this option */
	int			element;		/* first element of this option, from 0 */
} OrderItem;

typedef struct OrderItems
{
	int			count;
	OrderItem  *by_line;		/* by first appearance: line_no - 1 */
	int		   *by_option;		/* indexes into by_line, option_id ascending */
} OrderItems;

/* Parse the argument. Refuses with INVALID_ORDER_ITEMS. */
extern Refusal *items_parse(Jsonb *argument, OrderItems *items);

/* Append "option:quantity" of all, by option: equal for equal items. */
extern void items_canonical(const OrderItems *items, StringInfo text);

#endif							/* COMMERCE_ITEMS_H */
