/*
 * member_columns.c
 *		Which columns of the tables are the extension's own.
 */
#include "postgres.h"

#include "base/entry.h"
#include "base/tables.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

static Entry member_columns_entry = {
	.columns = {TEXTOID, TEXTOID}
};

PG_FUNCTION_INFO_V1(commerce_member_columns);

/* List them: doc/reference.md, Operation. */
Datum
commerce_member_columns(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	entry_check(fcinfo, &member_columns_entry);
	InitMaterializedSRF(fcinfo, 0);
	for (TableId table = 0; table < TABLE_COUNT; table++)
	{
		for (ColumnId column = 1; column <= table_column_count(table); column++)
		{
			Datum		values[2] = {
				CStringGetTextDatum(table_name(table)),
				CStringGetTextDatum(table_column_name(table, column))
			};
			bool		nulls[2] = {false, false};

			tuplestore_putvalues(result->setResult, result->setDesc, values,
								 nulls);
		}
	}
	return (Datum) 0;
}
