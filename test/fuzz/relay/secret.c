/*
 * secret.c
 *		The input is a file with a signing secret, and what is signed with it.
 */
#include "fuzz.h"

#include "secrets.h"

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	Secrets		secrets = {0};
	const char *file = fuzz_file(data, size);
	char		error[ERROR_SIZE];
	char		signature[SIGNATURE_SIZE];

	if (secrets_load(&secrets, &file, 1, error))
	{
		MUST(secrets.count == 1);
		MUST(secrets.secret[0].length >= SECRET_BYTES_MIN);
		MUST(secrets.secret[0].length <= SECRET_BYTES_MAX);
		MUST(signature_sign(secrets.secret, 1, "1", 1, data, size, signature));
	}
	secrets_wipe(&secrets);
	return 0;
}
