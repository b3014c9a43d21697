/*
 * subscription_change.c
 *		Making, dropping, pausing and resuming subscriptions.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/args.h"
#include "base/entry.h"
#include "base/sql.h"
#include "catalog/pg_type.h"
#include "event/event_purge.h"
#include "event/event.h"
#include "event/subscription.h"
#include "notify/notify.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define MAX_NAME_LENGTH	63

/* What a new subscription is to be. */
typedef struct NewSubscription
{
	char	   *name;
	ArrayType  *types;			/* NULL: all */
	TimestampTz start_from;		/* DT_NOBEGIN: all; DT_NOEND: none */
} NewSubscription;

/* ---- arguments ---- */

static char *
new_name(FunctionCallInfo fcinfo)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	size_t		length = strlen(name);

	if (length < 1 || length > MAX_NAME_LENGTH ||
		strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != length)
		args_invalid("subscription",
					 psprintf("have 1 to %d characters of a-z 0-9 _ -",
							  MAX_NAME_LENGTH));
	return name;
}

static ArrayType *
event_types(FunctionCallInfo fcinfo)
{
	ArrayType  *types;
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	if (PG_ARGISNULL(1))
		return NULL;
	types = PG_GETARG_ARRAYTYPE_P(1);
	deconstruct_array(types, TEXTOID, -1, false, TYPALIGN_INT, &elements,
					  &nulls, &count);
	for (int i = 0; i < count; i++)
		if (nulls[i] || !event_type_exists(TextDatumGetCString(elements[i])))
			count = 0;
	if (count == 0)
		args_invalid("event_types",
					 "be one or more of " EVENT_ORDER_PAID ", "
					 EVENT_ORDER_CANCELLED ", " EVENT_ORDER_REFUNDED);
	return types;
}

static TimestampTz
start_from(FunctionCallInfo fcinfo)
{
	TimestampTz value;

	if (PG_ARGISNULL(2))
		return DT_NOEND;
	value = PG_GETARG_TIMESTAMPTZ(2);
	if (TIMESTAMP_IS_NOBEGIN(value))
		return value;
	if (value > GetCurrentTimestamp())
		args_invalid("start_from", "not be in the future");
	return args_time(fcinfo, 2, "start_from");
}

/* ---- where a new one begins ---- */

static int64
own_number(void)
{
	return (int64) U64FromFullTransactionId(GetTopFullTransactionId());
}

/* The events that this transaction has already written. */
static Datum
own_events(Work *work)
{
	TransactionId own = GetTopTransactionIdIfAny();
	Datum		prefix[2];
	RowScan    *scan;
	Row		   *event;
	int			count = 0;
	int			room = 64;
	int64	   *event_ids = palloc(room * sizeof(int64));

	if (!TransactionIdIsValid(own))
		return cursor_array(event_ids, 0);
	prefix[0] = Int64GetDatum(event_origin());
	prefix[1] = Int64GetDatum(own_number());
	scan = row_scan_begin(work, TABLE_EVENTS, lengthof(prefix), prefix);
	while ((event = row_scan_read(scan)) != NULL)
	{
		if (count == room)
		{
			room *= 2;
			event_ids = repalloc(event_ids, room * sizeof(int64));
		}
		event_ids[count++] = row_int64(event, EVENTS_EVENT_ID);
	}
	row_scan_end(scan);
	return cursor_array(event_ids, count);
}

static void
set_start(Row *row, const NewSubscription *made, const XactSet *start,
		  const int64 *other_origins, int other_origin_count)
{
	row_set_int64(row, STORED_SUBSCRIPTIONS_START_ORIGIN, start->origin);
	row_set_int64(row, STORED_SUBSCRIPTIONS_START_XACT_ID, start->next);
	row_set(row, STORED_SUBSCRIPTIONS_START_IN_PROGRESS,
			cursor_array(start->except, start->except_count));
	row_set(row, STORED_SUBSCRIPTIONS_START_OWN_EVENTS,
			own_events(row->work));
	row_set(row, STORED_SUBSCRIPTIONS_START_OTHER_ORIGINS,
			cursor_array(other_origins, other_origin_count));
	if (!TIMESTAMP_IS_NOEND(made->start_from))
		row_set(row, STORED_SUBSCRIPTIONS_START_FROM,
				TimestampTzGetDatum(made->start_from));
}

