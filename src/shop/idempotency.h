/*
 * idempotency.h
 *		Once only.
 */
#ifndef COMMERCE_IDEMPOTENCY_H
#define COMMERCE_IDEMPOTENCY_H

#include "base/ids.h"
#include "base/refusal.h"
#include "lib/stringinfo.h"
#include "row/row.h"

typedef struct Idempotency
{
	const char *function;		/* SQL name, as the scope has it */
	int64		user_id;		/* NO_USER: the function has none */
	text	   *key;
} Idempotency;

/*
 * Claim the key for the object with this id, which the caller is about to
 * make; arguments is a text equal for equal calls. Waits for anybody who is
 * using the key now. *replay true: the key was used for the same arguments,
 * and *object_id becomes the id of what was made then. Refuses with
 * IDEMPOTENCY_KEY_CONFLICT when the arguments were others. A NULL key is
 * always new.
 */
extern Refusal *idempotency_claim(Work *work, const Idempotency *scope,
								  StringInfo arguments,
								  int64 *object_id, bool *replay);

/*
 * The parts of it, for a caller that claims keys long before it knows what will
 * come of them. Reserve the key for these arguments and this object: false if
 * it was used, *digest and *object_id then become what for. A reserved key that
 * is used for other arguments gets their digest; one that is not used is
 * forgotten.
 */
extern bytea *idempotency_digest(StringInfo arguments);
extern bool idempotency_same(bytea *digest, bytea *other);
extern bool idempotency_reserve(Work *work, const Idempotency *scope,
								bytea **digest, int64 *object_id);
extern void idempotency_set_digest(Work *work, const Idempotency *scope,
								   bytea *digest);
extern void idempotency_forget(Work *work, const Idempotency *scope);

/* IDEMPOTENCY_KEY_CONFLICT, for a caller that found other arguments. */
extern Refusal *idempotency_conflict(const Idempotency *scope);

#endif							/* COMMERCE_IDEMPOTENCY_H */
