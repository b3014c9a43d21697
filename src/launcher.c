/*
 * launcher.c
 *		Starting a notifier in each database of commerce.databases.
 *
 * The launcher is a background worker that connects to no database. Every
 * second, when a notifier has ended, and when the configuration was reloaded,
 * it starts the notifiers that are missing, less and less often one that keeps
 * failing; one whose name has left the list ends by itself. So a database may be created, dropped and created again at
 * any time: while there is none, there is a line in the log and nothing else.
 *
 * DROP DATABASE fails while anybody is connected. A notifier therefore leaves
 * once somebody holds, or waits for, a lock on its database that such commands
 * take, and the launcher starts none before that lock can be had.
 *
 * It starts working when recovery ends, hence on a standby at its promotion.
 */
#include "commerce.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "clock.h"
#include "launcher.h"
#include "miscadmin.h"
#include "notifier.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#define LOOK_EVERY_MS		1000
#define RESTART_AFTER_MS	1000
#define MAX_RESTART_AFTER_MS	60000

/* A notifier that has run so long had no trouble starting. */
#define SETTLED_AFTER_MS	10000

/* What the launcher knows of a database of the list, found by its name. */
typedef struct Launch
{
	NameData	database;
	Oid			database_id;	/* InvalidOid if none can be connected to */
	bool		is_missing;		/* and the log says so */
	bool		is_unstartable; /* likewise */
	int64		started_at_ms;
	int64		restart_after_ms;	/* doubled at each start */
} Launch;

static char *databases;

static Launch launches[LAUNCHER_MAX_DATABASES];
static int	launch_count;

PGDLLEXPORT void commerce_launcher_main(Datum main_arg);

void
launcher_override_settings(void)
{
	SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_isolation", "read committed",
					PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("statement_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("lock_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("idle_in_transaction_session_timeout", "0",
					PGC_SUSET, PGC_S_OVERRIDE);
}

/* The names in a value of commerce.databases; false if it is no list. */
static bool
parse_databases(const char *value, List **names)
{
	return SplitIdentifierString(pstrdup(value), ',', names);
}

static bool
check_databases(char **newval, void **extra, GucSource source)
{
	List	   *names;

	if (!parse_databases(*newval, &names))
	{
		GUC_check_errdetail("List syntax is invalid.");
		return false;
	}
	if (list_length(names) > LAUNCHER_MAX_DATABASES)
	{
		GUC_check_errdetail("There may be at most %d databases.",
							LAUNCHER_MAX_DATABASES);
		return false;
	}
	list_free(names);
	return true;
}

bool
launcher_wants(const char *database)
{
	List	   *names;
	ListCell   *cell;

	parse_databases(databases, &names);
	foreach(cell, names)
	{
		if (strcmp(lfirst(cell), database) == 0)
			return true;
	}
	return false;
}

bool
launcher_try_lock(Oid database_id)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, database_id, 0);
	return LockAcquire(&tag, RowExclusiveLock, false, true) !=
		LOCKACQUIRE_NOT_AVAIL;
}

/* The launch of that database, or NULL. */
static Launch *
find_launch(const char *database)
{
	for (int i = 0; i < launch_count; i++)
	{
		if (strcmp(NameStr(launches[i].database), database) == 0)
			return &launches[i];
	}
	return NULL;
}

/* Make launches those of commerce.databases, keeping what is known. */
static void
read_databases(void)
{
	List	   *names;
	ListCell   *cell;
	int			kept = 0;

	for (int i = 0; i < launch_count; i++)
	{
		if (launcher_wants(NameStr(launches[i].database)))
			launches[kept++] = launches[i];
	}
	launch_count = kept;

	parse_databases(databases, &names);
	foreach(cell, names)
	{
		if (find_launch(lfirst(cell)) == NULL)
		{
			Launch		launch = {.restart_after_ms = RESTART_AFTER_MS};

			namestrcpy(&launch.database, lfirst(cell));
			launches[launch_count++] = launch;
		}
	}
}

/*
 * Find the databases that can be connected to. By a plain scan: an index may
 * need relation descriptors that only a process with a database can make.
 */
