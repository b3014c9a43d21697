/*
 * exits.h
 *		The program's exit codes; --help explains them.
 */
#ifndef RELAY_EXITS_H
#define RELAY_EXITS_H

#define EXIT_DONE			0
#define EXIT_CONFIGURATION	1
#define EXIT_DATABASE		2
#define EXIT_ENDPOINT_GONE	3
#define EXIT_SOME_FAILED	4
#define EXIT_STDOUT			5

#endif
