/*
 * outbox_claim.c
 *		Leasing events to who transmits them: claim, ack, what is due.
 *
 * Claimers skip each other's rows and so never wait; ack locks in ascending
 * order of event_id and so never deadlocks with another ack.
 *
 * What is handed out must not be undone by a crash: an order may have been
 * committed with synchronous_commit off, so its commit record may still be in
 * memory. Whatever claim_events sees was committed, and thus logged, before
 * its own update is; flushing up to that covers it. Its own commit is forced
 * to be synchronous for the same reason.
 *
 * Every claim and every ack leaves a dead entry at the front of the index that
 * the next one starts from. While somebody holds an old snapshot (a dump, say)
 * these cannot be removed, and walking over them would soon be all a claim
 * does. So a session remembers where it found the first live entry, and starts
 * there. That alone could miss an event: one of a transaction that took longer
 * than LOOK_BACK_MS, one that another session gave back. So it also looks from
 * the very beginning: every time while there are few dead entries, and else
 * after as many claims, or as much time, as make the walk a small part of the
 * whole.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "base/args.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/entry.h"
#include "base/sql.h"
#include "base/tables.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "funcapi.h"
#include "shop/order_json.h"
#include "shop/outbox.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

/* Transactions shorter than this cannot hide their events. */
#define LOOK_BACK_MS			3000

/* Dead entries that a claim may walk over without being thrifty. */
#define FEW_DEAD_ENTRIES		1000

/* How long an event may be missed for thrift. */
#define LOOK_EVERYWHERE_MS		10000

/* ---- where to look ---- */

/* A search in the order of an index whose first column is a time. */
typedef struct Look
{
	const char *index;
	ColumnId	column;
	TimestampTz first;			/* the first live entry's, until now */
	TimestampTz from;			/* where to start: nothing was before */
	int64		thrifty_looks;	/* so many more may start there */
	int64		thrifty_until_ms;	/* and until then */
} Look;

static Look available = {
	.index = "outbox_available_idx", .column = OUTBOX_NEXT_ATTEMPT_AT
};
static Look running = {
	.index = "outbox_running_idx", .column = OUTBOX_LOCKED_UNTIL
};

/*
 * The first time of a live entry between two, or DT_NOEND; counts the dead
 * entries before it.
 */
static TimestampTz
first_live(Relation outbox, Relation index, AttrNumber column,
		   TimestampTz from, TimestampTz until, int64 *dead)
{
	IndexScanDesc scan = compat_index_beginscan(outbox, index,
												GetActiveSnapshot(), 2);
	TupleTableSlot *slot = table_slot_create(outbox, NULL);
	TimestampTz first = DT_NOEND;
	ScanKeyData keys[2];
	bool		isnull;

	ScanKeyInit(&keys[0], 1, BTGreaterEqualStrategyNumber, F_TIMESTAMPTZ_GE,
				TimestampTzGetDatum(from));
	ScanKeyInit(&keys[1], 1, BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE,
				TimestampTzGetDatum(until));
	index_rescan(scan, keys, 2, NULL, 0);
	*dead = 0;
	while (index_getnext_tid(scan, ForwardScanDirection) != NULL)
	{
		if (index_fetch_heap(scan, slot))
		{
			first = DatumGetTimestampTz(slot_getattr(slot, column, &isnull));
			break;
		}
		(*dead)++;
	}
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
	return first;
}

/* Is this the index to look along? */
static bool
is_index_of(Look *look, Relation index)
{
	return strcmp(RelationGetRelationName(index), look->index) == 0 &&
		index->rd_index->indisvalid &&
		index->rd_rel->relam == BTREE_AM_OID &&
		index->rd_index->indkey.values[0] ==
		table_attnums(TABLE_OUTBOX)[look->column] &&
		index->rd_opcintype[0] == TIMESTAMPTZOID &&
		index->rd_indoption[0] == 0;
}

/* Find the first live entry, thriftily or not. */
static void
look_along(Look *look, Relation outbox, Relation index, TimestampTz now)
{
	bool		is_thrifty = look->thrifty_looks > 0 &&
		clock_ms() < look->thrifty_until_ms;
	int64		dead;

	look->first = first_live(outbox, index,
							 table_attnums(TABLE_OUTBOX)[look->column],
							 is_thrifty ? look->from : DT_NOBEGIN, now, &dead);
	if (is_thrifty)
		look->thrifty_looks--;
	else
	{
		look->thrifty_looks = dead / FEW_DEAD_ENTRIES;
		look->thrifty_until_ms = clock_ms() + LOOK_EVERYWHERE_MS;
	}
}

