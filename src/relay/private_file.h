/*
 * private_file.h
 *		A file that nobody else may access.
 */
#ifndef RELAY_PRIVATE_FILE_H
#define RELAY_PRIVATE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "text.h"

/*
 * Whether nobody but its owner can read or write the file, which has that
 * mode.
 */
extern bool private_file_is(const char *file, mode_t mode);

/*
 * Read a file, which is a kind of file to whoever reads the error, into size
 * bytes: its length, or -1 and why not. A longer one fills them.
 */
extern ssize_t private_file_read(const char *kind, const char *file,
								 char *text, size_t size,
								 char error[ERROR_SIZE]);

#endif
