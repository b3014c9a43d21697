/*
 * databases.h
 *		The databases of commerce.databases, which have a notifier.
 */
#ifndef COMMERCE_DATABASES_H
#define COMMERCE_DATABASES_H

#include "nodes/pg_list.h"
#include "utils/guc.h"

/* Most names that the list may have. */
#define DATABASES_MAX	64

/* The setting, and what proves that a value of it is a list of names. */
extern char *databases_setting;
extern bool databases_check(char **newval, void **extra, GucSource source);

/* The names on the list now, as char *, in the current memory context. */
extern List *databases_names(void);

/* Is that database on the list now? */
extern bool databases_has(const char *name);

/*
 * Try to lock a database against being dropped, renamed or copied until the
 * end of the transaction; false if somebody is about to.
 */
extern bool databases_try_lock(Oid database_id);

#endif							/* COMMERCE_DATABASES_H */
