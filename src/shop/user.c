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
#include "base/entry.h"
#include "base/sql.h"
#include "catalog/pg_type.h"
#include "shop/catalogue.h"
#include "shop/user.h"
#include "utils/builtins.h"

#define ERASED_NAME "(erased)"

Refusal *
user_check(Work *work, int64 user_id)
{
	if (row_find(work, TABLE_USERS, Int64GetDatum(user_id)) != NULL)
		return NULL;
	return refuse_user_not_found(user_id);
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
	return *user ? NULL : refuse_user_not_found(user_id);
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

/*
 * A key that is gone acts anew, but a key of an erased user could tell who that
 * was.
 */
static void
erase_traces(int64 user_id)
{
	static SqlStatement forget_keys = {
		.text = "WITH locked AS MATERIALIZED ("
		"	SELECT user_id, function_name, idempotency_key"
		"	FROM commerce.idempotency_keys WHERE user_id = $1"
		"	ORDER BY function_name, idempotency_key FOR UPDATE),"
		" gone AS ("
		"	DELETE FROM commerce.idempotency_keys k USING locked l"
		"	WHERE k.user_id = l.user_id AND k.function_name = l.function_name"
		"	AND k.idempotency_key = l.idempotency_key RETURNING 1)"
		" SELECT count(*) FROM gone",
		.argument_count = 1, .argument_types = {INT8OID}
	};

	/* Whoever cancels one of these right now may give a reason. */
	static SqlStatement lock_open_orders = {
		.text = "WITH locked AS MATERIALIZED ("
		"	SELECT order_id FROM commerce.orders"
		"	WHERE user_id = $1 AND status IN ('pending', 'paid')"
		"	ORDER BY order_id FOR NO KEY UPDATE)"
		" SELECT count(*) FROM locked",
		.argument_count = 1, .argument_types = {INT8OID}
	};
	static SqlStatement forget_reasons = {
		.text = "WITH locked AS MATERIALIZED ("
		"	SELECT order_id FROM commerce.orders"
		"	WHERE user_id = $1 AND cancel_reason IS NOT NULL"
		"	ORDER BY order_id FOR NO KEY UPDATE),"
		" changed AS ("
		"	UPDATE commerce.orders o SET cancel_reason = NULL FROM locked l"
		"	WHERE o.order_id = l.order_id RETURNING 1)"
		" SELECT count(*) FROM changed",
		.argument_count = 1, .argument_types = {INT8OID}
	};
	Datum		arguments[] = {Int64GetDatum(user_id)};
	SqlRun		run;

	sql_begin_write(&run, "erase_user()");
	(void) sql_int64(&run, &forget_keys, arguments);
	(void) sql_int64(&run, &lock_open_orders, arguments);
	(void) sql_int64(&run, &forget_reasons, arguments);
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
