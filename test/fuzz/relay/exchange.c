/*
 * exchange.c
 *		A delivery whose answer is the input.
 *
 * http.c and libcurl do all that they always do, but for the socket: it is one
 * end of a pair, and what the other end has to say is there from the start.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "http.h"
#include "text.h"

#define PAYLOAD	"{\"order_id\": 1}"

static const void *answer_text;
static size_t answer_size;
static int	receiver_fd = -1;

static curl_socket_t
open_socket(void *unused, curlsocktype purpose, struct curl_sockaddr *address)
{
	int			fds[2];

	(void) unused;
	(void) purpose;
	(void) address;
	MUST(receiver_fd == -1);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	receiver_fd = fds[1];
	MUST(write(receiver_fd, answer_text, answer_size) ==
		 (ssize_t) answer_size);
	shutdown(receiver_fd, SHUT_WR);
	return fds[0];
}

/* In the place of libc's: the pair is connected. */
int
connect(int fd, const struct sockaddr *address, socklen_t length)
{
	(void) fd;
	(void) address;
	(void) length;
	return 0;
}

/* What the linker has http.c call instead of curl_easy_init(). */
extern CURL *__real_curl_easy_init(void);
extern CURL *__wrap_curl_easy_init(void);

CURL *
__wrap_curl_easy_init(void)
{
	CURL	   *easy = __real_curl_easy_init();

	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	return easy;
}

/* Whatever came is fit for the log, for the database, and to wait for. */
static void
check_outcome(const Event *event)
{
	size_t		length = event->error != NULL ? strlen(event->error) : 0;

	MUST(event->retry_after_s >= 0 && event->retry_after_s <= 12 * 3600);
	MUST(event->error != NULL || event->outcome == OUTCOME_DELIVERED);
	MUST(event->error == NULL || event->outcome != OUTCOME_DELIVERED);
	MUST(length < ERROR_SIZE);
	for (size_t i = 0; i < length;)
	{
		size_t		bytes = text_character(event->error + i, length - i);

		MUST(bytes > 0 && !text_is_control(event->error + i));
		i += bytes;
	}
}

Event *
fuzz_answer(const void *answer, size_t size)
{
	static CURLM *multi;
	static Secrets secrets = {.count = 1, .secret = {{.length = 32}}};
	Options		options = {
		.url = "http://127.0.0.1/", .shown_url = "http://127.0.0.1/",
		.concurrency = 1, .timeout_us = 60 * US_PER_S
	};
	char		error[ERROR_SIZE];
	Event	   *event = event_new(PAYLOAD, strlen(PAYLOAD));
	Event	   *finished;
	Headers    *headers = headers_load(&options, error);
	Http	   *http;
	int			running;

	if (multi == NULL)
		multi = curl_multi_init();
	http = http_new(multi, &options, &secrets, headers);
	headers_drop(headers);
	event->event_id = 1;
	answer_text = answer;
	answer_size = size;
	MUST(http_start(http, event));
	while ((finished = http_take_finished(http)) == NULL)
	{
		curl_multi_perform(multi, &running);
		if (running > 0)
			curl_multi_poll(multi, NULL, 0, 10, NULL);
	}
	MUST(finished == event);
	http_free(http);
	close(receiver_fd);
	receiver_fd = -1;
	check_outcome(event);
	return event;
}

/* Were it not an exchange, nothing would be found. */
extern int	LLVMFuzzerInitialize(int *argc, char ***argv);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *limited = "HTTP/1.1 429 No\r\nRetry-After: 7\r\n\r\nslow";
	Event	   *event = fuzz_answer(limited, strlen(limited));

	(void) argc;
	(void) argv;
	MUST(event->outcome == OUTCOME_LIMITED && event->retry_after_s == 7);
	MUST(strcmp(event->error, "HTTP 429: slow") == 0);
	event_free(event);
	return 0;
}
