/*
 * outbox_claim.c
 *		Leasing events to whoever transmits them.
 *
 * Claimers skip each other's rows and so never wait.
 *
 * What is handed out must not be undone by a crash: an order may have been
 * committed with synchronous_commit off, so its commit record may still be in
 * memory. Whatever claim_events sees was committed, and thus logged, before
 * its own update is; flushing up to that covers it. Its own commit is forced
 * to be synchronous for the same reason.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "base/args.h"
#include "base/entry.h"
#include "base/sql.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "shop/order_json.h"
#include "shop/outbox_due.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#define MAX_BATCH_SIZE	10000
#define MAX_LEASE_S		(24 * 3600)

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

/* Lease due events to the caller: doc/reference.md, Outbox. */
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
	if (batch_size < 1 || batch_size > MAX_BATCH_SIZE)
		args_invalid("batch_size", psprintf("be from 1 to %d", MAX_BATCH_SIZE));
	lease = args_interval_max(fcinfo, 1, "lease", MAX_LEASE_S, "1 day");
	arguments[0] = Int64GetDatum(batch_size);
	arguments[1] = TimestampTzGetDatum(now);
	arguments[3] = TimestampTzGetDatum(args_add_interval(now, lease));
	InitMaterializedSRF(fcinfo, 0);

	sql_begin_write(&run, "claim_events()");
	arguments[2] = TimestampTzGetDatum(outbox_look_for_running(now));
	sql_run(&run, &end_lapsed_leases, arguments);
	arguments[2] = TimestampTzGetDatum(outbox_look_for_available(now));
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
