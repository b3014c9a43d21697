/*
 * forward.c
 *		A call of a function of the shop, at a node.
 *
 * PL/Proxy's own errors tell that the node is away: SC901.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/entry.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "router/forward.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#define SCHEMA	"commerce_router"

/* ---- which function ---- */

static char *
first_argument_name(HeapTuple proc)
{
	bool		isnull;
	bool		no_modes;
	Datum		names = SysCacheGetAttr(PROCOID, proc,
										Anum_pg_proc_proargnames, &isnull);
	Datum		modes = SysCacheGetAttr(PROCOID, proc,
										Anum_pg_proc_proargmodes, &no_modes);
	char	  **all;

	if (isnull || get_func_input_arg_names(names, no_modes ? (Datum) 0 : modes,
										   &all) == 0 || all[0] == NULL)
		elog(ERROR, "a routed function has no arguments");
	return pstrdup(all[0]);
}

static Route
route_of(const Forward *forward)
{
	const char *first = forward->first_argument;

	if (strcmp(first, "user_id") == 0)
		return ROUTE_USER;
	if (strcmp(first, "order_id") == 0 || strcmp(first, "coupon_id") == 0)
		return ROUTE_OBJECT;
	if (strcmp(forward->name, "create_user") == 0)
		return ROUTE_NEW_USER;
	return ROUTE_HOME;
}

/* The namesake that takes a node first. */
static Oid
find_proxy(Form_pg_proc proc)
{
	Oid			types[FUNC_MAX_ARGS];
	oidvector  *vector;
	Oid			found;

	types[0] = TEXTOID;
	memcpy(types + 1, proc->proargtypes.values, proc->pronargs * sizeof(Oid));
	vector = buildoidvector(types, proc->pronargs + 1);
	found = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
							PointerGetDatum(NameStr(proc->proname)),
							PointerGetDatum(vector),
							ObjectIdGetDatum(get_namespace_oid(SCHEMA, false)));
	if (!OidIsValid(found))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				 errmsg("schema %s has no function %s for this one", SCHEMA,
						NameStr(proc->proname))));
	return found;
}

/* The type of the answers, and how it is read. */
static void
prepare_answer(Forward *forward)
{
	Oid			schema = get_namespace_oid(SCHEMA, false);
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									   CStringGetDatum("answer"),
									   ObjectIdGetDatum(schema));
	Oid			input;

	forward->answer = lookup_rowtype_tupdesc_copy(type, -1);
	if (forward->answer->natts != ANSWER_COLUMNS)
		elog(ERROR, "unexpected columns of an answer");
	getTypeInputInfo(type, &input, &forward->answer_ioparam);
	fmgr_info(input, &forward->answer_input);
}

/* How many columns a row type has; 0 for another type. */
static int
columns_of(Oid type)
{
	TupleDesc	row;
	int			columns;

	if (get_typtype(type) != TYPTYPE_COMPOSITE)
		return 0;
	row = lookup_rowtype_tupdesc(type, -1);
	columns = row->natts;
	ReleaseTupleDesc(row);
	return columns;
}

static Forward *
make_forward(FunctionCallInfo fcinfo)
{
	MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	Forward    *forward = palloc0(sizeof(Forward));
	Oid			oid = fcinfo->flinfo->fn_oid;
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
	Form_pg_proc proc;
	Oid			by_proxy;
	Oid			input;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", oid);
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	if (proc->proretset)
		elog(ERROR, "a routed function does not return a set");
	by_proxy = find_proxy(proc);
	fmgr_info(by_proxy, &forward->by_proxy);
	forward->name = pstrdup(NameStr(proc->proname));
	forward->first_argument = first_argument_name(tuple);
	forward->is_writer = proc->provolatile == PROVOLATILE_VOLATILE;
	forward->route = route_of(forward);
	forward->result_columns = columns_of(proc->prorettype);
	getTypeInputInfo(proc->prorettype, &input, &forward->result_ioparam);
	fmgr_info(input, &forward->result_input);
	prepare_answer(forward);
	ReleaseSysCache(tuple);
	MemoryContextSwitchTo(old);
	return forward;
}

Forward *
forward_of(FunctionCallInfo fcinfo)
{
	if (fcinfo->flinfo->fn_extra == NULL)
		fcinfo->flinfo->fn_extra = make_forward(fcinfo);
	return fcinfo->flinfo->fn_extra;
}

/* ---- errors ---- */

/* It was so when this session called it last; 0: none. */
static int32 away_node;

/*
 * The client is not told why: a connection string may stand in that. The log
 * is.
 */
void
forward_unavailable(const MapNode *node, const char *why)
{
	away_node = node->node_no;
	ereport(ERROR,
			(errcode(MAKE_SQLSTATE('S', 'C', '9', '0', '1')),
			 errmsg("node %d is not available", node->node_no),
			 errdetail_internal("{\"node_no\": %d}", node->node_no),
			 why ? errdetail_log("%s", why) : 0,
			 errhint("Try again, with the same idempotency key.")));
}

