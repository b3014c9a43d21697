#!/bin/sh
# Orders in a shop that has had many, against orders in a new one beside it, on the
# server that test/server.sh gave us, as a table in Markdown. See doc/performance.md.
# Fails if any figure is invalid: a call that was not a success spoils it.
set -eu
cd "$(dirname "$0")"
. ./common.sh
: "${GROWN:=$([ "${QUICK:-}" = 1 ] && echo 100000 || echo 10000000)}"
case $GROWN in
100000 | 1000000 | 10000000 | 100000000) ;;
*) say "GROWN must be a power of ten, from 100000 on"; exit 1 ;;
esac
export PGOPTIONS='-c commerce.notify=off'

rate() # SIDE SECONDS CLIENTS
{
	case $1 in
	grown) placed_per_second grown $((GROWN / 10)) "$2" "$3" ;;
	new) placed_per_second new 10000 "$2" "$3" ;;
	esac
}
placed_per_second() # DATABASE USERS SECONDS CLIENTS
{
	pgbench_rate "$1" "$3" "$4" -D "users=$2" -f "$SCRATCH/order.pgbench" "$1"
}
# cost SIDE: what an order of 16 clients takes that depends on how much there is.
cost()
{
	statistics="SELECT s.wal_bytes, s.wal_fpi, d.blks_read
		FROM pg_stat_wal s, pg_stat_database d WHERE d.datname = '$1'"
	sleep 1 # so long do statistics lag
	before=$(run_sql -F ' ' -c "$statistics") placed=$(counted "$1")
	rate "$1" "$SECONDS_EACH" 16 >/dev/null
	sleep 1
	after=$(run_sql -F ' ' -c "$statistics")
	echo "$before $after $(($(counted "$1") - placed))" | awk -v shop="$1" '{
		printf "- an order in the %s shop: %d bytes of WAL, %.2f pages logged in full, %.2f read\n",
			shop, ($4 - $1) / $7, ($5 - $2) / $7, ($6 - $3) / $7 }'
}
orders() { run_sql -d "$1" -c 'SELECT count(*) FROM commerce.orders'; }
size() { run_sql -c "SELECT pg_size_pretty(pg_database_size('$1'))"; }

sed 's/FUNCTION/commerce.place_order/' order_1.pgbench >"$SCRATCH/order.pgbench"
say "Filling a shop with $GROWN orders"
createdb new
run_sql -d new -f shop.sql >/dev/null
createdb grown
run_sql -d grown -v orders="$GROWN" -f grown.sql >/dev/null
size=$(size grown)
start_measuring
# Pages that are written for the first time after a checkpoint are logged in full; most
# shall have been.
rate grown $((SECONDS_EACH * 3)) 16 >/dev/null

echo
echo "### A shop that has grown"
compare_head "place_order, 1 line" grown new
for clients in ${CLIENTS:-16}; do
	compare "$GROWN orders and $((GROWN / 10)) users before" "$clients" grown new
done

how_taken
cost new
cost grown
expect "orders in the new shop, all there" "$(counted new)" "$(orders new)"
expect "orders in the grown shop, all there" "$((GROWN + $(counted grown)))" "$(orders grown)"
# verify() reads all, which takes minutes for ten million.
for shop in new $([ "$GROWN" -gt 1000000 ] || echo grown); do
	expect "invariants violated in the $shop shop" 0 \
		"$(run_sql -d "$shop" -c 'SELECT count(*) FROM commerce.verify()')"
done
echo
echo "| B-tree of the grown shop | pages | levels | entries of a leaf | of an inner page |"
echo "|---|---:|---:|---:|---:|"
run_sql -d grown -f levels.sql
echo
machine
echo "- size of the grown shop at the start: $size"
exit $failed
