/*
 * transfer.c
 *		Moving units of stock or quota from one node of a cluster to another.
 *
 * A transfer is three commits. The giver takes the units from its counter and
 * writes down for whom; the taker, once, adds them to its own; the giver notes
 * that this is done. Whoever finds the first alone does the others, so that
 * units in transit are never lost: doc/scale.md.
 *
 * What a node could sell in all, unsold(), is what it has, and what it sent,
 * less what it received: a transfer changes none of these sums. Thus they can
 * be added up over nodes that are looked at one after the other.
 *
 * Lock order: the sums of the counter come first, so that transfers of one
 * counter go one at a time, then the policy, then the counter.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/args.h"
#include "base/bucket.h"
#include "base/bucket_lock.h"
#include "base/entry.h"
#include "base/refusal.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "counter/counter.h"
#include "shop/coupon_policy.h"
#include "utils/builtins.h"

/* Which counter: its table of slots, its object. */
typedef struct Transferred
{
	Work	   *work;
	text	   *counter;
	bool		is_quota;
	TableId		table;
	int64		object_id;
} Transferred;

static Transferred
read_counter(FunctionCallInfo fcinfo, int n, Work *work)
{
	Transferred moved = {.work = work, .counter = PG_GETARG_TEXT_PP(n)};
	char	   *name = text_to_cstring(moved.counter);

	moved.is_quota = strcmp(name, "coupon_quota") == 0;
	if (!moved.is_quota && strcmp(name, "stock") != 0)
		args_invalid("counter", "be stock or coupon_quota");
	moved.table = moved.is_quota ? TABLE_COUPON_QUOTA_SLOTS :
		TABLE_STOCK_SLOTS;
	moved.object_id = PG_GETARG_INT64(n + 1);
	return moved;
}

static void
check_in_cluster(void)
{
	if (!bucket_is_in_cluster())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this database is not a node of a cluster"),
				 errhint("join_cluster() makes it one.")));
}

/* No user is in it, so none of the buckets need stay where it is. */
static void
begin_transfer(Work *work, const char *function)
{
	BucketCover before = bucket_cover();

	PG_TRY();
	{
		row_begin_write(work, function);
	}
	PG_FINALLY();
	{
		bucket_uncover(before);
	}
	PG_END_TRY();
}

static Row *
new_sums(const Transferred *moved)
{
	Row		   *sums = row_new(moved->work, TABLE_TRANSFER_SUMS);

	row_set(sums, TRANSFER_SUMS_COUNTER, PointerGetDatum(moved->counter));
	row_set_int64(sums, TRANSFER_SUMS_OBJECT_ID, moved->object_id);
	row_set_int64(sums, TRANSFER_SUMS_SENT, 0);
	row_set_int64(sums, TRANSFER_SUMS_RECEIVED, 0);
	return sums;
}

static Row *
lock_sums(const Transferred *moved)
{
	for (;;)
	{
		Row		   *sums = row_lock(moved->work, TABLE_TRANSFER_SUMS,
									PointerGetDatum(moved->counter),
									Int64GetDatum(moved->object_id));

		if (sums != NULL)
			return sums;
		(void) row_insert_if_absent(new_sums(moved));
		row_refresh(moved->work);
	}
}

static void
add_to_sums(Row *sums, ColumnId column, int64 quantity)
{
	Row		   *changed = row_change(sums);
	int64		sum;

	if (pg_add_s64_overflow(row_int64(sums, column), quantity, &sum))
	{
		int64		object_id = row_int64(sums, TRANSFER_SUMS_OBJECT_ID);

		refusal_raise(refuse_stock_out_of_range(object_id));
	}
	row_set_int64(changed, column, sum);
	row_update(sums, changed);
}

/* Lock what bounds the counter; the refusal says that there is none. */
static Refusal *
lock_object(const Transferred *moved, Row **policy)
{
	Datum		key = Int64GetDatum(moved->object_id);

	if (!moved->is_quota)
		return row_find(moved->work, TABLE_PRODUCT_OPTIONS, key) ? NULL :
			refuse_product_option_not_found(moved->object_id);
	*policy = row_lock(moved->work, TABLE_COUPON_POLICIES, key);
	return *policy ? NULL :
		refuse_coupon_policy_not_found(moved->object_id);
}

/* A policy's quantity is what was issued and what is left of it here. */
static void
change_quantity(Row *policy, int64 quantity)
{
	Row		   *changed;

	if (policy == NULL)
		return;
	changed = row_change(policy);
	row_set_int64(changed, COUPON_POLICIES_QUANTITY,
				  row_int64(policy, COUPON_POLICIES_QUANTITY) + quantity);
	row_update(policy, changed);
}

/* ---- out ---- */

/* Half of what there is, or what is wanted, if that is more. */
static int64
take_share(const Transferred *moved, int64 wanted)
{
	int64		available = counter_available(moved->work, moved->table,
											  moved->object_id);
	int64		share = Max(wanted, available - available / 2);
	CounterHold hold;

	if (available == 0)
		return 0;
	share = counter_hold_most(moved->work, moved->table, moved->object_id,
							  share, &hold);
	counter_take_less(&hold, share);
	return share;
}

static Row *
insert_out(const Transferred *moved, int64 quantity, int32 taker)
{
	Row		   *row = row_new(moved->work, TABLE_TRANSFERS_OUT);

	row_set_int64(row, TRANSFERS_OUT_TRANSFER_ID,
				  sequence_next(SEQUENCE_TRANSFER_ID));
	row_set(row, TRANSFERS_OUT_COUNTER, PointerGetDatum(moved->counter));
	row_set_int64(row, TRANSFERS_OUT_OBJECT_ID, moved->object_id);
	row_set_int64(row, TRANSFERS_OUT_QUANTITY, quantity);
	row_set_int32(row, TRANSFERS_OUT_TAKER, taker);
	row_set_now(row, TRANSFERS_OUT_CREATED_AT);
	row_insert(row);
	return row;
}

