/*
 * entry.h
 *		Entry points: is a function declared as the C code expects it?
 *
 * Whoever may create C functions could declare one of ours with other
 * arguments or another result. An Entry says what the code expects; every
 * entry point is run by entry_run(), so that any other declaration is an error
 * instead of a crash. It also counts the call by its outcome.
 *
 * A newer version may add arguments, always at the end. What an older script
 * declares has fewer then, and is served: args_is_null() is true of the rest.
 */
#ifndef COMMERCE_ENTRY_H
#define COMMERCE_ENTRY_H

#include "base/compat.h"
#include "base/metrics.h"
#include "fmgr.h"

#define ENTRY_MAX_ARGUMENTS	14
#define ENTRY_MAX_COLUMNS	8

typedef struct EntryArgument
{
	const char *name;
	Oid			type;
	bool		nullable;		/* else NULL is 22004 */
	int			since;			/* SCHEMA_VERSION(); 0: the first one */
} EntryArgument;

/* The result is one of three: of a type, a row of a relation, or many rows. */
typedef struct Entry
{
	EntryArgument arguments[ENTRY_MAX_ARGUMENTS];
	Oid			type;
	const char *row;			/* name of a table or view of ours */
	Oid			columns[ENTRY_MAX_COLUMNS];

	/* It counts itself what it did: each request of a batch. */
	bool		is_batch;

	/* What was proved, and when. */
	Oid			proved;
	uint32		generation;
} Entry;

/*
 * Call it, and count that. Raises 42P13 unless the declaration fits, 22004 for
 * the first argument that is NULL and must not be.
 */
extern Datum entry_run(FunctionCallInfo fcinfo, Entry *entry, Metric metric,
					   Datum (*call) (FunctionCallInfo));

/* Begins the C function of SQL function "name", whose Entry is name_entry. */
#define ENTRY_POINT(name) \
PG_FUNCTION_INFO_V1(commerce_##name); \
static Datum name##_call(FunctionCallInfo fcinfo); \
Datum \
commerce_##name(PG_FUNCTION_ARGS) \
{ \
	return entry_run(fcinfo, &name##_entry, CALLS_##name, name##_call); \
} \
static Datum \
name##_call(FunctionCallInfo fcinfo)

/* Called once, by _PG_init. */
extern void entry_init(void);

#endif							/* COMMERCE_ENTRY_H */
