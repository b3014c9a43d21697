/*
 * bucket_lock.c
 *		Keeping a bucket where it is while somebody works on its users.
 *
 * A move takes the rows of a bucket's users away. Whoever writes such rows must
 * be done before that, or come after it and be told that they are elsewhere. So
 * there are heavyweight locks, which calls take in a weak mode, that meets no
 * other call's, and a move in a strong one:
 *
 *		new users		whoever adds a user to the bucket
 *		the bucket		calls of a router, each for one user
 *		all buckets		all other writers: calls of many users, and of nobody in
 *						particular; sweeps, claims, acks; what is called at the
 *						node itself
 *
 * A lock may be waited for; then the membership is read anew, which whoever had
 * the lock may have changed: its invalidation is sent before the lock is gone.
 *
 * Lock order: these come first of all, in the order of the list from below: but
 * who adds users takes that lock without waiting, or before the others. A
 * transaction of many calls has no order; then there are deadlocks, and a move,
 * which waits for a second, gives in.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/args.h"
#include "base/bucket.h"
#include "base/bucket_lock.h"
#include "base/entry.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"

/* Parts of a lock's name: of a bucket, of all buckets. */
#define WORK		0
#define NEW_USERS	1
#define ALL			(-1)

static BucketCover cover;

/* True: it is ours now. */
static bool
acquire(int32 bucket, uint16 part, LOCKMODE mode, bool wait)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, bucket_membership_oid(),
					   (uint32) (bucket + 1), part);
	if (LockAcquire(&tag, mode, false, !wait) == LOCKACQUIRE_NOT_AVAIL)
		return false;
	AcceptInvalidationMessages();
	return true;
}

bool
bucket_hold(int32 bucket)
{
	if (!bucket_is_in_cluster())
		return true;
	(void) acquire(bucket, WORK, RowShareLock, true);
	bucket_check_snapshot();
	return bucket_is_ours(bucket);
}

bool
bucket_hold_for_new(int32 bucket, bool wait)
{
	if (!bucket_is_in_cluster())
		return true;
	return bucket_is_ours(bucket) &&
		acquire(bucket, NEW_USERS, RowShareLock, wait) &&
		bucket_is_ours(bucket);
}

/* A bucket that is about to move is passed over, unless there is no other. */
int64
id_next_user(void)
{
	int64		user_id;

	if (!bucket_is_any_ours())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this node has no users: no bucket is its own")));
	for (int tries = 1;; tries++)
	{
		CHECK_FOR_INTERRUPTS();
		user_id = sequence_next(SEQUENCE_USER_ID);
		if (bucket_hold_for_new(bucket_of_user(user_id), false))
			return user_id;
		if (tries % BUCKET_COUNT == 0)
			pg_usleep(1000);
	}
}

/* ---- writers in general ---- */

static int32
trigger_depth(void)
{
	return DatumGetInt32(DirectFunctionCall1(pg_trigger_depth, (Datum) 0));
}

void
bucket_begin_write(void)
{
	if (!bucket_is_in_cluster() ||
		(cover.is_set && cover.trigger_depth == trigger_depth()))
		return;
	(void) acquire(ALL, WORK, RowShareLock, true);
	bucket_check_snapshot();
}

BucketCover
bucket_cover_now(void)
{
	return cover;
}

BucketCover
bucket_cover(void)
{
	BucketCover before = cover;

	cover.is_set = true;
	cover.trigger_depth = trigger_depth();
	return before;
}

void
bucket_uncover(BucketCover before)
{
	cover = before;
}

/* ---- a move ---- */

static Entry lock_bucket_entry = {
	.arguments = {{"bucket", INT4OID}, {"new_users_only", BOOLOID}},
	.type = VOIDOID
};

/* For moves: nobody works on its users to the end of the transaction. */
ENTRY_POINT(lock_bucket)
{
	int32		bucket = PG_GETARG_INT32(0);

	if (bucket < 0 || bucket >= BUCKET_COUNT)
		args_invalid("bucket", "be from 0 to 4095");
	PreventCommandIfReadOnly("lock_bucket()");
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("a bucket moves in READ COMMITTED only")));
	if (!bucket_is_in_cluster())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this database is not a node of a cluster"),
				 errhint("join_cluster() makes it one.")));
	if (PG_GETARG_BOOL(1))
		(void) acquire(bucket, NEW_USERS, ExclusiveLock, true);
	else
	{
		(void) acquire(ALL, WORK, ExclusiveLock, true);
		(void) acquire(bucket, WORK, ExclusiveLock, true);
	}
	PG_RETURN_VOID();
}
