/*
 * try.c
 *		A call whose refusal is a value: for routers.
 *
 * try_place_order() does what place_order() does, but returns what would be an
 * error: whoever forwards the call keeps its connection, and its answer costs
 * no more than an order does. What tells of trouble, and not of the call, stays
 * an error: a cancel, a lack of memory or disk, a defect.
 *
 * Every try_ function has this one as its C function, and finds the one it is
 * named for, which has the same arguments. That one runs in a subtransaction.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "base/bucket.h"
#include "base/bucket_lock.h"
#include "base/refusal.h"
#include "base/tables.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"

#define PREFIX "try_"

/* The columns of an answer. */
enum
{
	ANSWER,						/* the row, or an array of rows */
	SQLSTATE,					/* NULL: it was not refused */
	MESSAGE,
	DETAIL,
	HINT,
	ANSWER_COLUMNS
};

typedef struct Answer
{
	Datum		values[ANSWER_COLUMNS];
	bool		nulls[ANSWER_COLUMNS];
} Answer;

/* What its first argument leads to. */
typedef enum Route
{
	ROUTE_NONE,
	ROUTE_USER,					/* a user */
	ROUTE_OBJECT				/* an object that has its user's bucket */
} Route;

/* The function to call. */
typedef struct Target
{
	FmgrInfo	function;
	Route		route;
	bool		is_writer;
	Oid			result;			/* what ANSWER is */
	TupleDesc	row;			/* of one that returns many */
	TupleDesc	answer;
} Target;

/* ---- which function ---- */

pg_noreturn static void
not_declared_so(Oid function)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
			 errmsg("function %s is not declared as the library of the extension commerce expects",
					format_procedure(function))));
}

static Route
bucket_route(HeapTuple proc)
{
	Datum		names;
	Datum		modes;
	bool		no_names;
	bool		no_modes;
	char	  **all;

	names = SysCacheGetAttr(PROCOID, proc, Anum_pg_proc_proargnames,
							&no_names);
	modes = SysCacheGetAttr(PROCOID, proc, Anum_pg_proc_proargmodes,
							&no_modes);
	if (no_names || no_modes ||
		get_func_input_arg_names(names, modes, &all) == 0 || all[0] == NULL)
		return ROUTE_NONE;
	if (strcmp(all[0], "user_id") == 0)
		return ROUTE_USER;
	if (strcmp(all[0], "order_id") == 0 || strcmp(all[0], "coupon_id") == 0)
		return ROUTE_OBJECT;
	return ROUTE_NONE;
}

/* The namesake without the prefix that has the same arguments. */
static Oid
find_target(Oid function, Route *route)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc proc;
	Oid			target = InvalidOid;

	if (!HeapTupleIsValid(tuple))
		not_declared_so(function);
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	if (strncmp(NameStr(proc->proname), PREFIX, strlen(PREFIX)) == 0 &&
		!proc->proretset)
		target = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
								 PointerGetDatum(NameStr(proc->proname) +
												 strlen(PREFIX)),
								 PointerGetDatum(&proc->proargtypes),
								 ObjectIdGetDatum(extension_schema()));
	*route = bucket_route(tuple);
	ReleaseSysCache(tuple);
	if (!OidIsValid(target))
		not_declared_so(function);
	return target;
}

/* Is the answer declared as the target's result needs it? */
static bool
answer_fits(const Target *target)
{
	TupleDesc	desc = target->answer;

	if (desc->natts != ANSWER_COLUMNS ||
		TupleDescAttr(desc, ANSWER)->atttypid != target->result)
		return false;
	for (int i = SQLSTATE; i < ANSWER_COLUMNS; i++)
		if (TupleDescAttr(desc, i)->atttypid != TEXTOID)
			return false;
	return true;
}

static Target *
find_call(FunctionCallInfo fcinfo)
{
	MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	Target	   *target = palloc0(sizeof(Target));
	Oid			oid = find_target(fcinfo->flinfo->fn_oid, &target->route);

	fmgr_info(oid, &target->function);
	target->is_writer = func_volatile(oid) == PROVOLATILE_VOLATILE;
	target->result = JSONOID;
	if (!target->function.fn_retset)
		target->result = get_func_rettype(oid);
	else if (get_func_result_type(oid, NULL, &target->row) !=
			 TYPEFUNC_COMPOSITE)
		not_declared_so(oid);
	if (get_func_result_type(fcinfo->flinfo->fn_oid, NULL, &target->answer) !=
		TYPEFUNC_COMPOSITE || !answer_fits(target))
		not_declared_so(fcinfo->flinfo->fn_oid);
	target->answer = BlessTupleDesc(target->answer);
	MemoryContextSwitchTo(old);
	return target;
}

static Target *
get_call(FunctionCallInfo fcinfo)
{
	if (fcinfo->flinfo->fn_extra == NULL)
		fcinfo->flinfo->fn_extra = find_call(fcinfo);
	return fcinfo->flinfo->fn_extra;
}

/* ---- the call ---- */

/* The rows as a JSON array. */
static Datum
rows_as_json(ReturnSetInfo *result, TupleDesc row)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(row, &TTSOpsMinimalTuple);
	StringInfoData array;

	initStringInfo(&array);
	appendStringInfoChar(&array, '[');
	while (tuplestore_gettupleslot(result->setResult, true, false, slot))
	{
		Datum		value = ExecFetchSlotHeapTupleDatum(slot);
		Datum		object = DirectFunctionCall1(row_to_json, value);

		if (array.len > 1)
			appendStringInfoChar(&array, ',');
		appendStringInfoString(&array, TextDatumGetCString(object));
	}
	appendStringInfoChar(&array, ']');
	ExecDropSingleTupleTableSlot(slot);
	return CStringGetTextDatum(array.data);
}

