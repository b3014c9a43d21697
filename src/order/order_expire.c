/*
 * order_expire.c
 *		Closing orders that were not paid in time, whatever one of them does.
 *
 * The oldest that are due are picked, and closed together, a part at a time, in
 * a subtransaction (order_expire_part.c). Only if that ends in an error, which
 * may be a trigger's, is the part halved again and again, until the order that
 * is at fault stands alone: it is warned of and passed over. So there is no
 * subtransaction for each order, but where many are at fault.
 *
 * What fails for reasons that are not an order's ends the call: a cancel, a
 * serialization failure, a lack of resources.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/args.h"
#include "base/clock.h"
#include "base/entry.h"
#include "base/metrics.h"
#include "base/printable.h"
#include "base/sql.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "order/order_expire.h"
#include "order/order_expire_part.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/* Orders that are closed together. */
#define PART_SIZE		1000

/* In one call: time to wait for locks, orders to pass over, and at fault. */
#define WAIT_MS			50
#define PASSED_MAX		10000
#define FAULTS_MAX		100

/* Orders at fault that a process keeps in mind; between tries of one. */
#define REMEMBERED		1000
#define FIRST_REST_MS	1000
#define MAX_REST_MS		600000

typedef struct FaultyOrder
{
	int64		order_id;		/* 0: none */
	int64		rest_ms;
	int64		retry_at_ms;
} FaultyOrder;

typedef struct Expiry
{
	int64		deadline_ms;
	int64		expired;
	int			faults;
	int64	   *passed;			/* orders that are not to be picked again */
	int			passed_count;
} Expiry;

bool		order_expire_backs_off;

static FaultyOrder faulty[REMEMBERED];

/* ---- orders at fault ---- */

/* Where this order is kept in mind, or else the place that is free first. */
static FaultyOrder *
find_faulty(int64 order_id)
{
	FaultyOrder *oldest = &faulty[0];

	for (int i = 0; i < REMEMBERED; i++)
	{
		if (faulty[i].order_id == order_id)
			return &faulty[i];
		if (faulty[i].retry_at_ms < oldest->retry_at_ms)
			oldest = &faulty[i];
	}
	oldest->order_id = order_id;
	oldest->rest_ms = FIRST_REST_MS / 2;
	return oldest;
}

static void
pass_over(Expiry *expiry, int64 order_id)
{
	if (expiry->passed_count < PASSED_MAX)
		expiry->passed[expiry->passed_count++] = order_id;
}

static void
note_fault(Expiry *expiry, int64 order_id, const ErrorData *error)
{
	expiry->faults++;
	pass_over(expiry, order_id);
	if (order_expire_backs_off)
	{
		FaultyOrder *order = find_faulty(order_id);

		order->rest_ms = Min(2 * order->rest_ms, MAX_REST_MS);
		order->retry_at_ms = clock_ms() + order->rest_ms;
	}
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("could not expire order " INT64_FORMAT ": %s", order_id,
					printable(error->message)),
			 error->detail ?
			 errdetail_internal("%s", printable(error->detail)) : 0,
			 errhint("The other orders are expired, this one is tried again."),
			 error->context ? errcontext("%s", printable(error->context)) : 0));
}

static void
pass_over_faulty(Expiry *expiry)
{
	int64		now_ms = clock_ms();

	for (int i = 0; i < REMEMBERED; i++)
		if (faulty[i].order_id != 0 && faulty[i].retry_at_ms > now_ms)
			pass_over(expiry, faulty[i].order_id);
}

/* ---- parts ---- */

/* Is the error about something else than the order? */
static bool
ends_the_call(const ErrorData *error)
{
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	return error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_T_R_SERIALIZATION_FAILURE) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_READ_ONLY_SQL_TRANSACTION);
}

/* Close these in a subtransaction; returns the error that undid it, or NULL. */
static ErrorData *
try_part(Expiry *expiry, const int64 *order_ids, int count, bool *is_left)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;
	volatile int closed = 0;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		closed = order_expire_part(order_ids, count, expiry->deadline_ms,
								   is_left);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	if (error != NULL && ends_the_call(error))
		ReThrowError(error);
	expiry->expired += error == NULL ? closed : 0;
	return error;
}

