/*
 * log.h
 *		The log: one line per entry to stderr, key=value.
 */
#ifndef RELAY_LOG_H
#define RELAY_LOG_H

#include <stddef.h>
#include <stdint.h>

#define LOG_INFO	"info"
#define LOG_WARNING	"warning"
#define LOG_ERROR	"error"

typedef struct LogEntry
{
	size_t		length;
	char		text[4096];
} LogEntry;

/* An entry is begun, gets its values, and is written by log_end. */
extern void log_begin(LogEntry *entry, const char *level, const char *event);
extern void log_text(LogEntry *entry, const char *key, const char *value);
extern void log_int(LogEntry *entry, const char *key, int64_t value);
extern void log_end(LogEntry *entry);

#endif
