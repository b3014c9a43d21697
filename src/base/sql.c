/*
 * sql.c
 *		Run a fixed SQL statement as the extension's owner.
 *
 * For the paths where SQL is at its best: reports, sweeps, payloads. They
 * may be called by a role that may not touch the tables, so the statements
 * run as the owner; an error puts the caller's identity back with the
 * transaction state.
 *
 * Kept plans survive DROP and CREATE EXTENSION: the plan cache analyses the
 * text anew when what it names has changed.
 */
#include "postgres.h"

#include "base/bucket_lock.h"
#include "base/sql.h"
#include "base/stop.h"
#include "base/tables.h"
#include "miscadmin.h"

static void
begin(SqlRun *run, bool reading)
{
	run->reading = reading;
	SPI_connect();
	GetUserIdAndSecContext(&run->caller_id, &run->caller_context);
	SetUserIdAndSecContext(extension_owner(),
						   run->caller_context | SECURITY_LOCAL_USERID_CHANGE);
}

void
sql_begin_read(SqlRun *run)
{
	begin(run, true);
}

void
sql_begin_write(SqlRun *run, const char *function)
{
	PreventCommandIfReadOnly(function);
	PreventCommandIfParallelMode(function);
	bucket_begin_write();
	begin(run, false);
}

void
sql_end(SqlRun *run)
{
	SetUserIdAndSecContext(run->caller_id, run->caller_context);
	SPI_finish();
}

void
sql_run(SqlRun *run, SqlStatement *statement, Datum *arguments)
{
	int			result;

	if (statement->plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(statement->text,
									   statement->argument_count,
									   statement->argument_types);

		if (plan == NULL)
			elog(ERROR, "could not prepare: %s",
				 SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
		statement->plan = plan;
	}

	stop_point("sql_run");
	result = SPI_execute_plan(statement->plan, arguments, NULL,
							  run->reading, 0);
	if (result < 0)
		elog(ERROR, "could not execute: %s", SPI_result_code_string(result));
}

int64
sql_int64(SqlRun *run, SqlStatement *statement, Datum *arguments)
{
	bool		isnull;
	Datum		value;

	sql_run(run, statement, arguments);
	Assert(SPI_processed == 1);
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
						  &isnull);
	return DatumGetInt64(value);
}

bool
sql_row(const char *function, SqlStatement *statement, Datum *arguments,
		Datum *row)
{
	SqlRun		run;
	bool		isnull;
	bool		found;

	sql_begin_write(&run, function);
	sql_run(&run, statement, arguments);
	found = SPI_processed > 0;
	if (found)
	{
		*row = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
							 &isnull);
		*row = SPI_datumTransfer(*row, false, -1);
	}
	sql_end(&run);
	return found;
}
