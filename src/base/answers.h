/*
 * answers.h
 *		The rows that a batch returns, one for each request.
 */
#ifndef COMMERCE_ANSWERS_H
#define COMMERCE_ANSWERS_H

#include "base/metrics.h"
#include "base/refusal.h"
#include "fmgr.h"

typedef struct Answers
{
	FunctionCallInfo fcinfo;
	int64		accepted;
	int64		refused[REFUSAL_COUNT];
} Answers;

/* For a function that returns a set of rows of five columns. */
extern void answers_begin(Answers *answers, FunctionCallInfo fcinfo);

/*
 * Add a row: two columns, the second of them NULL if it is refused, and
 * sqlstate, message and detail of the refusal, all NULL if it is not.
 */
extern void answers_add(Answers *answers, const Refusal *refusal,
						Datum first, Datum second);

/* All rows are there: count the requests as calls, a CALLS_. */
extern void answers_end(const Answers *answers, Metric metric);

#endif							/* COMMERCE_ANSWERS_H */
