/*
 * headers.c
 *		The headers that all requests have in common.
 *
 * A header that is added may be a password, so that no message shows one, and
 * neither does the log. It must not change what a request is: where it goes,
 * where it ends, and what its signature stands for are ours.
 */
#include "headers.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "memory.h"
#include "private_file.h"

#define FILE_BYTES_MAX	65536
#define LINE_BYTES_MAX	4096
#define ADDED_MAX		32
#define WEBHOOK			"webhook-"

/* What a name consists of, as HTTP has it. */
#define TOKEN_LETTERS	"!#$%&'*+-.^_`|~0123456789" \
						"abcdefghijklmnopqrstuvwxyz" \
						"ABCDEFGHIJKLMNOPQRSTUVWXYZ"

struct Headers
{
	struct curl_slist *list;
	int			added;
	int			users;
};

Headers *
headers_hold(Headers *headers)
{
	headers->users++;
	return headers;
}

void
headers_drop(Headers *headers)
{
	if (--headers->users > 0)
		return;
	curl_slist_free_all(headers->list);
	free(headers);
}

struct curl_slist *
headers_list(const Headers *headers)
{
	return headers->list;
}

int
headers_added(const Headers *headers)
{
	return headers->added;
}

static void
append_header(Headers *headers, const char *line)
{
	headers->list = memory_check(curl_slist_append(headers->list, line));
}

/* ---- one header ---- */

static bool
is_ours(const char *name, size_t length)
{
	static const char *const ours[] = {
		"content-type", "content-length", "host", "connection", "expect", "te",
		"trailer", "transfer-encoding", "upgrade"
	};

	if (length >= strlen(WEBHOOK) &&
		strncasecmp(name, WEBHOOK, strlen(WEBHOOK)) == 0)
		return true;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
	{
		if (length == strlen(ours[i]) &&
			strncasecmp(name, ours[i], length) == 0)
			return true;
	}
	return false;
}

/* Add the line; false, and why not, with whoever gave it in front. */
static bool
add_header(Headers *headers, const char *line, size_t length,
		   const char *origin, char error[ERROR_SIZE])
{
	size_t		name_length = strspn(line, TOKEN_LETTERS);
	const char *value = line + name_length + 1;
	char		header[LINE_BYTES_MAX + 3];
	const char *wrong = NULL;

	if (length > LINE_BYTES_MAX)
		wrong = "is too long";
	else if (name_length == 0 || line[name_length] != ':')
		wrong = "is not \"Name: value\"";
	else if (is_ours(line, name_length))
		wrong = "names a header that is not to be changed";
	else if (headers->added == ADDED_MAX)
		wrong = "is one header too many";
	else
	{
		value += strspn(value, " \t");
		length -= (size_t) (value - line);
		while (length > 0 &&
			   (value[length - 1] == ' ' || value[length - 1] == '\t'))
			length--;
		if (length == 0)
			wrong = "has no value";
		for (size_t i = 0; i < length; i++)
		{
			unsigned char byte = (unsigned char) value[i];

			if ((byte < ' ' && byte != '\t') || byte == 0x7F)
				wrong = "has a control character";
		}
	}
	if (wrong != NULL)
	{
		snprintf(error, ERROR_SIZE, "%s %s", origin, wrong);
		return false;
	}
	snprintf(header, sizeof(header), "%.*s: %.*s", (int) name_length, line,
			 (int) length, value);
	append_header(headers, header);
	OPENSSL_cleanse(header, sizeof(header));
	headers->added++;
	return true;
}

/* ---- all of them ---- */

/* The file's text, which is cut into lines here. */
static bool
add_lines(Headers *headers, char *text, size_t length, const char *file,
		  char error[ERROR_SIZE])
{
	char	   *line = text;
	int			number = 1;

	for (char *end = text + length; line < end; number++)
	{
		char	   *next = memchr(line, '\n', (size_t) (end - line));
		size_t		line_length = (size_t) ((next ? next : end) - line);
		char		origin[ERROR_SIZE];

		if (line_length > 0 && line[line_length - 1] == '\r')
			line_length--;
		line[line_length] = '\0';
		snprintf(origin, sizeof(origin), "header file \"%s\": line %d", file,
				 number);
		if (line_length > 0 &&
			!add_header(headers, line, line_length, origin, error))
			return false;
		line = next != NULL ? next + 1 : end;
	}
	return true;
}

static bool
add_file(Headers *headers, const char *file, char error[ERROR_SIZE])
{
	/* One byte more than fits shows a file that is too long. */
	size_t		size = FILE_BYTES_MAX + 1;
	char	   *text = memory_new(size + 1);
	ssize_t		length =
		private_file_read("header file", file, text, size, error);
	bool		good = length >= 0;

	if (length > FILE_BYTES_MAX)
	{
		snprintf(error, ERROR_SIZE, "header file \"%s\" must have at most %d"
				 " bytes", file, FILE_BYTES_MAX);
		good = false;
	}
	good = good && add_lines(headers, text, (size_t) length, file, error);
	OPENSSL_cleanse(text, size);
	free(text);
	return good;
}

Headers *
headers_load(const Options *options, char error[ERROR_SIZE])
{
	Headers    *headers = memory_new(sizeof(Headers));
	bool		good = true;

	headers->users = 1;
	append_header(headers, "Content-Type: application/json");
	/* No value: libcurl is not to ask for leave before a long body. */
	append_header(headers, "Expect:");
	for (int i = 0; i < options->header_count && good; i++)
		good = add_header(headers, options->headers[i],
						  strlen(options->headers[i]), "--header", error);
	if (good && options->header_file != NULL)
		good = add_file(headers, options->header_file, error);
	if (good)
		return headers;
	headers_drop(headers);
	return NULL;
}
