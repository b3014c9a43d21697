/*
 * launcher.h
 *		Starting a notifier in each database of commerce.databases.
 */
#ifndef COMMERCE_LAUNCHER_H
#define COMMERCE_LAUNCHER_H

/* Most names that commerce.databases may have. */
#define LAUNCHER_MAX_DATABASES 64

/* Is that database one of commerce.databases now? */
extern bool launcher_wants(const char *database);

/*
 * Try to lock a database against being dropped, renamed or copied until the
 * end of the transaction; false if somebody is about to.
 */
extern bool launcher_try_lock(Oid database_id);

/* What a DBA sets for sessions is not to keep a background process from work. */
extern void launcher_override_settings(void);

/* The setting; registers the launcher if the library is preloaded. */
extern void launcher_init(void);

#endif							/* COMMERCE_LAUNCHER_H */
