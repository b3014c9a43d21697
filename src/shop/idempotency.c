/*
 * idempotency.c
 *		Once only.
 *
 * A key is a row under (user, function, key), inserted by the transaction
 * that does the work: whoever comes second waits on the unique index for the
 * first to end, then either finds the row and returns its object, or, the
 * first having failed, does the work itself. A refused call is rolled back
 * and so stores nothing.
 *
 * Lock order: the key comes first of all. Only charge_balance and use_balance
 * claim theirs right after locking the balance, because the entry's number is
 * not known before; as the key's scope holds the user and the function, all
 * that want to use the key hold that lock, and none of them waits for it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/args.h"
#include "base/entry.h"
#include "base/sql.h"
#include "catalog/pg_type.h"
#include "shop/idempotency.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

bytea *
idempotency_digest(StringInfo arguments)
{
	text	   *message = cstring_to_text_with_len(arguments->data,
												   arguments->len);

	return DatumGetByteaPP(DirectFunctionCall1(sha256_bytea,
											   PointerGetDatum(message)));
}

bool
idempotency_same(bytea *digest, bytea *other)
{
	return VARSIZE_ANY_EXHDR(digest) == VARSIZE_ANY_EXHDR(other) &&
		memcmp(VARDATA_ANY(digest), VARDATA_ANY(other),
			   VARSIZE_ANY_EXHDR(digest)) == 0;
}

Refusal *
idempotency_conflict(const Idempotency *scope)
{
	return refuse_idempotency_key_conflict(text_to_cstring(scope->key));
}

static bool
insert_key(Work *work, const Idempotency *scope, bytea *digest,
		   int64 object_id)
{
	Row		   *row = row_new(work, TABLE_IDEMPOTENCY_KEYS);

	row_set_int64(row, IDEMPOTENCY_KEYS_USER_ID, scope->user_id);
	row_set(row, IDEMPOTENCY_KEYS_FUNCTION_NAME,
			CStringGetTextDatum(scope->function));
	row_set(row, IDEMPOTENCY_KEYS_IDEMPOTENCY_KEY,
			PointerGetDatum(scope->key));
	row_set(row, IDEMPOTENCY_KEYS_ARGUMENTS_DIGEST, PointerGetDatum(digest));
	row_set_int64(row, IDEMPOTENCY_KEYS_OBJECT_ID, object_id);
	row_set_now(row, IDEMPOTENCY_KEYS_CREATED_AT);
	return row_insert_if_absent(row);
}

bool
idempotency_reserve(Work *work, const Idempotency *scope, bytea **digest,
					int64 *object_id)
{
	while (!insert_key(work, scope, *digest, *object_id))
	{
		Row		   *row;

		row_refresh(work);
		row = row_find(work, TABLE_IDEMPOTENCY_KEYS,
					   Int64GetDatum(scope->user_id),
					   CStringGetTextDatum(scope->function),
					   PointerGetDatum(scope->key));
		if (row == NULL)
			continue;			/* purged meanwhile */

		*digest = DatumGetByteaPP(row_value(row,
											IDEMPOTENCY_KEYS_ARGUMENTS_DIGEST));
		*object_id = row_int64(row, IDEMPOTENCY_KEYS_OBJECT_ID);
		return false;
	}
	return true;
}

Refusal *
idempotency_claim(Work *work, const Idempotency *scope,
				  StringInfo arguments, int64 *object_id, bool *replay)
{
	bytea	   *wanted;
	bytea	   *digest;
	int64		found_id = *object_id;

	*replay = false;
	if (scope->key == NULL)
		return NULL;

	wanted = digest = idempotency_digest(arguments);
	if (idempotency_reserve(work, scope, &digest, &found_id))
		return NULL;
	if (!idempotency_same(wanted, digest))
		return idempotency_conflict(scope);
	*object_id = found_id;
	*replay = true;
	return NULL;
}

static Row *
lock_reserved(Work *work, const Idempotency *scope)
{
	Row		   *row = row_lock(work, TABLE_IDEMPOTENCY_KEYS,
							   Int64GetDatum(scope->user_id),
							   CStringGetTextDatum(scope->function),
							   PointerGetDatum(scope->key));

	if (row == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("a trigger deleted an idempotency key that was reserved")));
	return row;
}

void
idempotency_set_digest(Work *work, const Idempotency *scope, bytea *digest)
{
	Row		   *row = lock_reserved(work, scope);
	Row		   *changed = row_change(row);

	row_set(changed, IDEMPOTENCY_KEYS_ARGUMENTS_DIGEST,
			PointerGetDatum(digest));
	row_update(row, changed);
}

void
idempotency_forget(Work *work, const Idempotency *scope)
{
	row_delete(lock_reserved(work, scope));
}

static Entry purge_idempotency_keys_entry = {
	.arguments = {{"older_than", INTERVALOID}},
	.type = INT8OID
};

/* Forget the keys at least so old: doc/reference.md, Operation. */
ENTRY_POINT(purge_idempotency_keys)
{
	static SqlStatement purge = {
		.text = "WITH gone AS ("
		"	DELETE FROM commerce.idempotency_keys"
		"	WHERE (user_id, function_name, idempotency_key) IN ("
		"		SELECT user_id, function_name, idempotency_key"
		"		FROM commerce.idempotency_keys"
		"		WHERE created_at <= now() - $1"
		"		FOR UPDATE SKIP LOCKED)"
		"	RETURNING 1)"
		"SELECT count(*) FROM gone",
		.argument_count = 1, .argument_types = {INTERVALOID}
	};
	SqlRun		run;
	Datum		arguments[1];
	int64		count;

	arguments[0] = IntervalPGetDatum(args_interval(fcinfo, 0, "older_than",
												   false));

	sql_begin_write(&run, "purge_idempotency_keys()");
	count = sql_int64(&run, &purge, arguments);
	sql_end(&run);
	PG_RETURN_INT64(count);
}
