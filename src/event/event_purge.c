/*
 * event_purge.c
 *		Deleting events that nobody needs any more.
 *
 * An event goes with all its deliveries, once each subscription that wants it
 * has finished with it. The deliveries are locked first: one that somebody is
 * taking back (retry_event) keeps its event. No claim can come to such an event
 * meanwhile, as each has a delivery that is finished; only a new subscription
 * that wants older events could, and that one waits.
 */
#include "postgres.h"

#include "base/args.h"
#include "base/entry.h"
#include "base/sql.h"
#include "base/tables.h"
#include "catalog/pg_type.h"
#include "event/event_purge.h"
#include "miscadmin.h"
#include "storage/lock.h"

static void
lock_events(LOCKMODE mode)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, table_oid(TABLE_EVENTS), 0, 0);
	(void) LockAcquire(&tag, mode, false, false);
}

void
event_purge_keep_out(void)
{
	lock_events(ShareLock);
}

/* What dropped subscriptions left, and cursors that others are ahead of. */
static SqlStatement purge_left_over = {
	.text = "WITH deliveries AS ("
	"	DELETE FROM commerce.stored_deliveries d"
	"	WHERE NOT EXISTS (SELECT FROM commerce.live_subscriptions s"
	"		WHERE s.subscription_no = d.subscription_no) RETURNING 1),"
	" cursors AS ("
	"	DELETE FROM commerce.cursors c"
	"	WHERE NOT EXISTS (SELECT FROM commerce.live_subscriptions s"
	"		WHERE s.subscription_no = c.subscription_no)"
	"	OR EXISTS (SELECT FROM commerce.cursors o"
	"		WHERE o.subscription_no = c.subscription_no"
	"		AND o.origin = c.origin AND o.cursor_no > c.cursor_no) RETURNING 1)"
	" SELECT (SELECT count(*) FROM deliveries) + (SELECT count(*) FROM cursors)"
};

/* $1: how old they must be. */
static SqlStatement purge_finished = {
	.text = "WITH old AS MATERIALIZED ("
	"	SELECT e.origin, e.xact_id, e.event_id, e.created_at"
	"	FROM commerce.events e"
	"	WHERE e.created_at <= now() - $1 AND NOT EXISTS ("
	"		SELECT FROM commerce.wanted_events w"
	"		LEFT JOIN commerce.stored_deliveries d"
	"			ON d.event_id = w.event_id"
	"			AND d.subscription_no = w.subscription_no"
	"		WHERE w.event_id = e.event_id"
	"		AND (d.finished_at IS NULL OR d.status = 'delivered'"
	"			AND d.finished_at > now() - $1))),"
	" locked AS MATERIALIZED ("
	"	SELECT d.event_id, d.subscription_no"
	"	FROM commerce.stored_deliveries d JOIN old o USING (event_id)"
	"	WHERE d.finished_at IS NOT NULL"
	"	FOR UPDATE OF d SKIP LOCKED),"
	" sure AS MATERIALIZED ("
	"	SELECT o.* FROM old o WHERE NOT EXISTS ("
	"		SELECT FROM commerce.stored_deliveries d"
	"		WHERE d.event_id = o.event_id AND NOT EXISTS ("
	"			SELECT FROM locked l WHERE l.event_id = d.event_id"
	"			AND l.subscription_no = d.subscription_no))),"
	" deliveries AS ("
	"	DELETE FROM commerce.stored_deliveries d USING locked l"
	"	WHERE d.event_id = l.event_id AND d.subscription_no = l.subscription_no"
	"	AND l.event_id IN (SELECT event_id FROM sure)),"
	" gone AS ("
	"	DELETE FROM commerce.events e USING sure s"
	"	WHERE e.origin = s.origin AND e.xact_id = s.xact_id"
	"	AND e.event_id = s.event_id RETURNING e.created_at),"
	" horizon AS ("
	"	INSERT INTO commerce.event_horizon AS h (purged_until)"
	"	SELECT max(created_at) FROM gone HAVING count(*) > 0"
	"	ON CONFLICT (one_row) DO UPDATE"
	"	SET purged_until = greatest(h.purged_until, excluded.purged_until))"
	" SELECT count(*) FROM gone",
	.argument_count = 1, .argument_types = {INTERVALOID}
};

static Entry purge_events_entry = {
	.arguments = {{"older_than", INTERVALOID}},
	.type = INT8OID
};

/* Delete what is finished and old: doc/reference.md, Events. */
ENTRY_POINT(purge_events)
{
	Datum		arguments[1];
	SqlRun		run;
	int64		count;

	arguments[0] = IntervalPGetDatum(args_interval(fcinfo, 0, "older_than",
												   false));

	sql_begin_write(&run, "purge_events()");
	lock_events(ExclusiveLock);
	(void) sql_int64(&run, &purge_left_over, NULL);
	count = sql_int64(&run, &purge_finished, arguments);
	sql_end(&run);
	PG_RETURN_INT64(count);
}
