/*
 * json.h
 *		Reading and writing values of jsonb.
 */
#ifndef COMMERCE_JSON_H
#define COMMERCE_JSON_H

#include "utils/jsonb.h"

/* A key's value in value, or NULL where it is not there. */
extern JsonbValue *json_get(JsonbContainer *object, const char *key,
							JsonbValue *value);

/* A JSON number as a whole int64 in [minimum, maximum], or false. */
extern bool json_whole_number(const JsonbValue *number, int64 minimum,
							  int64 maximum, int64 *result);

/*
 * The same, or a string of digits: what drivers make of a bigint that their
 * language's numbers do not hold.
 */
extern bool json_whole_number_or_digits(const JsonbValue *value, int64 minimum,
										int64 maximum, int64 *result);

/* Push a key; a truth value, a number as its value. */
extern void json_push_key(JsonbParseState **state, const char *key);
extern void json_push_bool(JsonbParseState **state, bool boolean);
extern void json_push_number(JsonbParseState **state, int64 number);

#endif							/* COMMERCE_JSON_H */
