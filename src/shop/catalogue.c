/*
 * catalogue.c
 *		Products, options, their prices and stock.
 *
 * Nothing here deletes, so that a parent once seen stays: children need no
 * lock on it.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "base/args.h"
#include "base/bucket_lock.h"
#include "base/entry.h"
#include "catalog/pg_type.h"
#include "counter/counter.h"
#include "funcapi.h"
#include "shop/catalogue.h"
#include "shop/idempotency.h"
#include "shop/stock.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define FIRST_STOCK_REASON "initial"

int64
catalogue_insert(Row *row, ColumnId key_column, SequenceId sequence,
				 NullableDatum given)
{
	int64		id;

	if (!given.isnull)
	{
		id = DatumGetInt64(given.value);
		row_set_int64(row, key_column, id);
		row_insert(row);
		sequence_pass(sequence, id);
		return id;
	}

	do
	{
		id = sequence == SEQUENCE_USER_ID ? id_next_user() :
			sequence_next(sequence);
		row_set_int64(row, key_column, id);
	} while (!row_insert_if_absent(row));
	return id;
}

static Entry create_product_entry = {
	.arguments = {{"name", TEXTOID}, {"product_id", INT8OID, true}},
	.row = "products"
};

/* Add a product: PRODUCT of the flow chart. */
ENTRY_POINT(create_product)
{
	text	   *name;
	NullableDatum product_id;
	Work		work;
	Row		   *row;
	Datum		result;

	name = args_name(fcinfo, 0, "name");
	product_id = args_new_id(fcinfo, 1, "product_id");

	row_begin_write(&work, "create_product()");
	row = row_new(&work, TABLE_PRODUCTS);
	row_set(row, PRODUCTS_NAME, PointerGetDatum(name));
	row_set_now(row, PRODUCTS_CREATED_AT);
	catalogue_insert(row, PRODUCTS_PRODUCT_ID, SEQUENCE_PRODUCT_ID,
					 product_id);
	result = row_datum(row);
	row_end(&work);
	return result;
}

static Refusal *
check_product(Work *work, int64 product_id)
{
	if (row_find(work, TABLE_PRODUCTS, Int64GetDatum(product_id)) != NULL)
		return NULL;
	return refuse_product_not_found(product_id);
}

static Entry create_product_option_entry = {
	.arguments = {
		{"product_id", INT8OID},
		{"name", TEXTOID},
		{"price", INT8OID},
		{"stock", INT8OID},
		{"option_id", INT8OID, true}
	},
	.row = "product_options"
};

/* Add what can be bought: PRODUCT_OPTION of the flow chart. */
ENTRY_POINT(create_product_option)
{
	int64		product_id;
	text	   *name;
	int64		price;
	int64		stock;
	NullableDatum given_id;
	int64		option_id;
	Work		work;
	Row		   *row;
	Datum		result;

	product_id = PG_GETARG_INT64(0);
	name = args_name(fcinfo, 1, "name");
	price = args_int64_min(fcinfo, 2, "price", 0);
	stock = args_int64_min(fcinfo, 3, "stock", 0);
	given_id = args_new_id(fcinfo, 4, "option_id");

	row_begin_write(&work, "create_product_option()");
	refusal_check(check_product(&work, product_id));
	row = row_new(&work, TABLE_PRODUCT_OPTIONS);
	row_set_int64(row, PRODUCT_OPTIONS_PRODUCT_ID, product_id);
	row_set(row, PRODUCT_OPTIONS_NAME, PointerGetDatum(name));
	row_set_int64(row, PRODUCT_OPTIONS_PRICE, price);
	row_set_now(row, PRODUCT_OPTIONS_CREATED_AT);
	option_id = catalogue_insert(row, PRODUCT_OPTIONS_OPTION_ID,
								 SEQUENCE_OPTION_ID, given_id);
	counter_create(&work, TABLE_STOCK_SLOTS, option_id, stock);
	if (stock > 0)
		stock_record(&work, option_id, stock,
					 cstring_to_text(FIRST_STOCK_REASON));
	result = row_datum(row);
	row_end(&work);
	return result;
}

static Entry set_price_entry = {
	.arguments = {{"option_id", INT8OID}, {"price", INT8OID}},
	.row = "product_options"
};

