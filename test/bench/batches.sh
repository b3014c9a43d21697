#!/bin/sh
# place_orders against as many calls of place_order, on the server that test/server.sh
# gave us, as a table in Markdown. See doc/performance.md. Fails if any figure is
# invalid: a request that is refused spoils it.
set -eu
cd "$(dirname "$0")"
. ./common.sh
: "${CLIENTS:=8 32}"
size=100
export PGOPTIONS='-c commerce.notify=off'

# rate SIDE SECONDS CLIENTS: orders per second.
rate()
{
	if [ "$1" = single ]; then
		successes_per_second commerce.place_order order_1.pgbench "$2" "$3"
		return
	fi
	batches=$(pgbench_rate batch "$2" "$3" -f batch.pgbench)
	[ "$batches" = INVALID ] || batches=$((batches * size))
	echo "$batches"
}

say "Filling the shop"
run_sql -f shop.sql -v size=$size -f batches.sql >/dev/null
start_measuring

echo
echo "### Orders in batches of $size"
compare_head Call batch single
for clients in $CLIENTS; do
	compare "place_orders, 1 line each" "$clients" batch single
done

how_taken
expect "orders, all there" "$(($(counted "commerce.order_*") + size * $(counted batch)))" \
	"$(run_sql -c "SELECT count(*) FROM commerce.orders")"
expect_sound commerce
machine
exit $failed
