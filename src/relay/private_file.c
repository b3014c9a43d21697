/*
 * private_file.c
 *		A file that nobody else may access.
 *
 * One that others can read is refused, since what it holds is no secret then.
 */
#include "private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * systemd grants its credentials by an access list, whose mask shows as the
 * group's permissions although the group has none.
 */
bool
private_file_is(const char *file, mode_t mode)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	size_t		length = directory != NULL ? strlen(directory) : 0;
	mode_t		others = S_IRWXG | S_IRWXO;

	if (length > 0 && strncmp(file, directory, length) == 0 &&
		file[length] == '/')
		others = S_IWGRP | S_IXGRP | S_IRWXO;
	return (mode & others) == 0;
}

static bool
check_file(int fd, const char *kind, const char *file, char error[ERROR_SIZE])
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		snprintf(error, ERROR_SIZE, "could not look at %s \"%s\": %s",
				 kind, file, strerror(errno));
	else if (!S_ISREG(status.st_mode))
		snprintf(error, ERROR_SIZE, "%s \"%s\" is not a regular file",
				 kind, file);
	else if (!private_file_is(file, status.st_mode))
		snprintf(error, ERROR_SIZE, "%s \"%s\" can be accessed by others"
				 " (mode %04o): chmod 600 it", kind, file,
				 (unsigned) status.st_mode & 07777);
	else
		return true;
	return false;
}

ssize_t
private_file_read(const char *kind, const char *file, char *text, size_t size,
				  char error[ERROR_SIZE])
{
	int			fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t		length = -1;

	if (fd < 0)
	{
		snprintf(error, ERROR_SIZE, "could not open %s \"%s\": %s",
				 kind, file, strerror(errno));
		return -1;
	}
	if (check_file(fd, kind, file, error))
	{
		length = read(fd, text, size);
		if (length < 0)
			snprintf(error, ERROR_SIZE, "could not read %s \"%s\": %s",
					 kind, file, strerror(errno));
	}
	close(fd);
	return length;
}