/*
 * The lowest transaction of each origin that wrote one of the older events
 * that are wanted, or for none PG_INT64_MAX.
 */
static int
read_origins(const NewSubscription *made, int64 **origins,
			 int64 **first_xact_ids)
{
	static SqlStatement read = {
		.text = "SELECT o.origin, coalesce((SELECT min(e.xact_id)"
		"		FROM commerce.events e"
		"		WHERE e.origin = o.origin AND e.created_at >= $1), $2)"
		" FROM commerce.event_origins o",
		.argument_count = 2, .argument_types = {TIMESTAMPTZOID, INT8OID}
	};
	Datum		arguments[] = {TimestampTzGetDatum(made->start_from),
	Int64GetDatum(PG_INT64_MAX)};
	MemoryContext caller = CurrentMemoryContext;
	SqlRun		run;
	int			count;

	sql_begin_write(&run, "create_subscription()");
	sql_run(&run, &read, arguments);
	count = (int) SPI_processed;
	*origins = MemoryContextAlloc(caller, count * sizeof(int64));
	*first_xact_ids = MemoryContextAlloc(caller, count * sizeof(int64));
	for (int i = 0; i < count; i++)
	{
		bool		isnull;
		HeapTuple	tuple = SPI_tuptable->vals[i];

		(*origins)[i] =
			DatumGetInt64(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1,
										&isnull));
		(*first_xact_ids)[i] =
			DatumGetInt64(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2,
										&isnull));
	}
	sql_end(&run);
	return count;
}

/*
 * The new subscription need not read what it does not want: begin its cursor
 * of an origin with the first of the older events that it wants.
 */
static void
begin_cursor(Work *work, int32 number, XactSet passed, int64 first_xact_id)
{
	Cursor		cursor = {.passed = passed};

	if (first_xact_id < cursor.passed.next)
	{
		cursor.passed.next = first_xact_id;
		while (cursor.passed.except_count > 0 &&
			   cursor.passed.except[cursor.passed.except_count - 1] >=
			   first_xact_id)
			cursor.passed.except_count--;
	}
	cursor_write(work, number, &cursor);
}

/* Set the row's start, and begin its cursors. */
static void
begin_now(Row *row, const NewSubscription *made, int64 *origins,
		  int64 *first_xact_ids, int count)
{
	Work	   *work = row->work;
	int32		number = row_int32(row, STORED_SUBSCRIPTIONS_SUBSCRIPTION_NO);
	XactSet		start = xacts_of_snapshot(GetLatestSnapshot());
	int64	   *others = palloc(count * sizeof(int64));
	int			other_count = 0;
	int64		first_xact_id = PG_INT64_MAX;

	for (int i = 0; i < count; i++)
	{
		if (origins[i] == start.origin)
		{
			first_xact_id = first_xact_ids[i];
			continue;
		}
		others[other_count++] = origins[i];
		begin_cursor(work, number, xacts_of_origin(origins[i]),
					 first_xact_ids[i]);
	}
	begin_cursor(work, number, start, first_xact_id);
	set_start(row, made, &start, others, other_count);
}

/* ---- create ---- */

pg_noreturn static void
exists_already(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("subscription \"%s\" already exists", name)));
}

static void
set_values(Row *row, const NewSubscription *made)
{
	row_set(row, STORED_SUBSCRIPTIONS_SUBSCRIPTION,
			CStringGetTextDatum(made->name));
	row_set_int32(row, STORED_SUBSCRIPTIONS_SUBSCRIPTION_NO,
				  (int32) sequence_next(SEQUENCE_SUBSCRIPTION_NO));
	row_set(row, STORED_SUBSCRIPTIONS_IS_DROPPED, BoolGetDatum(false));
	row_set_null(row, STORED_SUBSCRIPTIONS_EVENT_TYPES);
	if (made->types)
		row_set(row, STORED_SUBSCRIPTIONS_EVENT_TYPES,
				PointerGetDatum(made->types));
	row_set_null(row, STORED_SUBSCRIPTIONS_PAUSED_AT);
	row_set_null(row, STORED_SUBSCRIPTIONS_PAUSED_UNTIL);
	row_set_null(row, STORED_SUBSCRIPTIONS_PAUSE_REASON);
	row_set_now(row, STORED_SUBSCRIPTIONS_CREATED_AT);
	row_set_null(row, STORED_SUBSCRIPTIONS_START_FROM);
	row_set_null(row, STORED_SUBSCRIPTIONS_START_ORIGIN);
	row_set_null(row, STORED_SUBSCRIPTIONS_START_XACT_ID);
	row_set_null(row, STORED_SUBSCRIPTIONS_START_IN_PROGRESS);
	row_set_null(row, STORED_SUBSCRIPTIONS_START_OWN_EVENTS);
	row_set_null(row, STORED_SUBSCRIPTIONS_START_OTHER_ORIGINS);
}

