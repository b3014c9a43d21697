/*
 * refusal.h
 *		The refusal codes, and raising one.
 *
 * A refusal is a value until the SQL boundary: domain functions return a
 * Refusal, NULL meaning "go on", and only an entry point raises it.
 */
#ifndef COMMERCE_REFUSAL_H
#define COMMERCE_REFUSAL_H

#include "base/compat.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* In the order of README; refusal.c gives each its SQLSTATE. */
typedef enum RefusalCode
{
	/* something is not there */
	USER_NOT_FOUND,
	PRODUCT_NOT_FOUND,
	PRODUCT_OPTION_NOT_FOUND,
	ORDER_NOT_FOUND,
	COUPON_POLICY_NOT_FOUND,
	COUPON_NOT_FOUND,
	EVENT_NOT_FOUND,
	/* balance */
	INVALID_AMOUNT,
	BALANCE_ACCOUNT_NOT_FOUND,
	INSUFFICIENT_BALANCE,
	BALANCE_LIMIT_EXCEEDED,
	/* coupon */
	COUPON_ISSUE_NOT_STARTED,
	COUPON_ISSUE_ENDED,
	COUPON_SOLD_OUT,
	COUPON_ALREADY_ISSUED,
	COUPON_ALREADY_USED,
	COUPON_EXPIRED,
	COUPON_MIN_ORDER_NOT_MET,
	COUPON_REVOKED,
	/* order */
	INSUFFICIENT_STOCK,
	INVALID_ORDER_ITEMS,
	ORDER_STATE_CONFLICT,
	REFUND_QUANTITY_EXCEEDED,
	ORDER_EXPIRED,
	/* idempotency */
	IDEMPOTENCY_KEY_CONFLICT,
	/* outbox */
	EVENT_LEASE_LOST,
	EVENT_STATE_CONFLICT,
	/* the server's own 22003, and of place_orders' requests 22004, 22023 */
	AMOUNT_OUT_OF_RANGE,
	NULL_ARGUMENT,
	INVALID_ARGUMENT
} RefusalCode;

typedef struct Refusal
{
	RefusalCode code;
	char	   *message;
	JsonbParseState *detail;	/* an object still open */
} Refusal;

/* A new refusal with an empty detail. */
extern Refusal *refusal_new(RefusalCode code, const char *format,...)
			pg_attribute_printf(2, 3);

/* Add one field to the detail; returns the refusal, so that calls nest. */
extern Refusal *refusal_int64(Refusal *refusal, const char *key, int64 value);
extern Refusal *refusal_text(Refusal *refusal, const char *key,
							 const char *value);
extern Refusal *refusal_time(Refusal *refusal, const char *key,
							 TimestampTz value);

/* A list of {option_id, requested, available}: begin, add each, end. */
extern void refusal_begin_list(Refusal *refusal, const char *key);
extern void refusal_list_option(Refusal *refusal, int64 option_id,
								uint64 requested, int64 available);
extern void refusal_end_list(Refusal *refusal);

/* For who returns it instead of raising it; the detail is then complete. */
extern const char *refusal_sqlstate(const Refusal *refusal);
extern Jsonb *refusal_detail(Refusal *refusal);

/* ereport it with its SQLSTATE, message and DETAIL. */
pg_noreturn extern void refusal_raise(Refusal *refusal);

/* Raise unless NULL: what an entry point does with a decision. */
static inline void
refusal_check(Refusal *refusal)
{
	if (unlikely(refusal != NULL))
		refusal_raise(refusal);
}

#endif							/* COMMERCE_REFUSAL_H */
