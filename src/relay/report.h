/*
 * report.h
 *		The entries of the log that tell of the relay as a whole.
 */
#ifndef RELAY_REPORT_H
#define RELAY_REPORT_H

#include "figures.h"
#include "options.h"

extern void report_start(const Options *options, int added_headers);
extern void report_status(const Figures *figures);
extern void report_stopping(const char *level, const char *reason,
							const Figures *figures);
extern void report_end(int exit_code);

#endif
