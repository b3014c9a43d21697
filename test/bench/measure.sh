#!/bin/sh
# Orders and charges of commerce, of its peers and of two yardsticks, on the server that
# test/server.sh gave us, as a table in Markdown. See doc/performance.md. Fails if any
# figure is invalid: a call that was not a success spoils it.
set -eu
cd "$(dirname "$0")"
. ./common.sh
: "${CLIENTS:=8 16 32}"
: "${TPCB_SCALE:=$([ "${QUICK:-}" = 1 ] && echo 10 || echo 100)}"

# The calls of one line of the table. The client's orders go into usual's tables.
calls() # TEMPLATE FUNCTION [PEERS_FUNCTION [CLIENT_TEMPLATE]]
{
	template=$1 our_function=$2 peer_function=${3:-$2} client_template=${4:-}
}
rate() # SIDE SECONDS CLIENTS
{
	case $1 in
	commerce) successes_per_second "commerce.$our_function" "$template" "$2" "$3" ;;
	usual | tuned) successes_per_second "$1.$peer_function" "$template" "$2" "$3" ;;
	client) successes_per_second usual.client "$client_template" "$2" "$3" -D notify="$notify" ;;
	tpcb-like) pgbench_rate tpcb "$2" "$3" -b tpcb-like tpcb ;;
	INSERT) pgbench_rate insert "$2" "$3" -f commit.pgbench ;;
	esac
}

fill_schemas
say "Filling pgbench's tables, scale $TPCB_SCALE"
createdb tpcb
pgbench -i -q -s "$TPCB_SCALE" tpcb >"$SCRATCH/pgbench.log" 2>&1
start_measuring
single_rows=$(rate INSERT "$SECONDS_EACH" 1)

echo
echo "### Orders and charges"
compare_head Call commerce usual tuned client tpcb-like INSERT
for clients in $CLIENTS; do
	export PGOPTIONS='-c commerce.notify=off' notify=0
	calls order_1.pgbench place_order place_order order_1_client.pgbench
	compare "place_order, 1 line" "$clients" commerce usual tuned client tpcb-like INSERT
	calls order_3.pgbench place_order place_order order_3_client.pgbench
	compare "place_order, 3 lines" "$clients" commerce usual tuned client - -
	calls order_20.pgbench place_order
	compare "place_order, 20 lines" "$clients" commerce usual tuned - - -
	unset PGOPTIONS
	notify=1
	calls order_1.pgbench place_order place_order_notify order_1_client.pgbench
	compare "place_order, 1 line, notifying" "$clients" commerce usual tuned client - -
	calls charge.pgbench charge_balance
	compare charge_balance "$clients" commerce usual tuned - - INSERT
done

how_taken
for schema in commerce usual tuned; do
	expect "orders of $schema, all there" "$(counted "$schema.order_*")" \
		"$(run_sql -c "SELECT count(*) FROM $schema.orders")"
	expect "charges of $schema, all there" "$(counted "$schema.charge.pgbench")" \
		"$(run_sql -c "SELECT count(*) - 10000 FROM $schema.balance_history WHERE type = 'charge'")"
	expect_sound $schema
done
expect "tpcb-like transactions, all there" "$(counted tpcb)" \
	"$(run_sql -d tpcb -c 'SELECT count(*) FROM pgbench_history')"
expect "single-row INSERTs, all there" "$(counted insert)" \
	"$(run_sql -c 'SELECT count(*) FROM commit_rate')"
machine
machine_has "tpcb-like" "scale $TPCB_SCALE"
machine_has "One client's single-row INSERTs" "$single_rows commits/s"
exit $failed
