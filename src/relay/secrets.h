/*
 * secrets.h
 *		The signing secrets, from their files.
 */
#ifndef RELAY_SECRETS_H
#define RELAY_SECRETS_H

#include <stdbool.h>

#include "signature.h"
#include "text.h"

typedef struct Secrets
{
	int			count;
	Secret		secret[SECRETS_MAX];
} Secrets;

/*
 * Read one secret per file. False, and why, if one cannot be had; the secrets
 * are unchanged then.
 */
extern bool secrets_load(Secrets *secrets, const char *const *files, int count,
						 char error[ERROR_SIZE]);

extern void secrets_wipe(Secrets *secrets);

#endif