static void
expire_these(Expiry *expiry, const int64 *order_ids, int count)
{
	bool	   *is_left = palloc(count * sizeof(bool));
	ErrorData  *error = try_part(expiry, order_ids, count, is_left);

	if (error == NULL)
	{
		for (int i = 0; i < count; i++)
			if (is_left[i])
				pass_over(expiry, order_ids[i]);
	}
	else if (count == 1)
		note_fault(expiry, order_ids[0], error);
	else if (expiry->faults < FAULTS_MAX)
	{
		expire_these(expiry, order_ids, count / 2);
		expire_these(expiry, order_ids + count / 2, count - count / 2);
	}
	pfree(is_left);
}

/* The oldest that are due; returns how many. */
static int
pick_due(const Expiry *expiry, int most, int64 *order_ids)
{
	static SqlStatement pick = {
		.text = "SELECT order_id FROM commerce.orders"
		" WHERE status = 'pending' AND expires_at <= now()"
		" AND order_id <> ALL ($2)"
		" ORDER BY expires_at LIMIT $1",
		.argument_count = 2, .argument_types = {INT8OID, INT8ARRAYOID}
	};
	Datum	   *passed = palloc(Max(expiry->passed_count, 1) * sizeof(Datum));
	Datum		arguments[2];
	SqlRun		run;
	bool		isnull;
	int			count;

	for (int i = 0; i < expiry->passed_count; i++)
		passed[i] = Int64GetDatum(expiry->passed[i]);
	arguments[0] = Int64GetDatum(most);
	arguments[1] = PointerGetDatum(construct_array(passed,
												   expiry->passed_count,
												   INT8OID, sizeof(int64),
												   FLOAT8PASSBYVAL,
												   TYPALIGN_DOUBLE));
	sql_begin_write(&run, "expire_orders()");
	sql_run(&run, &pick, arguments);
	count = (int) SPI_processed;
	for (int i = 0; i < count; i++)
		order_ids[i] = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
												   SPI_tuptable->tupdesc, 1,
												   &isnull));
	sql_end(&run);
	return count;
}

/* ---- the call ---- */

bool
order_expire_is_subscriber(void)
{
	static SqlStatement ask = {
		.text = "SELECT count(*) FROM pg_catalog.pg_subscription_rel r"
		" JOIN pg_catalog.pg_subscription s ON s.oid = r.srsubid"
		" WHERE s.subenabled AND r.srrelid = 'commerce.orders'::pg_catalog.regclass",
		.argument_count = 0
	};
	SqlRun		run;
	int64		count;

	sql_begin_read(&run);
	count = sql_int64(&run, &ask, NULL);
	sql_end(&run);
	return count > 0;
}

static int64
expire(int32 batch_size)
{
	Expiry		expiry = {.deadline_ms = clock_ms() + WAIT_MS};
	int64	   *order_ids = palloc(PART_SIZE * sizeof(int64));

	expiry.passed = palloc(PASSED_MAX * sizeof(int64));
	if (order_expire_backs_off)
		pass_over_faulty(&expiry);
	for (;;)
	{
		int			most = (int) Min(batch_size - expiry.expired, PART_SIZE);
		int			passed = expiry.passed_count;
		int64		expired = expiry.expired;
		int			count = pick_due(&expiry, most, order_ids);

		if (count > 0)
			expire_these(&expiry, order_ids, count);
		if (count < most || expiry.expired >= batch_size ||
			expiry.faults >= FAULTS_MAX ||
			expiry.passed_count >= PASSED_MAX ||
			(expiry.expired == expired && expiry.passed_count == passed))
			return expiry.expired;
	}
}

static Entry expire_orders_entry = {
	.arguments = {{"batch_size", INT4OID}},
	.type = INT8OID
};

/* Close what was not paid in time: doc/reference.md, Orders. */
ENTRY_POINT(expire_orders)
{
	int32		batch_size;
	int64		expired;

	batch_size = PG_GETARG_INT32(0);
	if (batch_size < 1)
		args_invalid("batch_size", "be at least 1");
	PreventCommandIfReadOnly("expire_orders()");
	if (order_expire_is_subscriber())
	{
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no order is expired: commerce.orders belongs to a subscription"),
				 errhint("Its publisher expires orders. Disable or drop the subscription once this database is the shop.")));
		PG_RETURN_INT64(0);
	}
	expired = expire(batch_size);
	metrics_add(COUNTER_ORDERS_EXPIRED, expired);
	PG_RETURN_INT64(expired);
}
