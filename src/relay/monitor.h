/*
 * monitor.h
 *		Answers whoever wants to know how the relay is, by HTTP.
 */
#ifndef RELAY_MONITOR_H
#define RELAY_MONITOR_H

#include <curl/curl.h>
#include <stdint.h>

#include "figures.h"

typedef struct Monitor Monitor;

/* Takes the figures at this moment. */
typedef void (*Look) (Figures *figures, const void *argument);

/* Answer at a socket that listens, which is closed in the end. */
extern Monitor *monitor_new(int listener, Look look, const void *argument);
extern void monitor_free(Monitor *monitor);

/* Go on with whatever can go on without waiting. */
extern void monitor_go_on(Monitor *monitor);

/* What to wait for: the file, and the time that is returned. */
extern int64_t monitor_wait(Monitor *monitor, struct curl_waitfd *file);

#endif
