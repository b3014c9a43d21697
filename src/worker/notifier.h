/*
 * notifier.h
 *		The background worker of one database.
 */
#ifndef COMMERCE_NOTIFIER_H
#define COMMERCE_NOTIFIER_H

/* The setting commerce.notify_interval, milliseconds. */
extern int	notifier_interval;

#endif							/* COMMERCE_NOTIFIER_H */
