/*
 * fuzz.c
 *		What the targets of the relay share.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "program.h"

jmp_buf		fuzz_refused;

void
fuzz_broken(const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: must hold: %s\n", file, line, condition);
	abort();
}

const char *
fuzz_file(const unsigned char *data, size_t size)
{
	static int	fd = -1;
	static char name[64];

	if (fd < 0)
	{
		fd = memfd_create("input", MFD_CLOEXEC);
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		MUST(fd >= 0 && fchmod(fd, 0600) == 0);
	}
	MUST(ftruncate(fd, 0) == 0);
	MUST(pwrite(fd, data, size, 0) == (ssize_t) size);
	return name;
}

/* Takes the place of program.c. */
void
program_refuse(const char *format, ...)
{
	(void) format;
	longjmp(fuzz_refused, 1);
}
