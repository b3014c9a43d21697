/*
 * check.h
 *		What the options must be together.
 */
#ifndef RELAY_CHECK_H
#define RELAY_CHECK_H

#include "options.h"

/*
 * Check them all, and fill in what of the URL may be shown. Ends the program
 * if something is wrong. The configuration file is private if others cannot
 * read it.
 */
extern void check_options(Options *options, bool config_is_private);

#endif
