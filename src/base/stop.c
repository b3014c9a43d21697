/*
 * stop.c
 *		Stop points: steps of a call at which a test may hold or end it.
 *
 * A statement's stop points are counted from 1. At the one that
 * commerce.stop_at says, commerce.stop_action is done: "wait" until the
 * advisory lock STOP_LOCK is free, which the test holds; end with an "error" of
 * memory; be cancelled ("cancel") or terminated ("terminate"); or "crash".
 * commerce.stop_trace names each as a NOTICE.
 */
#include "postgres.h"

#include "base/stop.h"

#ifdef COMMERCE_STOPS

#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#define STOP_LOCK	INT64CONST(7777)

typedef enum StopAction
{
	STOP_WAIT,
	STOP_ERROR,
	STOP_CANCEL,
	STOP_TERMINATE,
	STOP_CRASH
} StopAction;

static const struct config_enum_entry actions[] = {
	{"wait", STOP_WAIT, false},
	{"error", STOP_ERROR, false},
	{"cancel", STOP_CANCEL, false},
	{"terminate", STOP_TERMINATE, false},
	{"crash", STOP_CRASH, false},
	{NULL, 0, false}
};

static int	stop_at;
static int	stop_action = STOP_WAIT;
static bool stop_trace;

static TimestampTz statement;
static int	passed;

static void
wait_for_test(void)
{
	Datum		lock = Int64GetDatum(STOP_LOCK);

	DirectFunctionCall1(pg_advisory_lock_int8, lock);
	DirectFunctionCall1(pg_advisory_unlock_int8, lock);
}

static void
act_on_stop(const char *name)
{
	switch ((StopAction) stop_action)
	{
		case STOP_WAIT:
			wait_for_test();
			break;
		case STOP_ERROR:
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("out of memory at stop point \"%s\"", name)));
			break;
		case STOP_CANCEL:
			QueryCancelPending = true;
			InterruptPending = true;
			CHECK_FOR_INTERRUPTS();
			break;
		case STOP_TERMINATE:
			ProcDiePending = true;
			InterruptPending = true;
			CHECK_FOR_INTERRUPTS();
			break;
		case STOP_CRASH:
			kill(getpid(), SIGKILL);
			break;
	}
}

void
stop_point(const char *name)
{
	if (statement != GetCurrentStatementStartTimestamp())
	{
		statement = GetCurrentStatementStartTimestamp();
		passed = 0;
	}
	passed++;
	if (stop_trace)
		ereport(NOTICE, (errmsg_internal("stop point %d: %s", passed, name)));
	if (passed == stop_at)
		act_on_stop(name);
}

void
stop_define_settings(void)
{
	DefineCustomIntVariable("commerce.stop_at",
							"Which stop point of each statement is a stop.",
							"0: none.", &stop_at, 0, 0, INT_MAX,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("commerce.stop_action",
							 "What is done there.",
							 NULL, &stop_action, STOP_WAIT, actions,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("commerce.stop_trace",
							 "Name all stop points that are passed.",
							 NULL, &stop_trace, false,
							 PGC_SUSET, 0, NULL, NULL, NULL);
}

#endif							/* COMMERCE_STOPS */
