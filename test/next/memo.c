/*
 * memo.c
 *		Version 1.1, made up by the tests: memos on orders, and marks.
 *
 * add_memo() needs a table and a sequence that are new with 1.1; mark_order()
 * needs the label that it is asked for, and can do without the table of 1.2.
 */
#include "postgres.h"

#include "base/args.h"
#include "base/entry.h"
#include "catalog/pg_type.h"
#include "order/order_lifecycle.h"
#include "shop/catalogue.h"
#include "utils/builtins.h"

static Entry add_memo_entry = {
	.arguments = {{"order_id", INT8OID}, {"memo", TEXTOID}},
	.type = INT8OID
};

/* One more memo on an order; its id. */
ENTRY_POINT(add_memo)
{
	NullableDatum generated = {.isnull = true};
	Work		work;
	Row		   *order;
	Row		   *memo;
	int64		memo_id;

	row_begin_write(&work, "add_memo()");
	refusal_check(order_lock(&work, PG_GETARG_INT64(0), &order));
	memo = row_new(&work, TABLE_ORDER_MEMOS);
	row_set_int64(memo, ORDER_MEMOS_ORDER_ID, PG_GETARG_INT64(0));
	row_set(memo, ORDER_MEMOS_MEMO, PG_GETARG_DATUM(1));
	memo_id = catalogue_insert(memo, ORDER_MEMOS_MEMO_ID, SEQUENCE_MEMO_ID,
							   generated);
	row_end(&work);
	PG_RETURN_INT64(memo_id);
}

static Entry mark_order_entry = {
	.arguments = {{"order_id", INT8OID}, {"mark", TEXTOID}},
	.row = "orders"
};

/* Mark a paid order as disputed or, from 1.3 on, as returned. */
ENTRY_POINT(mark_order)
{
	Work		work;
	Row		   *order;
	Row		   *changed;
	bool		is_returned;
	Datum		result;

	is_returned = strcmp(text_to_cstring(PG_GETARG_TEXT_PP(1)), "returned") == 0;

	row_begin_write(&work, "mark_order()");
	refusal_check(order_lock(&work, PG_GETARG_INT64(0), &order));
	if (!row_is(order, ORDERS_STATUS, ORDER_PAID))
		refusal_check(order_state_conflict(order, "paid"));
	changed = row_change(order);
	row_set_enum(changed, ORDERS_STATUS,
				 is_returned ? ORDER_RETURNED : ORDER_DISPUTED);
	row_update(order, changed);
	if (table_exists(TABLE_MARKS))
	{
		Row		   *row = row_new(&work, TABLE_MARKS);

		row_set_int64(row, MARKS_ORDER_ID, PG_GETARG_INT64(0));
		row_insert(row);
	}
	result = row_datum(changed);
	row_end(&work);
	return result;
}
