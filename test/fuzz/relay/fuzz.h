/*
 * fuzz.h
 *		What the targets of the relay share.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include "event.h"

/* Each target has this one, which libFuzzer calls. */
extern int	LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* Must hold of all input; if not, that is a finding. */
#define MUST(condition) \
	((condition) ? (void) 0 : fuzz_broken(#condition, __FILE__, __LINE__))
extern void fuzz_broken(const char *condition, const char *file, int line)
			__attribute__((noreturn));

/* The name of a file that holds the input, and that nobody else may read. */
extern const char *fuzz_file(const unsigned char *data, size_t size);

/* Where program_refuse() goes, instead of ending the program. */
extern jmp_buf fuzz_refused;

/*
 * Fail the event as a receiver's answer of these bytes does. To be freed with
 * event_free().
 */
extern Event *fuzz_answer(const void *answer, size_t size);

#endif
