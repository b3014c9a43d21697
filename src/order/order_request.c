/*
 * order_request.c
 *		What is asked for: the arguments of an order.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/args.h"
#include "order/order_request.h"
#include "utils/builtins.h"

void
order_request_read(FunctionCallInfo fcinfo, OrderRequest *request)
{
	request->user_id = PG_GETARG_INT64(0);
	refusal_check(items_parse(PG_GETARG_JSONB_P(1), &request->items));
	request->has_coupon = !args_is_null(fcinfo, 2);
	if (request->has_coupon)
		request->coupon_id = PG_GETARG_INT64(2);
}

/* A month may be shorter than the days that are taken off it. */
void
order_request_read_ttl(FunctionCallInfo fcinfo, int n, OrderRequest *request)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();

	request->ttl = args_interval(fcinfo, n, "ttl", true);
	request->expires_at = args_add_interval(now, request->ttl);
	if (request->expires_at <= now)
		args_invalid("ttl", "be positive");
}

void
order_request_canonical(const OrderRequest *request, StringInfo text)
{
	initStringInfo(text);
	items_canonical(&request->items, text);
	if (request->has_coupon)
		appendStringInfo(text, "coupon " INT64_FORMAT, request->coupon_id);
	if (request->ttl)
		appendStringInfo(text, "ttl %d,%d," INT64_FORMAT, request->ttl->month,
						 request->ttl->day, request->ttl->time);
}
