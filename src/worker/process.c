/*
 * process.c
 *		What the background processes have in common.
 *
 * They start working when recovery ends, hence on a standby at its promotion.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "worker/process.h"

static volatile sig_atomic_t may_be_canceled;

/* 0: not to be started again. */
static int	exit_code;

/*
 * A process that is told to end does so by itself, without a FATAL in the log,
 * as nothing is wrong; one that is at work is interrupted first.
 */
static void
on_terminate(SIGNAL_ARGS)
{
	int			save_errno = errno;

	ShutdownRequestPending = true;
	if (may_be_canceled)
	{
		QueryCancelPending = true;
		InterruptPending = true;
	}
	SetLatch(MyLatch);
	errno = save_errno;
}

void
process_let_cancel(bool may)
{
	may_be_canceled = may;
	if (may && ShutdownRequestPending)
		InterruptPending = QueryCancelPending = true;
}

bool
process_must_end(void)
{
	return ShutdownRequestPending;
}

void
process_describe(BackgroundWorker *worker, const char *type,
				 const char *function)
{
	memset(worker, 0, sizeof(BackgroundWorker));
	snprintf(worker->bgw_name, BGW_MAXLEN, "%s", type);
	snprintf(worker->bgw_type, BGW_MAXLEN, "%s", type);
	snprintf(worker->bgw_library_name, BGW_MAXLEN, "commerce");
	snprintf(worker->bgw_function_name, BGW_MAXLEN, "%s", function);
	worker->bgw_flags =
		BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
}

static void
override_setting(const char *name, const char *value)
{
	SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

void
process_begin(Oid database_id)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, on_terminate);
	exit_code = OidIsValid(database_id) ? 0 : 1;
	BackgroundWorkerUnblockSignals();
	if (OidIsValid(database_id))
		BackgroundWorkerInitializeConnectionByOid(database_id, InvalidOid, 0);
	else
		BackgroundWorkerInitializeConnection(NULL, NULL, 0);

	/* What a DBA sets for sessions is not to keep us from work. */
	override_setting("search_path", "pg_catalog, pg_temp");
	override_setting("default_transaction_isolation", "read committed");
	override_setting("statement_timeout", "0");
	override_setting("lock_timeout", "0");
	override_setting("idle_in_transaction_session_timeout", "0");
}

void
process_sleep(int64 timeout_ms, uint32 wait_event)
{
	WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
			  Max(timeout_ms, 0), wait_event);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (ShutdownRequestPending)
		proc_exit(exit_code);
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}
