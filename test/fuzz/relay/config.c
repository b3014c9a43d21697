/*
 * config.c
 *		The input is the configuration file: read, with all its values checked
 *		by themselves and together.
 *
 * What is wrong with it ends the program, and here the run. The URL that was
 * looked at then is to be freed, so that the next runs have memory.
 */
#include "fuzz.h"

#include <curl/curl.h>
#include <string.h>

#include "check.h"
#include "config.h"
#include "option_value.h"

static CURLU *url;

extern CURLU *__real_curl_url(void);
extern CURLU *__wrap_curl_url(void);
extern void __real_curl_url_cleanup(CURLU *cleaned);
extern void __wrap_curl_url_cleanup(CURLU *cleaned);

CURLU *
__wrap_curl_url(void)
{
	url = __real_curl_url();
	return url;
}

void
__wrap_curl_url_cleanup(CURLU *cleaned)
{
	__real_curl_url_cleanup(cleaned);
	url = NULL;
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static Options options;

	/* The end of the program before the file is closed. */
	if (memchr(data, '\0', size) != NULL)
		return -1;
	memset(&options, 0, sizeof(options));
	option_set_usual(&options);
	options.config = fuzz_file(data, size);
	if (setjmp(fuzz_refused) == 0)
	{
		check_options(&options, config_read(&options, options.config));
		MUST(options.concurrency >= 1 && options.batch_size >= 1);
		MUST(options.lease_us > options.timeout_us);
		MUST(options.timeout_us > 0 && options.poll_interval_us > 0);
		MUST(options.to_stdout || options.shown_url != NULL);
	}
	else if (url != NULL)
		curl_url_cleanup(url);
	options_free(&options);
	return 0;
}
