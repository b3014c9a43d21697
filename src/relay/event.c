/*
 * event.c
 *		A claimed event on its way through the relay, and lists of them.
 */
#include "event.h"

#include <stdarg.h>
#include <stdio.h>

#include "log.h"
#include "memory.h"
#include "text.h"

Event *
event_new(const char *payload, size_t length)
{
	Event	   *event = memory_new(sizeof(Event) + length + 1);

	memcpy(event->payload, payload, length);
	event->payload_length = length;
	return event;
}

void
event_free(Event *event)
{
	free(event->error);
	free(event);
}

void
event_fail(Event *event, Outcome outcome, const char *format, ...)
{
	char		error[ERROR_SIZE];
	va_list		arguments;

	if (event->error != NULL)
		return;
	va_start(arguments, format);
	vsnprintf(error, sizeof(error), format, arguments);
	va_end(arguments);
	event->error = memory_copy(error);
	event->outcome = outcome;
}

void
event_append(EventList *list, Event *event)
{
	event->previous = list->last;
	event->next = NULL;
	if (list->last != NULL)
		list->last->next = event;
	else
		list->first = event;
	list->last = event;
	list->count++;
}

void
event_remove(EventList *list, Event *event)
{
	if (event->previous != NULL)
		event->previous->next = event->next;
	else
		list->first = event->next;
	if (event->next != NULL)
		event->next->previous = event->previous;
	else
		list->last = event->previous;
	list->count--;
}

int64_t
event_oldest_us(const EventList *list, int64_t so_far_us)
{
	for (const Event *event = list->first; event != NULL; event = event->next)
	{
		if (event->occurred_us < so_far_us)
			so_far_us = event->occurred_us;
	}
	return so_far_us;
}

void
event_free_first(EventList *list, int count)
{
	Event	   *event = list->first;

	while (count-- > 0)
	{
		Event	   *next = event->next;

		event_remove(list, event);
		event_free(event);
		event = next;
	}
}

void
event_log(const char *level, const char *name, const Event *event,
		  const char *error)
{
	LogEntry	entry;

	log_begin(&entry, level, name);
	log_int(&entry, "event_id", event->event_id);
	log_int(&entry, "order_id", event->order_id);
	log_int(&entry, "attempt", event->attempt);
	if (error != NULL)
		log_text(&entry, "error", error);
	log_end(&entry);
}
