/*
 * secrets.c
 *		The signing secrets, from their files: one line whsec_<base64> each.
 *
 * They are nowhere but in memory: not in the arguments, the environment, the
 * log or the database. A file that others can read is refused, since then the
 * secret is none.
 */
#include "secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX	256

/*
 * systemd grants its credentials by an access list, whose mask shows as the
 * group's permissions although the group has none.
 */
bool
secrets_is_private(const char *file, mode_t mode)
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
check_file(int fd, const char *file, char error[ERROR_SIZE])
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		snprintf(error, ERROR_SIZE, "could not look at secret file \"%s\": %s",
				 file, strerror(errno));
	else if (!S_ISREG(status.st_mode))
		snprintf(error, ERROR_SIZE, "secret file \"%s\" is not a regular file",
				 file);
	else if (!secrets_is_private(file, status.st_mode))
		snprintf(error, ERROR_SIZE, "secret file \"%s\" can be accessed by"
				 " others (mode %04o): chmod 600 it", file,
				 (unsigned) status.st_mode & 07777);
	else
		return true;
	return false;
}

static bool
read_secret(const char *file, Secret *secret, char error[ERROR_SIZE])
{
	/* One byte more than fits shows a file that is too long. */
	char		text[FILE_BYTES_MAX + 1];
	int			fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t		length;
	bool		good = false;

	if (fd < 0)
	{
		snprintf(error, ERROR_SIZE, "could not open secret file \"%s\": %s",
				 file, strerror(errno));
		return false;
	}
	if (check_file(fd, file, error))
	{
		length = read(fd, text, sizeof(text));
		if (length < 0)
			snprintf(error, ERROR_SIZE, "could not read secret file \"%s\": %s",
					 file, strerror(errno));
		else
		{
			while (length > 0 &&
				   (text[length - 1] == '\n' || text[length - 1] == '\r'))
				length--;
			good = signature_decode_secret(text, (size_t) length, secret);
			if (!good)
				snprintf(error, ERROR_SIZE, "secret file \"%s\" must hold one"
						 " line whsec_<base64>, of %d to %d bytes", file,
						 SECRET_BYTES_MIN, SECRET_BYTES_MAX);
		}
		OPENSSL_cleanse(text, sizeof(text));
	}
	close(fd);
	return good;
}

bool
secrets_load(Secrets *secrets, const char *const *files, int count,
			 char error[ERROR_SIZE])
{
	Secrets		loaded = {.count = count};
	bool		good = true;

	for (int i = 0; i < count && good; i++)
		good = read_secret(files[i], &loaded.secret[i], error);
	if (good)
		*secrets = loaded;
	secrets_wipe(&loaded);
	return good;
}

void
secrets_wipe(Secrets *secrets)
{
	OPENSSL_cleanse(secrets, sizeof(*secrets));
}