/* Call one that returns many rows. */
static Datum
call_for_rows(FunctionCallInfo call, const Target *target)
{
	ReturnSetInfo result = {
		.type = T_ReturnSetInfo,
		.econtext = CreateStandaloneExprContext(),
		.expectedDesc = target->row,
		.allowedModes = SFRM_Materialize,
		.returnMode = SFRM_ValuePerCall
	};
	Datum		json;

	call->resultinfo = (Node *) &result;
	(void) FunctionCallInvoke(call);
	if (result.returnMode != SFRM_Materialize)
		elog(ERROR, "unexpected way to return rows");
	json = rows_as_json(&result, target->row);
	tuplestore_end(result.setResult);
	FreeExprContext(result.econtext, true);
	return json;
}

static void
call_target(FunctionCallInfo fcinfo, Target *target, Answer *answer)
{
	LOCAL_FCINFO(call, FUNC_MAX_ARGS);

	InitFunctionCallInfoData(*call, &target->function, PG_NARGS(),
							 fcinfo->fncollation, NULL, NULL);
	memcpy(call->args, fcinfo->args, PG_NARGS() * sizeof(NullableDatum));
	if (target->row != NULL)
	{
		answer->values[ANSWER] = call_for_rows(call, target);
		answer->nulls[ANSWER] = false;
	}
	else
	{
		answer->values[ANSWER] = FunctionCallInvoke(call);
		answer->nulls[ANSWER] = call->isnull;
	}
}

/* ---- the refusal ---- */

/* Does it tell of the call, and not of trouble? */
static bool
is_answer(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case MAKE_SQLSTATE('2', '5', '0', '0', '0'):	/* the transaction */
		case MAKE_SQLSTATE('5', '3', '0', '0', '0'):	/* resources */
		case MAKE_SQLSTATE('5', '7', '0', '0', '0'):	/* the operator */
		case MAKE_SQLSTATE('5', '8', '0', '0', '0'):	/* the system */
		case MAKE_SQLSTATE('X', 'X', '0', '0', '0'):	/* a defect */
			return false;
		default:
			return true;
	}
}

static void
set_text(Answer *answer, int column, const char *text)
{
	if (text == NULL)
		return;
	answer->values[column] = CStringGetTextDatum(text);
	answer->nulls[column] = false;
}

/* Raises what is no answer. */
static void
answer_error(Answer *answer, ErrorData *error)
{
	if (!is_answer(error->sqlerrcode))
		ReThrowError(error);
	set_text(answer, SQLSTATE, unpack_sql_state(error->sqlerrcode));
	set_text(answer, MESSAGE, error->message);
	set_text(answer, DETAIL, error->detail);
	set_text(answer, HINT, error->hint);
	FreeErrorData(error);
}

/* ---- whose bucket ---- */

/* -1: none in particular, or none that can be told. */
static int32
bucket_of_target(FunctionCallInfo fcinfo, const Target *target)
{
	if (target->route == ROUTE_NONE || PG_ARGISNULL(0) ||
		!bucket_is_in_cluster())
		return -1;
	if (target->route == ROUTE_USER)
		return bucket_of_user(PG_GETARG_INT64(0));
	return bucket_of_id(PG_GETARG_INT64(0));
}

/*
 * Refuses with BUCKET_ELSEWHERE what is another node's to answer; else nobody
 * moves the bucket meanwhile. As we may have waited for one that has come, what
 * only reads needs a snapshot that has its rows.
 */
static void
call_where_users_are(FunctionCallInfo fcinfo, Target *target, Answer *answer)
{
	int32		bucket = bucket_of_target(fcinfo, target);

	if (bucket < 0)
	{
		call_target(fcinfo, target, answer);
		return;
	}
	if (!bucket_hold(bucket))
		refusal_raise(refuse_bucket_elsewhere(bucket));
	(void) bucket_cover();
	if (!target->is_writer)
		PushActiveSnapshot(GetTransactionSnapshot());
	call_target(fcinfo, target, answer);
	if (!target->is_writer)
		PopActiveSnapshot();
}

PG_FUNCTION_INFO_V1(commerce_try);

/* Every try_ function: doc/scale.md. */
Datum
commerce_try(PG_FUNCTION_ARGS)
{
	Target	   *target = get_call(fcinfo);
	MemoryContext caller_context = CurrentMemoryContext;
	ResourceOwner caller_owner = CurrentResourceOwner;
	BucketCover before = bucket_cover_now();
	Answer		answer = {.nulls = {true, true, true, true, true}};

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller_context);
	PG_TRY();
	{
		call_where_users_are(fcinfo, target, &answer);
		bucket_uncover(before);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller_context);
		CurrentResourceOwner = caller_owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		bucket_uncover(before);
		MemoryContextSwitchTo(caller_context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller_context);
		CurrentResourceOwner = caller_owner;
		answer.nulls[ANSWER] = true;
		answer_error(&answer, error);
	}
	PG_END_TRY();
	return HeapTupleGetDatum(heap_form_tuple(target->answer, answer.values,
											 answer.nulls));
}
