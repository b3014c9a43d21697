/*
 * gather.c
 *		Where one node has too little: units of the others, or what all have.
 *
 * At a router one session at a time asks all nodes for an option or a policy:
 * gather_now(), in SQL. Those who wait for their turn meanwhile are told what
 * it found, so that the end of a rush asks once for all who come too late.
 */
#include "postgres.h"

#include "base/entry.h"
#include "base/json.h"
#include "base/refusal.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "router/gather.h"
#include "router/shortage.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#define STOCK	"stock"
#define QUOTA	"coupon_quota"

/* What is short, and for whom. */
typedef struct Wanted
{
	const char *counter;
	int64		object_id;
	int64		quantity;
	int32		taker;			/* the node that has too little */
	int64		mark;			/* of before the call */
} Wanted;

/* Has somebody asked all nodes since, and found too little? */
static bool
is_known_short(const Wanted *wanted, int64 *total)
{
	return shortage_known(wanted->counter, wanted->object_id, wanted->mark,
						  total) && *total < wanted->quantity;
}

/* As pg_advisory_xact_lock() names its lock, so that others can see it. */
static LOCKTAG
turn_of(const Wanted *wanted)
{
	char	   *name = psprintf("commerce_router.gather %s", wanted->counter);
	Datum		hash =
		DirectFunctionCall2Coll(hashtextextended, C_COLLATION_OID,
								CStringGetTextDatum(name),
								Int64GetDatum(wanted->object_id));
	uint64		key = DatumGetUInt64(hash);
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (key >> 32),
						 (uint32) key, 1);
	return tag;
}

static bool
gather_now(const Wanted *wanted, int64 *total)
{
	static SPIPlanPtr plan;
	Oid			types[] = {TEXTOID, INT8OID, INT8OID, INT4OID};
	Datum		values[] = {
		CStringGetTextDatum(wanted->counter),
		Int64GetDatum(wanted->object_id), Int64GetDatum(wanted->quantity),
		Int32GetDatum(wanted->taker)
	};
	bool		is_null;

	SPI_connect();
	if (plan == NULL)
	{
		SPIPlanPtr	prepared =
			SPI_prepare("SELECT commerce_router.gather_now($1, $2, $3, $4)",
						lengthof(types), types);

		if (prepared == NULL || SPI_keepplan(prepared) != 0)
			elog(ERROR, "could not prepare to look at the other nodes");
		plan = prepared;
	}
	if (SPI_execute_plan(plan, values, NULL, false, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "could not look at the other nodes");
	*total = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
										 SPI_tuptable->tupdesc, 1, &is_null));
	SPI_finish();
	return !is_null;
}

/*
 * Do all nodes together have too little? Else the taker may have enough now.
 * What is found is known to others at once, and what was moved is committed:
 * the turn ends here, so that nobody has one while it waits for another.
 */
static bool
gather(const Wanted *wanted, int64 *total)
{
	LOCKTAG		turn;
	bool		is_short;

	if (is_known_short(wanted, total))
		return true;
	turn = turn_of(wanted);
	(void) LockAcquire(&turn, ExclusiveLock, false, false);
	is_short = is_known_short(wanted, total) || gather_now(wanted, total);
	LockRelease(&turn, ExclusiveLock, false);
	return is_short;
}

pg_noreturn static void
unexpected_detail(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("a refusal has not the DETAIL that its SQLSTATE has")));
}

/* An element of shortages: {"available": a, "option_id": b, "requested": c}. */
static void
read_shortage(JsonbValue *shortage, int64 *option_id, uint64 *requested)
{
	JsonbContainer *object = shortage->val.binary.data;
	JsonbValue	value;
	int64		number;

	if (shortage->type != jbvBinary || !JsonContainerIsObject(object) ||
		!json_whole_number(json_get(object, "option_id", &value), PG_INT64_MIN,
						   PG_INT64_MAX, option_id) ||
		json_get(object, "requested", &value) == NULL)
		unexpected_detail();
	*requested = json_whole_number(&value, 0, PG_INT64_MAX, &number) ?
		(uint64) number : (uint64) PG_INT64_MAX + 1;
}

