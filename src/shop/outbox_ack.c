/*
 * outbox_ack.c
 *		Marking claimed events delivered.
 *
 * Acks lock in ascending order of event_id, and so two of them never deadlock.
 */
#include "postgres.h"

#include "base/args.h"
#include "base/entry.h"
#include "catalog/pg_type.h"
#include "row/row.h"
#include "utils/array.h"
#include "utils/timestamp.h"

/* What a caller says it has delivered. */
typedef struct Ack
{
	int64		event_id;
	int32		attempt;
} Ack;

/* By event_id, the latest attempt first. */
static int
compare_acks(const void *a, const void *b)
{
	const Ack  *ack = a;
	const Ack  *other = b;

	if (ack->event_id != other->event_id)
		return ack->event_id < other->event_id ? -1 : 1;
	return (ack->attempt < other->attempt) - (ack->attempt > other->attempt);
}

/* The acks in the two arrays, sorted; a NULL acks nothing. */
static Ack *
read_acks(ArrayType *event_ids, ArrayType *attempts, int *count)
{
	Datum	   *ids;
	Datum	   *numbers;
	bool	   *id_nulls;
	bool	   *number_nulls;
	int			id_count;
	int			number_count;
	Ack		   *acks;

	deconstruct_array(event_ids, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &ids, &id_nulls, &id_count);
	deconstruct_array(attempts, INT4OID, sizeof(int32), true,
					  TYPALIGN_INT, &numbers, &number_nulls, &number_count);
	if (id_count != number_count)
		args_invalid("attempts", "have as many elements as event_ids");

	acks = palloc(sizeof(Ack) * id_count);
	*count = 0;
	for (int i = 0; i < id_count; i++)
	{
		if (id_nulls[i] || number_nulls[i])
			continue;
		acks[*count].event_id = DatumGetInt64(ids[i]);
		acks[(*count)++].attempt = DatumGetInt32(numbers[i]);
	}
	qsort(acks, *count, sizeof(Ack), compare_acks);
	return acks;
}

/* Mark an event delivered if the ack is for its current lease. */
static bool
deliver(Work *work, const Ack *ack)
{
	Row		   *event = row_lock(work, TABLE_OUTBOX,
								 Int64GetDatum(ack->event_id));
	Row		   *changed;

	if (event == NULL || !row_is(event, OUTBOX_STATUS, EVENT_RUNNING) ||
		row_int32(event, OUTBOX_ATTEMPT) != ack->attempt)
		return false;
	changed = row_change(event);
	row_set_enum(changed, OUTBOX_STATUS, EVENT_DELIVERED);
	row_set(changed, OUTBOX_DELIVERED_AT,
			TimestampTzGetDatum(GetCurrentTimestamp()));
	row_set_null(changed, OUTBOX_LOCKED_UNTIL);
	row_update(event, changed);
	return true;
}

static Entry ack_events_entry = {
	.arguments = {
		{"event_ids", INT8ARRAYOID, true},
		{"attempts", INT4ARRAYOID, true}
	},
	.type = INT8OID
};

PG_FUNCTION_INFO_V1(commerce_ack_events);

/* Mark claimed events delivered: doc/reference.md, Outbox. */
Datum
commerce_ack_events(PG_FUNCTION_ARGS)
{
	Ack		   *acks;
	int			count;
	int64		delivered = 0;
	int64		last_delivered = 0;
	Work		work;

	entry_check(fcinfo, &ack_events_entry);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_INT64(0);
	acks = read_acks(PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_ARRAYTYPE_P(1),
					 &count);

	row_begin_write(&work, "ack_events()");
	for (int i = 0; i < count; i++)
	{
		/* What this call wrote must not be touched again. */
		if (delivered > 0 && acks[i].event_id == last_delivered)
			continue;
		if (deliver(&work, &acks[i]))
		{
			last_delivered = acks[i].event_id;
			delivered++;
		}
	}
	row_end(&work);
	PG_RETURN_INT64(delivered);
}
