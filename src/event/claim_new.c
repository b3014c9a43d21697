/*
 * claim_new.c
 *		Claiming events that no claim has come to.
 *
 * A walk goes through the events from the subscription's cursor on, origin by
 * origin, and looks up each one's delivery, as others may have come here since
 * the cursor was written. An event without one is claimed, which stores a
 * delivery; one that must wait for another of its order is stored too, as
 * available, so that the walk can go on.
 *
 * The events of one order are met in their order, but for a later one whose
 * transaction has a lower number than that of an earlier one. It says up to
 * which number the earlier ones may be: what the walk has not reached yet it
 * cannot have stored, so such an event is put off to the end of the walk, or,
 * when the walk ends before, to a later claim.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "event/claim.h"
#include "event/event.h"
#include "utils/snapmgr.h"

/* Write the cursor down when it has moved by so much. */
#define WORTH_WRITING	100

/* Most that a walk puts off. */
#define MAX_PUT_OFF		1000

typedef struct Walk
{
	Claim	   *claim;
	RowSeek    *events;
	Cursor		from;			/* as it was read */
	Cursor		to;				/* as it becomes */
	XactSet		visible;		/* whose events the snapshot has */
	int64		own_xact_id;	/* 0: none */
	int			doubtful_room;
	bool		has_passed_all; /* that the snapshot has */
	bool		has_left_some;	/* of what the cursor left behind */
	int64		moved;			/* events passed, doubts ended */
	List	   *put_off;		/* rows of events, for the end */
} Walk;

static const RowIndex events_by_key = {
	.column_count = 3,
	.columns = {EVENTS_ORIGIN, EVENTS_XACT_ID, EVENTS_EVENT_ID}
};

/* ---- one event ---- */

static bool
has_room(const Walk *walk)
{
	return walk->claim->room > 0 &&
		list_length(walk->put_off) < MAX_PUT_OFF;
}

static void
add_doubtful(Walk *walk, Row *event)
{
	EventKey   *key;

	if (walk->to.doubtful_count == walk->doubtful_room)
	{
		walk->doubtful_room = Max(2 * walk->doubtful_room, 64);
		walk->to.doubtful = walk->to.doubtful == NULL ?
			palloc(walk->doubtful_room * sizeof(EventKey)) :
			repalloc(walk->to.doubtful,
					 walk->doubtful_room * sizeof(EventKey));
	}
	key = &walk->to.doubtful[walk->to.doubtful_count++];
	key->xact_id = row_int64(event, EVENTS_XACT_ID);
	key->event_id = row_int64(event, EVENTS_EVENT_ID);
}

/* Store a delivery that somebody may claim, with what it has to follow. */
static void
store_available(Claim *claim, Row *event)
{
	Row		   *delivery = delivery_new(claim->work, claim->subscription, event,
										DELIVERY_AVAILABLE, claim->now);

	if (!row_is_null(event, EVENTS_FOLLOWS_XACT_ID))
		row_set_int64(delivery, STORED_DELIVERIES_FOLLOWS_XACT_ID,
					  row_int64(event, EVENTS_FOLLOWS_XACT_ID));
	row_insert(delivery);
}

static void
store_claimed(Claim *claim, Row *event)
{
	row_insert(delivery_new(claim->work, claim->subscription, event,
							DELIVERY_RUNNING, claim->lease_end));
	claim_add(claim, row_int64(event, EVENTS_ORIGIN),
			  row_int64(event, EVENTS_XACT_ID),
			  row_int64(event, EVENTS_EVENT_ID), 1);
}

/* What this call has stored must be looked at as well. */
static bool
event_is_blocked(Claim *claim, Row *event)
{
	row_insert_queued(claim->work);
	return delivery_is_blocked(&claim->look, row_int64(event, EVENTS_ORDER_ID),
							   row_int64(event, EVENTS_EVENT_ID));
}

