/*
 * text.h
 *		Text that others sent, made fit to store and to show.
 */
#ifndef RELAY_TEXT_H
#define RELAY_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Of a message about an error, which may become a line of the log. */
#define ERROR_SIZE		512

/* How many bytes the valid UTF-8 character at text has, 0 if there is none. */
extern size_t text_character(const char *text, size_t length);

/* Whether that character is a control character, of ASCII or of C1. */
extern bool text_is_control(const char *character);

/*
 * Copy text as one line of printable UTF-8 that fits into size bytes: one blank
 * for controls in a row, a question mark for what is no UTF-8.
 */
extern void text_printable(char *copy, size_t size, const char *text,
						   size_t length);

/*
 * Leave nothing but ASCII, what any server encoding can store: a question mark
 * for each other character. Whether there was one.
 */
extern bool text_make_ascii(char *text);

#endif
