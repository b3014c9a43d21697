/*
 * config.h
 *		The configuration file.
 */
#ifndef RELAY_CONFIG_H
#define RELAY_CONFIG_H

#include "options.h"

/*
 * Take all settings of the file. Ends the program if it cannot be read, or if
 * something in it is wrong. Whether nobody but its owner can access it.
 */
extern bool config_read(Options *options, const char *file);

#endif