/* An order's first event is that it was paid. */
static bool
is_first_of_order(Row *event)
{
	text	   *type = DatumGetTextPP(row_value(event, EVENTS_EVENT_TYPE));

	return VARSIZE_ANY_EXHDR(type) == strlen(EVENT_ORDER_PAID) &&
		memcmp(VARDATA_ANY(type), EVENT_ORDER_PAID,
			   strlen(EVENT_ORDER_PAID)) == 0;
}

static void
put_off(Walk *walk, Row *event)
{
	delivery_hold_order(&walk->claim->look, row_int64(event, EVENTS_ORDER_ID),
						row_int64(event, EVENTS_EVENT_ID));
	walk->put_off = lappend(walk->put_off, row_seek_keep(walk->events));
}

static void
claim_event(Walk *walk, Row *event)
{
	Claim	   *claim = walk->claim;

	/* An old snapshot may have what was purged since. */
	if (IsolationUsesXactSnapshot() && row_seek_is_gone(walk->events))
		row_serialization_failure();
	if (is_first_of_order(event))
		store_claimed(claim, event);
	else if (!row_is_null(event, EVENTS_FOLLOWS_XACT_ID))
		put_off(walk, event);
	else if (event_is_blocked(claim, event))
		store_available(claim, event);
	else
		store_claimed(claim, event);
}

static void
pass_event(Walk *walk, Row *event)
{
	walk->moved++;
	if (!subscription_wants(walk->claim->subscription, event))
		return;
	switch (delivery_find(&walk->claim->look,
						  row_int64(event, EVENTS_EVENT_ID)))
	{
		case DELIVERY_STORED:
			break;
		case DELIVERY_DOUBTFUL:
			add_doubtful(walk, event);
			break;
		case DELIVERY_NONE:
			claim_event(walk, event);
			break;
	}
}

/* ---- what the cursor left behind ---- */

static void
pass_doubtful(Walk *walk)
{
	for (int i = 0; i < walk->from.doubtful_count; i++)
	{
		EventKey   *key = &walk->from.doubtful[i];
		Datum		values[] = {
			Int64GetDatum(walk->visible.origin),
			Int64GetDatum(key->xact_id), Int64GetDatum(key->event_id)
		};
		Row		   *event;

		row_seek(walk->events, lengthof(values), values);
		event = row_seek_next(walk->events);
		if (event != NULL && has_room(walk))
			pass_event(walk, event);
		else if (event != NULL)
		{
			add_doubtful(walk, event);
			walk->has_left_some = true;
		}
	}
	walk->moved = walk->from.doubtful_count - walk->to.doubtful_count;
}

/* Pass the events of one transaction. False: there was no room for all. */
static bool
pass_transaction(Walk *walk, int64 xact_id)
{
	Datum		values[] = {
		Int64GetDatum(walk->visible.origin), Int64GetDatum(xact_id)
	};
	Row		   *event;

	row_seek(walk->events, lengthof(values), values);
	while (has_room(walk))
	{
		event = row_seek_next(walk->events);
		if (event == NULL)
			return true;
		pass_event(walk, event);
	}
	return false;
}

static void
add_exception(Walk *walk, int64 xact_id)
{
	walk->to.passed.except[walk->to.passed.except_count++] = xact_id;
}

/* Transactions that were in progress: those that have ended are passed now. */
static void
pass_exceptions(Walk *walk)
{
	const XactSet *passed = &walk->from.passed;

	walk->to.passed.except = palloc((passed->except_count +
									 walk->visible.except_count) *
									sizeof(int64));
	for (int i = 0; i < passed->except_count; i++)
	{
		int64		xact_id = passed->except[i];
		bool		has_ended = xacts_have(&walk->visible, xact_id);

		if (has_ended || xact_id == walk->own_xact_id)
		{
			if (!pass_transaction(walk, xact_id))
				walk->has_left_some = true;
			else if (has_ended)
			{
				walk->moved++;
				continue;
			}
		}
		add_exception(walk, xact_id);
	}
}

/* ---- what is beyond it ---- */

/*
 * The cursor becomes next and last_event_id. What is still in progress of what
 * it passes with that is left behind.
 */
