/*
 * row_target.h
 *		A table's indexes and CHECKs, prepared for writing once a session.
 */
#ifndef COMMERCE_ROW_TARGET_H
#define COMMERCE_ROW_TARGET_H

#include "base/tables.h"
#include "nodes/execnodes.h"

/*
 * Open the indexes of a table that is open and locked for writing, as
 * ExecOpenIndices() does, and set up its CHECKs; of a contested table for
 * speculative insertion too.
 */
extern void row_target_open(ResultRelInfo *result, TableId table);

/* Close the indexes. release: RowExclusiveLock, or NoLock to keep it. */
extern void row_target_close(ResultRelInfo *result, LOCKMODE release);

/* Relcache invalidations so far, of any relation. */
extern uint64 row_target_changes;

/* Called once, by _PG_init. */
extern void row_target_init(void);

#endif							/* COMMERCE_ROW_TARGET_H */
