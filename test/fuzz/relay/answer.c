/*
 * answer.c
 *		The input is a receiver's whole answer: status, headers, body.
 */
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	event_free(fuzz_answer(data, size));
	return 0;
}
