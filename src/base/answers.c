/*
 * answers.c
 *		The rows that a batch returns, one for each request.
 */
#include "postgres.h"

#include "base/answers.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/tuplestore.h"

void
answers_begin(Answers *answers, FunctionCallInfo fcinfo)
{
	memset(answers, 0, sizeof(Answers));
	answers->fcinfo = fcinfo;
	InitMaterializedSRF(fcinfo, 0);
}

void
answers_add(Answers *answers, const Refusal *refusal, Datum first,
			Datum second)
{
	ReturnSetInfo *result = (ReturnSetInfo *) answers->fcinfo->resultinfo;
	Datum		values[5] = {first, second};
	bool		nulls[5] = {false, refusal != NULL, true, true, true};

	if (refusal == NULL)
		answers->accepted++;
	else
	{
		const char *detail = refusal_detail(refusal);

		values[2] = CStringGetTextDatum(refusal_sqlstate(refusal));
		values[3] = CStringGetTextDatum(refusal_message(refusal));
		values[4] = DirectFunctionCall1(jsonb_in, CStringGetDatum(detail));
		nulls[2] = nulls[3] = nulls[4] = false;
		answers->refused[refusal->code]++;
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

void
answers_end(const Answers *answers, Metric metric)
{
	metrics_add_calls(metric, 0, answers->accepted);
	for (RefusalCode code = 0; code < REFUSAL_COUNT; code++)
		metrics_add_calls(metric, refusal_errcode(code),
						  answers->refused[code]);
}
