/*
 * text.c
 *		Text that others sent, made fit to store and to show: an endpoint may
 *		answer anything, and its answer ends up in the log and the database.
 */
#include "text.h"

#include <string.h>

/* The bounds of the second byte rule out overlong forms and surrogates. */
size_t
text_character(const char *text, size_t length)
{
	const unsigned char *byte = (const unsigned char *) text;
	unsigned char lowest = 0x80;
	unsigned char highest = 0xBF;
	size_t		needed;

	if (length == 0)
		return 0;
	if (byte[0] < 0x80)
		return 1;
	if (byte[0] >= 0xC2 && byte[0] <= 0xDF)
		needed = 2;
	else if (byte[0] >= 0xE0 && byte[0] <= 0xEF)
		needed = 3;
	else if (byte[0] >= 0xF0 && byte[0] <= 0xF4)
		needed = 4;
	else
		return 0;
	if (byte[0] == 0xE0)
		lowest = 0xA0;
	else if (byte[0] == 0xED)
		highest = 0x9F;
	else if (byte[0] == 0xF0)
		lowest = 0x90;
	else if (byte[0] == 0xF4)
		highest = 0x8F;
	if (length < needed || byte[1] < lowest || byte[1] > highest)
		return 0;
	for (size_t i = 2; i < needed; i++)
	{
		if (byte[i] < 0x80 || byte[i] > 0xBF)
			return 0;
	}
	return needed;
}

bool
text_is_control(const char *character)
{
	const unsigned char *byte = (const unsigned char *) character;

	switch (byte[0])
	{
		case 0xC2:
			return byte[1] <= 0x9F;
		case 0xD8:				/* U+061C */
			return byte[1] == 0x9C;
		case 0xE2:				/* U+200B..F, U+2028..E, U+2060..F */
			return (byte[1] == 0x80 &&
					((byte[2] >= 0x8B && byte[2] <= 0x8F) ||
					 (byte[2] >= 0xA8 && byte[2] <= 0xAE))) ||
				(byte[1] == 0x81 && byte[2] >= 0xA0 && byte[2] <= 0xAF);
		case 0xEF:				/* U+FEFF */
			return byte[1] == 0xBB && byte[2] == 0xBF;
		default:
			return byte[0] < 0x20 || byte[0] == 0x7F;
	}
}

void
text_printable(char *copy, size_t size, const char *text, size_t length)
{
	size_t		used = 0;

	for (size_t i = 0; i < length;)
	{
		size_t		bytes = text_character(text + i, length - i);
		size_t		step = bytes > 0 ? bytes : 1;
		const char *shown = text + i;

		if (bytes == 0)
		{
			shown = "?";
			bytes = 1;
		}
		else if (text_is_control(text + i))
		{
			shown = " ";
			bytes = used > 0 && copy[used - 1] == ' ' ? 0 : 1;
		}
		if (used + bytes >= size)
			break;
		memcpy(copy + used, shown, bytes);
		used += bytes;
		i += step;
	}
	while (used > 0 && copy[used - 1] == ' ')
		used--;
	copy[used] = '\0';
}

bool
text_make_ascii(char *text)
{
	char	   *to = text;
	bool		changed = false;

	for (; *text != '\0'; text++)
	{
		unsigned char byte = (unsigned char) *text;

		if (byte < 0x80)
			*to++ = *text;
		/* Any other byte but the first goes with the first. */
		else if (byte >= 0xC0)
			*to++ = '?';
		changed = changed || byte >= 0x80;
	}
	*to = '\0';
	return changed;
}
