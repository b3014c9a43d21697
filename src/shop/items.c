/*
 * items.c
 *		The items argument: parse, merge, sort.
 *
 * The argument is a JSON array of {"option_id": n, "quantity": n} and nothing
 * else. jsonb has already dropped repeated keys.
 */
#include "postgres.h"

#include "base/ids.h"
#include "base/json.h"
#include "lib/stringinfo.h"
#include "shop/items.h"

#define MAX_QUANTITY INT64CONST(1000000000)

int			items_max_elements;

static Refusal *
malformed_element(int element, const char *reason)
{
	return refuse_invalid_order_item(reason, element + 1);
}

static Refusal *
parse_item(JsonbContainer *array, int element, OrderItem *item)
{
	JsonbValue *value = getIthJsonbValueFromContainer(array, element);
	JsonbContainer *object;
	JsonbValue	number;

	if (value->type != jbvBinary ||
		!JsonContainerIsObject(value->val.binary.data))
		return malformed_element(element, "is not an object");
	object = value->val.binary.data;

	if (!json_whole_number_or_digits(json_get(object, "option_id", &number),
									 PG_INT64_MIN, PG_INT64_MAX,
									 &item->option_id))
		return malformed_element(element, "has no whole number as option_id");
	if (!json_whole_number(json_get(object, "quantity", &number),
						   1, MAX_QUANTITY, &item->quantity))
		return malformed_element(element, "has no whole number from 1 to 1000000000 as quantity");
	if (JsonContainerSize(object) != 2)
		return malformed_element(element, "has a key other than option_id and quantity");
	item->element = element;
	return NULL;
}

static int
compare_by_option(const void *a, const void *b)
{
	const OrderItem *x = a;
	const OrderItem *y = b;

	if (x->option_id != y->option_id)
		return id_compare(x->option_id, y->option_id);
	return x->element < y->element ? -1 : x->element > y->element;
}

static int
compare_by_element(const void *a, const void *b)
{
	const OrderItem *x = a;
	const OrderItem *y = b;

	return x->element < y->element ? -1 : 1;
}

static int
compare_option_of_line(const void *a, const void *b, void *by_line)
{
	return compare_by_option((OrderItem *) by_line + *(const int *) a,
							 (OrderItem *) by_line + *(const int *) b);
}

/* Add up the quantities of one option; the first appearance stays. */
static Refusal *
merge_options(OrderItems *items)
{
	OrderItem  *lines = items->by_line;
	int			merged = 0;

	qsort(lines, items->count, sizeof(OrderItem), compare_by_option);
	for (int i = 1; i < items->count; i++)
	{
		if (lines[i].option_id != lines[merged].option_id)
			lines[++merged] = lines[i];
		else if ((lines[merged].quantity += lines[i].quantity) > MAX_QUANTITY)
			return malformed_element(lines[i].element,
									 "makes its option's quantity exceed 1000000000");
	}
	items->count = merged + 1;
	qsort(lines, items->count, sizeof(OrderItem), compare_by_element);
	return NULL;
}

Refusal *
items_parse(Jsonb *argument, OrderItems *items)
{
	JsonbContainer *array = &argument->root;
	int			count;
	Refusal    *refusal;

	if (!JsonContainerIsArray(array) || JsonContainerIsScalar(array))
		return refuse_invalid_order_items("not an array");
	count = JsonContainerSize(array);
	if (count < 1)
		return refuse_invalid_order_items("no elements");
	if (count > items_max_elements)
		return refuse_invalid_order_items(psprintf("more than %d elements",
												   items_max_elements));

	items->count = count;
	items->by_line = palloc(count * sizeof(OrderItem));
	for (int i = 0; i < count; i++)
	{
		refusal = parse_item(array, i, &items->by_line[i]);
		if (refusal)
			return refusal;
	}
	refusal = merge_options(items);
	if (refusal)
		return refusal;

	items->by_option = palloc(items->count * sizeof(int));
	for (int i = 0; i < items->count; i++)
		items->by_option[i] = i;
	qsort_arg(items->by_option, items->count, sizeof(int),
			  compare_option_of_line, items->by_line);
	return NULL;
}

void
items_canonical(const OrderItems *items, StringInfo text)
{
	for (int i = 0; i < items->count; i++)
	{
		const OrderItem *item = &items->by_line[items->by_option[i]];

		appendStringInfo(text, INT64_FORMAT ":" INT64_FORMAT ",",
						 item->option_id, item->quantity);
	}
}