static void
move_cursor(Walk *walk, int64 next, int64 last_event_id)
{
	int64		from = walk->from.passed.next;

	if (next < from)
	{
		next = from;
		last_event_id = walk->from.last_event_id;
	}
	walk->to.passed.next = next;
	walk->to.last_event_id = last_event_id;
	for (int i = 0; i < walk->visible.except_count; i++)
	{
		int64		xact_id = walk->visible.except[i];

		if (xact_id >= from && xact_id < walk->to.passed.next)
			add_exception(walk, xact_id);
	}
}

/* Pass what the seek finds, up to *last. False: there was no room for all. */
static bool
pass_found(Walk *walk, EventKey *last)
{
	while (has_room(walk))
	{
		Row		   *event = row_seek_next(walk->events);

		if (event == NULL)
			return true;
		last->xact_id = row_int64(event, EVENTS_XACT_ID);
		last->event_id = row_int64(event, EVENTS_EVENT_ID);
		pass_event(walk, event);
	}
	return false;
}

/* The rest of the transaction that the cursor is in, then those beyond it. */
static void
pass_new(Walk *walk)
{
	int64		next = walk->from.passed.next;
	EventKey	last = {next, walk->from.last_event_id};
	Datum		key[] = {
		Int64GetDatum(walk->visible.origin), Int64GetDatum(next)
	};
	Datum		end = Int64GetDatum(PG_INT64_MAX);

	row_seek_range(walk->events, 2, key, Int64GetDatum(last.event_id + 1),
				   end);
	walk->has_passed_all = pass_found(walk, &last);
	if (walk->has_passed_all && next < PG_INT64_MAX)
	{
		row_seek_range(walk->events, 1, key, Int64GetDatum(next + 1), end);
		walk->has_passed_all = pass_found(walk, &last);
	}

	/* Another database may write again one day: passed is what is there. */
	if (walk->has_passed_all && walk->visible.next < PG_INT64_MAX)
		move_cursor(walk, walk->visible.next, 0);
	else if (last.xact_id == walk->own_xact_id)
		move_cursor(walk, last.xact_id, 0); /* it may write more */
	else
		move_cursor(walk, last.xact_id, last.event_id);
}

/* ---- what was put off ---- */

/* Is all passed that may come before an event of an order up to that number? */
typedef bool (*PassedTest) (const Walk *walk, int64 xact_id);

/* Had an earlier claim passed it, so that it need not wait for this walk? */
static bool
had_passed(const Walk *walk, int64 xact_id)
{
	const Cursor *from = &walk->from;

	if (xact_id > from->passed.next || (from->passed.except_count > 0 &&
										from->passed.except[0] <= xact_id))
		return false;
	for (int i = 0; i < from->doubtful_count; i++)
		if (from->doubtful[i].xact_id <= xact_id)
			return false;
	return true;
}

/*
 * Has the walk passed all that may come before a later event of an order? What
 * does was committed before that one was written, so the snapshot has it.
 */
static bool
has_passed(const Walk *walk, int64 xact_id)
{
	return walk->has_passed_all ||
		(xact_id <= walk->to.passed.next && !walk->has_left_some);
}

static void
claim_put_off(Walk *walk)
{
	Claim	   *claim = walk->claim;
	ListCell   *cell;

	foreach(cell, walk->put_off)
	{
		Row		   *event = lfirst(cell);

		if (claim->room == 0 ||
			!has_passed(walk, row_int64(event, EVENTS_FOLLOWS_XACT_ID)) ||
			event_is_blocked(claim, event))
			store_available(claim, event);
		else
			store_claimed(claim, event);
	}
}

/*
 * May the stored delivery be claimed for the first time? Only when the walk has
 * passed all that may come before it: a claim that took one of those may have
 * been undone since.
 */
