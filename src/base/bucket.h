/*
 * bucket.h
 *		Which users and ids of a cluster are this node's.
 *
 * A cluster's users fall into BUCKET_COUNT buckets by a hash of their ids, and
 * each bucket is one node's. In a database that has joined a cluster, ids of
 * orders, coupons and events have their user's bucket in the lowest bits, so
 * that they lead to the node: doc/scale.md. A shop by itself has neither.
 */
#ifndef COMMERCE_BUCKET_H
#define COMMERCE_BUCKET_H

#include "base/tables.h"

#define BUCKET_BITS		12
#define BUCKET_COUNT	(1 << BUCKET_BITS)

/* The same on every node and router, and never to be changed. */
extern int32 bucket_of_user(int64 user_id);

/* The bucket that an id leads to; -1: it is from before this node joined. */
extern int32 bucket_of_id(int64 id);

/* Has this database joined a cluster? */
extern bool bucket_is_in_cluster(void);

/* Is the bucket this node's? In a shop by itself each is. */
extern bool bucket_is_ours(int32 bucket);

/* Is any? */
extern bool bucket_is_any_ours(void);

/*
 * In REPEATABLE READ and above: raises 40001 if a bucket has come or gone since
 * the transaction's snapshot.
 */
extern void bucket_check_snapshot(void);

/* The table that says so, as what locks on buckets are named for. */
extern Oid	bucket_membership_oid(void);

/* The next id of an object of this user. */
extern int64 id_next(SequenceId sequence, int64 user_id);

/* The same, above all that anybody was given so far. */
extern int64 id_next_of_all(SequenceId sequence, int64 user_id);

/* Called once, by _PG_init. */
extern void bucket_init(void);

#endif							/* COMMERCE_BUCKET_H */
