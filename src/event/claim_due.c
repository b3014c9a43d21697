/*
 * claim_due.c
 *		Claiming stored deliveries that are due, and ending lapsed leases.
 *
 * Every claim and every ack leaves a dead entry at the front of the index that
 * the next claim starts from. While somebody holds an old snapshot (a dump,
 * say) these cannot be removed, and walking over them would soon be all a claim
 * does. So a session remembers where it found the first live entry, and starts
 * there. That alone could miss a delivery: one of a transaction that took
 * longer than LOOK_BACK_MS, one that another session gave back. So it also
 * looks from the very beginning: every time while there are few dead entries,
 * and else after as many claims, or as much time, as make the walk a small part
 * of the whole.
 */
#include "postgres.h"

#include "base/clock.h"
#include "event/claim.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* Transactions shorter than this cannot hide what they stored. */
#define LOOK_BACK_MS			3000

/* Dead entries that a claim may walk over without being thrifty. */
#define FEW_DEAD_ENTRIES		1000

/* How long a delivery may be missed for thrift. */
#define LOOK_EVERYWHERE_MS		10000

/* Most that one claim keeps in mind for the end of its walk. */
#define MAX_LATER				1000

/* Most leases that one claim ends without handing the event out again. */
#define MAX_ENDED				1000

static const RowIndex by_due = {
	.column_count = 2,
	.columns = {
		STORED_DELIVERIES_SUBSCRIPTION_NO, STORED_DELIVERIES_DUE_AT
	},
	.null_column = STORED_DELIVERIES_DUE_AT
};

/* Where this session's next claim of the same subscription is to start. */
static struct
{
	Oid			table;
	int32		subscription_no;
	TimestampTz from;			/* nothing was before */
	int64		thrifty_looks;	/* so many more may start there */
	int64		thrifty_until_ms;	/* and until then */
}			memory;

static bool
is_thrifty(const Claim *claim)
{
	return memory.table == table_oid(TABLE_STORED_DELIVERIES) &&
		memory.subscription_no == claim->subscription->number &&
		memory.thrifty_looks > 0 && clock_ms() < memory.thrifty_until_ms;
}

/* Remember for next time: the first live entry, and what was dead before it. */
static void
remember_start(const Claim *claim, bool was_thrifty, TimestampTz first,
			   int64 dead)
{
	memory.from = Min(first, TimestampTzPlusMilliseconds(claim->now,
														 -LOOK_BACK_MS));
	if (was_thrifty)
	{
		memory.thrifty_looks--;
		return;
	}
	memory.table = table_oid(TABLE_STORED_DELIVERIES);
	memory.subscription_no = claim->subscription->number;
	memory.thrifty_looks = dead / FEW_DEAD_ENTRIES;
	memory.thrifty_until_ms = clock_ms() + LOOK_EVERYWHERE_MS;
}

/* ---- one delivery ---- */

static void
hand_out(Claim *claim, Row *delivery, Row *leased)
{
	row_set_null(leased, STORED_DELIVERIES_FOLLOWS_XACT_ID);
	row_update(delivery, leased);
	claim_add(claim, row_int64(leased, STORED_DELIVERIES_ORIGIN),
			  row_int64(leased, STORED_DELIVERIES_XACT_ID),
			  row_int64(leased, STORED_DELIVERIES_EVENT_ID),
			  row_int32(leased, STORED_DELIVERIES_ATTEMPT));
}

static bool
must_wait(Claim *claim, Row *delivery)
{
	return delivery_is_blocked(&claim->look,
							   row_int64(delivery, STORED_DELIVERIES_ORDER_ID),
							   row_int64(delivery, STORED_DELIVERIES_EVENT_ID));
}

void
claim_available(Claim *claim, Row *delivery)
{
	bool		is_busy;

	if (!must_wait(claim, delivery) &&
		row_lock_unchanged(delivery, false, &is_busy))
		hand_out(claim, delivery, delivery_lease(delivery, claim->lease_end));
}

/*
 * The lease lapsed: that is a failure, and perhaps the last one. *ended counts
 * what is not handed out again; what somebody is handing back is left to them.
 */
static void
end_lease(Claim *claim, Row *delivery, int *ended)
{
	bool		is_busy;
	Row		   *failed;

	if (!row_lock_unchanged(delivery, false, &is_busy))
		return;
	failed = delivery_fail(delivery, CStringGetTextDatum("the lease lapsed"),
						   claim->now);
	if (row_is(failed, STORED_DELIVERIES_STATUS, DELIVERY_DEAD) ||
		must_wait(claim, delivery))
	{
		row_update(delivery, failed);
		(*ended)++;
	}
	else
	{
		delivery_set_leased(failed,
							row_int32(delivery, STORED_DELIVERIES_ATTEMPT) + 1,
							claim->lease_end);
		hand_out(claim, delivery, failed);
	}
}

void
claim_due(Claim *claim)
{
	RowSeek    *seek = row_seek_begin(claim->work, TABLE_STORED_DELIVERIES,
									  &by_due, false);
	Datum		number = Int32GetDatum(claim->subscription->number);
	bool		thrifty = is_thrifty(claim);
	TimestampTz from = thrifty ? memory.from : DT_NOBEGIN;
	TimestampTz first = DT_NOEND;
	int64		dead = 0;
	int			ended = 0;
	Row		   *delivery;

	row_seek_range(seek, 1, &number, TimestampTzGetDatum(from),
				   TimestampTzGetDatum(claim->now));
	while (claim->room > 0 && ended < MAX_ENDED &&
		   (delivery = row_seek_next(seek)) != NULL)
	{
		if (first == DT_NOEND)
		{
			first = row_time(delivery, STORED_DELIVERIES_DUE_AT);
			dead = row_seek_invisible_count(seek);
		}
		if (row_is(delivery, STORED_DELIVERIES_STATUS, DELIVERY_RUNNING))
			end_lease(claim, row_seek_keep(seek), &ended);
		else if (must_wait(claim, delivery))
			continue;
		else if (row_int32(delivery, STORED_DELIVERIES_ATTEMPT) > 0)
			claim_available(claim, row_seek_keep(seek));
		else if (list_length(claim->later) < MAX_LATER)
			claim->later = lappend(claim->later, row_seek_keep(seek));
	}
	if (first == DT_NOEND)
		dead = row_seek_invisible_count(seek);
	remember_start(claim, thrifty, first, dead);
	row_seek_end(seek);
}
