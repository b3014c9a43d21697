/*
 * record.h
 *		The outcomes of deliveries, until the database has them.
 */
#ifndef RELAY_RECORD_H
#define RELAY_RECORD_H

#include "database.h"
#include "event.h"

typedef struct Record
{
	Database   *database;
	EventList	delivered;		/* to be acked */
	EventList	failed;			/* to be reported */
	int			ack_full;		/* so many acks do not wait for more */
	int64_t		ack_due_us;		/* when there are delivered ones */
	int			acking;			/* so many of the delivered are being acked */
	int			acks_max;		/* at once */

	/* since the start */
	int64_t		delivered_count;
	int64_t		failed_count;
	int64_t		dead_count;
	int64_t		lost_count;		/* leases that were not ours, or dropped */
	int64_t		dropped_count;	/* outcomes that could not be recorded */
} Record;

extern void record_init(Record *record, Database *database, int ack_full);
extern void record_free(Record *record);

/* Take an event whose delivery ended, well or with an error. */
extern void record_add(Record *record, Event *event);

/* How many are not recorded yet. */
extern int	record_left(const Record *record);

/* Whether nothing of what is left can be recorded any more. */
extern bool record_is_too_late(const Record *record);

/*
 * The database is idle: send it an outcome, or many, if there are some and they
 * need not, or shall not, wait for more. Whether a statement was sent.
 */
extern bool record_send(Record *record, bool at_once);

/* The answer to it; whether events became claimable by it. */
extern bool record_take_answer(Record *record, Statement statement,
							   Answer answer, const PGresult *result);

#endif
