/*
 * launcher.c
 *		Starting a notifier in each database of commerce.databases.
 *
 * The launcher is a background worker that connects to no database. Every
 * second, when a notifier has ended, and when the configuration was reloaded,
 * it starts the notifiers that are missing, less and less often one that keeps
 * failing; one whose name has left the list ends by itself. So a database may
 * be created, dropped and created again at any time: while there is none, there
 * is a line in the log and nothing else. No notifier is started while somebody
 * is about to drop its database.
 *
 * It starts working when recovery ends, hence on a standby at its promotion.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/clock.h"
#include "base/compat.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "notify/databases.h"
#include "notify/notify.h"
#include "utils/builtins.h"
#include "worker/launcher.h"
#include "worker/process.h"

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

static Launch launches[DATABASES_MAX];
static int	launch_count;

PGDLLEXPORT void commerce_launcher_main(Datum main_arg);

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
	ListCell   *cell;
	int			kept = 0;

	for (int i = 0; i < launch_count; i++)
	{
		if (databases_has(NameStr(launches[i].database)))
			launches[kept++] = launches[i];
	}
	launch_count = kept;

	foreach(cell, databases_names())
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
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;

	process_describe(&worker, "commerce notifier", "commerce_notifier_main");
	snprintf(worker.bgw_name, BGW_MAXLEN, "commerce notifier for %s",
			 NameStr(launch->database));
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

	if (notify_is_served(launch->database_id))
	{
		if (runs_ms >= SETTLED_AFTER_MS)
			launch->restart_after_ms = RESTART_AFTER_MS;
		return;
	}
	if (runs_ms < launch->restart_after_ms ||
		!databases_try_lock(launch->database_id))
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

	process_begin(InvalidOid);
	wait_event = compat_wait_event("CommerceLauncherMain");
	for (;;)
	{
		look_at_all();
		process_sleep(LOOK_EVERY_MS, wait_event);
	}
}

void
launcher_init(void)
{
	BackgroundWorker worker;

	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	process_describe(&worker, "commerce launcher", "commerce_launcher_main");
	worker.bgw_restart_time = 1;
	RegisterBackgroundWorker(&worker);
}
