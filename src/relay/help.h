/*
 * help.h
 *		The text of --help.
 */
#ifndef RELAY_HELP_H
#define RELAY_HELP_H

/* Write it to stdout. */
extern void help_print(void);

#endif
