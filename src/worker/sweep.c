/*
 * sweep.c
 *		Expiring orders that were not paid in time, from a background worker.
 *
 * The notifier of a database (notifier.c) calls this between its notifications,
 * which must not have to wait. So a batch is bounded in orders, by
 * expire_orders() in the time it waits for locks, and in all; while full
 * batches come back, the next one follows at once, each in a transaction of its
 * own.
 *
 * Where nothing is due, a sweep is one look at the first entry of
 * orders_pending_idx. While somebody holds an old snapshot, dead entries pile
 * up before it; so a sweep rests the longer, the longer the last one took.
 *
 * Row triggers of the user's fire here too. expire_orders() passes over an
 * order that cannot be expired; whatever else goes wrong, such as in a deferred
 * trigger, undoes the batch, is a warning in the log, and makes the next sweep
 * wait twice as long as the last one.
 *
 * Nobody sweeps a database that subscribes to commerce.orders, where what
 * expires is the publisher's business, nor one that is read-only: the log says
 * so once.
 *
 * The worker's session is the bootstrap superuser's. What it runs here is the
 * extension owner's up to the end of the commit, which is when deferred
 * triggers fire.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/printable.h"
#include "base/sql.h"
#include "base/tables.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "nodes/value.h"
#include "order/order_expire.h"
#include "parser/parse_func.h"
#include "pgstat.h"
#include "storage/lmgr.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "worker/process.h"
#include "worker/sweep.h"

#define BATCH_SIZE				200

#define SWEEP_EVERY_MS			1000
#define MAX_SWEEP_AFTER_MS		60000

/* Rest so many times as long as a sweep took that found nothing more to do. */
#define REST_RATIO				20

/* For what is no row, such as a table that somebody alters. */
#define LOCK_TIMEOUT			"100ms"
#define BATCH_TIMEOUT_MS		5000

/*
 * $1 how many at most. The first due order is found by min(), which the planner
 * always reads from the index, where EXISTS could make it scan the table.
 */
static SqlStatement expire_due = {
	.text = "SELECT CASE WHEN (SELECT min(o.expires_at) FROM commerce.orders o"
	"		WHERE o.status = 'pending') <= now()"
	"	THEN commerce.expire_orders($1) ELSE 0 END",
	.argument_count = 1, .argument_types = {INT4OID}
};

/*
 * Is there anything to call? Not without the extension, nor with a version of
 * it that holds no orders, nor while somebody alters them.
 */
static bool
can_expire(void)
{
	List	   *name = list_make2(makeString("commerce"),
								  makeString("expire_orders"));
	Oid			argument_types[] = {INT4OID};

	return OidIsValid(get_extension_oid("commerce", true)) &&
		OidIsValid(LookupFuncName(name, 1, argument_types, true)) &&
		ConditionalLockRelationOid(table_oid(TABLE_ORDERS), RowExclusiveLock);
}

/* Why nothing is to be expired here, or NULL. Needs a snapshot. */
static const char *
reason_to_rest(void)
{
	if (XactReadOnly)
		return "the database is read-only (default_transaction_read_only)";
	if (order_expire_is_subscriber())
		return "commerce.orders belongs to a subscription";
	return NULL;
}

/* Said once, until there is no reason any more. */
static void
say_why_resting(const char *reason)
{
	static const char *said;

	if (reason != NULL && reason != said)
		ereport(LOG,
				(errmsg("orders of database \"%s\" are not expired: %s",
						get_database_name(MyDatabaseId), reason)));
	said = reason;
}

static int64
expire_orders(void)
{
	Datum		arguments[] = {Int32GetDatum(BATCH_SIZE)};
	int64		expired = 0;
	const char *reason;
	SqlRun		run;

	PushActiveSnapshot(GetTransactionSnapshot());
	reason = reason_to_rest();
	say_why_resting(reason);
	if (reason == NULL)
	{
		sql_begin_write(&run, "expire_orders()");
		expired = sql_int64(&run, &expire_due, arguments);
		sql_end(&run);
	}
	PopActiveSnapshot();
	return expired;
}

/* One transaction. Returns how many orders it expired. */
static int64
run_batch(void)
{
	int64		expired = 0;
	Oid			worker_id;
	int			worker_context;

	StartTransactionCommand();
	GetUserIdAndSecContext(&worker_id, &worker_context);
	set_config_option("lock_timeout", LOCK_TIMEOUT, PGC_USERSET, PGC_S_SESSION,
					  GUC_ACTION_LOCAL, true, 0, false);
	enable_timeout_after(STATEMENT_TIMEOUT, BATCH_TIMEOUT_MS);
	if (can_expire())
	{
		SetUserIdAndSecContext(extension_owner(),
							   worker_context | SECURITY_LOCAL_USERID_CHANGE);
		expired = expire_orders();
	}
	CommitTransactionCommand();
	SetUserIdAndSecContext(worker_id, worker_context);
	disable_timeout(STATEMENT_TIMEOUT, false);
	/* It may have expired just now. */
	QueryCancelPending = false;
	return expired;
}

/* In PG_CATCH: end the transaction, and leave nothing but a line in the log. */
static void
undo_batch(int64 retry_after_ms)
{
	ErrorData  *error;

	HOLD_INTERRUPTS();
	disable_all_timeouts(false);
	QueryCancelPending = false;
	MemoryContextSwitchTo(TopMemoryContext);
	error = CopyErrorData();
	FlushErrorState();
	AbortCurrentTransaction();
	if (!process_must_end())
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("could not expire orders: %s",
						printable(error->message)),
				 error->detail ?
				 errdetail_internal("%s", printable(error->detail)) : 0,
				 errhint("The next attempt is in %d s.",
						 (int) (retry_after_ms / 1000)),
				 error->context ?
				 errcontext("%s", printable(error->context)) : 0));
	FreeErrorData(error);
	RESUME_INTERRUPTS();
}

int64
sweep_batch(void)
{
	static int64 retry_after_ms = SWEEP_EVERY_MS;
	int64		began_ms = clock_ms();
	int64		next_ms;

	order_expire_backs_off = true;
	metrics_add(COUNTER_SWEEPS, 1);
	SetCurrentStatementStartTimestamp();
	pgstat_report_activity(STATE_RUNNING, "expiring orders");
	process_let_cancel(true);
	PG_TRY();
	{
		if (run_batch() >= BATCH_SIZE)
			next_ms = 0;
		else
			next_ms = Max(SWEEP_EVERY_MS,
						  (clock_ms() - began_ms) * REST_RATIO);
		retry_after_ms = SWEEP_EVERY_MS;
	}
	PG_CATCH();
	{
		retry_after_ms = Min(2 * retry_after_ms, MAX_SWEEP_AFTER_MS);
		next_ms = retry_after_ms;
		undo_batch(retry_after_ms);
	}
	PG_END_TRY();
	process_let_cancel(false);
	pgstat_report_activity(STATE_IDLE, NULL);
	return next_ms;
}
