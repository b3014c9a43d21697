/*
 * idempotency.c
 *		Once only.
 *
 * A key is a row under (user, function, key), inserted by the transaction
 * that does the work: who comes second waits on the unique index for the
 * first to end, then either finds the row and returns its object, or, the
 * first having failed, does the work itself. A refused call is rolled back
 * and so stores nothing.
 *
 * Lock order: the key comes first of all. Only charge_balance and use_balance
 * claim theirs right after locking the balance, because the entry's number is
 * not known before; as the key's scope holds the user and the function, all
 * who want to use the key hold that lock, and none of them waits for it.
 */
#include "commerce.h"

#include "access/xact.h"
#include "args.h"
#include "catalog/pg_type.h"
#include "idempotency.h"
#include "sql.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

static bytea *
digest(const StringInfo arguments)
{
	text	   *message = cstring_to_text_with_len(arguments->data,
												   arguments->len);

	return DatumGetByteaPP(DirectFunctionCall1(sha256_bytea,
											   PointerGetDatum(message)));
}

static bool
equal_bytes(bytea *a, bytea *b)
{
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

static bool
insert_key(Work *work, const Idempotency *scope, bytea *arguments,
		   int64 object_id)
{
	Row		   *row = row_new(work, TABLE_IDEMPOTENCY_KEYS);

	row_set_int64(row, IDEMPOTENCY_KEYS_USER_ID, scope->user_id);
	row_set(row, IDEMPOTENCY_KEYS_FUNCTION_NAME,
			CStringGetTextDatum(scope->function));
	row_set(row, IDEMPOTENCY_KEYS_IDEMPOTENCY_KEY,
			PointerGetDatum(scope->key));
	row_set(row, IDEMPOTENCY_KEYS_ARGUMENTS_DIGEST, PointerGetDatum(arguments));
	row_set_int64(row, IDEMPOTENCY_KEYS_OBJECT_ID, object_id);
	row_set_now(row, IDEMPOTENCY_KEYS_CREATED_AT);
	return row_insert_if_absent(row);
}

Refusal *
idempotency_claim(Work *work, const Idempotency *scope,
				  const StringInfo arguments, int64 *object_id, bool *replay)
{
	bytea	   *wanted;
	Row		   *row;

	*replay = false;
	if (scope->key == NULL)
		return NULL;

	wanted = digest(arguments);
	while (!insert_key(work, scope, wanted, *object_id))
	{
		row_refresh(work);
		row = row_find(work, TABLE_IDEMPOTENCY_KEYS,
					   Int64GetDatum(scope->user_id),
					   CStringGetTextDatum(scope->function),
					   PointerGetDatum(scope->key));
		if (row == NULL)
			continue;			/* purged meanwhile */

		if (!equal_bytes(wanted,
						 DatumGetByteaPP(row_value(row, IDEMPOTENCY_KEYS_ARGUMENTS_DIGEST))))
		{
			char	   *key = text_to_cstring(scope->key);

			return refusal_text(refusal_new(IDEMPOTENCY_KEY_CONFLICT,
											"idempotency key \"%s\" was used with other arguments",
											key),
								"idempotency_key", key);
		}
		*object_id = row_int64(row, IDEMPOTENCY_KEYS_OBJECT_ID);
		*replay = true;
		return NULL;
	}
	return NULL;
}

PG_FUNCTION_INFO_V1(commerce_purge_idempotency_keys);

/* Forget the keys at least so old: README, Balance. */
Datum
commerce_purge_idempotency_keys(PG_FUNCTION_ARGS)
{
	static SqlStatement purge = {
		.text = "WITH gone AS ("
		"	DELETE FROM commerce.idempotency_keys"
		"	WHERE (user_id, function_name, idempotency_key) IN ("
		"		SELECT user_id, function_name, idempotency_key"
		"		FROM commerce.idempotency_keys"
		"		WHERE created_at <= now() - least($1, '1000 years')"
		"		FOR UPDATE SKIP LOCKED)"
		"	RETURNING 1)"
		"SELECT count(*) FROM gone",
		.argument_count = 1, .argument_types = {INTERVALOID}
	};
	SqlRun		run;
	Datum		arguments[1];
	int64		count;

	ARGS_NO_NULLS(fcinfo, "older_than");
	arguments[0] = IntervalPGetDatum(args_interval(fcinfo, 0, "older_than", false));

	sql_begin_write(&run, "purge_idempotency_keys()");
	count = sql_int64(&run, &purge, arguments);
	sql_end(&run);
	PG_RETURN_INT64(count);
}
