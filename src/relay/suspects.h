/*
 * suspects.h
 *		The events that came back undelivered without being blamed for it.
 */
#ifndef RELAY_SUSPECTS_H
#define RELAY_SUSPECTS_H

#include <stdint.h>

#define SUSPECTS_MAX	256

typedef struct Suspect
{
	int64_t		event_id;
	int64_t		first_us;		/* when it came back for the first time */
	int64_t		last_us;		/* when it did for the last time */
} Suspect;

/* Empty when zeroed. */
typedef struct Suspects
{
	int			count;
	Suspect		list[SUSPECTS_MAX];
} Suspects;

/* The event's, or NULL. */
extern Suspect *suspects_find(Suspects *suspects, int64_t event_id);

/* The event came back. */
extern void suspects_note(Suspects *suspects, int64_t event_id,
						  int64_t now_us);

/* The event is none, or is one no more. */
extern void suspects_forget(Suspects *suspects, int64_t event_id);

#endif
