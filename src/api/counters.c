/*
 * counters.c
 *		Lists what was counted since the server started.
 */
#include "postgres.h"

#include "base/entry.h"
#include "base/metrics.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "notify/notify.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

enum
{
	NAME, FUNCTION, SQLSTATE, SUBSCRIPTION_NO, OUTCOME, VALUE, COLUMN_COUNT
};

typedef struct MetricDef
{
	const char *name;
	const char *function;
	const char *outcome;
} MetricDef;

static const MetricDef metric_defs[METRIC_COUNT] = {
#define CALLS(function)			{"commerce_calls_total", #function, NULL},
#define DELIVERIES(id, outcome) {"commerce_deliveries_total", NULL, outcome},
#define COUNTER(id, name)		{name, NULL, NULL},
#include "base/metrics.def"
};

static void
add_row(ReturnSetInfo *result, const MetricDef *def, const MetricValue *value)
{
	Datum		values[COLUMN_COUNT] = {0};
	bool		nulls[COLUMN_COUNT] = {false, true, true, true, true, false};

	values[NAME] = CStringGetTextDatum(def->name);
	values[VALUE] = Int64GetDatum(value->value);
	if (def->function != NULL)
	{
		values[FUNCTION] = CStringGetTextDatum(def->function);
		values[SQLSTATE] =
			CStringGetTextDatum(unpack_sql_state(value->sqlstate));
		nulls[FUNCTION] = nulls[SQLSTATE] = false;
	}
	if (def->outcome != NULL)
	{
		values[SUBSCRIPTION_NO] = Int32GetDatum(value->subscription_no);
		values[OUTCOME] = CStringGetTextDatum(def->outcome);
		nulls[SUBSCRIPTION_NO] = nulls[OUTCOME] = false;
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static Entry counters_entry = {
	.columns = {TEXTOID, TEXTOID, TEXTOID, INT4OID, TEXTOID, INT8OID}
};

/* What metrics() needs of shared memory: doc/reference.md, Operation. */
ENTRY_POINT(counters)
{
	static const MetricDef notifier = {.name = "commerce_notifier_running"};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MetricValue running = {.value = notify_is_served(MyDatabaseId)};
	MetricValue *values;
	int			count = metrics_read(&values);

	InitMaterializedSRF(fcinfo, 0);
	add_row(result, &notifier, &running);
	for (int i = 0; i < count; i++)
		add_row(result, &metric_defs[values[i].metric], &values[i]);
	return (Datum) 0;
}
