/*
 * notifier.c
 *		The background worker of one database: notify, look, sweep.
 *
 * It notifies channel commerce_outbox in the place of the transactions of its
 * database: notify/notify.c says how they leave that to it.
 *
 * Waking a listener costs more than an order does. So the notifier rests
 * commerce.notify_interval for every commit it notified of: of orders that come
 * one by one it notifies at once, in a rush less and less often, when those
 * who work on the events need no waking anyway. How seldom at last goes by how
 * long notifying takes, and so by how many listen.
 *
 * The count of commits can miss an event: COMMIT PREPARED calls nothing of
 * ours, and a crash may come between a commit and its count. So every second,
 * the notifier looks whether anything has come since, and notifies if so; and
 * when it starts.
 *
 * Between its notifications it also expires orders: sweep.c.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/tables.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "event/event_news.h"
#include "miscadmin.h"
#include "notify/databases.h"
#include "notify/notify.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "worker/notifier.h"
#include "worker/process.h"
#include "worker/sweep.h"

#define LOOK_EVERY_MS			1000

/* In a rush: rest so many times as long as notifying took, within bounds. */
#define REST_RATIO				100
#define MIN_RUSH_REST_MS		32
#define MAX_RUSH_REST_MS		1000

/* Between looks at a queue that is full. */
#define OWED_REST_MS			500

int			notifier_interval;

static uint32 wait_event;

/* Commits that nobody was notified of, as there was no room. */
static bool is_owed;

PGDLLEXPORT void commerce_notifier_main(Datum main_arg);

/*
 * May this notifier go on? Not if unwanted, or in the way of DROP DATABASE. In
 * a transaction of its own, so that nothing it waits for later has the lock.
 */
static bool
may_stay(void)
{
	bool		stays;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	stays = databases_has(get_database_name(MyDatabaseId)) &&
		databases_try_lock(MyDatabaseId);
	CommitTransactionCommand();
	return stays;
}

/*
 * Has anything come that may be claimed? While somebody alters or drops the
 * tables nothing has.
 */
static bool
is_anything_new(void)
{
	bool		is_new;

	if (!OidIsValid(get_extension_oid("commerce", true)) ||
		!ConditionalLockRelationOid(table_oid(TABLE_EVENTS),
									AccessShareLock) ||
		!ConditionalLockRelationOid(table_oid(TABLE_STORED_DELIVERIES),
									AccessShareLock))
		return false;
	PushActiveSnapshot(GetTransactionSnapshot());
	is_new = event_has_news();
	PopActiveSnapshot();
	return is_new;
}

/*
 * Notify, unless the server's queue has no room: false, and the log says so
 * once. What is left out is owed until there is room again.
 */
static bool
notify_if_room(void)
{
	static bool has_warned;

	if (notify_channel())
	{
		is_owed = has_warned = false;
		return true;
	}
	is_owed = true;
	if (!has_warned)
		ereport(WARNING,
				(errmsg("listeners of database \"%s\" are not notified: the server's notification queue is nearly full",
						get_database_name(MyDatabaseId)),
				 errhint("Orders go on. A session that listens should not stay in a transaction.")));
	has_warned = true;
	return false;
}

/*
 * One transaction: notify, if asked for, or if looking shows that something has
 * come. Its commit need not be flushed: it only carries a hint. Returns whether
 * it notified, and how long that took.
 */
static bool
notify_in_transaction(bool looks, bool is_asked, double *took_ms)
{
	bool		notifies = is_asked;
	instr_time	began;
	instr_time	took;

	StartTransactionCommand();
	if (looks && !notifies)
		notifies = notify_enabled && is_anything_new();
	if (notifies)
		notifies = notify_if_room();

	INSTR_TIME_SET_CURRENT(began);
	CommitTransactionCommand();
	INSTR_TIME_SET_CURRENT(took);
	INSTR_TIME_SUBTRACT(took, began);
	*took_ms = INSTR_TIME_GET_MILLISEC(took);
	return notifies;
}

/* The same; that the queue was filled just now is not the end. */
static bool
notify_or_look(bool looks, bool is_asked, double *took_ms)
{
	volatile bool notifies = false;

	SetCurrentStatementStartTimestamp();
	pgstat_report_activity(STATE_RUNNING,
						   looks ? "looking for events" : "notifying");
	PG_TRY();
	{
		notifies = notify_in_transaction(looks, is_asked, took_ms);
	}
	PG_CATCH();
	{
		if (geterrcode() != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
			PG_RE_THROW();
		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(TopMemoryContext);
		EmitErrorReport();
		FlushErrorState();
		AbortCurrentTransaction();
		is_owed = is_asked || is_owed;
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	pgstat_report_activity(STATE_IDLE, NULL);
	return notifies;
}

/* How long to rest after notifying of that many commits, which took so long. */
static int64
rest_ms(uint32 commits, double took_ms)
{
	int64		rest = (int64) notifier_interval * Max(commits, 1);
	int64		most = (int64) (took_ms * REST_RATIO);

	most = Max(MIN_RUSH_REST_MS, Min(most, MAX_RUSH_REST_MS));
	return Max(notifier_interval, Min(rest, most));
}

static void
serve(void)
{
	int64		look_at = clock_ms();
	int64		notify_at = look_at;	/* not before */
	int64		sweep_at = look_at;

	for (;;)
	{
		int64		wake_at;
		bool		looks = clock_ms() >= look_at;

		if (looks && !may_stay())
			proc_exit(0);
		if (clock_ms() >= notify_at)
		{
			uint32		commits = notify_take_pending();
			double		took_ms;

			if ((looks || commits > 0 || is_owed) &&
				notify_or_look(looks, commits > 0 || is_owed, &took_ms))
				notify_at = clock_ms() + rest_ms(commits, took_ms);
			else if (is_owed)
				notify_at = clock_ms() + OWED_REST_MS;
		}
		if (looks)
		{
			pgstat_report_stat(true);
			look_at = clock_ms() + LOOK_EVERY_MS;
		}

		if (clock_ms() >= sweep_at)
		{
			int64		rest = sweep_batch();

			sweep_at = clock_ms() + rest;
		}

		wake_at = Min(look_at, sweep_at);
		if (notify_has_pending() || is_owed)
			wake_at = Min(wake_at, notify_at);
		process_sleep(wake_at - clock_ms(), wait_event);
	}
}

void
commerce_notifier_main(Datum main_arg)
{
	process_begin(DatumGetObjectId(main_arg));
	SetConfigOption("synchronous_commit", "off", PGC_SUSET, PGC_S_OVERRIDE);
	wait_event = compat_wait_event("CommerceNotifierMain");
	if (notify_serve())
		serve();
	proc_exit(0);
}
