/*
 * forward.h
 *		A call of a function of the shop, at a node.
 *
 * A router's function has a namesake in the schema commerce_router, which takes
 * a node's connection string first and calls try_... there, by PL/Proxy.
 * Source: doc/scale.md.
 */
#ifndef COMMERCE_FORWARD_H
#define COMMERCE_FORWARD_H

#include "postgres.h"

#include "fmgr.h"
#include "router/map.h"

/* The columns of an answer, all of them text. */
typedef enum AnswerColumn
{
	ANSWER,
	SQLSTATE,
	MESSAGE,
	DETAIL,
	HINT,
	ANSWER_COLUMNS
} AnswerColumn;

typedef struct Answer
{
	char	   *texts[ANSWER_COLUMNS];	/* NULL where NULL */
} Answer;

/* Where a call goes, by what it is told first. */
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

/* How the function that runs is forwarded; kept with it. */
extern Forward *forward_of(FunctionCallInfo fcinfo);

/*
 * Call it at the node. Raises SC901 where that is away, and an error of the
 * node's with its number.
 */
extern Answer forward_call(FunctionCallInfo fcinfo, Forward *forward,
						   const MapNode *node);

/* The answer as the function's result; not NULL. */
extern Datum forward_result(Forward *forward, const Answer *answer);

/* Raise SC901; why is for the log. */
pg_noreturn extern void forward_unavailable(const MapNode *node,
											const char *why);

/* Was the node away when this session called it last? */
extern bool forward_is_away(const MapNode *node);

/* It has answered. */
extern void forward_is_back(const MapNode *node);

#endif							/* COMMERCE_FORWARD_H */
