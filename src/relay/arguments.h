/*
 * arguments.h
 *		The command line.
 */
#ifndef RELAY_ARGUMENTS_H
#define RELAY_ARGUMENTS_H

#include "options.h"

/*
 * Take all options of the command line. Ends the program after --help and
 * --version, and if something is wrong.
 */
extern void arguments_read(Options *options, int argc, char **argv);

#endif
