/*
 * subscription.c
 *		Subscriptions: which there are, and which events each wants.
 *
 * commerce.stored_subscriptions has a row for each, but for default as long as
 * it is as it was from the start: the install script may leave no row in a
 * table that is dumped. Number 1 is that default's. Dropping it leaves a row
 * that says so; others leave none. A number is never used again, so that what a
 * dropped subscription leaves in other tables is nobody's.
 *
 * What a subscription wants is said here and, in SQL, by view wanted_events.
 */
#include "postgres.h"

#include "base/sql.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "event/event.h"
#include "event/subscription.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* More than a name may have: what is longer is not found, and is cut. */
#define NAME_BYTES_TOLD	255

char *
subscription_argument(FunctionCallInfo fcinfo, int n)
{
	text	   *name;
	int			length;

	if (n >= PG_NARGS())
		return pstrdup(DEFAULT_SUBSCRIPTION);
	name = PG_GETARG_TEXT_PP(n);
	length = pg_mbcliplen(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name),
						  NAME_BYTES_TOLD);
	return pnstrdup(VARDATA_ANY(name), length);
}

/* ---- reading ---- */

static void
read_types(Subscription *subscription, Row *row)
{
	Datum		types;

	if (row_is_null(row, STORED_SUBSCRIPTIONS_EVENT_TYPES))
		return;
	types = row_value(row, STORED_SUBSCRIPTIONS_EVENT_TYPES);
	deconstruct_array(DatumGetArrayTypeP(types), TEXTOID, -1, false,
					  TYPALIGN_INT, &subscription->types, NULL,
					  &subscription->type_count);
}

static void
read_start(Subscription *subscription, Row *row)
{
	if (row_is_null(row, STORED_SUBSCRIPTIONS_START_ORIGIN))
		return;
	subscription->has_start = true;
	subscription->start_from =
		row_is_null(row, STORED_SUBSCRIPTIONS_START_FROM) ? DT_NOEND :
		row_time(row, STORED_SUBSCRIPTIONS_START_FROM);
	subscription->start.origin =
		row_int64(row, STORED_SUBSCRIPTIONS_START_ORIGIN);
	subscription->start.next =
		row_int64(row, STORED_SUBSCRIPTIONS_START_XACT_ID);
	subscription->start.except =
		cursor_numbers(row, STORED_SUBSCRIPTIONS_START_IN_PROGRESS,
					   &subscription->start.except_count);
	subscription->own_events =
		cursor_numbers(row, STORED_SUBSCRIPTIONS_START_OWN_EVENTS,
					   &subscription->own_event_count);
	subscription->other_origins =
		cursor_numbers(row, STORED_SUBSCRIPTIONS_START_OTHER_ORIGINS,
					   &subscription->other_origin_count);
}

Refusal *
subscription_find(Work *work, const char *name, Subscription *subscription)
{
	Row		   *row = row_find(work, TABLE_STORED_SUBSCRIPTIONS,
							   CStringGetTextDatum(name));

	memset(subscription, 0, sizeof(Subscription));
	subscription->name = pstrdup(name);
	subscription->number = DEFAULT_SUBSCRIPTION_NO;
	if (row == NULL && strcmp(name, DEFAULT_SUBSCRIPTION) == 0)
		return NULL;
	if (row == NULL ||
		DatumGetBool(row_value(row, STORED_SUBSCRIPTIONS_IS_DROPPED)))
		return refuse_subscription_not_found(subscription->name);
	subscription->row = row;
	subscription->number =
		row_int32(row, STORED_SUBSCRIPTIONS_SUBSCRIPTION_NO);
	read_types(subscription, row);
	read_start(subscription, row);
	return NULL;
}

bool
subscription_is_paused(const Subscription *subscription)
{
	Row		   *row = subscription->row;

	return row != NULL && !row_is_null(row, STORED_SUBSCRIPTIONS_PAUSED_AT) &&
		(row_is_null(row, STORED_SUBSCRIPTIONS_PAUSED_UNTIL) ||
		 row_time(row, STORED_SUBSCRIPTIONS_PAUSED_UNTIL) >
		 GetCurrentTimestamp());
}

/* ---- what it wants ---- */

static bool
wants_type(const Subscription *subscription, Row *event)
{
	Datum		type;

	if (subscription->row == NULL ||
		row_is_null(subscription->row, STORED_SUBSCRIPTIONS_EVENT_TYPES))
		return true;
	type = row_value(event, EVENTS_EVENT_TYPE);
	for (int i = 0; i < subscription->type_count; i++)
		if (DatumGetBool(DirectFunctionCall2Coll(texteq, C_COLLATION_OID, type,
												 subscription->types[i])))
			return true;
	return false;
}

static bool
has_number(const int64 *numbers, int count, int64 number)
{
	for (int i = 0; i < count; i++)
		if (numbers[i] == number)
			return true;
	return false;
}

static bool
is_before_start(const Subscription *subscription, Row *event)
{
	int64		origin = row_int64(event, EVENTS_ORIGIN);

	if (!subscription->has_start)
		return false;
	if (origin == subscription->start.origin)
		return xacts_have(&subscription->start,
						  row_int64(event, EVENTS_XACT_ID)) ||
			has_number(subscription->own_events,
					   subscription->own_event_count,
					   row_int64(event, EVENTS_EVENT_ID));
	return has_number(subscription->other_origins,
					  subscription->other_origin_count, origin);
}

bool
subscription_wants(const Subscription *subscription, Row *event)
{
	return wants_type(subscription, event) &&
		(!is_before_start(subscription, event) ||
		 row_time(event, EVENTS_CREATED_AT) >= subscription->start_from);
}

/* ---- one at a time ---- */

static LOCKTAG
storing_tag(const Subscription *subscription)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, table_oid(TABLE_STORED_DELIVERIES),
					   subscription->number, 0);
	return tag;
}

void
subscription_begin_storing(const Subscription *subscription)
{
	LOCKTAG		tag = storing_tag(subscription);

	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

void
subscription_end_storing(const Subscription *subscription)
{
	LOCKTAG		tag = storing_tag(subscription);

	(void) LockRelease(&tag, ExclusiveLock, false);
}

/* ---- as a row ---- */

Datum
subscription_datum(const char *function, const char *name)
{
	static SqlStatement read = {
		.text = "SELECT s FROM commerce.subscriptions s WHERE s.subscription = $1",
		.argument_count = 1, .argument_types = {TEXTOID}
	};
	Datum		arguments[] = {CStringGetTextDatum(name)};
	Datum		row;

	if (!sql_row(function, &read, arguments, &row))
		refusal_raise(refuse_subscription_not_found(name));
	return row;
}