static Entry transfer_out_entry = {
	.arguments = {
		{"counter", TEXTOID},
		{"object_id", INT8OID},
		{"wanted", INT8OID},
		{"taker", INT4OID}
	},
	.row = "transfers_out"
};

/* Take units away for another node: doc/scale.md. */
ENTRY_POINT(transfer_out)
{
	Work		work;
	Transferred moved = read_counter(fcinfo, 0, &work);
	int64		wanted = args_int64_min(fcinfo, 2, "wanted", 1);
	int32		taker = PG_GETARG_INT32(3);
	Row		   *sums;
	Row		   *policy = NULL;
	int64		quantity;
	Datum		result = 0;

	if (taker < 1)
		args_invalid("taker", "be at least 1");
	check_in_cluster();
	begin_transfer(&work, "transfer_out()");
	sums = lock_sums(&moved);
	refusal_check(lock_object(&moved, &policy));
	quantity = take_share(&moved, wanted);
	if (quantity > 0)
	{
		change_quantity(policy, -quantity);
		add_to_sums(sums, TRANSFER_SUMS_SENT, quantity);
		result = row_datum(insert_out(&moved, quantity, taker));
	}
	row_end(&work);
	if (quantity == 0)
		PG_RETURN_NULL();
	return result;
}

static Entry transfer_settled_entry = {
	.arguments = {{"transfer_id", INT8OID}},
	.type = BOOLOID
};

/* Note that the taker has the units: doc/scale.md. */
ENTRY_POINT(transfer_settled)
{
	Work		work;
	Row		   *transfer;
	bool		is_news;

	begin_transfer(&work, "transfer_settled()");
	transfer = row_lock(&work, TABLE_TRANSFERS_OUT,
						Int64GetDatum(PG_GETARG_INT64(0)));
	is_news = transfer != NULL &&
		row_is_null(transfer, TRANSFERS_OUT_SETTLED_AT);
	if (is_news)
	{
		Row		   *changed = row_change(transfer);

		row_set_now(changed, TRANSFERS_OUT_SETTLED_AT);
		row_update(transfer, changed);
	}
	row_end(&work);
	PG_RETURN_BOOL(is_news);
}

/* ---- in ---- */

static bool
insert_in(const Transferred *moved, int32 giver, int64 transfer_id,
		  int64 quantity)
{
	Row		   *row = row_new(moved->work, TABLE_TRANSFERS_IN);

	row_set_int32(row, TRANSFERS_IN_GIVER, giver);
	row_set_int64(row, TRANSFERS_IN_TRANSFER_ID, transfer_id);
	row_set(row, TRANSFERS_IN_COUNTER, PointerGetDatum(moved->counter));
	row_set_int64(row, TRANSFERS_IN_OBJECT_ID, moved->object_id);
	row_set_int64(row, TRANSFERS_IN_QUANTITY, quantity);
	row_set_now(row, TRANSFERS_IN_CREATED_AT);
	return row_insert_if_absent(row);
}

static Entry transfer_in_entry = {
	.arguments = {
		{"counter", TEXTOID},
		{"object_id", INT8OID},
		{"quantity", INT8OID},
		{"giver", INT4OID},
		{"transfer_id", INT8OID}
	},
	.type = BOOLOID
};

/* Add units that another node took away for this one: doc/scale.md. */
ENTRY_POINT(transfer_in)
{
	Work		work;
	Transferred moved = read_counter(fcinfo, 0, &work);
	int64		quantity = args_int64_min(fcinfo, 2, "quantity", 1);
	Row		   *sums;
	Row		   *policy = NULL;
	bool		is_news;

	check_in_cluster();
	begin_transfer(&work, "transfer_in()");
	sums = lock_sums(&moved);
	is_news = insert_in(&moved, PG_GETARG_INT32(3), PG_GETARG_INT64(4),
						quantity);
	if (is_news)
	{
		refusal_check(lock_object(&moved, &policy));
		if (!counter_give(&work, moved.table, moved.object_id, quantity))
			refusal_raise(refuse_stock_out_of_range(moved.object_id));
		change_quantity(policy, quantity);
		add_to_sums(sums, TRANSFER_SUMS_RECEIVED, quantity);
	}
	row_end(&work);
	PG_RETURN_BOOL(is_news);
}

/* ---- what could be sold in all ---- */

static Entry unsold_entry = {
	.arguments = {{"counter", TEXTOID}, {"object_id", INT8OID}},
	.type = INT8OID
};

/* Available, and sent, less received: doc/scale.md. */
ENTRY_POINT(unsold)
{
	Work		work;
	Transferred moved = read_counter(fcinfo, 0, &work);
	Row		   *sums;
	int64		unsold;

	row_begin_read(&work);
	unsold = counter_available(&work, moved.table, moved.object_id);
	sums = row_find(&work, TABLE_TRANSFER_SUMS,
					PointerGetDatum(moved.counter),
					Int64GetDatum(moved.object_id));
	if (sums != NULL)
		unsold += row_int64(sums, TRANSFER_SUMS_SENT) -
			row_int64(sums, TRANSFER_SUMS_RECEIVED);
	row_end(&work);
	PG_RETURN_INT64(unsold);
}
