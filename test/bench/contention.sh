#!/bin/sh
# Orders that many want the same options for, against our own orders for options that
# nobody else wants, and against the peers: on the server that test/server.sh gave us,
# as a table in Markdown. See doc/performance.md. Fails if any figure is invalid.
set -eu
cd "$(dirname "$0")"
. ./common.sh
export PGOPTIONS='-c commerce.notify=off'

# rate SIDE SECONDS CLIENTS: "spread" is ours as well, for random options.
rate()
{
	case $1 in
	spread) successes_per_second commerce.place_order "$spread" "$2" "$3" ;;
	*) successes_per_second "$1.place_order" "$wanted" "$2" "$3" ;;
	esac
}

fill_schemas
start_measuring

echo
echo "### Orders for what many want"
compare_head Call commerce spread usual tuned
wanted=order_hot.pgbench spread=order_1.pgbench
for clients in ${CLIENTS:-8 32 64}; do
	compare "place_order, 1 line, everyone the same option" "$clients" \
		commerce spread usual tuned
done
wanted=order_zipf.pgbench spread=order_3.pgbench
for clients in ${CLIENTS:-16 32}; do
	compare "place_order, 3 lines, Zipf-distributed options" "$clients" \
		commerce spread usual -
done

how_taken
for schema in commerce usual tuned; do
	expect "orders of $schema, all there" "$(counted "$schema.order_*")" \
		"$(run_sql -c "SELECT count(*) FROM $schema.orders")"
	expect_sound $schema
done
machine
exit $failed