/*
 * Find out where a search is to start that happens now: at the beginning if
 * the index is gone.
 */
static void
look_for_start(Look *look, TimestampTz now)
{
	Relation	outbox = table_open(table_oid(TABLE_OUTBOX), AccessShareLock);
	ListCell   *cell;

	look->first = DT_NOBEGIN;
	foreach(cell, RelationGetIndexList(outbox))
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (is_index_of(look, index))
			look_along(look, outbox, index, now);
		index_close(index, AccessShareLock);
	}
	table_close(outbox, AccessShareLock);
	look->from = Min(look->first,
					 TimestampTzPlusMilliseconds(now, -LOOK_BACK_MS));
}

bool
outbox_has_due(void)
{
	TimestampTz now = GetCurrentTimestamp();

	look_for_start(&available, now);
	look_for_start(&running, now);
	return available.first != DT_NOEND || running.first != DT_NOEND;
}

/* ---- claim ---- */

/* End lapsed leases; $1 how many at most, $2 now, $3 where to start. */
static SqlStatement end_lapsed_leases = {
	.text = "UPDATE commerce.outbox o"
	" SET status = CASE WHEN o.attempt < o.max_attempts"
	"			THEN 'available'::commerce.event_status ELSE 'dead' END,"
	"	locked_until = NULL, next_attempt_at = $2,"
	"	last_error = 'the lease lapsed'"
	" FROM (SELECT event_id FROM commerce.outbox"
	"		WHERE status = 'running' AND locked_until <= $2 AND locked_until >= $3"
	"		ORDER BY locked_until LIMIT $1 FOR UPDATE SKIP LOCKED) lapsed"
	" WHERE o.event_id = lapsed.event_id",
	.argument_count = 3,
	.argument_types = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID}
};

/*
 * Lease due events; $1 how many at most, $2 now, $3 where to start, $4 the
 * lease's end.
 */
static SqlStatement claim_due = {
	.text = "WITH due AS MATERIALIZED ("
	"	SELECT o.event_id FROM commerce.outbox o"
	"	WHERE o.status = 'available' AND o.next_attempt_at <= $2"
	"	AND o.next_attempt_at >= $3"
	"	AND NOT EXISTS ("
	"		SELECT FROM commerce.outbox e"
	"		WHERE e.order_id = o.order_id AND e.event_id < o.event_id"
	"		AND e.status IN ('available', 'running', 'dead'))"
	"	ORDER BY o.next_attempt_at, o.event_id LIMIT $1"
	"	FOR UPDATE SKIP LOCKED),"
	" claimed AS ("
	"	UPDATE commerce.outbox o"
	"	SET status = 'running', attempt = o.attempt + 1, locked_until = $4"
	"	FROM due WHERE o.event_id = due.event_id"
	"	RETURNING o.event_id, o.event_type, o.order_id, o.attempt, o.created_at,"
	"		o.refund)"
	" SELECT c.event_id, c.event_type, c.order_id, c.attempt,"
	"	jsonb_build_object('event_id', c.event_id,"
	"		'event_type', c.event_type, 'order_id', c.order_id,"
	"		'occurred_at', c.created_at,"
	"		'order', (SELECT " ORDER_AS_JSONB("o")
	"			FROM commerce.orders o WHERE o.order_id = c.order_id))"
	"	|| CASE WHEN c.refund IS NULL THEN '{}'"
	"		ELSE jsonb_build_object('refund', c.refund) END"
	" FROM claimed c ORDER BY c.event_id",
	.argument_count = 4,
	.argument_types = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID}
};

/* Copy the statement's rows to the result of the function. */
static void
return_rows(ReturnSetInfo *result)
{
	for (uint64 i = 0; i < SPI_processed; i++)
		tuplestore_puttuple(result->setResult, SPI_tuptable->vals[i]);
}

static Entry claim_events_entry = {
	.arguments = {{"batch_size", INT4OID}, {"lease", INTERVALOID}},
	.columns = {INT8OID, TEXTOID, INT8OID, INT4OID, JSONBOID}
};

PG_FUNCTION_INFO_V1(commerce_claim_events);

