/*
 * route.c
 *		Every function of the shop on a router: the call goes to a node.
 *
 * A function of the schema commerce here has this one as its C function. It
 * finds its namesake in the schema commerce_router, which takes a node's
 * connection string first, and calls try_... there by PL/Proxy. A refusal comes
 * back as a value, and is raised here as it was.
 *
 * Three refusals are not the last word. The node may have given the user's
 * bucket away: the router asks who has it, until somebody does, and notes that
 * once it was right. Or it has too little of an option, or of a policy's quota:
 * then units come from other nodes, if there are any: gather_stock() and
 * gather_quota(), in SQL.
 *
 * PL/Proxy's own errors tell that a node is away: SC901.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "base/args.h"
#include "base/bucket.h"
#include "base/entry.h"
#include "base/ids.h"
#include "base/refusal.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "router/map.h"
#include "router/shortage.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#define SCHEMA	"commerce_router"

/* So often is a call tried again, after a pause that grows. */
#define MAX_TRIES		100
#define PAUSE_US		1000
#define MAX_PAUSE_US	50000

/* The columns of an answer, all of them text. */
enum
{
	ANSWER,
	SQLSTATE,
	MESSAGE,
	DETAIL,
	HINT,
	ANSWER_COLUMNS
};

/* Where a call goes. */
typedef enum Route
{
	ROUTE_USER,					/* the first argument is a user */
	ROUTE_OBJECT,				/* an object that has its user's bucket */
	ROUTE_NEW_USER,				/* the second is one, or NULL */
	ROUTE_HOME					/* to the home of the catalogue */
} Route;

typedef struct Forward
{
	FmgrInfo	by_proxy;
	Route		route;
	bool		is_writer;
	char	   *name;
	char	   *first_argument;
	int			result_columns; /* 0: it is no row */
	FmgrInfo	result_input;
	Oid			result_ioparam;
	FmgrInfo	answer_input;
	Oid			answer_ioparam;
	TupleDesc	answer;
} Forward;

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

/* ---- errors ---- */

/* It was so when this session called it last; 0: none. */
static int32 away_node;

/*
 * The client is not told why: a connection string may stand in that. The log
 * is.
 */
pg_noreturn static void
node_unavailable(const MapNode *node, const char *why)
{
	away_node = node->node_no;
	ereport(ERROR,
			(errcode(MAKE_SQLSTATE('S', 'C', '9', '0', '1')),
			 errmsg("node %d is not available", node->node_no),
			 errdetail_internal("{\"node_no\": %d}", node->node_no),
			 why ? errdetail_log("%s", why) : 0,
			 errhint("Try again, with the same idempotency key.")));
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

/* In a router a call is committed at once: no transaction can take it back. */
static void
check_top_level(const char *name)
{
	if (IsInTransactionBlock(true))
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("%s() cannot run inside a transaction block", name),
				 errdetail("A router's calls are committed at once, each by itself.")));
}

/* ---- the call ---- */

typedef struct Answer
{
	char	   *texts[ANSWER_COLUMNS];	/* NULL where NULL */
} Answer;

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

static Answer
call_node(FunctionCallInfo fcinfo, Forward *forward, const MapNode *node)
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
			node_unavailable(node, error->message);
		}
		raise_of_node(node, error);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (call->isnull)
		elog(ERROR, "node %d has no answer", node->node_no);
	return read_answer(forward, TextDatumGetCString(told));
}

/* Ask one node after the other, until one knows the object. */
static bool
ask_each(FunctionCallInfo fcinfo, Forward *forward, const MapNode **node,
		 Answer *answer)
{
	int			count;

	for (int i = 0; i < (map_nodes(&count), count); i++)
	{
		*node = &map_nodes(&count)[i];
		*answer = call_node(fcinfo, forward, *node);
		if (answer->texts[SQLSTATE] == NULL ||
			(strcmp(answer->texts[SQLSTATE], "SC004") != 0 &&
			 strcmp(answer->texts[SQLSTATE], "SC006") != 0))
			return true;
	}
	return false;
}

