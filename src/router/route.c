/*
 * route.c
 *		Every function of the shop on a router: the call goes to a node.
 *
 * A function of the schema commerce here has this one as its C function. Which
 * node a call is for its arguments say; forward.c calls it. A refusal comes
 * back as a value, and is raised here as it was.
 *
 * Three refusals are not the last word. The node may have given the user's
 * bucket away: the router asks who has it, until somebody does, and notes that
 * once it was right. Or it has too little of an option, or of a policy's quota:
 * gather.c.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/args.h"
#include "base/bucket.h"
#include "base/entry.h"
#include "base/ids.h"
#include "base/refusal.h"
#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "router/forward.h"
#include "router/gather.h"
#include "router/map.h"
#include "router/shortage.h"
#include "utils/builtins.h"

/* So often is a call tried again, after a pause that grows. */
#define MAX_TRIES		100
#define PAUSE_US		1000
#define MAX_PAUSE_US	50000

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

/* Ask one node after the other, until one knows the object. */
static bool
ask_each(FunctionCallInfo fcinfo, Forward *forward, const MapNode **node,
		 Answer *answer)
{
	int			count;

	for (int i = 0; i < (map_nodes(&count), count); i++)
	{
		*node = &map_nodes(&count)[i];
		*answer = forward_call(fcinfo, forward, *node);
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
	return forward_call(fcinfo, forward, *node);
}

/* ---- not the last word ---- */

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
	Forward    *forward = forward_of(fcinfo);
	const MapNode *node = NULL;
	int32		bucket;
	int32		found = 0;
	int64		mark = shortage_mark();
	Answer		answer;

	if (forward->is_writer)
		check_top_level(forward->name);

	bucket = bucket_of_call(fcinfo, forward);
	if (bucket >= 0 && forward_is_away(map_node_of_bucket(bucket)))
		found = await_bucket(bucket);	/* it may have moved before */
	for (int tries = 1;; tries++)
	{
		pause_before(tries);
		answer = ask(fcinfo, forward, bucket, found, &node);
		if (bucket_is_elsewhere(&answer))
			found = bucket >= 0 ? await_bucket(bucket) : 0;
		else if (gather_for_answer(&answer, node->node_no, mark))
			break;
		if (tries == MAX_TRIES)
			forward_unavailable(node, answer.texts[MESSAGE]);
	}
	forward_is_back(node);
	if (found != 0)
		learn_bucket(bucket, found);
	if (answer.texts[SQLSTATE] != NULL)
		refusal_raise_texts(answer.texts[SQLSTATE], answer.texts[MESSAGE],
							answer.texts[DETAIL], answer.texts[HINT]);
	if (forward->route == ROUTE_HOME && forward->is_writer)
		wait_for_catalogue();
	if (answer.texts[ANSWER] == NULL)
		PG_RETURN_NULL();
	return forward_result(forward, &answer);
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