/* The dropped default's row, locked; NULL where there is no such row. */
static Row *
lock_dropped(Work *work, const char *name)
{
	Row		   *row;

	if (strcmp(name, DEFAULT_SUBSCRIPTION) != 0)
		return NULL;
	row = row_lock(work, TABLE_STORED_SUBSCRIPTIONS,
				   CStringGetTextDatum(name));
	if (row == NULL ||
		!DatumGetBool(row_value(row, STORED_SUBSCRIPTIONS_IS_DROPPED)))
		exists_already(name);
	return row;
}

static void
create(const NewSubscription *made)
{
	Work		work;
	Row		   *dropped;
	Row		   *row;
	int			count = 0;
	int64	   *origins = NULL;
	int64	   *first_xact_ids = NULL;

	if (!TIMESTAMP_IS_NOEND(made->start_from))
		event_purge_keep_out();
	if (!TIMESTAMP_IS_NOBEGIN(made->start_from))
		count = read_origins(made, &origins, &first_xact_ids);

	row_begin_write(&work, "create_subscription()");
	dropped = lock_dropped(&work, made->name);
	row_will_write(&work, TABLE_STORED_SUBSCRIPTIONS);
	row = dropped ? row_change(dropped) :
		row_new(&work, TABLE_STORED_SUBSCRIPTIONS);
	set_values(row, made);
	if (!TIMESTAMP_IS_NOBEGIN(made->start_from))
		begin_now(row, made, origins, first_xact_ids, count);
	if (dropped)
		row_update(dropped, row);
	else if (!row_insert_if_absent(row))
		exists_already(made->name);
	notify_at_commit();
	row_end(&work);
}

static Entry create_subscription_entry = {
	.arguments = {
		{"subscription", TEXTOID},
		{"event_types", TEXTARRAYOID, true},
		{"start_from", TIMESTAMPTZOID, true}
	},
	.row = "subscriptions"
};

/* Make a subscription: doc/reference.md, Events. */
ENTRY_POINT(create_subscription)
{
	NewSubscription made;

	made.name = new_name(fcinfo);
	made.types = event_types(fcinfo);
	made.start_from = start_from(fcinfo);

	create(&made);
	return subscription_datum("create_subscription()", made.name);
}

/* ---- drop, pause, resume ---- */

/* Lock its row, which default may not have yet. */
static Refusal *
lock_subscription(Work *work, const char *name, Row **row)
{
	bool		is_default = strcmp(name, DEFAULT_SUBSCRIPTION) == 0;
	Datum		key = CStringGetTextDatum(name);

	*row = row_lock(work, TABLE_STORED_SUBSCRIPTIONS, key);
	if (*row == NULL && is_default)
	{
		Row		   *made = row_new(work, TABLE_STORED_SUBSCRIPTIONS);

		row_set(made, STORED_SUBSCRIPTIONS_SUBSCRIPTION, key);
		row_set_int32(made, STORED_SUBSCRIPTIONS_SUBSCRIPTION_NO,
					  DEFAULT_SUBSCRIPTION_NO);
		row_set(made, STORED_SUBSCRIPTIONS_IS_DROPPED, BoolGetDatum(false));
		(void) row_insert_if_absent(made);
		row_refresh(work);
		*row = row_lock(work, TABLE_STORED_SUBSCRIPTIONS, key);
	}
	if (*row == NULL ||
		DatumGetBool(row_value(*row, STORED_SUBSCRIPTIONS_IS_DROPPED)))
		return refuse_subscription_not_found(name);
	return NULL;
}

