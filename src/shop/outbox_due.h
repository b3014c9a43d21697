/*
 * outbox_due.h
 *		Which events are due: where to look for them.
 */
#ifndef COMMERCE_OUTBOX_DUE_H
#define COMMERCE_OUTBOX_DUE_H

#include "utils/timestamp.h"

/*
 * From which time on events that are available, or whose lease may have lapsed,
 * are to be looked for: next_attempt_at of the ones, locked_until of the
 * others. Need a snapshot.
 */
extern TimestampTz outbox_look_for_available(TimestampTz now);
extern TimestampTz outbox_look_for_running(TimestampTz now);

/* Is any event due, or its lease lapsed? Needs a snapshot. */
extern bool outbox_has_due(void);

#endif							/* COMMERCE_OUTBOX_DUE_H */
