/*
 * order_get.c
 *		Reading an order back.
 */
#include "postgres.h"

#include "base/args.h"
#include "base/entry.h"
#include "base/refusal.h"
#include "base/sql.h"
#include "catalog/pg_type.h"
#include "shop/order_json.h"

static Entry get_order_entry = {
	.arguments = {{"order_id", INT8OID}},
	.type = JSONBOID
};

/* One order as one object: doc/reference.md, Orders. */
ENTRY_POINT(get_order)
{
	static SqlStatement get = {
		.text = "SELECT " ORDER_AS_JSONB("o")
		" FROM commerce.orders o WHERE o.order_id = $1",
		.argument_count = 1, .argument_types = {INT8OID}
	};
	int64		order_id;
	SqlRun		run;
	Datum		arguments[1];
	bool		isnull;
	Datum		order;

	order_id = PG_GETARG_INT64(0);
	arguments[0] = Int64GetDatum(order_id);

	sql_begin_read(&run);
	sql_run(&run, &get, arguments);
	if (SPI_processed == 0)
		refusal_raise(refuse_order_not_found(order_id));
	order = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
						  &isnull);
	order = SPI_datumTransfer(order, false, -1);
	sql_end(&run);
	return order;
}
