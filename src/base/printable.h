/*
 * printable.h
 *		Text of somebody else's, made fit for messages and log lines.
 */
#ifndef COMMERCE_PRINTABLE_H
#define COMMERCE_PRINTABLE_H

/*
 * The text itself, or a copy in which each character that would break a line,
 * drive a terminal, or hide or turn what stands around it, is \uXXXX.
 */
extern const char *printable(const char *text);

#endif							/* COMMERCE_PRINTABLE_H */
