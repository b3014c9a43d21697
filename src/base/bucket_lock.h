/*
 * bucket_lock.h
 *		Keeping a bucket where it is while somebody works on its users.
 *
 * Nothing here does anything in a shop by itself. All locks last to the end of
 * the transaction, or to that of the subtransaction that fails.
 */
#ifndef COMMERCE_BUCKET_LOCK_H
#define COMMERCE_BUCKET_LOCK_H

#include "postgres.h"

/*
 * Hold a bucket, whose users the call that follows is for; false: it is another
 * node's. In REPEATABLE READ and above it may be 40001.
 */
extern bool bucket_hold(int32 bucket);

/* The same to add a user to it; without waiting it may be false as well. */
extern bool bucket_hold_for_new(int32 bucket, bool wait);

/* The next value that is the id of a user of ours; holds its bucket. */
extern int64 id_next_user(void);

/*
 * What begins to write holds all buckets of this node, unless it is a call
 * between these two, for which one is held.
 */
extern void bucket_begin_write(void);

typedef struct BucketCover
{
	bool		is_set;
	int32		trigger_depth;	/* what triggers call is not covered */
} BucketCover;

/* Whoever begins it ends it, after an error too, with what was before. */
extern BucketCover bucket_cover_now(void);
extern BucketCover bucket_cover(void);
extern void bucket_uncover(BucketCover before);

#endif							/* COMMERCE_BUCKET_LOCK_H */
