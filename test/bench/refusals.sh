#!/bin/sh
# What is gone, and still wanted by everyone: refusals per second of commerce and of its
# peers, on the server that test/server.sh gave us, as a table in Markdown. See
# doc/performance.md. Fails if any figure is invalid: anything but that refusal spoils
# it.
set -eu
cd "$(dirname "$0")"
. ./common.sh
# A log line for each refusal would cost all sides the same.
export PGOPTIONS='-c commerce.notify=off -c log_min_messages=fatal'

rate() # SIDE SECONDS CLIENTS
{
	refused "$wanted" "$@"
}

fill_schemas tuned_coupons.sql usual_coupons.sql
sell_out
start_measuring

echo
echo "### Refusals"
compare_head Refusal commerce usual tuned
for clients in ${CLIENTS:-16 32}; do
	wanted=sold_out
	compare "issue_coupon, sold out" "$clients" commerce usual tuned
	wanted=out_of_stock
	compare "place_order, out of stock" "$clients" commerce usual tuned
done

how_taken
for schema in commerce usual tuned; do
	expect "coupons issued by $schema" $units \
		"$(run_sql -c "SELECT count(*) FROM $schema.coupons")"
	expect "units sold by $schema" $units \
		"$(run_sql -c "SELECT sum(quantity) FROM $schema.order_items WHERE option_id = 10001")"
done
expect_sound commerce
machine
exit $failed
