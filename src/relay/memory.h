/*
 * memory.h
 *		Memory, or the end of the program: what it holds is leased, so that
 *		another relay delivers it.
 */
#ifndef RELAY_MEMORY_H
#define RELAY_MEMORY_H

#include <stdlib.h>
#include <string.h>

#include "log.h"

/* The pointer just allocated, if it was. */
static inline void *
memory_check(void *pointer)
{
	LogEntry	entry;

	if (pointer != NULL)
		return pointer;
	log_begin(&entry, LOG_ERROR, "out_of_memory");
	log_end(&entry);
	abort();
}

/* Zeroed, as calloc does. */
static inline void *
memory_new(size_t size)
{
	return memory_check(calloc(1, size));
}

static inline char *
memory_copy(const char *text)
{
	return memory_check(strdup(text));
}

#endif