/* For the DETAIL of SC301; NULL: to be tried again. */
static Refusal *
gather_stock(Jsonb *refused, int32 taker, int64 mark)
{
	RefusalOptions *options = NULL;
	JsonbValue	value;
	JsonbValue *shortages = JB_ROOT_IS_OBJECT(refused) ?
		json_get(&refused->root, "shortages", &value) : NULL;
	JsonbContainer *list;
	int			count;

	if (shortages == NULL || shortages->type != jbvBinary ||
		!JsonContainerIsArray(shortages->val.binary.data))
		unexpected_detail();
	list = shortages->val.binary.data;
	count = JsonContainerSize(list);
	for (int i = 0; i < count; i++)
	{
		Wanted		wanted = {.counter = STOCK, .taker = taker, .mark = mark};
		uint64		requested;
		int64		total;

		read_shortage(getIthJsonbValueFromContainer(list, i),
					  &wanted.object_id, &requested);
		wanted.quantity = Min(requested, (uint64) PG_INT64_MAX);
		if (gather(&wanted, &total))
			refusal_add_option(&options, count, wanted.object_id, requested,
							   total);
	}
	return options ? refuse_insufficient_stock(options) : NULL;
}

static Jsonb *
parse_detail(const char *detail)
{
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
											  CStringGetDatum(detail)));
}

/* For the DETAIL of SC203; false: to be tried again. */
static bool
gather_quota(Jsonb *refused, int32 taker, int64 mark)
{
	Wanted		wanted = {
		.counter = QUOTA, .quantity = 1, .taker = taker, .mark = mark
	};
	JsonbValue	value;
	int64		total;

	if (!JB_ROOT_IS_OBJECT(refused) ||
		!json_whole_number(json_get(&refused->root, "policy_id", &value),
						   PG_INT64_MIN, PG_INT64_MAX, &wanted.object_id))
		unexpected_detail();
	return gather(&wanted, &total);
}

bool
gather_for_answer(Answer *answer, int32 taker, int64 mark)
{
	const char *sqlstate = answer->texts[SQLSTATE];
	const Refusal *refusal;

	if (sqlstate == NULL || answer->texts[DETAIL] == NULL)
		return true;
	if (strcmp(sqlstate, "SC203") == 0)
		return gather_quota(parse_detail(answer->texts[DETAIL]), taker, mark);
	if (strcmp(sqlstate, "SC301") != 0)
		return true;
	refusal = gather_stock(parse_detail(answer->texts[DETAIL]), taker, mark);
	if (refusal == NULL)
		return false;
	answer->texts[MESSAGE] = pstrdup(refusal_message(refusal));
	answer->texts[DETAIL] = pstrdup(refusal_detail(refusal));
	return true;
}

static Entry gather_entry = {
	.arguments = {
		{"counter", TEXTOID},
		{"object_id", INT8OID},
		{"wanted", INT8OID},
		{"taker", INT4OID},
		{"since", INT8OID}
	},
	.type = INT8OID
};

/* The same for functions that SQL routes: the total, or NULL. */
ENTRY_POINT(gather)
{
	Wanted		wanted = {
		.counter = text_to_cstring(PG_GETARG_TEXT_PP(0)),
		.object_id = PG_GETARG_INT64(1),
		.quantity = PG_GETARG_INT64(2),
		.taker = PG_GETARG_INT32(3),
		.mark = PG_GETARG_INT64(4)
	};
	int64		total;

	if (!gather(&wanted, &total))
		PG_RETURN_NULL();
	PG_RETURN_INT64(total);
}

static Entry gather_stock_entry = {
	.arguments = {
		{"refused", JSONBOID},
		{"taker", INT4OID},
		{"since", INT8OID}
	},
	.type = TEXTARRAYOID
};

/* Message and DETAIL of the refusal, or NULL. */
ENTRY_POINT(gather_stock)
{
	Refusal    *refusal = gather_stock(PG_GETARG_JSONB_P(0),
									   PG_GETARG_INT32(1), PG_GETARG_INT64(2));
	Datum		texts[2];

	if (refusal == NULL)
		PG_RETURN_NULL();
	texts[0] = CStringGetTextDatum(refusal_message(refusal));
	texts[1] = CStringGetTextDatum(refusal_detail(refusal));
	PG_RETURN_ARRAYTYPE_P(construct_array(texts, lengthof(texts), TEXTOID, -1,
										  false, TYPALIGN_INT));
}
