#!/bin/bash
# The demo: a day in a shop, on the server that test/server.sh gave us. Fails if
# anything but the refusals it means to show went wrong.
set -euo pipefail
cd "$(dirname "$0")"
transcript=$SCRATCH/transcript

# show FILE: prints each statement and its result. VERBOSITY brings SQLSTATEs,
# and with them lines of the C source, which nobody wants here.
show()
{
	psql -X -q -e -P footer=off -v VERBOSITY=verbose <"$1" 2>&1 |
		sed '/^LOCATION: /d' | tee -a "$transcript"
}
value() { psql -X -A -t -c "$1"; }
wait_for() # COMMAND...: until it succeeds, at most 20 s
{
	local give_up=$((SECONDS + 20))

	until "$@"; do
		[ $SECONDS -lt $give_up ] || { echo "waited in vain for: $*" >&2; return 1; }
		sleep 0.05
	done
}
is_true() { [ "$(value "SELECT $1")" = t ]; }
expect() # WHAT EXPECTED ACTUAL
{
	[ "$2" = "$3" ] || { echo "$1: expected $2, got $3" >&2; exit 1; }
}

show 1_shop.sql
show 2_balance.sql

# Every one of users 1001..2000 asks once, 20 of them at a time.
show 3_rush.sql
pgbench -n -c 20 -j 2 -t 50 -D asked=0 -f rush.pgbench 2>&1 | grep -E '^(number of transactions actually|tps)'
show 3_rush_result.sql

show 4_coupons.sql
show 5_orders.sql

# The notifier sweeps about every second.
show 6_hold.sql
wait_for is_true "EXISTS (SELECT FROM commerce.orders WHERE status = 'expired')"
show 6_lifecycle.sql

show 7_events.sql
. ./8_relay.sh
show 9_books.sql

expect "coupons issued in the rush" 100 \
	"$(value "SELECT count(*) FROM commerce.coupons WHERE policy_id = 1")"
expect "violated invariants" 0 "$(value "SELECT count(*) FROM commerce.verify()")"
expect "a notification" yes "$(grep -q '^Asynchronous notification "commerce_outbox"' "$transcript" && echo yes)"
expect "refusals" "SC101 SC101 SC102 SC103 SC202 SC203 SC006 SC211 SC212 SC001 SC301 SC102 SC103 SC305 SC303 SC004 SC304" \
	"$(sed -n 's/^ERROR:  \([0-9A-Z]*\):.*/\1/p' "$transcript" | xargs)"
expect "stock and voucher: before, held, expired, paid, cancelled" \
	"50 issued 48 used 50 issued 48 used 50 issued" \
	"$(sed -n 's/^ *\([0-9]*\) | \(issued\|used\) *$/\1 \2/p' "$transcript" | xargs)"
expect "what became of the orders" "paid partially_refunded expired cancelled paid paid paid" \
	"$(value "SELECT string_agg(status::text, ' ' ORDER BY order_id) FROM commerce.orders")"
expect "given back, of which order" "11030:2 19000:4" \
	"$(value "SELECT string_agg(amount || ':' || order_id, ' ' ORDER BY order_id)
		FROM commerce.balance_history WHERE type = 'refund'")"
expect "the refund in the payload, its line and in all" "11030 11030" \
	"$(sed -n 's/^ *"amount": \([0-9]*\),\{0,1\}$/\1/p' "$transcript" | xargs)"
expect "events delivered from SQL, each order's first and then its second" "4 2" \
	"$(sed -n '/^ delivered *$/ { n; n; p }' "$transcript" | xargs)"
expect "what sold most" "T-shirt:4 Mug:2" \
	"$(value "SELECT name || ':' || quantity FROM commerce.popular_products()" | xargs)"
expect "what the receiver answered" "200 500 200" "$(cut -f 6 "$received" | xargs)"
expect "signatures it verified" "1 1 1" "$(cut -f 5 "$received" | xargs)"
expect "events still to be delivered" 0 \
	"$(value "SELECT count(*) FROM commerce.deliveries WHERE status <> 'delivered'")"
expect "exit code of the relay" 0 "$relay_status"
