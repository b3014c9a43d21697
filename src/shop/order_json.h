/*
 * order_json.h
 *		An order as one JSON object: SQL text for whoever reads one.
 */
#ifndef COMMERCE_ORDER_JSON_H
#define COMMERCE_ORDER_JSON_H

/*
 * get_order's object of the row of commerce.orders with this alias. Times are
 * in the session's zone: the function must set TimeZone to UTC.
 */
#define ORDER_AS_JSONB(alias) \
	"to_jsonb(" alias ") || jsonb_build_object('items', (" \
	"	SELECT coalesce(jsonb_agg(to_jsonb(i) - 'order_id' ORDER BY i.line_no), '[]')" \
	"	FROM commerce.order_items i WHERE i.order_id = " alias ".order_id))"

#endif							/* COMMERCE_ORDER_JSON_H */
