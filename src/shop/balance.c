/*
 * balance.c
 *		Balances and their history.
 *
 * Each movement locks the user's row in balances, so that entry_no is gapless
 * and balance_after continues the last one. A balance's row proves its user.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/args.h"
#include "base/entry.h"
#include "base/money.h"
#include "catalog/pg_type.h"
#include "shop/actor.h"
#include "shop/balance.h"
#include "shop/idempotency.h"
#include "shop/user.h"
#include "utils/timestamp.h"

int64		balance_max_charge_amount;

Refusal *
balance_check(Row *balance, int64 amount)
{
	int64		available = row_int64(balance, BALANCES_BALANCE);

	if (amount <= available)
		return NULL;
	return refuse_insufficient_balance(row_int64(balance, BALANCES_USER_ID),
									   amount, available);
}

Refusal *
balance_check_room(Row *balance, int64 amount)
{
	int64		after;

	if (!pg_add_s64_overflow(row_int64(balance, BALANCES_BALANCE), amount,
							 &after))
		return NULL;
	return refuse_balance_limit_exceeded(row_int64(balance, BALANCES_USER_ID));
}

void
balance_add(Row *changed, int64 amount)
{
	int64		after = row_int64(changed, BALANCES_BALANCE) + amount;

	Assert(after >= 0 && amount != 0);
	row_set_int64(changed, BALANCES_BALANCE, after);
	row_set_int64(changed, BALANCES_ENTRY_COUNT,
				  row_int64(changed, BALANCES_ENTRY_COUNT) + 1);
	row_set_now(changed, BALANCES_UPDATED_AT);
}

Row *
balance_record(Row *changed, EnumLabel type, int64 amount, int64 order_id)
{
	Row		   *entry = row_new(changed->work, TABLE_BALANCE_HISTORY);

	row_set(entry, BALANCE_HISTORY_USER_ID,
			row_value(changed, BALANCES_USER_ID));
	row_set(entry, BALANCE_HISTORY_ENTRY_NO,
			row_value(changed, BALANCES_ENTRY_COUNT));
	row_set_enum(entry, BALANCE_HISTORY_TYPE, type);
	row_set_int64(entry, BALANCE_HISTORY_AMOUNT, amount);
	row_set(entry, BALANCE_HISTORY_BALANCE_AFTER,
			row_value(changed, BALANCES_BALANCE));
	if (order_id != NO_ORDER)
		row_set_int64(entry, BALANCE_HISTORY_ORDER_ID, order_id);
	row_set_now(entry, BALANCE_HISTORY_CREATED_AT);
	actor_set(entry, BALANCE_HISTORY_ACTOR);
	row_insert(entry);
	return entry;
}

Row *
balance_move(Row *balance, EnumLabel type, int64 amount, int64 order_id)
{
	Row		   *changed = row_change(balance);
	Row		   *entry;

	balance_add(changed, amount);
	entry = balance_record(changed, type, amount, order_id);
	row_update(balance, changed);
	return entry;
}

/*
 * Nobody sees whether the balance or its history is written first, unless it is
 * a trigger.
 */
Row *
balance_add_unlocked(Row *balance, int64 amount)
{
	Row		   *changed;

	if (!row_is_plain(balance->work, TABLE_BALANCE_HISTORY))
		return NULL;
	changed = row_change(balance);
	balance_add(changed, amount);
	return row_update_unchanged(balance, changed) ? changed : NULL;
}

/* Open the user's account with nothing in it, unless somebody just did. */
static Refusal *
open_account(Work *work, int64 user_id)
{
	Refusal    *refusal = user_check(work, user_id);
	Row		   *row;

	if (refusal)
		return refusal;
	row = row_new(work, TABLE_BALANCES);
	row_set_int64(row, BALANCES_USER_ID, user_id);
	row_set_int64(row, BALANCES_BALANCE, 0);
	row_set_int64(row, BALANCES_ENTRY_COUNT, 0);
	row_set_now(row, BALANCES_UPDATED_AT);
	row_insert_if_absent(row);
	row_refresh(work);
	return NULL;
}

/*
 * Claim the key for the balance's next entry; if it was used before, *entry
 * becomes the entry made then.
 */
static Refusal *
claim_entry(Row *balance, int64 amount, const Idempotency *scope, Row **entry)
{
	int64		entry_no = row_int64(balance, BALANCES_ENTRY_COUNT) + 1;
	StringInfoData arguments;
	Refusal    *refusal;
	bool		replay;

	initStringInfo(&arguments);
	appendStringInfo(&arguments, INT64_FORMAT, amount);
	refusal = idempotency_claim(balance->work, scope, &arguments, &entry_no,
								&replay);
	*entry = NULL;
	if (refusal || !replay)
		return refusal;

	*entry = row_find(balance->work, TABLE_BALANCE_HISTORY,
					  Int64GetDatum(scope->user_id), Int64GetDatum(entry_no));
	if (*entry == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("balance entry " INT64_FORMAT " of user " INT64_FORMAT " is missing",
						entry_no, scope->user_id)));
	return NULL;
}

