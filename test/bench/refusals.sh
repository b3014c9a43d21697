#!/bin/sh
# What is gone, and still wanted by everyone: refusals per second of commerce and of its
# peers, on the server that test/server.sh gave us, as a table in Markdown. See
# README.md. Fails if any figure is invalid: anything but that refusal spoils it.
set -eu
cd "$(dirname "$0")"
. ./common.sh
units=1000
# A log line for each refusal would cost all sides the same.
export PGOPTIONS='-c commerce.notify=off -c log_min_messages=fatal'

rate() # SIDE SECONDS CLIENTS
{
	refused "$1" "$2" "$3" || echo INVALID
}
refused() # SIDE SECONDS CLIENTS
{
	"$SCRATCH/refused" "$3" "$2" "$sqlstate" 10000 "SELECT * FROM $1.$call"
}
coupon()
{
	sqlstate=SC203 call="issue_coupon(\$1, 1)"
}
order()
{
	sqlstate=SC301 call="place_order(\$1, '[{\"option_id\":10001,\"quantity\":1}]')"
}

cc -O2 -I"$("$PG_CONFIG" --includedir)" -L"$("$PG_CONFIG" --libdir)" \
	-o "$SCRATCH/refused" refused.c -lpq
fill_schemas tuned_coupons.sql usual_coupons.sql
run_sql -v units=$units -f refusals.sql >/dev/null
say "Selling $units units of each"
for side in commerce usual tuned; do
	coupon
	refused $side 0 32
	order
	refused $side 0 32
done
start_measuring

echo
echo "### Refusals"
compare_head Refusal commerce usual tuned
for clients in ${CLIENTS:-16 32}; do
	coupon
	compare "issue_coupon, sold out" "$clients" commerce usual tuned
	order
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
