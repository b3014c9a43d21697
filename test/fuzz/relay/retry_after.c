/*
 * retry_after.c
 *		The input is the header Retry-After of an answer. What it asks for goes
 *		on to where the relay decides when to come again.
 */
#include "fuzz.h"

#include <stdio.h>

#include "receiver.h"

#define VALUE_MAX	1024

/* It comes again within the 12 hours that it believes, and not in the past. */
static void
judge(const Event *event)
{
	Receiver	receiver = {0};
	Event		good = *event;
	int64_t		now_us = 1000 * US_PER_S;

	good.outcome = OUTCOME_DELIVERED;
	for (int i = 0; i < 10; i++)
	{
		Event		tried = i % 4 == 3 ? good : *event;

		tried.started_us = now_us;
		receiver_started(&receiver, now_us);
		now_us += i % 2 == 0 ? US_PER_MS : 7 * US_PER_S;
		receiver_judge(&receiver, &tried, now_us);
		MUST(receiver_next_us(&receiver) >= 0);
		MUST(receiver_next_us(&receiver) <= now_us + 12 * 3600 * US_PER_S);
		receiver_look(&receiver, now_us);
	}
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const int statuses[] = {404, 429, 503};
	char		answer[VALUE_MAX + 100];
	int			length;

	if (size > VALUE_MAX)
		return -1;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
	{
		Event	   *event;

		length = snprintf(answer, sizeof(answer),
						  "HTTP/1.1 %d No\r\nContent-Length: 0\r\n"
						  "Retry-After: ", statuses[i]);
		for (size_t j = 0; j < size; j++)
			answer[length++] = (char) data[j];
		length += snprintf(answer + length, 5, "\r\n\r\n");
		event = fuzz_answer(answer, (size_t) length);
		judge(event);
		event_free(event);
	}
	return 0;
}
