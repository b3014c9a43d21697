/*
 * record.h
 *		The outcomes of deliveries, until the database has them.
 */
#ifndef RELAY_RECORD_H
#define RELAY_RECORD_H

#include "database.h"
#include "event.h"

/* Events whose outcome is told many at once. */
typedef struct Batch
{
	EventList	events;
	int			sending;		/* so many of the first are being told */
	int			most;			/* at once */
} Batch;

typedef struct Record
{
	Database   *database;
	const Options *options;
	Batch		delivered;		/* to be acked */
	Batch		released;		/* to be given back */
	EventList	failed;			/* to be reported */
	int64_t		ack_due_us;		/* when there are delivered ones */

	/* since the start */
	int64_t		delivered_count;
	int64_t		released_count;
	int64_t		failed_count;
	int64_t		dead_count;
	int64_t		lost_count;		/* leases that were not ours, or dropped */
	int64_t		dropped_count;	/* outcomes that could not be recorded */
} Record;

extern void record_init(Record *record, Database *database,
						const Options *options);
extern void record_free(Record *record);

/* Take an event whose delivery ended, or never began. */
extern void record_delivered(Record *record, Event *event);
extern void record_failed(Record *record, Event *event);

/* It is available again after so long, from when the database has heard. */
extern void record_released(Record *record, Event *event, int64_t after_us);

/* How many are not recorded yet. */
extern int	record_left(const Record *record);

/* Whether nothing of what is left can be recorded any more. */
extern bool record_is_too_late(const Record *record);

/* The oldest one that is left began so long ago, if not later than that. */
extern int64_t record_oldest_us(const Record *record, int64_t so_far_us);

/*
 * The database is idle: send it an outcome, or many, if there are some and they
 * need not, or shall not, wait for more. Whether a statement was sent.
 */
extern bool record_send(Record *record, bool at_once);

/*
 * The answer to it. When events become claimable by it; INT64_MAX: none do.
 */
extern int64_t record_take_answer(Record *record, Statement statement,
								  Answer answer, const PGresult *result);

#endif
