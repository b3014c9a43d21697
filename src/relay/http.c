/*
 * http.c
 *		Delivery of events by HTTP requests, many at a time.
 *
 * A request has a slot: an easy handle, set up once and used again, so that
 * libcurl keeps connections open from one event to the next, and the memory
 * that belongs to the request. The body is the event's payload, sent from
 * where it is.
 *
 * Only an answer that came in full counts as one, or one that is longer than
 * anybody reads, which is cut off. No redirect is followed: the endpoint that
 * was named gets the data, or nobody.
 */
#include "http.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "event.h"
#include "memory.h"
#include "program.h"
#include "text.h"

#define BODY_KEPT			200
/* Of an answer. libcurl keeps all headers, and takes some memory for each. */
#define BODY_MAX			(1024 * 1024)
#define HEADERS_MAX			(64 * 1024)
#define HEADER_OVERHEAD		64
#define RETRY_AFTER_MAX_S	(12 * 3600)
/* Answers are short; the default of 16 kB would be taken per slot. */
#define RECEIVE_BUFFER		2048

/* The headers that change with each event; the list goes on with the others. */
typedef enum SlotHeader
{
	HEADER_ID,
	HEADER_TIMESTAMP,
	HEADER_SIGNATURE,
	HEADER_COUNT
} SlotHeader;

typedef struct Slot
{
	struct Slot *next_free;
	CURL	   *easy;
	Event	   *event;
	Headers    *held_headers;	/* what its request goes on with */
	struct curl_slist headers[HEADER_COUNT];
	char		header[HEADER_COUNT][24 + SIGNATURE_SIZE];
	char		error[CURL_ERROR_SIZE];
	size_t		header_bytes;	/* of the answer, so far */
	size_t		body_bytes;		/* as well */
	size_t		body_length;	/* what we keep of them */
	char		body[BODY_KEPT];
} Slot;

struct Http
{
	CURLM	   *multi;
	const Options *options;
	const Secrets *secrets;
	Headers    *headers;		/* of requests that start from now on */
	Slot	   *slots;
	Slot	   *free;			/* the last used first: it is connected */
};

static size_t
keep_body(char *data, size_t size, size_t count, void *argument)
{
	Slot	   *slot = argument;
	size_t		length = size * count;
	size_t		room = BODY_KEPT - slot->body_length;
	size_t		kept = length < room ? length : room;

	memcpy(slot->body + slot->body_length, data, kept);
	slot->body_length += kept;
	slot->body_bytes += length;
	return slot->body_bytes <= BODY_MAX ? length : 0;
}

/* Count what comes before and, in trailers, after the body. */
static size_t
count_header(char *data, size_t size, size_t count, void *argument)
{
	Slot	   *slot = argument;

	(void) data;
	slot->header_bytes += size * count + HEADER_OVERHEAD;
	return slot->header_bytes <= HEADERS_MAX ? size * count : 0;
}

static void
set_up_slot(const Http *http, Slot *slot)
{
	CURL	   *easy = memory_check(curl_easy_init());
	bool		is_https = strncmp(http->options->shown_url, "https:", 6) == 0;

	slot->easy = easy;
	for (int i = 0; i < HEADER_COUNT; i++)
	{
		slot->headers[i].data = slot->header[i];
		if (i + 1 < HEADER_COUNT)
			slot->headers[i].next = &slot->headers[i + 1];
	}
	curl_easy_setopt(easy, CURLOPT_PRIVATE, slot);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->error);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, count_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, slot);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long) RECEIVE_BUFFER);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* After a timeout do not wait for the thread that looks the name up. */
#if LIBCURL_VERSION_NUM >= 0x075700
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, slot->headers);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, PROGRAM "/" COMMERCE_VERSION);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
					 (long) (http->options->timeout_us / US_PER_MS));
	/* Over TLS wait for the first connection: it may take them all. */
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, is_https ? 1L : 0L);
	if (http->options->ca_file != NULL)
	{
		curl_easy_setopt(easy, CURLOPT_CAINFO, http->options->ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	/* Last, since this one takes memory. */
	if (curl_easy_setopt(easy, CURLOPT_URL, http->options->url) != CURLE_OK)
		memory_check(NULL);
}

Http *
http_new(CURLM *multi, const Options *options, const Secrets *secrets,
		 Headers *headers)
{
	Http	   *http = memory_new(sizeof(Http));

	http->multi = multi;
	http->options = options;
	http->secrets = secrets;
	http->headers = headers_hold(headers);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long) options->concurrency);

	http->slots = memory_new(sizeof(Slot) * (size_t) options->concurrency);
	for (int i = options->concurrency - 1; i >= 0; i--)
	{
		http->slots[i].next_free = http->free;
		http->free = &http->slots[i];
	}
	return http;
}

void
http_free(Http *http)
{
	for (int i = 0; i < http->options->concurrency; i++)
	{
		Slot	   *slot = &http->slots[i];

		if (slot->event != NULL)
		{
			curl_multi_remove_handle(http->multi, slot->easy);
			headers_drop(slot->held_headers);
		}
		curl_easy_cleanup(slot->easy);
	}
	headers_drop(http->headers);
	free(http->slots);
	free(http);
}

void
http_set_headers(Http *http, Headers *headers)
{
	headers_drop(http->headers);
	http->headers = headers_hold(headers);
}

/* ---- the request ---- */

