/*
 * entry.c
 *		Entry points: is a function declared as the C code expects it?
 *
 * A declaration is proved once a session, and again after any function was
 * changed.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/entry.h"
#include "base/stop.h"
#include "base/tables.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

/* Counts changes of functions. */
static uint32 generation_now = 1;

static void
function_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	generation_now++;
}

static int
argument_count(const Entry *entry)
{
	int			count = 0;

	while (count < ENTRY_MAX_ARGUMENTS && entry->arguments[count].name)
		count++;
	return count;
}

/* Has any version declared so many, the first ones? */
static bool
count_fits(const Entry *entry, int count)
{
	int			known = argument_count(entry);

	if (count > known)
		return false;
	return count == known || (entry->arguments[count].since > 0 &&
							  (count == 0 || entry->arguments[count].since >
							   entry->arguments[count - 1].since));
}

static bool
arguments_fit(const Entry *entry, Form_pg_proc proc)
{
	if (!count_fits(entry, proc->pronargs))
		return false;
	for (int i = 0; i < proc->pronargs; i++)
		if (proc->proargtypes.values[i] != entry->arguments[i].type)
			return false;
	return true;
}

/* Are the OUT and TABLE columns those of the entry? */
static bool
columns_fit(const Entry *entry, HeapTuple tuple)
{
	TupleDesc	desc = build_function_result_tupdesc_t(tuple);

	if (desc == NULL || desc->natts > ENTRY_MAX_COLUMNS)
		return false;
	for (int i = 0; i < ENTRY_MAX_COLUMNS; i++)
	{
		Oid			type = i < desc->natts ?
			TupleDescAttr(desc, i)->atttypid : InvalidOid;

		if (type != entry->columns[i])
			return false;
	}
	return true;
}

static bool
result_fits(const Entry *entry, HeapTuple tuple)
{
	Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(tuple);

	if (OidIsValid(entry->columns[0]))
		return proc->proretset && columns_fit(entry, tuple);
	if (proc->proretset)
		return false;
	if (entry->row != NULL)
		return proc->prorettype ==
			get_rel_type_id(get_relname_relid(entry->row, extension_schema()));
	return proc->prorettype == entry->type;
}

/* "user_id bigint, name text" */
static char *
describe_arguments(const Entry *entry)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < argument_count(entry); i++)
		appendStringInfo(&text, "%s%s %s", i > 0 ? ", " : "",
						 entry->arguments[i].name,
						 format_type_be(entry->arguments[i].type));
	return text.data;
}

static char *
describe_result(const Entry *entry)
{
	StringInfoData text;

	if (entry->row != NULL)
		return psprintf("commerce.%s", entry->row);
	if (!OidIsValid(entry->columns[0]))
		return format_type_be(entry->type);
	initStringInfo(&text);
	for (int i = 0; i < ENTRY_MAX_COLUMNS && OidIsValid(entry->columns[i]); i++)
		appendStringInfo(&text, "%s%s", i > 0 ? ", " : "TABLE (",
						 format_type_be(entry->columns[i]));
	appendStringInfoChar(&text, ')');
	return text.data;
}

static void
prove(FunctionCallInfo fcinfo, Entry *entry)
{
	Oid			function = fcinfo->flinfo->fn_oid;
	uint32		generation = generation_now;
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		fits = false;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(tuple);

		fits = proc->prokind == PROKIND_FUNCTION &&
			PG_NARGS() == proc->pronargs &&
			arguments_fit(entry, proc) && result_fits(entry, tuple);
		ReleaseSysCache(tuple);
	}
	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				 errmsg("function %s is not declared as the library of the extension commerce expects",
						format_procedure(function)),
				 errdetail("It expects the arguments (%s) and the result %s.",
						   describe_arguments(entry), describe_result(entry))));
	entry->proved = function;
	entry->generation = generation;
}

static void
check_nulls(FunctionCallInfo fcinfo, const Entry *entry)
{
	for (int i = 0; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i) && !entry->arguments[i].nullable)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be null", entry->arguments[i].name)));
}

static Datum
run_counted(FunctionCallInfo fcinfo, const Entry *entry, Metric metric,
			Datum (*call) (FunctionCallInfo))
{
	Datum		result;

	PG_TRY();
	{
		check_nulls(fcinfo, entry);
		result = call(fcinfo);
	}
	PG_CATCH();
	{
		metrics_add_calls(metric, geterrcode(), 1);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (!entry->is_batch)
		metrics_add_calls(metric, 0, 1);
	return result;
}

Datum
entry_run(FunctionCallInfo fcinfo, Entry *entry, Metric metric,
		  Datum (*call) (FunctionCallInfo))
{
	Datum		result;

	if (unlikely(fcinfo->flinfo->fn_oid != entry->proved ||
				 entry->generation != generation_now))
		prove(fcinfo, entry);
	stop_call_begin();
	if (metrics_are_kept())
		result = run_counted(fcinfo, entry, metric, call);
	else
	{
		check_nulls(fcinfo, entry);
		result = call(fcinfo);
	}
	stop_call_end();
	return result;
}

void
entry_init(void)
{
	CacheRegisterSyscacheCallback(PROCOID, function_changed, (Datum) 0);
}
