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

/* List them: doc/reference.md, Operation. */
ENTRY_POINT(member_columns)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

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
