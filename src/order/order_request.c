/*
 * order_request.c
 *		What is asked for: the arguments of an order.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/args.h"
#include "order/order_request.h"
#include "utils/builtins.h"

int			order_max_hold_s;

void
order_request_read(FunctionCallInfo fcinfo, OrderRequest *request)
{
	request->user_id = PG_GETARG_INT64(0);
	refusal_check(items_parse(PG_GETARG_JSONB_P(1), &request->items));
	request->has_coupon = !args_is_null(fcinfo, 2);
	if (request->has_coupon)
		request->coupon_id = PG_GETARG_INT64(2);
}

void
order_request_read_expected_total(FunctionCallInfo fcinfo, int n,
								  OrderRequest *request)
{
	request->has_expected_total = !args_is_null(fcinfo, n);
	if (!request->has_expected_total)
		return;
	request->expected_total = PG_GETARG_INT64(n);
	if (request->expected_total < 0)
		args_invalid("expected_total", EXPECTED_TOTAL_MUST);
}

void
order_request_read_ttl(FunctionCallInfo fcinfo, int n, OrderRequest *request)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();

	request->ttl = args_interval_max(fcinfo, n, "ttl", order_max_hold_s,
									 "commerce.max_hold_time");
	request->expires_at = args_add_interval(now, request->ttl);
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
