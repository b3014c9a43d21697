/*
 * headers.c
 *		The input is a file of headers, and its first line a header of the
 *		command line as well.
 */
#include "fuzz.h"

#include <string.h>
#include <strings.h>

#include "headers.h"

/* None of them changes what a request is. */
static void
check_headers(const Headers *headers)
{
	int			count = 0;

	for (const struct curl_slist *header = headers_list(headers);
		 header != NULL; header = header->next)
	{
		MUST(strpbrk(header->data, "\r\n") == NULL);
		MUST(strncasecmp(header->data, "webhook-", 8) != 0);
		MUST(count == 0 ||
			 strncasecmp(header->data, "content-type:", 13) != 0);
		count++;
	}
	MUST(count == headers_added(headers) + 2);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char		line[200];
	size_t		length = size < sizeof(line) ? size : sizeof(line) - 1;
	Options		options = {0};
	char		error[ERROR_SIZE];
	Headers    *headers;

	options.header_file = fuzz_file(data, size);
	headers = headers_load(&options, error);
	if (headers != NULL)
	{
		check_headers(headers);
		headers_drop(headers);
	}

	memcpy(line, data, length);
	line[length] = '\0';
	options.header_file = NULL;
	options.header_count = 1;
	options.headers[0] = line;
	headers = headers_load(&options, error);
	if (headers != NULL)
	{
		check_headers(headers);
		headers_drop(headers);
	}
	return 0;
}
