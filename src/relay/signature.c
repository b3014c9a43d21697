/*
 * signature.c
 *		Signatures after Standard Webhooks 1.0: HMAC-SHA256 of
 *		"id.timestamp.body", in base64, with the version in front.
 *
 * While secrets are rotated there are two, and so two signatures: the endpoint
 * takes the message if either is right.
 */
#include "signature.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <string.h>

#define PREFIX			"whsec_"
#define BASE64_DIGITS	"ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
						"abcdefghijklmnopqrstuvwxyz0123456789+/"
#define BASE64_MAX		((SECRET_BYTES_MAX + 2) / 3 * 4)
#define MAC_BYTES		32

/* OpenSSL takes "=" for a digit anywhere, so look at the digits here. */
static bool
is_base64(const char *text, size_t length, size_t *padding)
{
	size_t		digits = strspn(text, BASE64_DIGITS);

	*padding = length - digits;
	return length % 4 == 0 && *padding <= 2 &&
		memcmp(text + digits, "==", *padding) == 0;
}

bool
signature_decode_secret(const char *text, size_t length, Secret *secret)
{
	char		base64[BASE64_MAX + 1];
	unsigned char bytes[BASE64_MAX];
	size_t		padding;
	bool		good = false;

	if (length < strlen(PREFIX) || memcmp(text, PREFIX, strlen(PREFIX)) != 0)
		return false;
	text += strlen(PREFIX);
	length -= strlen(PREFIX);
	if (length > BASE64_MAX)
		return false;
	memcpy(base64, text, length);
	base64[length] = '\0';

	if (is_base64(base64, length, &padding))
	{
		int			decoded = EVP_DecodeBlock(bytes, (unsigned char *) base64,
											  (int) length);

		secret->length = decoded > 0 ? (size_t) decoded - padding : 0;
		good = secret->length >= SECRET_BYTES_MIN &&
			secret->length <= SECRET_BYTES_MAX;
		if (good)
			memcpy(secret->key, bytes, secret->length);
	}
	OPENSSL_cleanse(base64, sizeof(base64));
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return good;
}

static bool
mac(EVP_MAC_CTX *context, const Secret *secret, const char *head,
	const void *body, size_t body_length, unsigned char result[MAC_BYTES])
{
	static char sha256[] = "SHA256";
	OSSL_PARAM	parameters[] = {
		OSSL_PARAM_utf8_string("digest", sha256, sizeof(sha256) - 1),
		OSSL_PARAM_END
	};
	size_t		length;

	return EVP_MAC_init(context, secret->key, secret->length, parameters) &&
		EVP_MAC_update(context, (const unsigned char *) head, strlen(head)) &&
		EVP_MAC_update(context, body, body_length) &&
		EVP_MAC_final(context, result, &length, MAC_BYTES) &&
		length == MAC_BYTES;
}

bool
signature_sign(const Secret *secrets, int count, const char *id,
			   int64_t timestamp, const void *body, size_t body_length,
			   char signature[SIGNATURE_SIZE])
{
	EVP_MAC    *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *context = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;
	bool		good = context != NULL;
	char	   *end = signature;
	char		head[128];

	snprintf(head, sizeof(head), "%s.%lld.", id, (long long) timestamp);
	for (int i = 0; i < count && good; i++)
	{
		unsigned char result[MAC_BYTES];

		good = mac(context, &secrets[i], head, body, body_length, result);
		end += sprintf(end, "%sv1,", i > 0 ? " " : "");
		end += EVP_EncodeBlock((unsigned char *) end, result, MAC_BYTES);
	}
	EVP_MAC_CTX_free(context);
	EVP_MAC_free(hmac);
	return good;
}