static void
find_databases(void)
{
	Relation	rel = table_open(DatabaseRelationId, AccessShareLock);
	TableScanDesc scan = table_beginscan_catalog(rel, 0, NULL);
	HeapTuple	tuple;

	for (int i = 0; i < launch_count; i++)
		launches[i].database_id = InvalidOid;
	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database row = (Form_pg_database) GETSTRUCT(tuple);
		Launch	   *launch = find_launch(NameStr(row->datname));

		if (launch != NULL && row->datallowconn &&
			row->datconnlimit != DATCONNLIMIT_INVALID_DB)
			launch->database_id = row->oid;
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
}

static bool
start_notifier(const Launch *launch)
{
	BackgroundWorker worker = {0};
	BackgroundWorkerHandle *handle;

	snprintf(worker.bgw_name, BGW_MAXLEN, "commerce notifier for %s",
			 NameStr(launch->database));
	snprintf(worker.bgw_type, BGW_MAXLEN, "commerce notifier");
	snprintf(worker.bgw_library_name, BGW_MAXLEN, "commerce");
	snprintf(worker.bgw_function_name, BGW_MAXLEN, "commerce_notifier_main");
	worker.bgw_flags =
		BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = ObjectIdGetDatum(launch->database_id);
	worker.bgw_notify_pid = MyProcPid;
	return RegisterDynamicBackgroundWorker(&worker, &handle);
}

/* Start the notifier of one database, if it needs one and can have one. */
static void
look_at(Launch *launch)
{
	const char *database = NameStr(launch->database);
	int64		runs_ms = clock_ms() - launch->started_at_ms;

	if (!OidIsValid(launch->database_id))
	{
		if (!launch->is_missing)
			ereport(LOG,
					(errmsg("database \"%s\" of commerce.databases cannot be connected to, waiting for it",
							database)));
		launch->is_missing = true;
		launch->restart_after_ms = RESTART_AFTER_MS;
		return;
	}
	launch->is_missing = false;

	if (notifier_is_running(launch->database_id))
	{
		if (runs_ms >= SETTLED_AFTER_MS)
			launch->restart_after_ms = RESTART_AFTER_MS;
		return;
	}
	if (runs_ms < launch->restart_after_ms ||
		!launcher_try_lock(launch->database_id))
		return;
	if (start_notifier(launch))
	{
		launch->started_at_ms = clock_ms();
		launch->restart_after_ms = Min(2 * launch->restart_after_ms,
									   MAX_RESTART_AFTER_MS);
		launch->is_unstartable = false;
		return;
	}
	if (!launch->is_unstartable)
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("could not start the commerce notifier for database \"%s\"",
						database),
				 errhint("Increase max_worker_processes. Until then its orders notify by themselves.")));
	launch->is_unstartable = true;
}

static void
look_at_all(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	read_databases();
	find_databases();
	for (int i = 0; i < launch_count; i++)
		look_at(&launches[i]);
	CommitTransactionCommand();
}

void
commerce_launcher_main(Datum main_arg)
{
	uint32		wait_event;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	launcher_override_settings();
	wait_event = compat_wait_event("CommerceLauncherMain");

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		look_at_all();
		WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
				  LOOK_EVERY_MS, wait_event);
		ResetLatch(MyLatch);
	}
}

static void
register_launcher(void)
{
	BackgroundWorker worker = {0};

	snprintf(worker.bgw_name, BGW_MAXLEN, "commerce launcher");
	snprintf(worker.bgw_type, BGW_MAXLEN, "commerce launcher");
	snprintf(worker.bgw_library_name, BGW_MAXLEN, "commerce");
	snprintf(worker.bgw_function_name, BGW_MAXLEN, "commerce_launcher_main");
	worker.bgw_flags =
		BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 1;
	RegisterBackgroundWorker(&worker);
}

void
launcher_init(void)
{
	DefineCustomStringVariable("commerce.databases",
							   "Databases that get a background notifier.",
							   "Needs commerce in shared_preload_libraries.",
							   &databases, "",
							   PGC_SIGHUP, GUC_LIST_INPUT,
							   check_databases, NULL, NULL);
	if (process_shared_preload_libraries_in_progress && !IsBinaryUpgrade)
		register_launcher();
}