/* Set the price that later orders pay: doc/reference.md, Catalogue. */
ENTRY_POINT(set_price)
{
	int64		option_id;
	int64		price;
	Work		work;
	Row		   *row;
	Row		   *changed;
	Datum		result;

	option_id = PG_GETARG_INT64(0);
	price = args_int64_min(fcinfo, 1, "price", 0);

	row_begin_write(&work, "set_price()");
	row = row_lock(&work, TABLE_PRODUCT_OPTIONS, Int64GetDatum(option_id));
	if (row == NULL)
		refusal_raise(refuse_product_option_not_found(option_id));
	changed = row_change(row);
	row_set_int64(changed, PRODUCT_OPTIONS_PRICE, price);
	row_update(row, changed);
	result = row_datum(changed);
	row_end(&work);
	return result;
}

static Refusal *
adjust_stock(Work *work, int64 option_id, int64 quantity, text *reason,
			 const Idempotency *scope, Row **option)
{
	StringInfoData arguments;
	Refusal    *refusal;
	bool		replay;

	initStringInfo(&arguments);
	appendStringInfo(&arguments, INT64_FORMAT "," INT64_FORMAT ",%s",
					 option_id, quantity, text_to_cstring(reason));
	refusal = idempotency_claim(work, scope, &arguments, &option_id, &replay);
	if (refusal)
		return refusal;

	*option = row_find(work, TABLE_PRODUCT_OPTIONS, Int64GetDatum(option_id));
	if (*option == NULL)
		return refuse_product_option_not_found(option_id);
	if (replay)
		return NULL;

	refusal = stock_move(work, option_id, quantity);
	if (refusal)
		return refusal;
	stock_record(work, option_id, quantity, reason);
	row_refresh(work);
	return NULL;
}

/* A row of the view stock. */
static Datum
stock_datum(FunctionCallInfo fcinfo, Work *work, Row *option)
{
	TupleDesc	desc;
	int64		option_id = row_int64(option, PRODUCT_OPTIONS_OPTION_ID);
	Datum		values[3];
	bool		nulls[3] = {false, false, false};
	MemoryContext old;
	Datum		result;

	values[0] = Int64GetDatum(option_id);
	values[1] = row_value(option, PRODUCT_OPTIONS_PRODUCT_ID);
	values[2] = Int64GetDatum(counter_available(work, TABLE_STOCK_SLOTS,
												option_id));

	old = MemoryContextSwitchTo(work->caller_context);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE ||
		desc->natts != lengthof(values))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("view \"commerce.stock\" is not as the extension made it")));
	result = HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values,
											   nulls));
	MemoryContextSwitchTo(old);
	return result;
}

static Entry adjust_stock_entry = {
	.arguments = {
		{"option_id", INT8OID},
		{"quantity", INT8OID},
		{"reason", TEXTOID},
		{"idempotency_key", TEXTOID, true}
	},
	.row = "stock"
};

/* Move an option's stock and record why: doc/reference.md, Catalogue. */
ENTRY_POINT(adjust_stock)
{
	Idempotency scope = {.function = "adjust_stock", .user_id = NO_USER};
	text	   *reason;
	Work		work;
	Row		   *option = NULL;
	Datum		result;

	reason = args_reason(fcinfo, 2);
	scope.key = args_idempotency_key(fcinfo, 3);

	row_begin_write(&work, "adjust_stock()");
	refusal_check(adjust_stock(&work, PG_GETARG_INT64(0), PG_GETARG_INT64(1),
							   reason, &scope, &option));
	result = stock_datum(fcinfo, &work, option);
	row_end(&work);
	return result;
}

static Entry spread_stock_entry = {
	.arguments = {{"option_id", INT8OID}, {"slots", INT4OID}},
	.type = INT4OID
};

/* Split an option's stock before a rush: doc/reference.md, Catalogue. */
ENTRY_POINT(spread_stock)
{
	int64		option_id;
	int32		slots;
	Work		work;

	option_id = PG_GETARG_INT64(0);
	slots = PG_GETARG_INT32(1);
	counter_check_slots(slots);

	row_begin_write(&work, "spread_stock()");
	if (row_find(&work, TABLE_PRODUCT_OPTIONS,
				 Int64GetDatum(option_id)) == NULL)
		refusal_raise(refuse_product_option_not_found(option_id));
	slots = counter_spread(&work, TABLE_STOCK_SLOTS, option_id, slots);
	row_end(&work);
	PG_RETURN_INT32(slots);
}
