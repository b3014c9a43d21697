/*
 * notifier.c
 *		Telling channel commerce_outbox, at best from a background worker.
 *
 * NOTIFY in a transaction takes one lock for the whole cluster and keeps it
 * until its commit is flushed, so that no two notifying commits share a
 * flush. With the library preloaded, transactions therefore leave the telling
 * to a background worker of their database, the notifier:
 *
 *		an order			after its commit		the notifier
 *		notifier_tell()		add 1 to "pending";		"pending" := 0, NOTIFY,
 *							if it was 0, set the	rest
 *							notifier's latch
 *
 * Only the first commit after a NOTIFY pays for waking the notifier. A commit
 * is counted when it is already visible to others, and "pending" emptied before
 * the NOTIFY, so that whoever looks at the outbox then sees what it is about.
 *
 * Waking a listener costs more than an order does. So the notifier rests
 * commerce.notify_interval for every commit it told of: orders that come one by
 * one are told at once, a rush less and less often, when those who work on the
 * outbox need no waking anyway. How seldom at last goes by how long telling
 * takes, and so by how many listen.
 *
 * "pending" can miss an event: COMMIT PREPARED calls nothing of ours, and a
 * crash may come between a commit and its count. So every second, and when it
 * starts, the notifier looks whether any event is due, and tells so.
 * Where outbox_claim.c has to be thrifty, that may take LOOK_EVERYWHERE_MS.
 *
 * Between its notifications the notifier also expires orders: sweep.c.
 *
 * Where no notifier runs (no preload, a database not listed, one starting or
 * ended by an error) the transaction tells by itself, as any NOTIFY.
 *
 * A notifier's slot in shared memory is its own from its start to its end; the
 * lock is for claiming one. Others only read database_id, then latch, which
 * may be that of a process that is gone: setting it then only makes whoever
 * owns it now look once in vain.
 */
#include "commerce.h"

#include "access/xact.h"
#include "clock.h"
#include "commands/async.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "launcher.h"
#include "miscadmin.h"
#include "notifier.h"
#include "outbox.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "sweep.h"
#include "tables.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

#define CHANNEL "commerce_outbox"

#define DEFAULT_INTERVAL_MS		1
#define MAX_INTERVAL_MS			60000
#define LOOK_EVERY_MS			1000

/* In a rush: rest so many times as long as telling took, but so long at most. */
#define REST_RATIO				100
#define MIN_RUSH_REST_MS		32
#define MAX_RUSH_REST_MS		1000

/* A running notifier; database_id is InvalidOid where there is none. */
typedef struct Notifier
{
	pg_atomic_uint32 database_id;
	pg_atomic_uint32 pending;
	Latch	   *latch;
} Notifier;

typedef struct Notifiers
{
	LWLock	   *lock;
	Notifier	of[LAUNCHER_MAX_DATABASES];
} Notifiers;

static bool notify = true;
static int	notify_interval = DEFAULT_INTERVAL_MS;

/* NULL unless the library is preloaded. */
static Notifiers *notifiers;
static Notifier *my_notifier;
static uint32 wait_event;

static shmem_request_hook_type previous_request_hook;
static shmem_startup_hook_type previous_startup_hook;

/* What this transaction wants, and whom its commit will wake for that. */
static bool wants_to_tell;
static Notifier *to_wake;

PGDLLEXPORT void commerce_notifier_main(Datum main_arg);

/* ---- who finds a notifier ---- */

static Notifier *
find_notifier(Oid database_id)
{
	static int	last;

	if (notifiers == NULL)
		return NULL;
	if (pg_atomic_read_u32(&notifiers->of[last].database_id) == database_id)
		return &notifiers->of[last];
	for (int i = 0; i < LAUNCHER_MAX_DATABASES; i++)
	{
		if (pg_atomic_read_u32(&notifiers->of[i].database_id) == database_id)
		{
			last = i;
			return &notifiers->of[i];
		}
	}
	return NULL;
}

bool
notifier_is_running(Oid database_id)
{
	return find_notifier(database_id) != NULL;
}

/* ---- who tells ---- */

void
notifier_tell(void)
{
	if (notify)
		wants_to_tell = true;
}

static void
wake(Notifier *notifier)
{
	/* A full barrier: what was committed is visible before it is counted. */
	if (pg_atomic_fetch_add_u32(&notifier->pending, 1) == 0)
		SetLatch(notifier->latch);
}

/* Does this database have a notifier, be it one that starts just now? */
static bool
is_notified_here(void)
{
	return notifiers != NULL && launcher_wants(get_database_name(MyDatabaseId));
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			if (!wants_to_tell)
				break;
			to_wake = find_notifier(MyDatabaseId);
			if (to_wake == NULL)
				Async_Notify(CHANNEL, NULL);
			break;

		case XACT_EVENT_PRE_PREPARE:
			/* What notifies cannot be prepared; a notifier will find it. */
			if (wants_to_tell && !is_notified_here())
				Async_Notify(CHANNEL, NULL);
			break;

		case XACT_EVENT_COMMIT:
			if (to_wake != NULL)
				wake(to_wake);
			/* FALLTHROUGH */
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_ABORT:
			wants_to_tell = false;
			to_wake = NULL;
			break;

		default:
			break;
	}
}

/* ---- the notifier ---- */

static void
leave(int code, Datum arg)
{
	pg_atomic_write_u32(&my_notifier->database_id, InvalidOid);
}

