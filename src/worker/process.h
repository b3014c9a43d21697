/*
 * process.h
 *		What the background processes have in common.
 */
#ifndef COMMERCE_PROCESS_H
#define COMMERCE_PROCESS_H

#include "postmaster/bgworker.h"

/* Fill in a worker of this type, name and function of this library. */
extern void process_describe(BackgroundWorker *worker, const char *type,
							 const char *function);

/* In a new process: connect it, to no database if InvalidOid. */
extern void process_begin(Oid database_id);

/*
 * From now on, being told to end cancels what runs, with an error that the
 * caller catches; or no longer. Has the process been told?
 */
extern void process_let_cancel(bool may);
extern bool process_must_end(void);

/*
 * Sleep until the latch is set, or so many milliseconds have passed; then obey
 * signals, which may end the process, and take a reloaded configuration.
 */
extern void process_sleep(int64 timeout_ms, uint32 wait_event);

#endif							/* COMMERCE_PROCESS_H */
