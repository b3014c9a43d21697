/*
 * entry.h
 *		Entry points: is a function declared as the C code expects it?
 *
 * Whoever may create C functions could declare one of ours with other
 * arguments or another result. An Entry says what the code expects; every
 * entry point begins with entry_check(), so that any other declaration is an
 * error instead of a crash.
 *
 * A newer version may add arguments, always at the end. What an older script
 * declares has fewer then, and is served: args_is_null() is true of the rest.
 */
#ifndef COMMERCE_ENTRY_H
#define COMMERCE_ENTRY_H

#include "base/compat.h"
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

	/* What was proved, and when. */
	Oid			proved;
	uint32		generation;
} Entry;

/* Counts changes of functions. */
extern uint32 entry_generation;

/* Raise 42P13 unless the declaration fits. */
extern void entry_prove(FunctionCallInfo fcinfo, Entry *entry);

/* Raise 22004 for the first argument that is NULL and must not be. */
extern void entry_check_nulls(FunctionCallInfo fcinfo, const Entry *entry);

static inline void
entry_check(FunctionCallInfo fcinfo, Entry *entry)
{
	if (unlikely(fcinfo->flinfo->fn_oid != entry->proved ||
				 entry->generation != entry_generation))
		entry_prove(fcinfo, entry);
	entry_check_nulls(fcinfo, entry);
}

/* Called once, by _PG_init. */
extern void entry_init(void);

#endif							/* COMMERCE_ENTRY_H */