/* What it has not been delivered, and now will not be. */
static int64
count_unfinished(const char *name)
{
	static SqlStatement count = {
		.text = "SELECT count(*) FROM commerce.deliveries"
		" WHERE subscription = $1 AND status IN ('available', 'running', 'dead')",
		.argument_count = 1, .argument_types = {TEXTOID}
	};
	Datum		arguments[] = {CStringGetTextDatum(name)};
	SqlRun		run;
	int64		unfinished;

	sql_begin_write(&run, "drop_subscription()");
	unfinished = sql_int64(&run, &count, arguments);
	sql_end(&run);
	return unfinished;
}

static Entry drop_subscription_entry = {
	.arguments = {{"subscription", TEXTOID}},
	.type = INT8OID
};

/* End a subscription: doc/reference.md, Events. */
ENTRY_POINT(drop_subscription)
{
	char	   *name;
	Work		work;
	Row		   *row;
	int64		unfinished;

	name = subscription_argument(fcinfo, 0);

	row_begin_write(&work, "drop_subscription()");
	refusal_check(lock_subscription(&work, name, &row));
	row_end(&work);
	unfinished = count_unfinished(name);

	row_begin_write(&work, "drop_subscription()");
	refusal_check(lock_subscription(&work, name, &row));
	if (strcmp(name, DEFAULT_SUBSCRIPTION) != 0)
		row_delete(row);
	else
	{
		Row		   *mark = row_change(row);

		row_set(mark, STORED_SUBSCRIPTIONS_IS_DROPPED, BoolGetDatum(true));
		row_update(row, mark);
	}
	row_end(&work);
	PG_RETURN_INT64(unfinished);
}

static Entry pause_subscription_entry = {
	.arguments = {
		{"subscription", TEXTOID},
		{"until", TIMESTAMPTZOID, true},
		{"reason", TEXTOID, true}
	},
	.row = "subscriptions"
};

/* Claim nothing of it for a while: doc/reference.md, Events. */
ENTRY_POINT(pause_subscription)
{
	char	   *name;
	TimestampTz until;
	text	   *reason;
	Work		work;
	Row		   *row;
	Row		   *paused;

	name = subscription_argument(fcinfo, 0);
	until = args_end(fcinfo, 1, "until");
	if (until <= GetCurrentTimestamp())
		args_invalid("until", "be in the future");
	reason = args_reason(fcinfo, 2);

	row_begin_write(&work, "pause_subscription()");
	refusal_check(lock_subscription(&work, name, &row));
	paused = row_change(row);
	row_set(paused, STORED_SUBSCRIPTIONS_PAUSED_AT,
			TimestampTzGetDatum(GetCurrentTimestamp()));
	row_set_null(paused, STORED_SUBSCRIPTIONS_PAUSED_UNTIL);
	if (!TIMESTAMP_IS_NOEND(until))
		row_set(paused, STORED_SUBSCRIPTIONS_PAUSED_UNTIL,
				TimestampTzGetDatum(until));
	row_set_null(paused, STORED_SUBSCRIPTIONS_PAUSE_REASON);
	if (reason)
		row_set(paused, STORED_SUBSCRIPTIONS_PAUSE_REASON,
				PointerGetDatum(reason));
	row_update(row, paused);
	row_end(&work);
	return subscription_datum("pause_subscription()", name);
}

static Entry resume_subscription_entry = {
	.arguments = {{"subscription", TEXTOID}},
	.row = "subscriptions"
};

/* Claim of it again: doc/reference.md, Events. */
ENTRY_POINT(resume_subscription)
{
	char	   *name;
	Work		work;
	Row		   *row;

	name = subscription_argument(fcinfo, 0);

	row_begin_write(&work, "resume_subscription()");
	refusal_check(lock_subscription(&work, name, &row));
	if (!row_is_null(row, STORED_SUBSCRIPTIONS_PAUSED_AT))
	{
		Row		   *resumed = row_change(row);

		row_set_null(resumed, STORED_SUBSCRIPTIONS_PAUSED_AT);
		row_set_null(resumed, STORED_SUBSCRIPTIONS_PAUSED_UNTIL);
		row_set_null(resumed, STORED_SUBSCRIPTIONS_PAUSE_REASON);
		row_update(row, resumed);
		notify_at_commit();
	}
	row_end(&work);
	return subscription_datum("resume_subscription()", name);
}
