/*
 * user.c
 *		Users: making, naming, erasing them.
 *
 * Erasing takes the person out of the data. The row stays, and with it all that
 * money and stock were moved for. Locks: keys, orders, the user, each kind
 * ascending. What becomes visible only after it has looked counts as written
 * after it.
 */
#include "postgres.h"

#include "base/args.h"
#include "base/bucket.h"
#include "base/bucket_lock.h"
#include "base/entry.h"
#include "base/sql.h"
#include "catalog/pg_type.h"
#include "shop/catalogue.h"
#include "shop/stock.h"
#include "shop/user.h"
#include "utils/builtins.h"

#define ERASED_NAME "(erased)"

Refusal *
user_not_found(int64 user_id)
{
	int32		bucket = bucket_of_user(user_id);

	return bucket_is_ours(bucket) ? refuse_user_not_found(user_id) :
		refuse_bucket_elsewhere(bucket);
}

Refusal *
user_check(Work *work, int64 user_id)
{
	if (row_find(work, TABLE_USERS, Int64GetDatum(user_id)) != NULL)
		return NULL;
	return user_not_found(user_id);
}

/* Hold the bucket of a user to be, who bears this id. */
static Refusal *
hold_bucket(NullableDatum user_id)
{
	int32		bucket;

	if (user_id.isnull)
		return NULL;
	bucket = bucket_of_user(DatumGetInt64(user_id.value));
	return bucket_hold_for_new(bucket, true) ? NULL :
		refuse_bucket_elsewhere(bucket);
}

static Entry create_user_entry = {
	.arguments = {{"name", TEXTOID}, {"user_id", INT8OID, true}},
	.row = "users"
};

/* Add a user: USER of the flow chart. */
ENTRY_POINT(create_user)
{
	text	   *name;
	NullableDatum user_id;
	Work		work;
	Row		   *row;
	Datum		result;

	name = args_name(fcinfo, 0, "name");
	user_id = args_new_id(fcinfo, 1, "user_id");

	refusal_check(hold_bucket(user_id));
	row_begin_write(&work, "create_user()");
	row = row_new(&work, TABLE_USERS);
	row_set(row, USERS_NAME, PointerGetDatum(name));
	row_set_now(row, USERS_CREATED_AT);
	catalogue_insert(row, USERS_USER_ID, SEQUENCE_USER_ID, user_id);
	result = row_datum(row);
	row_end(&work);
	return result;
}

/* Lock the user; refuses with USER_NOT_FOUND. */
static Refusal *
lock_user(Work *work, int64 user_id, Row **user)
{
	*user = row_lock(work, TABLE_USERS, Int64GetDatum(user_id));
	return *user ? NULL : user_not_found(user_id);
}

static Entry set_user_name_entry = {
	.arguments = {{"user_id", INT8OID}, {"name", TEXTOID}},
	.row = "users"
};

/* Rename a user who is not erased: doc/reference.md, Catalogue. */
ENTRY_POINT(set_user_name)
{
	text	   *name;
	Work		work;
	Row		   *user;
	Datum		result;

	name = args_name(fcinfo, 1, "name");

	row_begin_write(&work, "set_user_name()");
	refusal_check(lock_user(&work, PG_GETARG_INT64(0), &user));
	if (row_is_null(user, USERS_ERASED_AT))
	{
		Row		   *changed = row_change(user);

		row_set(changed, USERS_NAME, PointerGetDatum(name));
		row_update(user, changed);
		user = changed;
	}
	result = row_datum(user);
	row_end(&work);
	return result;
}

#define OF_USER .argument_count = 1, .argument_types = {INT8OID}

/*
 * What tells who the user was, or who acted for the user. A key that is gone
 * acts anew. In the order of locks: doc/operation.md, Transactions and
 * isolation.
 */
static SqlStatement erasures[] = {
	{
		.text = "WITH locked AS MATERIALIZED ("
		"	SELECT user_id, function_name, idempotency_key"
		"	FROM commerce.idempotency_keys WHERE user_id = $1"
		"	ORDER BY function_name, idempotency_key FOR UPDATE)"
		" DELETE FROM commerce.idempotency_keys k USING locked l"
		" WHERE k.user_id = l.user_id AND k.function_name = l.function_name"
		" AND k.idempotency_key = l.idempotency_key",
		OF_USER
	},
	{							/* whoever closes one just now may say more */
		.text = "WITH locked AS MATERIALIZED ("
		"	SELECT order_id FROM commerce.orders"
		"	WHERE user_id = $1"
		"	AND status IN ('pending', 'paid', 'partially_refunded')"
		"	ORDER BY order_id FOR NO KEY UPDATE)"
		" SELECT count(*) FROM locked",
		OF_USER
	},
	{
		.text = "WITH locked AS MATERIALIZED ("
		"	SELECT order_id FROM commerce.orders"
		"	WHERE user_id = $1"
		"	AND num_nonnulls(cancel_reason, placed_by, closed_by) > 0"
		"	ORDER BY order_id FOR NO KEY UPDATE)"
		" UPDATE commerce.orders o"
		" SET cancel_reason = NULL, placed_by = NULL, closed_by = NULL"
		" FROM locked l WHERE o.order_id = l.order_id",
		OF_USER
	},
	{							/* and so may whoever moves money */
		.text = "SELECT user_id FROM commerce.balances"
		" WHERE user_id = $1 FOR NO KEY UPDATE",
		OF_USER
	},
	{
		.text = "UPDATE commerce.balance_history SET actor = NULL"
		" WHERE user_id = $1 AND actor IS NOT NULL",
		OF_USER
	},
	{
		.text = "UPDATE commerce.stock_adjustments a SET actor = NULL"
		" FROM commerce.orders o JOIN commerce.order_items i USING (order_id)"
		" WHERE o.user_id = $1"
		" AND (i.refunded_quantity > 0 OR o.status = 'cancelled')"
		" AND a.option_id = i.option_id AND a.actor IS NOT NULL"
		" AND a.reason = '" STOCK_NOT_RESTOCKED "' || o.order_id",
		OF_USER
	}
};

static void
erase_traces(int64 user_id)
{
	Datum		arguments[] = {Int64GetDatum(user_id)};
	SqlRun		run;

	sql_begin_write(&run, "erase_user()");
	for (Size i = 0; i < lengthof(erasures); i++)
		sql_run(&run, &erasures[i], arguments);
	sql_end(&run);
}

static Entry erase_user_entry = {
	.arguments = {{"user_id", INT8OID}},
	.row = "users"
};

/* Take a person out of the data: doc/reference.md, Catalogue. */
ENTRY_POINT(erase_user)
{
	int64		user_id;
	Work		work;
	Row		   *user;
	Datum		result;

	user_id = PG_GETARG_INT64(0);

	row_begin_write(&work, "erase_user()");
	refusal_check(user_check(&work, user_id));
	row_end(&work);
	erase_traces(user_id);

	row_begin_write(&work, "erase_user()");
	refusal_check(lock_user(&work, user_id, &user));
	if (row_is_null(user, USERS_ERASED_AT))
	{
		Row		   *changed = row_change(user);

		row_set(changed, USERS_NAME, CStringGetTextDatum(ERASED_NAME));
		row_set_now(changed, USERS_ERASED_AT);
		row_update(user, changed);
		user = changed;
	}
	result = row_datum(user);
	row_end(&work);
	return result;
}
