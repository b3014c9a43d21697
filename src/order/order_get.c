/*
 * order_get.c
 *		Reading an order back.
 */
#include "postgres.h"

#include "base/args.h"
#include "base/sql.h"
#include "catalog/pg_type.h"
#include "order/order.h"
#include "shop/order_json.h"

PG_FUNCTION_INFO_V1(commerce_get_order);

/* One order as one object: README, Orders. */
Datum
commerce_get_order(PG_FUNCTION_ARGS)
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

	ARGS_NO_NULLS(fcinfo, "order_id");
	order_id = PG_GETARG_INT64(0);
	arguments[0] = Int64GetDatum(order_id);

	sql_begin_read(&run);
	sql_run(&run, &get, arguments);
	if (SPI_processed == 0)
		refusal_raise(order_not_found(order_id));
	order = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
						  &isnull);
	order = SPI_datumTransfer(order, false, -1);
	sql_end(&run);
	return order;
}
