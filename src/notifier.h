/*
 * notifier.h
 *		Telling channel commerce_outbox, at best from a background worker.
 */
#ifndef COMMERCE_NOTIFIER_H
#define COMMERCE_NOTIFIER_H

/*
 * Have the transaction's commit tell that there is something to look at in
 * the outbox; nothing with commerce.notify off. A rollback to a savepoint
 * does not take it back: it is only a hint.
 */
extern void notifier_tell(void);

/* Does a notifier run in that database? */
extern bool notifier_is_running(Oid database_id);

/* Settings, shared memory, callbacks. */
extern void notifier_init(void);

#endif							/* COMMERCE_NOTIFIER_H */
