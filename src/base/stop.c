/*
 * stop.c
 *		Stop points: steps of a call at which a test may hold or end it.
 *
 * A statement's stop points are counted from 1. At the one that
 * commerce.stop_at says, commerce.stop_action is done: "wait" until the
 * advisory lock STOP_LOCK is free, which the test holds; end with an "error" of
 * memory; be cancelled ("cancel") or terminated ("terminate"); or "crash".
 * commerce.stop_trace names each as a NOTICE.
 *
 * The memory that a call allocates is counted too, PostgreSQL's own for it with
 * ours, up to PostgreSQL 15, where that can be hooked: the allocation that
 * commerce.stop_allocation says fails.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/stop.h"

#ifdef COMMERCE_STOPS

#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

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

/* ---- allocations ---- */

static int	stop_allocation;
static int	allocated = -1;		/* by this call; -1: none is under way */

#ifdef COMPAT_MEMORY_METHODS

static MemoryContextMethods plain;

static void
count_allocation(void)
{
	if (allocated < 0 || ++allocated != stop_allocation)
		return;
	allocated = -1;
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("out of memory at allocation %d of a call",
					stop_allocation)));
}

static void *
allocate(MemoryContext context, Size size)
{
	count_allocation();
	return plain.alloc(context, size);
}

static void *
reallocate(MemoryContext context, void *pointer, Size size)
{
	count_allocation();
	return plain.realloc(context, pointer, size);
}

/* The methods that all contexts share are constant. */
static void
hook_allocations(void)
{
	MemoryContextMethods *methods =
		unconstify(MemoryContextMethods *, TopMemoryContext->methods);
	long		page_size = sysconf(_SC_PAGESIZE);
	char	   *page = (char *) TYPEALIGN_DOWN(page_size, methods);

	if (plain.alloc != NULL)
		return;
	if (mprotect(page, (char *) (methods + 1) - page,
				 PROT_READ | PROT_WRITE) != 0)
		elog(ERROR, "could not hook allocations: %m");
	plain = *methods;
	methods->alloc = allocate;
	methods->realloc = reallocate;
}

#endif

void
stop_call_begin(void)
{
#ifdef COMPAT_MEMORY_METHODS
	if (stop_allocation > 0)
		hook_allocations();
#endif
	allocated = stop_allocation > 0 ? 0 : -1;
}

void
stop_call_end(void)
{
	allocated = -1;
}

void
stop_define_settings(void)
{
#ifdef COMPAT_MEMORY_METHODS
	DefineCustomIntVariable("commerce.stop_allocation",
							"Which allocation of each call fails.",
							"0: none.", &stop_allocation, 0, 0, INT_MAX,
							PGC_SUSET, 0, NULL, NULL, NULL);
#endif
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
