/*
 * program.h
 *		The program's name and exit codes, which --help explains.
 */
#ifndef RELAY_PROGRAM_H
#define RELAY_PROGRAM_H

#define PROGRAM		"commerce_relay"

#define EXIT_DONE			0
#define EXIT_CONFIGURATION	1
#define EXIT_DATABASE		2
#define EXIT_ENDPOINT_GONE	3
#define EXIT_SOME_FAILED	4
#define EXIT_STDOUT			5

/* Say what is wrong with what the program was told, and end it. */
extern void program_refuse(const char *format, ...)
			__attribute__((noreturn, format(printf, 1, 2)));

#endif
