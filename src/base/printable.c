/*
 * printable.c
 *		Text of somebody else's, made fit for messages and log lines.
 */
#include "postgres.h"

#include "base/printable.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

/* Controls; and Unicode's invisible, separating and direction characters. */
static bool
is_hidden(pg_wchar character)
{
	return character < 0x20 ||
		(character >= 0x7F && character <= 0x9F) ||
		character == 0x061C ||
		(character >= 0x200B && character <= 0x200F) ||
		(character >= 0x2028 && character <= 0x202E) ||
		(character >= 0x2060 && character <= 0x206F) ||
		character == 0xFEFF;
}

/*
 * One character of at least one byte. Outside of UTF-8, what is no ASCII is
 * taken byte by byte, as it is.
 */
static pg_wchar
next_character(const char *text, int *length)
{
	*length = 1;
	if (!IS_HIGHBIT_SET(*text))
		return (unsigned char) *text;
	if (GetDatabaseEncoding() != PG_UTF8)
		return 0xFFFD;
	*length = pg_utf_mblen((const unsigned char *) text);
	return utf8_to_unicode((const unsigned char *) text);
}

const char *
printable(const char *text)
{
	const char *at = text;
	int			length = 0;
	StringInfoData shown;

	/* Most text is ASCII, and shown as it is. */
	do
	{
		at += length;
		while (*at >= ' ' && *at < 0x7F)
			at++;
		if (*at == '\0')
			return text;
	} while (!is_hidden(next_character(at, &length)));

	initStringInfo(&shown);
	appendBinaryStringInfo(&shown, text, at - text);
	for (; *at != '\0'; at += length)
	{
		pg_wchar	character = next_character(at, &length);

		if (is_hidden(character))
			appendStringInfo(&shown, "\\u%04x", character);
		else
			appendBinaryStringInfo(&shown, at, length);
	}
	return shown.data;
}
