/*
 * fuzz.c
 *		libFuzzer in a backend, with the parsers of the extension.
 *
 *		fuzz('items' | 'requests', libFuzzer's arguments)
 *
 * The input is the text of a jsonb, which goes to items_parse() or
 * order_requests_parse() as it does in a call. An error that a user can cause
 * ends the run; an internal one, or memory written past its end, is a finding.
 * The parsers hold nothing but memory, so that a run needs no transaction of
 * its own. The process ends with the function.
 */
#include "postgres.h"

#include "base/ids.h"
#include "fmgr.h"
#include "order/order_requests.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

PG_MODULE_MAGIC;

typedef int (*Target) (const unsigned char *data, size_t size);

extern int	LLVMFuzzerRunDriver(int *argc, char ***argv, Target target);

PG_FUNCTION_INFO_V1(fuzz);

static MemoryContext run_context;
static emit_log_hook_type next_hook;

#define MUST(condition) \
	((condition) ? (void) 0 : broken(#condition, __LINE__))

static void
broken(const char *condition, int line)
{
	fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, line, condition);
	abort();
}

/* What a server with assertions says of memory when it is freed. */
static void
look_at_log(ErrorData *edata)
{
	if (strstr(edata->message, "detected write past chunk end") != NULL ||
		strstr(edata->message, "problem in alloc set") != NULL)
		abort();
	if (next_hook)
		next_hook(edata);
}

/* ---- what must hold of all that was taken ---- */

static void
check_items(const OrderItems *items)
{
	MUST(items->count >= 1 && items->count <= items_max_elements);
	for (int i = 0; i < items->count; i++)
	{
		const OrderItem *line = &items->by_line[i];
		const OrderItem *option = &items->by_line[items->by_option[i]];

		MUST(line->quantity >= 1 && line->quantity <= 1000000000);
		MUST(i == 0 || line[-1].element < line->element);
		MUST(i == 0 || id_compare(option->option_id,
								  items->by_line[items->by_option[i - 1]].option_id) > 0);
	}
}

static void
check_refusal(const Refusal *refusal)
{
	MUST(strlen(refusal_sqlstate(refusal)) == 5);
	MUST(strlen(refusal_message(refusal)) > 0);
	MUST(JB_ROOT_IS_OBJECT(refusal_detail(refusal)));
}

static void
take_items(Jsonb *argument)
{
	OrderItems	items;
	Refusal    *refusal = items_parse(argument, &items);
	StringInfoData text;

	if (refusal)
	{
		check_refusal(refusal);
		return;
	}
	check_items(&items);
	initStringInfo(&text);
	items_canonical(&items, &text);
	MUST(text.len >= 4 * items.count);
}

static void
take_requests(Jsonb *argument)
{
	int			count;
	RequestedOrder *requests = order_requests_parse(argument, &count);

	MUST(count <= order_requests_max);
	for (int i = 0; i < count; i++)
	{
		StringInfoData text;

		if (requests[i].refusal)
			check_refusal(requests[i].refusal);
		else
		{
			check_items(&requests[i].order.items);
			order_request_canonical(&requests[i].order, &text);
			MUST(text.len >= 4);
		}
	}
}

/* ---- a run ---- */

static void
run(const unsigned char *data, size_t size, void (*take) (Jsonb *argument))
{
	MemoryContext caller = MemoryContextSwitchTo(run_context);

	PG_TRY();
	{
		Datum		input = CStringGetDatum(pnstrdup((const char *) data, size));

		take(DatumGetJsonbP(DirectFunctionCall1(jsonb_in, input)));
	}
	PG_CATCH();
	{
		int			class = ERRCODE_TO_CATEGORY(geterrcode());

		MUST(class != ERRCODE_INTERNAL_ERROR);
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	MemoryContextReset(run_context);
}

static int
run_items(const unsigned char *data, size_t size)
{
	run(data, size, take_items);
	return 0;
}

static int
run_requests(const unsigned char *data, size_t size)
{
	run(data, size, take_requests);
	return 0;
}

Datum
fuzz(PG_FUNCTION_ARGS)
{
	char	   *target = text_to_cstring(PG_GETARG_TEXT_PP(0));
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(1);
	Datum	   *elements;
	int			argc;
	char	  **argv;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, NULL, &argc);
	argv = palloc0((argc + 2) * sizeof(char *));
	argv[0] = target;
	for (int i = 0; i < argc; i++)
		argv[i + 1] = TextDatumGetCString(elements[i]);
	argc++;

	/* Small, so that more chunks are a malloc() of their own. */
	run_context = AllocSetContextCreate(TopMemoryContext, "run", 0, 1024, 1024);
	next_hook = emit_log_hook;
	emit_log_hook = look_at_log;
	items_max_elements = 1000;
	order_requests_max = 1000;
	exit(LLVMFuzzerRunDriver(&argc, &argv, strcmp(target, "items") == 0 ?
							 run_items : run_requests));
}
