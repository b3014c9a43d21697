/*
 * secrets.c
 *		The signing secrets, from their files: one line whsec_<base64> each.
 *
 * They are nowhere but in memory: not in the arguments, the environment, the
 * log or the database.
 */
#include "secrets.h"

#include <openssl/crypto.h>
#include <stdio.h>

#include "private_file.h"

#define FILE_BYTES_MAX	256

static bool
read_secret(const char *file, Secret *secret, char error[ERROR_SIZE])
{
	/* One byte more than fits shows a file that is too long. */
	char		text[FILE_BYTES_MAX + 1];
	ssize_t		length = private_file_read("secret file", file, text,
										   sizeof(text), error);
	bool		good;

	if (length < 0)
		return false;
	while (length > 0 &&
		   (text[length - 1] == '\n' || text[length - 1] == '\r'))
		length--;
	good = signature_decode_secret(text, (size_t) length, secret);
	if (!good)
		snprintf(error, ERROR_SIZE, "secret file \"%s\" must hold one line"
				 " whsec_<base64>, of %d to %d bytes", file,
				 SECRET_BYTES_MIN, SECRET_BYTES_MAX);
	OPENSSL_cleanse(text, sizeof(text));
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
