/*
 * headers.h
 *		The headers that all requests have in common.
 */
#ifndef RELAY_HEADERS_H
#define RELAY_HEADERS_H

#include <curl/curl.h>

#include "options.h"
#include "text.h"

/* Requests hold them: they stay while somebody does. */
typedef struct Headers Headers;

/* Ours and those that the options and their file add; NULL, and why not. */
extern Headers *headers_load(const Options *options, char error[ERROR_SIZE]);

extern Headers *headers_hold(Headers *headers);
extern void headers_drop(Headers *headers);

extern struct curl_slist *headers_list(const Headers *headers);

/* How many were added. */
extern int	headers_added(const Headers *headers);

#endif
