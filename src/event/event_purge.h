/*
 * event_purge.h
 *		Deleting events that nobody needs any more.
 */
#ifndef COMMERCE_EVENT_PURGE_H
#define COMMERCE_EVENT_PURGE_H

/*
 * For a new subscription that wants older events: none are purged until the
 * transaction's end. Waits for a purge that is under way.
 */
extern void event_purge_keep_out(void);

#endif							/* COMMERCE_EVENT_PURGE_H */
