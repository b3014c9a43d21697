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
 * Sleep until the latch is set, or so many milliseconds have passed; then obey
 * signals and take a reloaded configuration.
 */
extern void process_sleep(int64 timeout_ms, uint32 wait_event);

#endif							/* COMMERCE_PROCESS_H */