static bool
has_passed_earlier(const Walk *walk, Row *delivery, PassedTest passed)
{
	int64		last = row_int64(delivery, STORED_DELIVERIES_XACT_ID);

	if (!row_is_null(delivery, STORED_DELIVERIES_FOLLOWS_XACT_ID))
		last = Max(last, row_int64(delivery,
								   STORED_DELIVERIES_FOLLOWS_XACT_ID));
	return row_int64(delivery, STORED_DELIVERIES_ORIGIN) ==
		walk->visible.origin && passed(walk, last);
}

/* Of what was stored without being claimed. */
static void
claim_later(Walk *walk, PassedTest passed)
{
	Claim	   *claim = walk->claim;
	ListCell   *cell;

	foreach(cell, claim->later)
	{
		Row		   *delivery = lfirst(cell);

		if (claim->room > 0 && has_passed_earlier(walk, delivery, passed))
		{
			row_insert_queued(claim->work);
			claim_available(claim, delivery);
			claim->later = foreach_delete_current(claim->later, cell);
		}
	}
}

/* ---- the walk ---- */

/* Through the events of one origin. False: there was no room for all. */
static bool
walk_once(Walk *walk, XactSet visible)
{
	Claim	   *claim = walk->claim;

	cursor_read(claim->work, claim->subscription->number, visible.origin,
				&walk->from);
	walk->to = (Cursor)
	{
		.passed.origin = visible.origin,
			.row = walk->from.row
	};
	walk->visible = visible;
	walk->put_off = NIL;
	walk->has_left_some = false;
	walk->doubtful_room = 0;
	walk->events = row_seek_begin(claim->work, TABLE_EVENTS, &events_by_key,
								  false);

	claim_later(walk, had_passed);
	pass_doubtful(walk);
	pass_exceptions(walk);
	pass_new(walk);
	claim_put_off(walk);
	claim_later(walk, has_passed);
	row_seek_end(walk->events);
	if (walk->moved >= WORTH_WRITING ||
		(!walk->has_passed_all && claim->count == 0))
		cursor_write(claim->work, claim->subscription->number, &walk->to);
	return walk->has_passed_all;
}

/*
 * Through the events of one origin, until something is claimed. What was stored
 * and what was passed must be seen before a next walk. False: there was no room
 * for all.
 */
static bool
walk_origin(Claim *claim, XactSet visible)
{
	Walk		walk = {.claim = claim};

	if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
		walk.own_xact_id =
			(int64) U64FromFullTransactionId(GetTopFullTransactionId());
	while (!walk_once(&walk, visible))
	{
		if (claim->count > 0 || walk.put_off == NIL)
			return false;
		row_insert_queued(claim->work);
		row_refresh(claim->work);
	}
	return claim->room > 0;
}

/* The first origin there is between two, both included; false: none. */
static bool
find_origin(Claim *claim, int64 from, int64 until, int64 *origin)
{
	RowSeek    *seek = row_seek_begin(claim->work, TABLE_EVENTS,
									  &events_by_key, false);
	Row		   *event;

	row_seek_range(seek, 0, NULL, Int64GetDatum(from), Int64GetDatum(until));
	event = row_seek_next(seek);
	if (event != NULL)
		*origin = row_int64(event, EVENTS_ORIGIN);
	row_seek_end(seek);
	return event != NULL;
}

/* What a dump, an upgrade or a publisher brought: nothing new comes to it. */
static bool
walk_others(Claim *claim, int64 from, int64 until)
{
	int64		origin;

	while (from <= until && find_origin(claim, from, until, &origin))
	{
		if (!walk_origin(claim, xacts_of_origin(origin)))
			return false;
		if (origin == PG_INT64_MAX)
			return true;
		from = origin + 1;
	}
	return true;
}

/* An order may have its later events here and those before elsewhere. */
void
claim_new(Claim *claim)
{
	int64		here = event_origin();

	if (here > PG_INT64_MIN && !walk_others(claim, PG_INT64_MIN, here - 1))
		return;
	if (here < PG_INT64_MAX && !walk_others(claim, here + 1, PG_INT64_MAX))
		return;
	(void) walk_origin(claim, xacts_of_snapshot(GetActiveSnapshot()));
}
