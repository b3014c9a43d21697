/*
 * notify.c
 *		Notifying channel commerce_outbox, at best through a notifier.
 *
 * NOTIFY in a transaction takes one lock for the whole cluster and keeps it
 * until its commit is flushed, so that no two notifying commits share a
 * flush. With the library preloaded, transactions therefore leave notifying
 * to a background worker of their database, the notifier (worker/notifier.c):
 *
 *		an order			after its commit		the notifier
 *		notify_at_commit()	add 1 to "pending";		"pending" := 0, NOTIFY,
 *							if it was 0, set the	rest
 *							notifier's latch
 *
 * Only the first commit after a NOTIFY pays for waking the notifier. A commit
 * is counted when it is already visible to others, and "pending" emptied before
 * the NOTIFY, so that whoever looks at the outbox then sees what it is about.
 *
 * Where no notifier runs (no preload, a database not listed, one starting or
 * ended by an error) the transaction notifies by itself, as any NOTIFY.
 *
 * A notification is a hint, and never fails an order: where the server's queue
 * of them is nearly full, as some listener sits in a transaction, it is left
 * out. Asking how full the queue is takes its lock and frees what has been read
 * by all. An order asks once a second, or each time where the queue is so small
 * that a second could fill it; the notifier asks each time, and goes on asking
 * until it has told of what it left out.
 *
 * A notifier's place in shared memory is its own from its start to its end;
 * the lock is for claiming one. Others only read database_id, then latch,
 * which may be that of a process that is gone: setting it then only makes
 * whichever process owns it now look once in vain.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/compat.h"
#include "base/metrics.h"
#include "commands/async.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "notify/databases.h"
#include "notify/notify.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#define CHANNEL "commerce_outbox"

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
	Notifier	of[DATABASES_MAX];
} Notifiers;

bool		notify_enabled = true;

/* NULL unless the library is preloaded. */
static Notifiers *notifiers;
static Notifier *my_notifier;

static shmem_request_hook_type previous_request_hook;
static shmem_startup_hook_type previous_startup_hook;

/* What this transaction wants, and whom its commit will wake for that. */
static bool wants_to_notify;
static Notifier *to_wake;

/* ---- the transactions ---- */

static Notifier *
find_notifier(Oid database_id)
{
	static int	last;

	if (notifiers == NULL)
		return NULL;
	if (pg_atomic_read_u32(&notifiers->of[last].database_id) == database_id)
		return &notifiers->of[last];
	for (int i = 0; i < DATABASES_MAX; i++)
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
notify_is_served(Oid database_id)
{
	return find_notifier(database_id) != NULL;
}

void
notify_at_commit(void)
{
	if (notify_enabled)
		wants_to_notify = true;
}

/* ---- the server's queue ---- */

/* The server itself warns from a half on, and fails commits when it is full. */
#define NEARLY_FULL		0.45
#define ASK_EVERY_MS	1000

static bool
queue_has_room(void)
{
	LOCAL_FCINFO(fcinfo, 0);

	InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
	return DatumGetFloat8(pg_notification_queue_usage(fcinfo)) < NEARLY_FULL;
}

static void
notify(void)
{
	Async_Notify(CHANNEL, NULL);
	metrics_add(COUNTER_NOTIFICATIONS, 1);
}

bool
notify_channel(void)
{
	if (!queue_has_room())
		return false;
	notify();
	return true;
}

/* As of the last time that we asked. */
static bool
queue_had_room(void)
{
	static TimestampTz asked_at;
	static bool had_room = true;
	TimestampTz now = GetCurrentTimestamp();

	if (compat_notify_queue_is_small() || !had_room ||
		TimestampDifferenceExceeds(asked_at, now, ASK_EVERY_MS))
	{
		had_room = queue_has_room();
		asked_at = now;
	}
	return had_room;
}

/* In an order's own transaction, where there is no notifier. */
static void
notify_inline(void)
{
	static bool has_warned;

	if (queue_had_room())
	{
		notify();
		has_warned = false;
		return;
	}
	if (!has_warned)
		ereport(WARNING,
				(errmsg("channel %s is not notified: the server's notification queue is nearly full",
						CHANNEL),
				 errhint("The order is not affected. A session that listens should not stay in a transaction.")));
	has_warned = true;
}

static void
wake_notifier(Notifier *notifier)
{
	/* A full barrier: what was committed is visible before it is counted. */
	if (pg_atomic_fetch_add_u32(&notifier->pending, 1) == 0)
		SetLatch(notifier->latch);
}

/* Is this database to have a notifier, be it one that starts just now? */
static bool
is_listed_here(void)
{
	return notifiers != NULL && databases_has(get_database_name(MyDatabaseId));
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			if (!wants_to_notify)
				break;
			to_wake = find_notifier(MyDatabaseId);
			if (to_wake == NULL)
				notify_inline();
			break;

		case XACT_EVENT_PRE_PREPARE:
			/* What notifies cannot be prepared; a notifier will find it. */
			if (wants_to_notify && !is_listed_here())
				notify_inline();
			break;

		case XACT_EVENT_COMMIT:
			if (to_wake != NULL)
				wake_notifier(to_wake);
			/* FALLTHROUGH */
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_ABORT:
			wants_to_notify = false;
			to_wake = NULL;
			break;

		default:
			break;
	}
}

/* ---- the notifier ---- */

static void
leave_place(int code, Datum arg)
{
	pg_atomic_write_u32(&my_notifier->database_id, InvalidOid);
}

bool
notify_serve(void)
{
	LWLockAcquire(notifiers->lock, LW_EXCLUSIVE);
	if (!notify_is_served(MyDatabaseId))
		my_notifier = find_notifier(InvalidOid);
	if (my_notifier != NULL)
	{
		before_shmem_exit(leave_place, (Datum) 0);
		my_notifier->latch = MyLatch;
		pg_atomic_write_u32(&my_notifier->pending, 0);
		pg_write_barrier();
		pg_atomic_write_u32(&my_notifier->database_id, MyDatabaseId);
	}
	LWLockRelease(notifiers->lock);
	return my_notifier != NULL;
}

uint32
notify_take_pending(void)
{
	return pg_atomic_exchange_u32(&my_notifier->pending, 0);
}

bool
notify_has_pending(void)
{
	return pg_atomic_read_u32(&my_notifier->pending) != 0;
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
	notifiers = ShmemInitStruct("commerce notifiers", sizeof(Notifiers),
								&found);
	if (!found)
	{
		notifiers->lock = &GetNamedLWLockTranche("commerce_notifiers")->lock;
		for (int i = 0; i < DATABASES_MAX; i++)
		{
			pg_atomic_init_u32(&notifiers->of[i].database_id, InvalidOid);
			pg_atomic_init_u32(&notifiers->of[i].pending, 0);
		}
	}
	LWLockRelease(AddinShmemInitLock);
}

void
notify_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_shared_memory;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = attach_shared_memory;
}
