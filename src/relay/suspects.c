/*
 * suspects.c
 *		The events that came back undelivered without being blamed for it.
 *
 * There are few: while the receiver is away, one more with each probe. When
 * there is no room, the one that was not tried for the longest time is
 * forgotten, which only means that it is not blamed the next time either.
 */
#include "suspects.h"

#include <stddef.h>

Suspect *
suspects_find(Suspects *suspects, int64_t event_id)
{
	for (int i = 0; i < suspects->count; i++)
	{
		if (suspects->list[i].event_id == event_id)
			return &suspects->list[i];
	}
	return NULL;
}

static Suspect *
not_tried_for_longest(Suspects *suspects)
{
	Suspect    *found = &suspects->list[0];

	for (int i = 1; i < suspects->count; i++)
	{
		if (suspects->list[i].last_us < found->last_us)
			found = &suspects->list[i];
	}
	return found;
}

void
suspects_note(Suspects *suspects, int64_t event_id, int64_t now_us)
{
	Suspect    *suspect = suspects_find(suspects, event_id);

	if (suspect == NULL)
	{
		suspect = suspects->count < SUSPECTS_MAX ?
			&suspects->list[suspects->count++] :
			not_tried_for_longest(suspects);
		suspect->event_id = event_id;
		suspect->first_us = now_us;
	}
	suspect->last_us = now_us;
}

void
suspects_forget(Suspects *suspects, int64_t event_id)
{
	Suspect    *suspect = suspects_find(suspects, event_id);

	if (suspect != NULL)
		*suspect = suspects->list[--suspects->count];
}
