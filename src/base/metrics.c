/*
 * metrics.c
 *		Counting what happens, for commerce.metrics().
 *
 * Shared memory has a hash table of counters, of fixed size, which nobody
 * locks: a place in it is taken by a compare-and-exchange of its key, and kept
 * until the server stops. So that many CPUs do not count in one cache line
 * there are several such tables; a process always uses the same, and who reads
 * adds them up. What finds no place any more is not counted.
 *
 * A key is made of the database, what is counted, and a label: the number of a
 * subscription, or the place of a SQLSTATE in a list of those that have been
 * met, as there are more of them than bits.
 */
#include "postgres.h"

#include "base/metrics.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#define TABLE_COUNT		8
#define PLACE_COUNT		2048	/* of one table; a power of 2 */
#define PROBE_COUNT		64		/* most places to look at for a key */
#define SQLSTATE_COUNT	255
#define LABEL_BITS		24
#define METRIC_BITS		8

typedef struct Place
{
	pg_atomic_uint64 key;		/* 0: free */
	pg_atomic_uint64 value;
} Place;

typedef struct Counters
{
	Place		of[TABLE_COUNT][PLACE_COUNT];
	pg_atomic_uint32 sqlstates[SQLSTATE_COUNT]; /* 0: free */
} Counters;

/* NULL unless the library is preloaded. */
static Counters *counters;

static shmem_request_hook_type previous_request_hook;
static shmem_startup_hook_type previous_startup_hook;

StaticAssertDecl(METRIC_COUNT < (1 << METRIC_BITS), "a key has no room");

/* ---- counting ---- */

static uint64
key_of(Metric metric, uint32 label)
{
	return ((uint64) MyDatabaseId << 32) |
		((uint64) metric << LABEL_BITS) | label;
}

/* The key's place, if need be a new one; NULL: there is none left. */
static Place *
find_place(Place *table, uint64 key)
{
	uint32		start = murmurhash32((uint32) (key ^ (key >> 32)));

	for (uint32 i = 0; i < PROBE_COUNT; i++)
	{
		Place	   *place = &table[(start + i) % PLACE_COUNT];
		uint64		found = pg_atomic_read_u64(&place->key);

		if (found == key)
			return place;
		if (found == 0 &&
			(pg_atomic_compare_exchange_u64(&place->key, &found, key) ||
			 found == key))
			return place;
	}
	return NULL;
}

static void
add(Metric metric, uint32 label, int64 amount)
{
	Place	   *place;

	if (counters == NULL || amount <= 0)
		return;
	place = find_place(counters->of[MyProcPid % TABLE_COUNT],
					   key_of(metric, label));
	if (place != NULL)
		pg_atomic_fetch_add_u64(&place->value, amount);
}

void
metrics_add(Metric metric, int64 amount)
{
	add(metric, 0, amount);
}

void
metrics_add_deliveries(Metric metric, int32 subscription_no, int64 amount)
{
	if (subscription_no > 0 && subscription_no < (1 << LABEL_BITS))
		add(metric, subscription_no, amount);
}

/* A number for it, from 1; 0 is success, and what is not in the list. */
static uint32
sqlstate_label(int sqlstate)
{
	for (uint32 i = 0; i < SQLSTATE_COUNT; i++)
	{
		pg_atomic_uint32 *place = &counters->sqlstates[i];
		uint32		found = pg_atomic_read_u32(place);

		if (found == (uint32) sqlstate)
			return i + 1;
		if (found == 0 &&
			(pg_atomic_compare_exchange_u32(place, &found, sqlstate) ||
			 found == (uint32) sqlstate))
			return i + 1;
	}
	return 0;
}

void
metrics_add_calls(Metric metric, int sqlstate, int64 amount)
{
	uint32		label = 0;

	if (counters == NULL || amount <= 0)
		return;
	if (sqlstate != 0)
	{
		label = sqlstate_label(sqlstate);
		if (label == 0)
			return;
	}
	add(metric, label, amount);
}

bool
metrics_are_kept(void)
{
	return counters != NULL;
}

/* ---- reading ---- */

static MetricValue
value_of_key(uint64 key)
{
	uint32		label = key & ((1 << LABEL_BITS) - 1);
	MetricValue value = {
		.metric = (key >> LABEL_BITS) & ((1 << METRIC_BITS) - 1)
	};

	if (value.metric >= DELIVERIES_CLAIMED &&
		value.metric <= DELIVERIES_DISCARDED)
		value.subscription_no = label;
	else if (label > 0)
		value.sqlstate = pg_atomic_read_u32(&counters->sqlstates[label - 1]);
	return value;
}

/* What one table has for a key. */
typedef struct Count
{
	uint64		key;
	int64		value;
} Count;

static int
compare_counts(const void *a, const void *b)
{
	uint64		key = ((const Count *) a)->key;
	uint64		other = ((const Count *) b)->key;

	return (key > other) - (key < other);
}

/* Those of this database, by key, in the room for all. */
static int
read_counts(Count *counts)
{
	int			count = 0;

	for (int i = 0; i < TABLE_COUNT * PLACE_COUNT; i++)
	{
		Place	   *place = &counters->of[i / PLACE_COUNT][i % PLACE_COUNT];
		uint64		key = pg_atomic_read_u64(&place->key);

		if (key >> 32 != MyDatabaseId)
			continue;
		counts[count].key = key;
		counts[count++].value = pg_atomic_read_u64(&place->value);
	}
	qsort(counts, count, sizeof(Count), compare_counts);
	return count;
}

int
metrics_read(MetricValue **values)
{
	Count	   *counts;
	int			count;
	int			read = 0;

	if (counters == NULL)
		return 0;
	counts = palloc(TABLE_COUNT * PLACE_COUNT * sizeof(Count));
	count = read_counts(counts);
	*values = palloc(count * sizeof(MetricValue));
	for (int i = 0; i < count; i++)
	{
		if (i == 0 || counts[i].key != counts[i - 1].key)
			(*values)[read++] = value_of_key(counts[i].key);
		(*values)[read - 1].value += counts[i].value;
	}
	pfree(counts);
	return read;
}

/* ---- start ---- */

static void
request_counters(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(sizeof(Counters));
}

static void
attach_counters(void)
{
	bool		found;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	counters = ShmemInitStruct("commerce counters", sizeof(Counters), &found);
	if (!found)
	{
		for (int i = 0; i < TABLE_COUNT * PLACE_COUNT; i++)
		{
			Place	   *place = &counters->of[i / PLACE_COUNT][i % PLACE_COUNT];

			pg_atomic_init_u64(&place->key, 0);
			pg_atomic_init_u64(&place->value, 0);
		}
		for (int i = 0; i < SQLSTATE_COUNT; i++)
			pg_atomic_init_u32(&counters->sqlstates[i], 0);
	}
	LWLockRelease(AddinShmemInitLock);
}

void
metrics_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_counters;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = attach_counters;
}