typedef Refusal *(*BalanceCheck) (Row *balance, int64 amount);

/*
 * Move the balance if it is as the snapshot has it, and nobody holds it: then
 * that is its lock. A key is claimed under a lock, and what is refused is so by
 * the latest values; so this does neither. NULL: nothing is done.
 */
static Row *
move_unlocked(Work *work, EnumLabel type, int64 amount,
			  const Idempotency *scope, BalanceCheck check)
{
	int64		sign = type == ENTRY_USE ? -1 : 1;
	Row		   *balance;
	Row		   *changed;

	if (scope->key)
		return NULL;
	balance = row_look(work, TABLE_BALANCES, Int64GetDatum(scope->user_id));
	if (balance == NULL || check(balance, amount) != NULL)
		return NULL;
	changed = balance_add_unlocked(balance, sign * amount);
	return changed ?
		balance_record(changed, type, sign * amount, NO_ORDER) : NULL;
}

static Refusal *
charge(Work *work, int64 amount, const Idempotency *scope, Row **entry)
{
	int64		user_id = scope->user_id;
	Row		   *balance;
	Refusal    *refusal;

	*entry = move_unlocked(work, ENTRY_CHARGE, amount, scope,
						   balance_check_room);
	if (*entry)
		return NULL;

	while ((balance = row_lock(work, TABLE_BALANCES,
							   Int64GetDatum(user_id))) == NULL)
	{
		refusal = open_account(work, user_id);
		if (refusal)
			return refusal;
	}

	refusal = claim_entry(balance, amount, scope, entry);
	if (refusal || *entry)
		return refusal;

	refusal = balance_check_room(balance, amount);
	if (refusal)
		return refusal;
	*entry = balance_move(balance, ENTRY_CHARGE, amount, NO_ORDER);
	return NULL;
}

static Refusal *
use(Work *work, int64 amount, const Idempotency *scope, Row **entry)
{
	Row		   *balance;
	Refusal    *refusal;

	*entry = move_unlocked(work, ENTRY_USE, amount, scope, balance_check);
	if (*entry)
		return NULL;

	balance = row_lock(work, TABLE_BALANCES, Int64GetDatum(scope->user_id));
	if (balance == NULL)
		return refuse_balance_account_not_found(scope->user_id);

	refusal = claim_entry(balance, amount, scope, entry);
	if (refusal || *entry)
		return refusal;

	refusal = balance_check(balance, amount);
	if (refusal)
		return refusal;
	*entry = balance_move(balance, ENTRY_USE, -amount, NO_ORDER);
	return NULL;
}

static Entry charge_balance_entry = {
	.arguments = {
		{"user_id", INT8OID},
		{"amount", INT8OID},
		{"idempotency_key", TEXTOID, true}
	},
	.row = "balance_history"
};

/* Add to a balance: doc/flow-chart.md, 1. */
ENTRY_POINT(charge_balance)
{
	Idempotency scope = {.function = "charge_balance"};
	int64		amount;
	Work		work;
	Row		   *entry = NULL;
	Datum		result;

	scope.user_id = PG_GETARG_INT64(0);
	amount = PG_GETARG_INT64(1);
	refusal_check(money_check_amount(amount, balance_max_charge_amount));
	scope.key = args_idempotency_key(fcinfo, 2);

	row_begin_write(&work, "charge_balance()");
	refusal_check(charge(&work, amount, &scope, &entry));
	result = row_datum(entry);
	row_end(&work);
	return result;
}

static Entry use_balance_entry = {
	.arguments = {
		{"user_id", INT8OID},
		{"amount", INT8OID},
		{"idempotency_key", TEXTOID, true}
	},
	.row = "balance_history"
};

/* Take from a balance: doc/flow-chart.md, 1. */
ENTRY_POINT(use_balance)
{
	Idempotency scope = {.function = "use_balance"};
	int64		amount;
	Work		work;
	Row		   *entry = NULL;
	Datum		result;

	scope.user_id = PG_GETARG_INT64(0);
	amount = PG_GETARG_INT64(1);
	refusal_check(money_check_amount(amount, PG_INT64_MAX));
	scope.key = args_idempotency_key(fcinfo, 2);

	row_begin_write(&work, "use_balance()");
	refusal_check(use(&work, amount, &scope, &entry));
	result = row_datum(entry);
	row_end(&work);
	return result;
}

static Entry get_balance_entry = {
	.arguments = {{"user_id", INT8OID}},
	.type = INT8OID
};

/* Read a balance: doc/reference.md, Balance. */
ENTRY_POINT(get_balance)
{
	int64		user_id;
	int64		balance;
	Work		work;
	Row		   *row;

	user_id = PG_GETARG_INT64(0);

	row_begin_read(&work);
	row = row_find(&work, TABLE_BALANCES, Int64GetDatum(user_id));
	if (row == NULL)
		refusal_raise(refuse_balance_account_not_found(user_id));
	balance = row_int64(row, BALANCES_BALANCE);
	row_end(&work);
	PG_RETURN_INT64(balance);
}
