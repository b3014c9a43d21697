#!/bin/sh
# This code against that of another commit, BEFORE, on two servers side by side: the one
# that test/server.sh gave us, and one that is built from BEFORE_SOURCES and started here
# with the same settings. As a table in Markdown. Fails if any figure is invalid: a call
# that was not a success spoils it.
#
# Both shops are filled and called by the scripts of this commit. A commit whose functions
# or settings have other names cannot be compared; that is said.
set -eu
cd "$(dirname "$0")"
. ./common.sh
[ -n "${BEFORE_SOURCES:-}" ] || { say "run.sh starts this part: BEFORE=commit PARTS=versions"; exit 1; }
export PGOPTIONS='-c commerce.notify=off'
size=100

# ---- the other server ----

# The settings that the server was started with, but for its own place.
same_settings()
{
	PGOPTIONS='' run_sql -c "SELECT '-c ' || name || '=' || current_setting(name) FROM pg_settings
		WHERE source = 'command line'
		AND name NOT IN ('config_file', 'data_directory', 'hba_file', 'ident_file',
			'listen_addresses', 'port', 'unix_socket_directories')"
}
# It runs until we close descriptor 4, or end.
start_before()
{
	say "Building and starting the server of ${BEFORE:-before}"
	mkfifo "$SCRATCH/until"
	exec 4<>"$SCRATCH/until"
	settings=$(same_settings)
	# shellcheck disable=SC2016,SC2086 # the inner shell's variables; words
	("$BEFORE_SOURCES/test/server.sh" $settings sh -c \
		'echo "$PGHOST $PGDATA" >"$0"; exec cat "$1"' "$SCRATCH/started" "$SCRATCH/until" \
		>"$SCRATCH/before.log" 2>&1 || echo failed >"$SCRATCH/started") 3>&- 4>&- &
	before=$!
	until [ -s "$SCRATCH/started" ]; do
		sleep 0.1
	done
	read -r before_host before_data <"$SCRATCH/started"
	if [ "$before_host" = failed ]; then
		cat "$SCRATCH/before.log" >&2
		say "${BEFORE:-before} could not be built or started"
		exit 1
	fi
}
stop_before()
{
	exec 4>&-
	wait $before || :
}
# on SIDE COMMAND...: in a subshell, which has that side's server.
on()
(
	if [ "$1" = before ]; then
		export PGHOST="$before_host" PGDATA="$before_data"
	fi
	shift
	"$@"
)

# ---- what is compared ----

fill_shop() # SIDE
{
	say "Filling the shop: $1"
	on "$1" run_sql -f shop.sql -v size=$size -f batches.sql >/dev/null || return
	# Each call once, as the rounds make it.
	on "$1" run_sql -c "SELECT FROM commerce.place_order(1, '[{\"option_id\":1,\"quantity\":1}]'::jsonb)" \
		-c "SELECT FROM commerce.charge_balance(1, 100)" \
		-c "SELECT 1 / (count(sqlstate) = 0)::integer FROM commerce.place_orders(
			(SELECT requests FROM batches WHERE batch_id = 1))" >/dev/null
}
# calls KIND: what the sides call.
calls() { kind=$1; }
rate() # SIDE SECONDS CLIENTS
{
	case $kind in
	charge) called=charge_balance ;;
	batch) called=place_orders ;;
	*) called=place_order ;;
	esac
	sed "s/FUNCTION/commerce.$called/" "$kind.pgbench" >"$SCRATCH/$kind.script"
	got=$(on "$1" pgbench_rate "$1.$kind" "$2" "$3" -D users=10000 -f "$SCRATCH/$kind.script")
	if [ "$kind" = batch ] && [ "$got" != INVALID ]; then
		got=$((got * size))
	fi
	echo "$got"
}
expect_all() # SIDE
{
	expect "orders of $1, all there" \
		"$(($(counted "$1.order_*") + size * $(counted "$1.batch") + 1 + size))" \
		"$(on "$1" run_sql -c 'SELECT count(*) FROM commerce.orders')"
	expect "charges of $1, all there" "$(($(counted "$1.charge") + 10000 + 1))" \
		"$(on "$1" run_sql -c "SELECT count(*) FROM commerce.balance_history WHERE type = 'charge'")"
	expect "invariants violated, $1" 0 "$(on "$1" run_sql -c 'SELECT count(*) FROM commerce.verify()')"
}

start_before
trap stop_before EXIT
fill_shop now
fill_shop before || {
	say "${BEFORE:-before} cannot be compared: its functions or settings are not those that" \
		"the benchmark of this commit calls"
	exit 1
}
on before run_sql -c CHECKPOINT
before_checkpoints=$(on before checkpoints)
start_measuring

echo
echo "### This code and that of ${BEFORE_NAME:-before}"
compare_head Call now before
calls order_1
compare "place_order, 1 line" "${CLIENTS:-16}" now before
calls order_hot
compare "place_order, 1 line, everyone the same option" "${CLIENTS:-32}" now before
calls charge
compare "charge_balance" "${CLIENTS:-16}" now before
calls batch
compare "place_orders, $size orders of 1 line, orders" "${CLIENTS:-8}" now before

how_taken
expect_all now
expect_all before
machine
echo "- checkpoints meanwhile, before: $(($(on before checkpoints) - before_checkpoints))"
exit $failed
