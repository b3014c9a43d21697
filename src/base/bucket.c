/*
 * bucket.c
 *		Which users and ids of a cluster are this node's.
 *
 * The membership is one row, or none. A session keeps it until
 * membership_changed() tells it that there is another one, which arrives when a
 * transaction begins, or when a lock is taken that whoever changes it holds
 * against it: bucket_lock.c.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/bucket.h"
#include "base/entry.h"
#include "base/ids.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/snapmgr.h"

typedef struct Membership
{
	bool		is_known;
	Oid			relid;			/* of the table; invalid: there is none yet */
	bool		is_member;
	int64		first_id;		/* ids from here on have a bucket */
	uint8		buckets[BUCKET_COUNT / BITS_PER_BYTE];
} Membership;

static Membership membership;

/* Set by an invalidation that arrives while we read it. */
static bool is_forgotten;

static void
forget_membership(Datum arg, Oid relid)
{
	if (relid != InvalidOid && OidIsValid(membership.relid) &&
		relid != membership.relid)
		return;
	membership.is_known = false;
	is_forgotten = true;
}

static Datum
column_of(TupleTableSlot *slot, ColumnId column)
{
	bool		isnull;
	Datum		value =
		slot_getattr(slot, table_attnums(TABLE_CLUSTER_MEMBERSHIP)[column],
					 &isnull);

	if (isnull)
		elog(ERROR, "unexpected NULL in the membership");
	return value;
}

static void
take_over(TupleTableSlot *slot, Membership *into)
{
	bytea	   *buckets =
		DatumGetByteaPP(column_of(slot, CLUSTER_MEMBERSHIP_BUCKETS));

	if (VARSIZE_ANY_EXHDR(buckets) != sizeof(into->buckets))
		elog(ERROR, "unexpected length of the membership's buckets");
	memcpy(into->buckets, VARDATA_ANY(buckets), sizeof(into->buckets));
	into->first_id =
		DatumGetInt64(column_of(slot, CLUSTER_MEMBERSHIP_FIRST_ID));
	into->is_member = true;
}

/* As the snapshot sees it. */
static void
read_membership(Oid relid, Snapshot snapshot, Membership *into)
{
	Relation	rel = table_open(relid, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan;

	snapshot = RegisterSnapshot(snapshot);
	scan = table_beginscan(rel, snapshot, 0, NULL);
	if (table_scan_getnextslot(scan, ForwardScanDirection, slot))
		take_over(slot, into);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, AccessShareLock);
}

/*
 * As it is now, be the caller's snapshot what it may. An error, or an
 * invalidation that arrives while we read, leaves it unknown.
 */
static const Membership *
get_membership(void)
{
	while (unlikely(!membership.is_known))
	{
		bool		exists = table_exists(TABLE_CLUSTER_MEMBERSHIP);

		memset(&membership, 0, sizeof(Membership));
		is_forgotten = false;
		if (exists)
		{
			membership.relid = table_oid(TABLE_CLUSTER_MEMBERSHIP);
			read_membership(membership.relid, GetLatestSnapshot(), &membership);
		}
		membership.is_known = !is_forgotten;
	}
	return &membership;
}

bool
bucket_is_any_ours(void)
{
	const Membership *known = get_membership();

	for (int i = 0; i < (int) lengthof(known->buckets); i++)
		if (known->buckets[i] != 0)
			return true;
	return !known->is_member;
}

bool
bucket_is_in_cluster(void)
{
	return get_membership()->is_member;
}

bool
bucket_is_ours(int32 bucket)
{
	const Membership *known = get_membership();

	return !known->is_member ||
		(known->buckets[bucket / BITS_PER_BYTE] &
		 (1 << bucket % BITS_PER_BYTE)) != 0;
}

/*
 * A bucket that came after the snapshot has rows that it does not see, and one
 * that went away is not ours to write to. Which of them the caller is after,
 * nobody asks: buckets move rarely.
 */
void
bucket_check_snapshot(void)
{
	const Membership *known = get_membership();
	Membership	seen = {0};

	if (!known->is_member || !IsolationUsesXactSnapshot())
		return;
	read_membership(known->relid, GetTransactionSnapshot(), &seen);
	if (memcmp(seen.buckets, known->buckets, sizeof(seen.buckets)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to a bucket that moved")));
}

Oid
bucket_membership_oid(void)
{
	return get_membership()->relid;
}

/* The finalizer of MurmurHash3 (Austin Appleby, public domain). */
int32
bucket_of_user(int64 user_id)
{
	uint64		hash = (uint64) user_id;

	hash ^= hash >> 33;
	hash *= UINT64CONST(0xff51afd7ed558ccd);
	hash ^= hash >> 33;
	hash *= UINT64CONST(0xc4ceb9fe1a85ec53);
	hash ^= hash >> 33;
	return (int32) (hash % BUCKET_COUNT);
}

int32
bucket_of_id(int64 id)
{
	const Membership *known = get_membership();

	if (!known->is_member || id < known->first_id || id > MAX_ID)
		return -1;
	return (int32) (id % BUCKET_COUNT);
}

static int64
with_bucket(int64 value, int64 user_id)
{
	if (!get_membership()->is_member)
		return value;
	return (value << BUCKET_BITS) | bucket_of_user(user_id);
}

int64
id_next(SequenceId sequence, int64 user_id)
{
	return with_bucket(sequence_next(sequence), user_id);
}

int64
id_next_of_all(SequenceId sequence, int64 user_id)
{
	return with_bucket(sequence_next_of_all(sequence), user_id);
}

static Entry bucket_entry = {
	.arguments = {{"user_id", INT8OID}},
	.type = INT4OID
};

/* The bucket of a user: doc/scale.md. */
ENTRY_POINT(bucket)
{
	PG_RETURN_INT32(bucket_of_user(PG_GETARG_INT64(0)));
}

static Entry membership_changed_entry = {.type = VOIDOID};

/* Tells all sessions, at commit, to read the membership anew. */
ENTRY_POINT(membership_changed)
{
	PreventCommandIfReadOnly("membership_changed()");
	CacheInvalidateRelcacheByRelid(table_oid(TABLE_CLUSTER_MEMBERSHIP));
	PG_RETURN_VOID();
}

void
bucket_init(void)
{
	CacheRegisterRelcacheCallback(forget_membership, (Datum) 0);
}