/* False if the event cannot be signed. */
static bool
write_headers(const Http *http, Slot *slot, const Event *event)
{
	int64_t		timestamp = time(NULL);
	char		id[24];
	char		signature[SIGNATURE_SIZE];

	snprintf(id, sizeof(id), "%lld", (long long) event->event_id);
	if (!signature_sign(http->secrets->secret, http->secrets->count, id,
						timestamp, event->payload, event->payload_length,
						signature))
		return false;
	snprintf(slot->header[HEADER_ID], sizeof(slot->header[0]),
			 "webhook-id: %s", id);
	snprintf(slot->header[HEADER_TIMESTAMP], sizeof(slot->header[0]),
			 "webhook-timestamp: %lld", (long long) timestamp);
	snprintf(slot->header[HEADER_SIGNATURE], sizeof(slot->header[0]),
			 "webhook-signature: %s", signature);
	return true;
}

bool
http_start(Http *http, Event *event)
{
	Slot	   *slot = http->free;

	if (slot->easy == NULL)
		set_up_slot(http, slot);
	if (!write_headers(http, slot, event))
	{
		event_fail(event, OUTCOME_UNWELL, "could not be signed");
		return false;
	}
	http->free = slot->next_free;
	slot->event = event;
	slot->held_headers = headers_hold(http->headers);
	slot->headers[HEADER_COUNT - 1].next = headers_list(http->headers);
	slot->error[0] = '\0';
	slot->header_bytes = 0;
	slot->body_bytes = 0;
	slot->body_length = 0;
	curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, (char *) event->payload);
	curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE,
					 (curl_off_t) event->payload_length);
	if (curl_multi_add_handle(http->multi, slot->easy) != CURLM_OK)
		memory_check(NULL);
	return true;
}

/* ---- the answer ---- */

/*
 * The seconds that the header Retry-After asks for: a number of them or a
 * date. 0 if there is none, it is not valid, or it is not in the future: the
 * usual delay holds then.
 */
static int
retry_after_s(CURL *easy)
{
	struct curl_header *header;
	size_t		digits;
	int64_t		seconds;

	if (curl_easy_header(easy, "Retry-After", 0, CURLH_HEADER, -1,
						 &header) != CURLHE_OK)
		return 0;
	digits = strspn(header->value, "0123456789");
	if (digits > 0 && header->value[digits] == '\0')
		seconds = digits < 10 ? atoll(header->value) : RETRY_AFTER_MAX_S;
	else
	{
		time_t		date = curl_getdate(header->value, NULL);

		seconds = date != -1 ? (int64_t) date - time(NULL) : 0;
	}
	if (seconds > RETRY_AFTER_MAX_S)
		seconds = RETRY_AFTER_MAX_S;
	return seconds > 0 ? (int) seconds : 0;
}

/*
 * A body that is longer than anybody reads is as good as a full one: the
 * status says it all. Over HTTP/2 an endpoint that does not care for the rest
 * of the request resets the stream after its answer. For libcurl that is an
 * error, even if the answer is complete.
 */
static bool
came_in_full(const Slot *slot, CURLcode code)
{
	CURL	   *easy = slot->easy;
	curl_off_t	expected = -1;
	curl_off_t	received = 0;

	if (code == CURLE_WRITE_ERROR && slot->body_bytes > BODY_MAX)
		return true;
	if (code != CURLE_HTTP2_STREAM)
		return code == CURLE_OK;
	curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &expected);
	curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
	return expected >= 0 && received == expected;
}

static Outcome
outcome_of(long status)
{
	switch (status)
	{
		case 410:
			return OUTCOME_GONE;
		case 429:
			return OUTCOME_LIMITED;
		default:
			return status >= 300 && status <= 499 ?
				OUTCOME_REFUSED : OUTCOME_UNWELL;
	}
}

static void
note_answer(const Slot *slot)
{
	Event	   *event = slot->event;
	char		body[BODY_KEPT + 1];
	long		status = 0;

	curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 200 && status <= 299)
		return;
	text_printable(body, sizeof(body), slot->body, slot->body_length);
	if (status >= 300 && status <= 399)
		event_fail(event, OUTCOME_REFUSED,
				   "HTTP %ld: redirects are not followed", status);
	else
		event_fail(event, outcome_of(status), "HTTP %ld%s%s",
				   status, body[0] != '\0' ? ": " : "", body);
	event->retry_after_s = retry_after_s(slot->easy);
}

static void
note_failure(const Slot *slot, CURLcode code)
{
	const char *message = slot->error[0] != '\0' ?
		slot->error : curl_easy_strerror(code);
	bool		connected = code != CURLE_COULDNT_CONNECT &&
		code != CURLE_COULDNT_RESOLVE_HOST &&
		code != CURLE_COULDNT_RESOLVE_PROXY;
	char		printable[CURL_ERROR_SIZE];

	if (slot->header_bytes > HEADERS_MAX)
		message = "the headers of the answer are too long";
	text_printable(printable, sizeof(printable), message, strlen(message));
	event_fail(slot->event, OUTCOME_UNWELL, "%s%s",
			   connected ? "" : "could not connect: ", printable);
}

Event *
http_take_finished(Http *http)
{
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(http->multi, &left)) != NULL)
	{
		CURLcode	code = message->data.result;
		CURL	   *easy = message->easy_handle;
		char	   *private = NULL;
		Slot	   *slot;
		Event	   *event;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
		slot = (Slot *) private;
		event = slot->event;
		if (came_in_full(slot, code))
			note_answer(slot);
		else
			note_failure(slot, code);
		curl_multi_remove_handle(http->multi, easy);
		headers_drop(slot->held_headers);
		slot->event = NULL;
		slot->next_free = http->free;
		http->free = slot;
		return event;
	}
	return NULL;
}
