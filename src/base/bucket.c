/*
 * bucket.c
 *		Which users and ids of a cluster are this node's.
 *
 * The membership is one row, or none. A session keeps it until
 * membership_changed() tells it that there is another one, which arrives when a
 * transaction begins. So whoever changes it must wait for those that have begun
 * before.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
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
take_over(TupleTableSlot *slot)
{
	bytea	   *buckets =
		DatumGetByteaPP(column_of(slot, CLUSTER_MEMBERSHIP_BUCKETS));

	if (VARSIZE_ANY_EXHDR(buckets) != sizeof(membership.buckets))
		elog(ERROR, "unexpected length of the membership's buckets");
	memcpy(membership.buckets, VARDATA_ANY(buckets),
		   sizeof(membership.buckets));
	membership.first_id =
		DatumGetInt64(column_of(slot, CLUSTER_MEMBERSHIP_FIRST_ID));
	membership.is_member = true;
}

/* As it is now, be the caller's snapshot what it may. */
static void
read_membership(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);

	if (table_scan_getnextslot(scan, ForwardScanDirection, slot))
		take_over(slot);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, AccessShareLock);
}

/* An error, or an invalidation that arrives while we read, leaves it unknown. */
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
			read_membership(membership.relid);
		}
		membership.is_known = !is_forgotten;
	}
	return &membership;
}

static bool
has_buckets(const Membership *known)
{
	for (int i = 0; i < (int) lengthof(known->buckets); i++)
		if (known->buckets[i] != 0)
			return true;
	return false;
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

int64
id_next_user(void)
{
	int64		user_id;

	if (get_membership()->is_member && !has_buckets(&membership))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this node has no users: no bucket is its own")));
	do
	{
		CHECK_FOR_INTERRUPTS();
		user_id = sequence_next(SEQUENCE_USER_ID);
	} while (!bucket_is_ours(bucket_of_user(user_id)));
	return user_id;
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