/* Lease due events to the caller: README, Outbox. */
Datum
commerce_claim_events(PG_FUNCTION_ARGS)
{
	int32		batch_size;
	Interval   *lease;
	TimestampTz now = GetCurrentTimestamp();
	Datum		arguments[4];
	SqlRun		run;

	entry_check(fcinfo, &claim_events_entry);
	batch_size = PG_GETARG_INT32(0);
	if (batch_size < 1)
		args_invalid("batch_size", "be at least 1");
	lease = args_interval(fcinfo, 1, "lease", true);
	arguments[0] = Int64GetDatum(batch_size);
	arguments[1] = TimestampTzGetDatum(now);
	arguments[3] = TimestampTzGetDatum(args_add_interval(now, lease));
	InitMaterializedSRF(fcinfo, 0);

	sql_begin_write(&run, "claim_events()");
	look_for_start(&running, now);
	arguments[2] = TimestampTzGetDatum(running.from);
	sql_run(&run, &end_lapsed_leases, arguments);
	look_for_start(&available, now);
	arguments[2] = TimestampTzGetDatum(available.from);
	sql_run(&run, &claim_due, arguments);
	return_rows((ReturnSetInfo *) fcinfo->resultinfo);
	if (SPI_processed > 0)
	{
		XLogFlush(XactLastRecEnd);
		ForceSyncCommit();
	}
	sql_end(&run);
	return (Datum) 0;
}

/* ---- ack ---- */

/* What a caller says it has delivered. */
typedef struct Ack
{
	int64		event_id;
	int32		attempt;
} Ack;

/* By event_id, the latest attempt first. */
static int
compare_acks(const void *a, const void *b)
{
	const Ack  *ack = a;
	const Ack  *other = b;

	if (ack->event_id != other->event_id)
		return ack->event_id < other->event_id ? -1 : 1;
	return (ack->attempt < other->attempt) - (ack->attempt > other->attempt);
}

/* The acks in the two arrays, sorted; a NULL acks nothing. */
static Ack *
read_acks(ArrayType *event_ids, ArrayType *attempts, int *count)
{
	Datum	   *ids;
	Datum	   *numbers;
	bool	   *id_nulls;
	bool	   *number_nulls;
	int			id_count;
	int			number_count;
	Ack		   *acks;

	deconstruct_array(event_ids, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &ids, &id_nulls, &id_count);
	deconstruct_array(attempts, INT4OID, sizeof(int32), true,
					  TYPALIGN_INT, &numbers, &number_nulls, &number_count);
	if (id_count != number_count)
		args_invalid("attempts", "have as many elements as event_ids");

	acks = palloc(sizeof(Ack) * id_count);
	*count = 0;
	for (int i = 0; i < id_count; i++)
	{
		if (id_nulls[i] || number_nulls[i])
			continue;
		acks[*count].event_id = DatumGetInt64(ids[i]);
		acks[(*count)++].attempt = DatumGetInt32(numbers[i]);
	}
	qsort(acks, *count, sizeof(Ack), compare_acks);
	return acks;
}

/* Mark an event delivered if the ack is for its current lease. */
static bool
deliver(Work *work, const Ack *ack)
{
	Row		   *event = row_lock(work, TABLE_OUTBOX,
								 Int64GetDatum(ack->event_id));
	Row		   *changed;

	if (event == NULL || !row_is(event, OUTBOX_STATUS, EVENT_RUNNING) ||
		row_int32(event, OUTBOX_ATTEMPT) != ack->attempt)
		return false;
	changed = row_change(event);
	row_set_enum(changed, OUTBOX_STATUS, EVENT_DELIVERED);
	row_set(changed, OUTBOX_DELIVERED_AT,
			TimestampTzGetDatum(GetCurrentTimestamp()));
	row_set_null(changed, OUTBOX_LOCKED_UNTIL);
	row_update(event, changed);
	return true;
}

static Entry ack_events_entry = {
	.arguments = {
		{"event_ids", INT8ARRAYOID, true},
		{"attempts", INT4ARRAYOID, true}
	},
	.type = INT8OID
};

PG_FUNCTION_INFO_V1(commerce_ack_events);

/* Mark claimed events delivered: README, Outbox. */
Datum
commerce_ack_events(PG_FUNCTION_ARGS)
{
	Ack		   *acks;
	int			count;
	int64		delivered = 0;
	int64		last_delivered = 0;
	Work		work;

	entry_check(fcinfo, &ack_events_entry);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_INT64(0);
	acks = read_acks(PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_ARRAYTYPE_P(1), &count);

	row_begin_write(&work, "ack_events()");
	for (int i = 0; i < count; i++)
	{
		/* What this call wrote must not be touched again. */
		if (delivered > 0 && acks[i].event_id == last_delivered)
			continue;
		if (deliver(&work, &acks[i]))
		{
			last_delivered = acks[i].event_id;
			delivered++;
		}
	}
	row_end(&work);
	PG_RETURN_INT64(delivered);
}
