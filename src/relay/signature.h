/*
 * signature.h
 *		Signatures after Standard Webhooks 1.0. Needs nothing but OpenSSL.
 */
#ifndef RELAY_SIGNATURE_H
#define RELAY_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECRET_BYTES_MIN	24
#define SECRET_BYTES_MAX	64
#define SECRETS_MAX			2

typedef struct Secret
{
	size_t		length;
	unsigned char key[SECRET_BYTES_MAX];
} Secret;

/* "v1,", 32 bytes in base64, and a blank or the zero byte, per secret */
#define SIGNATURE_SIZE		((3 + 44 + 1) * SECRETS_MAX)

/*
 * Decode whsec_<base64>; false if it is something else, or not 24 to 64 bytes.
 */
extern bool signature_decode_secret(const char *text, size_t length,
									Secret *secret);

/*
 * Write the value of the header webhook-signature: one signature per secret, of
 * "id.timestamp.body". False if OpenSSL cannot.
 */
extern bool signature_sign(const Secret *secrets, int count, const char *id,
						   int64_t timestamp, const void *body,
						   size_t body_length,
						   char signature[SIGNATURE_SIZE]);

#endif
