/*
 * shortage.c
 *		What a router's sessions tell each other of options that are short.
 */
#include "postgres.h"

#include "base/args.h"
#include "base/entry.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "router/shortage.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/builtins.h"

/* More options or policies than these are not short at once, or ask again. */
#define SHORTAGES_MAX	256

typedef struct Shortage
{
	Oid			database_id;
	bool		is_quota;
	int64		object_id;
	int64		mark;			/* when the nodes were asked; 0: never */
	int64		total;			/* what they had */
} Shortage;

typedef struct Shortages
{
	slock_t		lock;
	pg_atomic_uint64 mark;
	Shortage	of[SHORTAGES_MAX];	/* by the hash of what it is */
} Shortages;

static Shortages *shortages;	/* NULL: the library is not preloaded */
static shmem_request_hook_type previous_request_hook;
static shmem_startup_hook_type previous_startup_hook;

int64
shortage_mark(void)
{
	return shortages ? pg_atomic_read_u64(&shortages->mark) : 0;
}

static Shortage
shortage_of(const char *counter, int64 object_id)
{
	Shortage	object = {
		.database_id = MyDatabaseId,
		.is_quota = strcmp(counter, "coupon_quota") == 0,
		.object_id = object_id
	};

	if (!object.is_quota && strcmp(counter, "stock") != 0)
		args_invalid("counter", "be stock or coupon_quota");
	return object;
}

static Shortage *
place_of_shortage(const Shortage *object)
{
	uint64		seed = UINT64CONST(2) * object->database_id + object->is_quota;
	uint64		hash =
		hash_bytes_extended((const unsigned char *) &object->object_id,
							sizeof(object->object_id), seed);

	return &shortages->of[hash % SHORTAGES_MAX];
}

static bool
is_of(const Shortage *noted, const Shortage *object)
{
	return noted->database_id == object->database_id &&
		noted->is_quota == object->is_quota &&
		noted->object_id == object->object_id;
}

bool
shortage_known(const char *counter, int64 object_id, int64 since,
			   int64 *total)
{
	Shortage	object = shortage_of(counter, object_id);
	Shortage	noted;

	if (shortages == NULL)
		return false;
	SpinLockAcquire(&shortages->lock);
	noted = *place_of_shortage(&object);
	SpinLockRelease(&shortages->lock);
	*total = noted.total;
	return is_of(&noted, &object) && noted.mark > since;
}

static Entry shortage_mark_entry = {
	.type = INT8OID
};

/* Before a call: what is noted with a higher mark was seen after it. */
ENTRY_POINT(shortage_mark)
{
	PG_RETURN_INT64(shortage_mark());
}

static Entry begin_asking_entry = {
	.type = INT8OID
};

/* Before all nodes are asked: the mark with which to note what they have. */
ENTRY_POINT(begin_asking)
{
	PG_RETURN_INT64(shortages ?
					pg_atomic_add_fetch_u64(&shortages->mark, 1) : 0);
}

static Entry note_shortage_entry = {
	.arguments = {
		{"counter", TEXTOID},
		{"object_id", INT8OID},
		{"mark", INT8OID},
		{"total", INT8OID}
	},
	.type = VOIDOID
};

/* All nodes together have this, and somebody wanted more. */
ENTRY_POINT(note_shortage)
{
	Shortage	object = shortage_of(text_to_cstring(PG_GETARG_TEXT_PP(0)),
									 PG_GETARG_INT64(1));
	Shortage   *place;

	object.mark = PG_GETARG_INT64(2);
	object.total = PG_GETARG_INT64(3);
	if (shortages == NULL)
		PG_RETURN_VOID();
	place = place_of_shortage(&object);
	SpinLockAcquire(&shortages->lock);
	if (!is_of(place, &object) || place->mark < object.mark)
		*place = object;
	SpinLockRelease(&shortages->lock);
	PG_RETURN_VOID();
}

/* ---- start ---- */

static void
request_shortages(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(sizeof(Shortages));
}

static void
attach_shortages(void)
{
	bool		found;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shortages = ShmemInitStruct("commerce shortages", sizeof(Shortages),
								&found);
	if (!found)
	{
		memset(shortages, 0, sizeof(Shortages));
		SpinLockInit(&shortages->lock);
		pg_atomic_init_u64(&shortages->mark, 0);
	}
	LWLockRelease(AddinShmemInitLock);
}

void
shortage_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_shortages;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = attach_shortages;
}
