/*
 * program.c
 *		The end of a program that was told something wrong.
 *
 * Whoever started it sits at a terminal or reads its service's log, so that
 * this is a plain line on stderr, before the log has begun.
 */
#include "program.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void
program_refuse(const char *format, ...)
{
	va_list		arguments;

	fputs(PROGRAM ": ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs("\nTry \"" PROGRAM " --help\".\n", stderr);
	exit(EXIT_CONFIGURATION);
}
