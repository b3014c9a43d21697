/*
 * relay.h
 *		The relay's loop.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "headers.h"
#include "options.h"
#include "secrets.h"

/* What a relay needs to run, made when it starts. */
typedef struct Setup
{
	Options		options;
	Secrets		secrets;
	Headers    *headers;		/* NULL when writing to stdout */
	int			listener;		/* a socket for the metrics; -1: none */
	int			signals;		/* each byte read is the number of one */
} Setup;

/* Transmit events until there is a reason to stop, and return the exit code. */
extern int	relay_run(Setup *setup);

#endif
