/*
 * claim.c
 *		Leasing events to whoever transmits them.
 *
 * A claim first takes what is stored and due (claim_due.c), then what is new
 * (claim_new.c), which becomes a stored delivery with that. Claimers of one
 * subscription take turns, but for the length of a call only: whoever comes
 * next sees what the one before has stored, committed or not, and leaves it
 * alone. So a claimer that sits in an open or prepared transaction holds up
 * what it claimed and nothing else. Claimers of different subscriptions have
 * nothing in common.
 *
 * What is handed out must not be undone by a crash: an order may have been
 * committed with synchronous_commit off, so its commit record may still be in
 * memory. Whatever claim_events sees was committed, and thus logged, before
 * its own work is; flushing up to that covers it. Its own commit is forced to
 * be synchronous for the same reason.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "base/args.h"
#include "base/entry.h"
#include "base/metrics.h"
#include "base/sql.h"
#include "catalog/pg_type.h"
#include "event/claim.h"
#include "funcapi.h"
#include "shop/order_json.h"
#include "utils/array.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#define MAX_BATCH_SIZE	10000
#define MAX_LEASE_S		(24 * 3600)

void
claim_add(Claim *claim, int64 origin, int64 xact_id, int64 event_id,
		  int32 attempt)
{
	Claimed    *claimed = &claim->claimed[claim->count++];

	Assert(claim->room > 0);
	claim->room--;
	claimed->origin = origin;
	claimed->key.xact_id = xact_id;
	claimed->key.event_id = event_id;
	claimed->attempt = attempt;
}

/* ---- what is handed out ---- */

/* $1 to $4: origin, xact_id, event_id and attempt of each event. */
static SqlStatement read_payloads = {
	.text = "SELECT e.event_id, e.event_type, e.order_id, c.attempt,"
	"	jsonb_build_object('type', e.event_type, 'timestamp', e.created_at,"
	"		'data', jsonb_build_object('event_id', e.event_id,"
	"			'order_id', e.order_id,"
	"			'order', (SELECT " ORDER_AS_JSONB("o")
	"				FROM commerce.orders o WHERE o.order_id = e.order_id))"
	"		|| CASE WHEN e.refund IS NULL THEN '{}'"
	"			ELSE jsonb_build_object('refund', e.refund) END)"
	" FROM unnest($1, $2, $3, $4) c (origin, xact_id, event_id, attempt)"
	" JOIN commerce.events e ON e.origin = c.origin AND e.xact_id = c.xact_id"
	"	AND e.event_id = c.event_id"
	" ORDER BY e.event_id",
	.argument_count = 4,
	.argument_types = {INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT4ARRAYOID}
};

static Datum
integer_array(Datum *elements, int count)
{
	return PointerGetDatum(construct_array(elements, count, INT4OID,
										   sizeof(int32), true, TYPALIGN_INT));
}

/* Copy the payloads to the result of the function. */
static void
return_payloads(const Claim *claim, ReturnSetInfo *result)
{
	int64	   *origins = palloc(claim->count * sizeof(int64));
	int64	   *xact_ids = palloc(claim->count * sizeof(int64));
	int64	   *event_ids = palloc(claim->count * sizeof(int64));
	Datum	   *attempts = palloc(claim->count * sizeof(Datum));
	Datum		arguments[4];
	SqlRun		run;

	for (int i = 0; i < claim->count; i++)
	{
		origins[i] = claim->claimed[i].origin;
		xact_ids[i] = claim->claimed[i].key.xact_id;
		event_ids[i] = claim->claimed[i].key.event_id;
		attempts[i] = Int32GetDatum(claim->claimed[i].attempt);
	}
	arguments[0] = cursor_array(origins, claim->count);
	arguments[1] = cursor_array(xact_ids, claim->count);
	arguments[2] = cursor_array(event_ids, claim->count);
	arguments[3] = integer_array(attempts, claim->count);

	sql_begin_write(&run, "claim_events()");
	sql_run(&run, &read_payloads, arguments);
	for (uint64 i = 0; i < SPI_processed; i++)
		tuplestore_puttuple(result->setResult, SPI_tuptable->vals[i]);
	sql_end(&run);
}

/* ---- the call ---- */

/*
 * Nothing is stored between seeing what others have and storing what we claim,
 * since claimers take turns.
 */
static void
claim_in_turn(Claim *claim)
{
	subscription_begin_storing(claim->subscription);
	row_refresh(claim->work);
	row_queue_inserts(claim->work, TABLE_STORED_DELIVERIES);
	delivery_look_begin(&claim->look, claim->work, claim->subscription);
	claim_due(claim);
	if (claim->room > 0)
		claim_new(claim);
	row_insert_queued(claim->work);
	delivery_look_end(&claim->look);
	subscription_end_storing(claim->subscription);
}

static Refusal *
claim(Claim *claim, const char *name)
{
	Refusal    *refusal =
		subscription_find(claim->work, name, claim->subscription);

	if (refusal || subscription_is_paused(claim->subscription))
		return refusal;
	claim_in_turn(claim);
	return NULL;
}

static Entry claim_events_entry = {
	.arguments = {
		{"batch_size", INT4OID},
		{"lease", INTERVALOID},
		{"subscription", TEXTOID}
	},
	.columns = {INT8OID, TEXTOID, INT8OID, INT4OID, JSONBOID}
};

/* Lease due events to the caller: doc/reference.md, Events. */
ENTRY_POINT(claim_events)
{
	Claim		call = {.now = GetCurrentTimestamp()};
	Interval   *lease;
	char	   *name;
	Work		work;

	call.room = PG_GETARG_INT32(0);
	if (call.room < 1 || call.room > MAX_BATCH_SIZE)
		args_invalid("batch_size", psprintf("be from 1 to %d", MAX_BATCH_SIZE));
	lease = args_interval_max(fcinfo, 1, "lease", MAX_LEASE_S, "1 day");
	name = subscription_argument(fcinfo, 2);
	call.lease_end = args_add_interval(call.now, lease);
	call.subscription = palloc(sizeof(Subscription));
	call.claimed = palloc(call.room * sizeof(Claimed));
	InitMaterializedSRF(fcinfo, 0);

	row_begin_write(&work, "claim_events()");
	call.work = &work;
	refusal_check(claim(&call, name));
	row_end(&work);

	/* The work is gone, and with it what the subscription points to. */
	if (call.count > 0)
	{
		XLogFlush(XactLastRecEnd);
		ForceSyncCommit();
		return_payloads(&call, (ReturnSetInfo *) fcinfo->resultinfo);
		metrics_add_deliveries(DELIVERIES_CLAIMED, call.subscription->number,
							   call.count);
	}
	return (Datum) 0;
}