/* Take a slot; false if another notifier of this database has one. */
static bool
enter(void)
{
	LWLockAcquire(notifiers->lock, LW_EXCLUSIVE);
	if (!notifier_is_running(MyDatabaseId))
		my_notifier = find_notifier(InvalidOid);
	if (my_notifier != NULL)
	{
		before_shmem_exit(leave, (Datum) 0);
		my_notifier->latch = MyLatch;
		pg_atomic_write_u32(&my_notifier->pending, 0);
		pg_write_barrier();
		pg_atomic_write_u32(&my_notifier->database_id, MyDatabaseId);
	}
	LWLockRelease(notifiers->lock);
	return my_notifier != NULL;
}

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
	stays = launcher_wants(get_database_name(MyDatabaseId)) &&
		launcher_try_lock(MyDatabaseId);
	CommitTransactionCommand();
	return stays;
}

/*
 * Is any event due? One that waits behind a dead one of its order counts too.
 * While somebody alters or drops the outbox there is none.
 */
static bool
is_anything_due(void)
{
	bool		is_due;

	if (!OidIsValid(get_extension_oid("commerce", true)) ||
		!ConditionalLockRelationOid(table_oid(TABLE_OUTBOX), AccessShareLock))
		return false;
	PushActiveSnapshot(GetTransactionSnapshot());
	is_due = outbox_has_due();
	PopActiveSnapshot();
	return is_due;
}

/*
 * One transaction: tell those who listen, if asked for, or if looking shows
 * that an event is due. Its commit need not be flushed: it only carries a hint.
 * Returns whether it told, and how long that took.
 */
static bool
tell(bool looks, bool is_asked, double *took_ms)
{
	bool		tells = is_asked;
	instr_time	began;
	instr_time	took;

	SetCurrentStatementStartTimestamp();
	pgstat_report_activity(STATE_RUNNING,
						   looks ? "looking for due events" : "notifying");
	StartTransactionCommand();
	if (looks && !tells)
		tells = notify && is_anything_due();
	if (tells)
		Async_Notify(CHANNEL, NULL);

	INSTR_TIME_SET_CURRENT(began);
	CommitTransactionCommand();
	INSTR_TIME_SET_CURRENT(took);
	INSTR_TIME_SUBTRACT(took, began);
	*took_ms = INSTR_TIME_GET_MILLISEC(took);
	pgstat_report_activity(STATE_IDLE, NULL);
	return tells;
}

static void
sleep_for(int64 timeout_ms)
{
	WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
			  Max(timeout_ms, 0), wait_event);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

/* How long to rest after telling of that many commits, which took so long. */
static int64
rest_ms(uint32 commits, double took_ms)
{
	int64		rest = (int64) notify_interval * Max(commits, 1);
	int64		most = (int64) (took_ms * REST_RATIO);

	most = Max(MIN_RUSH_REST_MS, Min(most, MAX_RUSH_REST_MS));
	return Max(notify_interval, Min(rest, most));
}

static void
serve(void)
{
	int64		look_at = clock_ms();
	int64		tell_at = look_at;	/* not before */
	int64		sweep_at = look_at;

	for (;;)
	{
		int64		wake_at;
		bool		looks = clock_ms() >= look_at;
		uint32		commits = 0;
		double		took_ms;

		if (looks && !may_stay())
			proc_exit(0);
		if (clock_ms() >= tell_at)
		{
			commits = pg_atomic_exchange_u32(&my_notifier->pending, 0);
			if ((looks || commits > 0) && tell(looks, commits > 0, &took_ms))
				tell_at = clock_ms() + rest_ms(commits, took_ms);
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
		if (pg_atomic_read_u32(&my_notifier->pending) != 0)
			wake_at = Min(wake_at, tell_at);
		sleep_for(wake_at - clock_ms());
	}
}

void
commerce_notifier_main(Datum main_arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(main_arg),
											  InvalidOid, 0);
	launcher_override_settings();
	SetConfigOption("synchronous_commit", "off", PGC_SUSET, PGC_S_OVERRIDE);
	wait_event = compat_wait_event("CommerceNotifierMain");
	if (enter())
		serve();
	proc_exit(0);
}

/* ---- start ---- */

static void
request_shared_memory(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(sizeof(Notifiers));
	RequestNamedLWLockTranche("commerce_notifiers", 1);
}

static void
attach_shared_memory(void)
{
	bool		found;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	notifiers = ShmemInitStruct("commerce notifiers", sizeof(Notifiers), &found);
	if (!found)
	{
		notifiers->lock = &GetNamedLWLockTranche("commerce_notifiers")->lock;
		for (int i = 0; i < LAUNCHER_MAX_DATABASES; i++)
		{
			pg_atomic_init_u32(&notifiers->of[i].database_id, InvalidOid);
			pg_atomic_init_u32(&notifiers->of[i].pending, 0);
		}
	}
	LWLockRelease(AddinShmemInitLock);
}

void
notifier_init(void)
{
	DefineCustomBoolVariable("commerce.notify",
							 "Notify channel commerce_outbox of every order.",
							 "Off suits those who only poll the outbox.",
							 &notify, true,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("commerce.notify_interval",
							"Least time between two notifications of the background notifier.",
							NULL, &notify_interval,
							DEFAULT_INTERVAL_MS, 0, MAX_INTERVAL_MS,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	RegisterXactCallback(at_transaction_end, NULL);
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_shared_memory;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = attach_shared_memory;
}
