/*
 * order_requests.c
 *		The requests argument of place_orders: parse.
 *
 * A JSON array of objects with place_order's arguments by name. A key that is
 * left out is SQL's NULL, and so is JSON's null but for items, where it is a
 * value, and no good one.
 */
#include "postgres.h"

#include "base/args.h"
#include "base/json.h"
#include "miscadmin.h"
#include "order/order_requests.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

int			order_requests_max;

/* Raise 22023: "element n of requests must ...". */
pg_noreturn static void
invalid_element(int element, const char *must)
{
	args_invalid(psprintf("element %d of requests", element + 1), must);
}

/* A key's value, or NULL where it is not there; counts the keys found. */
static JsonbValue *
count_key(JsonbContainer *object, const char *key, JsonbValue *value,
		  int *found)
{
	JsonbValue *result = json_get(object, key, value);

	if (result != NULL)
		(*found)++;
	return result;
}

static inline bool
is_null(const JsonbValue *value)
{
	return value == NULL || value->type == jbvNull;
}

/* A bigint argument; false for NULL. */
static bool
read_int64(const JsonbValue *value, int element, const char *key,
		   int64 *result)
{
	if (is_null(value))
		return false;
	if (!json_whole_number(value, PG_INT64_MIN, PG_INT64_MAX, result))
		invalid_element(element, psprintf("have a bigint as %s", key));
	return true;
}

static text *
read_text(const JsonbValue *value, int element, const char *key)
{
	if (is_null(value))
		return NULL;
	if (value->type != jbvString)
		invalid_element(element, psprintf("have a string as %s", key));
	return cstring_to_text_with_len(value->val.string.val,
									value->val.string.len);
}

static void *
copy_array(const void *source, Size size)
{
	return memcpy(palloc(size), source, size);
}

/*
 * Parsing takes many times the memory of what comes of it, which alone is
 * kept.
 */
static Refusal *
read_items(JsonbValue *value, OrderItems *items)
{
	MemoryContext scratch;
	MemoryContext caller;
	Refusal    *refusal;

	if (value == NULL)
		return refuse_null_argument("items");
	scratch = AllocSetContextCreate(CurrentMemoryContext, "items of a request",
									ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(scratch);
	refusal = items_parse(JsonbValueToJsonb(value), items);
	MemoryContextSwitchTo(caller);
	if (refusal)
	{
		refusal = refusal_copy(refusal);
		MemoryContextDelete(scratch);
		return refusal;
	}
	items->by_line = copy_array(items->by_line,
								items->count * sizeof(OrderItem));
	items->by_option = copy_array(items->by_option,
								  items->count * sizeof(int));
	MemoryContextDelete(scratch);
	return NULL;
}

static void
parse_request(JsonbContainer *array, int element, RequestedOrder *requested)
{
	JsonbValue *value = getIthJsonbValueFromContainer(array, element);
	OrderRequest *order = &requested->order;
	JsonbContainer *object;
	JsonbValue	buffer;
	bool		has_user;
	int			found = 0;

	if (value->type != jbvBinary ||
		!JsonContainerIsObject(value->val.binary.data))
		invalid_element(element, "be an object");
	object = value->val.binary.data;

	has_user = read_int64(count_key(object, "user_id", &buffer, &found),
						  element, "user_id", &order->user_id);
	order->has_coupon =
		read_int64(count_key(object, "coupon_id", &buffer, &found),
				   element, "coupon_id", &order->coupon_id);
	requested->idempotency_key =
		read_text(count_key(object, "idempotency_key", &buffer, &found),
				  element, "idempotency_key");
	requested->refusal =
		read_items(count_key(object, "items", &buffer, &found), &order->items);
	order->has_expected_total =
		read_int64(count_key(object, "expected_total", &buffer, &found),
				   element, "expected_total", &order->expected_total);
	if (found != (int) JsonContainerSize(object))
		invalid_element(element,
						"have no keys but user_id, items, coupon_id, idempotency_key, expected_total");

	if (!has_user)
		requested->refusal = refuse_null_argument("user_id");
	else if (requested->refusal == NULL && requested->idempotency_key &&
			 !args_key_fits(requested->idempotency_key))
		requested->refusal =
			refuse_invalid_argument("idempotency_key", ARGS_KEY_MUST);
	else if (requested->refusal == NULL && order->has_expected_total &&
			 order->expected_total < 0)
		requested->refusal =
			refuse_invalid_argument("expected_total", EXPECTED_TOTAL_MUST);
	pfree(value);
}

RequestedOrder *
order_requests_parse(Jsonb *argument, int *count)
{
	JsonbContainer *array = &argument->root;
	RequestedOrder *requests;

	if (!JsonContainerIsArray(array) || JsonContainerIsScalar(array))
		args_invalid("requests", "be an array");
	*count = JsonContainerSize(array);
	if (*count > order_requests_max)
		args_invalid("requests",
					 psprintf("have at most %d elements, commerce.max_batch_requests",
							  order_requests_max));
	requests = palloc0(Max(*count, 1) * sizeof(RequestedOrder));
	for (int i = 0; i < *count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		parse_request(array, i, &requests[i]);
	}
	return requests;
}
