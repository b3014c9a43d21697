/*
 * launcher.h
 *		Starting a notifier in each database of commerce.databases.
 */
#ifndef COMMERCE_LAUNCHER_H
#define COMMERCE_LAUNCHER_H

/* Register the launcher if the library is preloaded; called by _PG_init. */
extern void launcher_init(void);

#endif							/* COMMERCE_LAUNCHER_H */
