/*
 * http.h
 *		Delivery of events by HTTP requests, many at a time.
 */
#ifndef RELAY_HTTP_H
#define RELAY_HTTP_H

#include <curl/curl.h>
#include <stdbool.h>

#include "event.h"
#include "headers.h"
#include "options.h"
#include "secrets.h"

typedef struct Http Http;

/* The options and secrets are looked at with each request. */
extern Http *http_new(CURLM *multi, const Options *options,
					  const Secrets *secrets, Headers *headers);
extern void http_free(Http *http);

/* Requests that start from now on have these headers. */
extern void http_set_headers(Http *http, Headers *headers);

/*
 * Start a request; at most options->concurrency may be unfinished. False if it
 * cannot be signed: the event has an error, and its delivery has ended.
 */
extern bool http_start(Http *http, Event *event);

/*
 * The next event whose request ended since the last call, or NULL. It has an
 * error unless it was delivered.
 */
extern Event *http_take_finished(Http *http);

#endif
