/*
 * notify.h
 *		Notifying channel commerce_outbox, at best through a notifier.
 */
#ifndef COMMERCE_NOTIFY_H
#define COMMERCE_NOTIFY_H

/* The setting commerce.notify. */
extern bool notify_enabled;

/*
 * Have the transaction's commit notify that there is something to look at in
 * the events; nothing with commerce.notify off. A rollback to a savepoint
 * does not take it back: it is only a hint.
 */
extern void notify_at_commit(void);

/* Does a notifier serve that database? */
extern bool notify_is_served(Oid database_id);

/*
 * For the notifier alone. Serve this database from now to the end of the
 * process; false if another process does, or all places are taken.
 */
extern bool notify_serve(void);

/* How many commits left their notification to us; the count begins anew. */
extern uint32 notify_take_pending(void);

extern bool notify_has_pending(void);

/*
 * Notify the channel when the current transaction commits; false: the server's
 * queue has no room for it, which asking frees as far as it can be.
 */
extern bool notify_channel(void);

/* Shared memory and callbacks; called once, by _PG_init. */
extern void notify_init(void);

#endif							/* COMMERCE_NOTIFY_H */