/* Which moves there were, once none is under way. */
static char *
moves_mark(void)
{
	MemoryContext caller_context = CurrentMemoryContext;
	char	   *mark;

	SPI_connect();
	if (SPI_execute("SELECT commerce_router.moves_mark()", false, 1) !=
		SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not look for moves");
	mark = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	mark = MemoryContextStrdup(caller_context, mark);
	SPI_finish();
	return mark;
}

/*
 * An id from before the nodes joined: whoever has it answers. That nobody does
 * is true if nothing has moved while they were asked.
 */
static Answer
ask_all(FunctionCallInfo fcinfo, Forward *forward, const MapNode **node)
{
	Answer		answer;
	char	   *before;

	if (ask_each(fcinfo, forward, node, &answer))
		return answer;
	do
	{
		CHECK_FOR_INTERRUPTS();
		before = moves_mark();
		if (ask_each(fcinfo, forward, node, &answer))
			return answer;
	} while (strcmp(before, moves_mark()) != 0);
	return answer;
}

/* One that has users. */
static const MapNode *
any_node(void)
{
	return map_node_of_bucket(pg_prng_uint64_range(&pg_global_prng_state, 0,
												   BUCKET_COUNT - 1));
}

/* The bucket that the call is for; -1: none in particular. */
static int32
bucket_of_call(FunctionCallInfo fcinfo, const Forward *forward)
{
	int			n = forward->route == ROUTE_NEW_USER ? 1 : 0;
	int64		id;

	if (forward->route == ROUTE_HOME || PG_ARGISNULL(n))
		return -1;
	id = PG_GETARG_INT64(n);
	if (forward->route != ROUTE_OBJECT)
		return bucket_of_user(id);
	return id < map_first_id() || id > MAX_ID ? -1 : id % BUCKET_COUNT;
}

/* Ask the node that has the bucket, by the map, or that was found to: not 0. */
static Answer
ask(FunctionCallInfo fcinfo, Forward *forward, int32 bucket, int32 found,
	const MapNode **node)
{
	if (bucket >= 0)
		*node = found != 0 ? map_node(found) : map_node_of_bucket(bucket);
	else if (forward->route == ROUTE_HOME)
		*node = map_home();
	else if (forward->route == ROUTE_OBJECT)
		return ask_all(fcinfo, forward, node);
	else
		*node = any_node();
	return call_node(fcinfo, forward, *node);
}

/* ---- not the last word ---- */

/* What stands for an answer that the node alone could not give. */
typedef struct Gatherer
{
	const char *sqlstate;
	const char *query;
	SPIPlanPtr	plan;			/* kept by the session */
} Gatherer;

#define GATHERERS	2

static Gatherer gatherers[GATHERERS] = {
	{
		.sqlstate = "SC301",
		.query = "SELECT message, detail"
		" FROM commerce_router.gather_stock($1::jsonb, $2, $3)"
	},
	{
		.sqlstate = "SC203",
		.query = "SELECT message, detail"
		" FROM commerce_router.gather_quota($1::jsonb, $2, $3)"
	}
};

/*
 * Give the node what others have, and return false: to be tried again. Or they
 * have too little together: then the answer says so.
 */
static bool
gather(Gatherer *gatherer, Answer *answer, int32 node_no, int64 mark)
{
	MemoryContext caller_context = CurrentMemoryContext;
	Oid			types[] = {TEXTOID, INT4OID, INT8OID};
	Datum		values[] = {
		CStringGetTextDatum(answer->texts[DETAIL]), Int32GetDatum(node_no),
		Int64GetDatum(mark)
	};
	bool		is_final;

	SPI_connect();
	if (gatherer->plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(gatherer->query, lengthof(types), types);

		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare to look at the other nodes");
		gatherer->plan = plan;
	}
	if (SPI_execute_plan(gatherer->plan, values, NULL, false, 1) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not look at the other nodes");
	is_final = SPI_processed == 1 &&
		SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1) != NULL;
	if (is_final)
		for (int i = 0; i < 2; i++)
			answer->texts[MESSAGE + i] =
				MemoryContextStrdup(caller_context,
									SPI_getvalue(SPI_tuptable->vals[0],
												 SPI_tuptable->tupdesc, i + 1));
	SPI_finish();
	return is_final;
}

/* Is this what the caller is told? Else to be tried again. */
static bool
is_last_word(Answer *answer, const MapNode *node, int64 mark)
{
	if (answer->texts[SQLSTATE] != NULL)
		for (int i = 0; i < GATHERERS; i++)
			if (strcmp(answer->texts[SQLSTATE], gatherers[i].sqlstate) == 0)
				return gather(&gatherers[i], answer, node->node_no, mark);
	return true;
}

/*
 * Which node has the bucket, whose node by the map says that it has not? Waits
 * while it is on its way, then raises SC901.
 */
static int32
await_bucket(int32 bucket)
{
	Oid			types[] = {INT4OID};
	Datum		values[] = {Int32GetDatum(bucket)};
	bool		isnull;
	int32		found;

	SPI_connect();
	if (SPI_execute_with_args("SELECT commerce_router.await_bucket($1)", 1,
							  types, values, NULL, false, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "could not look for a bucket");
	found = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0],
										SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	return found;
}

static bool
bucket_is_elsewhere(const Answer *answer)
{
	return answer->texts[SQLSTATE] != NULL &&
		strcmp(answer->texts[SQLSTATE], "SC902") == 0;
}

static void
learn_bucket(int32 bucket, int32 node_no)
{
	Oid			types[] = {INT4OID, INT4OID};
	Datum		values[] = {Int32GetDatum(bucket), Int32GetDatum(node_no)};

	SPI_connect();
	if (SPI_execute_with_args("SELECT commerce_router.learn_bucket($1, $2)", 2,
							  types, values, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not note where a bucket is");
	SPI_finish();
}

static void
pause_before(int tries)
{
	long		most = Min((long) PAUSE_US * tries, MAX_PAUSE_US);

	if (tries > 1)
		pg_usleep(pg_prng_uint64_range(&pg_global_prng_state, most / 4, most));
	CHECK_FOR_INTERRUPTS();
}

/* What the others need to have of the catalogue before we answer. */
static void
wait_for_catalogue(void)
{
	SPI_connect();
	if (SPI_execute("SELECT commerce_router.wait_for_catalogue()", false, 0) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not wait for the catalogue");
	SPI_finish();
}

PG_FUNCTION_INFO_V1(commerce_route);

/* A function of the shop on a router: doc/scale.md. */
Datum
commerce_route(PG_FUNCTION_ARGS)
{
	Forward    *forward;
	const MapNode *node = NULL;
	int32		bucket;
	int32		found = 0;
	int64		mark = shortage_mark();
	Answer		answer;

	if (fcinfo->flinfo->fn_extra == NULL)
		fcinfo->flinfo->fn_extra = make_forward(fcinfo);
	forward = fcinfo->flinfo->fn_extra;
	if (forward->is_writer)
		check_top_level(forward->name);

	bucket = bucket_of_call(fcinfo, forward);
	if (bucket >= 0 && map_node_of_bucket(bucket)->node_no == away_node)
		found = await_bucket(bucket);	/* it may have moved before */
	for (int tries = 1;; tries++)
	{
		pause_before(tries);
		answer = ask(fcinfo, forward, bucket, found, &node);
		if (bucket_is_elsewhere(&answer))
			found = bucket >= 0 ? await_bucket(bucket) : 0;
		else if (is_last_word(&answer, node, mark))
			break;
		if (tries == MAX_TRIES)
			node_unavailable(node, answer.texts[MESSAGE]);
	}
	if (node->node_no == away_node)
		away_node = 0;
	if (found != 0)
		learn_bucket(bucket, found);
	if (answer.texts[SQLSTATE] != NULL)
		refusal_raise_texts(answer.texts[SQLSTATE], answer.texts[MESSAGE],
							answer.texts[DETAIL], answer.texts[HINT]);
	if (forward->route == ROUTE_HOME && forward->is_writer)
		wait_for_catalogue();
	if (answer.texts[ANSWER] == NULL)
		PG_RETURN_NULL();
	if (forward->result_columns > 0)
		cut_row(answer.texts[ANSWER], forward->result_columns);
	return InputFunctionCall(&forward->result_input, answer.texts[ANSWER],
							 forward->result_ioparam, -1);
}

static Entry check_top_level_entry = {
	.arguments = {{"function_name", TEXTOID}},
	.type = VOIDOID
};

/* Raise 25001 in a transaction block, for functions that SQL routes. */
ENTRY_POINT(check_top_level)
{
	check_top_level(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PG_RETURN_VOID();
}

static Entry refuse_entry = {
	.arguments = {
		{"sqlstate", TEXTOID, true},
		{"message", TEXTOID, true},
		{"detail", TEXTOID, true},
		{"hint", TEXTOID, true}
	},
	.type = VOIDOID
};

/* Raise what a node answered, for functions that SQL routes; NULL: nothing. */
ENTRY_POINT(refuse)
{
	char	   *texts[4];

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_VOID();
	for (int i = 0; i < 4; i++)
		texts[i] = PG_ARGISNULL(i) ? NULL :
			text_to_cstring(PG_GETARG_TEXT_PP(i));
	if (strlen(texts[0]) != 5)
		args_invalid("sqlstate", "have 5 characters");
	refusal_raise_texts(texts[0], texts[1], texts[2], texts[3]);
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
