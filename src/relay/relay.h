/*
 * relay.h
 *		The relay's loop.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "options.h"
#include "secrets.h"

/*
 * Transmit events until there is a reason to stop, and return the exit code.
 * Each byte that can be read from signals is the number of a signal that came.
 */
extern int	relay_run(const Options *options, Secrets *secrets, int signals);

#endif