bool
forward_is_away(const MapNode *node)
{
	return node->node_no == away_node;
}

void
forward_is_back(const MapNode *node)
{
	if (node->node_no == away_node)
		away_node = 0;
}

/* Does it tell that the node is away, or going? */
static bool
is_unavailable(const ErrorData *error)
{
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_CONNECTION_EXCEPTION:
		case ERRCODE_INTERNAL_ERROR:	/* PL/Proxy's own */
			return true;
		default:
			return error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN ||
				error->sqlerrcode == ERRCODE_CRASH_SHUTDOWN ||
				error->sqlerrcode == ERRCODE_CANNOT_CONNECT_NOW ||
				error->sqlerrcode == ERRCODE_TOO_MANY_CONNECTIONS;
	}
}

/*
 * Raise an error that came from the node anew, with its number: PL/Proxy says
 * only which function and database it was. Nothing if it came from elsewhere.
 */
static void
raise_of_node(const MapNode *node, const ErrorData *error)
{
	static const char from[] = "REMOTE ERROR: ";
	const char *message = strstr(error->message, from);
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);
	bool		is_unfit = category == ERRCODE_INVALID_SCHEMA_NAME ||
		category == ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION;

	if (message == NULL)
		return;
	FlushErrorState();
	ereport(ERROR,
			(errcode(error->sqlerrcode),
			 errmsg("node %d: %s", node->node_no, message + strlen(from)),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 is_unfit ? errhint("A node has the extension commerce, of this router's version or a newer one, and a role for routers: commerce.grant_access(..., 'router').") : 0));
}

/* ---- the call ---- */

/* An answer comes as the text of a row. */
static Answer
read_answer(Forward *forward, char *told)
{
	Datum		row = InputFunctionCall(&forward->answer_input, told,
										forward->answer_ioparam, -1);
	HeapTupleHeader header = DatumGetHeapTupleHeader(row);
	HeapTupleData tuple = {
		.t_len = HeapTupleHeaderGetDatumLength(header), .t_data = header
	};
	Answer		answer = {0};

	for (int i = 0; i < ANSWER_COLUMNS; i++)
	{
		bool		isnull;
		Datum		value = heap_getattr(&tuple, i + 1, forward->answer,
										 &isnull);

		if (!isnull)
			answer.texts[i] = TextDatumGetCString(value);
	}
	return answer;
}

/*
 * Cut off, in the text of a row, the columns that only the node has: a newer
 * version's, or a DBA's own, which come last. A quote in a value is doubled.
 */
static void
cut_row(char *row, int columns)
{
	bool		is_quoted = false;

	for (char *c = row; *c != '\0'; c++)
	{
		if (*c == '"')
			is_quoted = !is_quoted;
		else if (*c == ',' && !is_quoted && --columns == 0)
		{
			strcpy(c, ")");
			return;
		}
	}
}

Answer
forward_call(FunctionCallInfo fcinfo, Forward *forward, const MapNode *node)
{
	MemoryContext caller_context = CurrentMemoryContext;
	Datum		told = 0;

	LOCAL_FCINFO(call, FUNC_MAX_ARGS);

	InitFunctionCallInfoData(*call, &forward->by_proxy, PG_NARGS() + 1,
							 fcinfo->fncollation, NULL, NULL);
	call->args[0].value = CStringGetTextDatum(node->conninfo);
	call->args[0].isnull = false;
	memcpy(&call->args[1], fcinfo->args, PG_NARGS() * sizeof(NullableDatum));
	PG_TRY();
	{
		told = FunctionCallInvoke(call);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller_context);
		error = CopyErrorData();
		if (is_unavailable(error))
		{
			FlushErrorState();
			forward_unavailable(node, error->message);
		}
		raise_of_node(node, error);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (call->isnull)
		elog(ERROR, "node %d has no answer", node->node_no);
	return read_answer(forward, TextDatumGetCString(told));
}

Datum
forward_result(Forward *forward, const Answer *answer)
{
	if (forward->result_columns > 0)
		cut_row(answer->texts[ANSWER], forward->result_columns);
	return InputFunctionCall(&forward->result_input, answer->texts[ANSWER],
							 forward->result_ioparam, -1);
}

static Entry own_columns_entry = {
	.arguments = {{"row", TEXTOID}, {"type", REGTYPEOID}},
	.type = TEXTOID
};

/* The text of a row without what its type here has not, for the same. */
ENTRY_POINT(own_columns)
{
	char	   *row = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int			columns = columns_of(PG_GETARG_OID(1));

	if (columns > 0)
		cut_row(row, columns);
	PG_RETURN_TEXT_P(cstring_to_text(row));
}
