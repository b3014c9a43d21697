/*
 * order_expire.h
 *		Closing orders that were not paid in time.
 */
#ifndef COMMERCE_ORDER_EXPIRE_H
#define COMMERCE_ORDER_EXPIRE_H

#include "c.h"

/*
 * Does commerce.orders belong to an enabled subscription of this database? Then
 * what expires is the publisher's business. Needs a snapshot.
 */
extern bool order_expire_is_subscriber(void);

/*
 * Set by a process that calls again and again: an order that could not be
 * expired is tried again later and later, and so warned of ever more rarely.
 */
extern bool order_expire_backs_off;

#endif							/* COMMERCE_ORDER_EXPIRE_H */
