#!/bin/sh
# How long an order takes while orders come at a rate of their own, whether or not those
# before are done: ours for random options, ours for one option that nobody had asked for
# until then, the usual, and a bare INSERT at our rate. On the server that
# test/server.sh gave us, as a table in Markdown. See doc/performance.md. Fails if any
# figure is invalid.
set -eu
cd "$(dirname "$0")"
. ./common.sh
: "${LATENCY_SECONDS:=$([ "${QUICK:-}" = 1 ] && echo 5 || echo 60)}"
: "${SHARES:=25 50 75}"
clients=32
export PGOPTIONS='-c commerce.notify=off'

# calls SIDE SECONDS [ARGUMENT...]
calls()
{
	side=$1 seconds=$2
	shift 2
	case $side in
	commerce) successes_per_second commerce.place_order order_1.pgbench "$seconds" $clients "$@" ;;
	rush) successes_per_second commerce.place_order order_hot.pgbench "$seconds" $clients "$@" ;;
	usual) successes_per_second usual.place_order order_1.pgbench "$seconds" $clients "$@" ;;
	INSERT) pgbench_rate insert "$seconds" $clients "$@" -f commit.pgbench ;;
	esac
}
# at_rate SIDE RATE: leaves the milliseconds of each call, the least first, in $times.
# They count from when the call was due, so a call that had to wait for a client that
# was busy has that in them.
times=$SCRATCH/times
at_rate()
{
	rm -f "$SCRATCH"/log.*
	# From rest: in one slot, whatever was before.
	run_sql -c 'SELECT commerce.spread_stock(5000, 1)' >/dev/null
	got=$(calls "$1" "$LATENCY_SECONDS" -R "$2" -l --log-prefix="$SCRATCH/log")
	[ "$got" != INVALID ] || return
	cat "$SCRATCH"/log.* | awk '{ printf "%.2f\n", $3 / 1000 }' | sort -g >"$times"
}
of_times() # QUANTILE
{
	awk -v quantile="$1" -v count="$(wc -l <"$times")" \
		'NR >= quantile * count { print; exit }' "$times"
}
line() # TITLE SIDE RATE
{
	say "$1, $3 a second"
	at_rate "$2" "$3" || {
		failed=1
		echo "| $1 | **INVALID** |"
		return
	}
	printf '| %s | %s |' "$1" "$3"
	for quantile in 0.5 0.99 0.999 1; do
		found=$(of_times $quantile)
		printf ' %s |' "$found"
		printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$part" "$1" "$clients" "$quantile" "$found" "$found" "$found" >&3
	done
	echo " $(awk '$1 > 100 { n++ } END { print n + 0 }' "$times") |"
}

fill_schemas
start_measuring
our_most=$(calls commerce $((SECONDS_EACH * 3)))
usual_most=$(calls usual $((SECONDS_EACH * 3)))

echo
echo "### How long an order takes"
echo
echo "| $clients clients, orders that come by themselves | a second | p50, ms | p99 | p99.9 | longest | over 100 ms |"
echo "|---|---:|---:|---:|---:|---:|---:|"
for share in $SHARES; do
	rate=$((our_most * share / 100))
	line "random options, $share %" commerce $rate
	line "all the same option, from rest, $share %" rush $rate
	line "INSERT at that rate, $share %" INSERT $rate
	line "usual, $share % of its own" usual $((usual_most * share / 100))
done
echo
echo "Each for $LATENCY_SECONDS s, at shares of what $clients clients place when they wait for nothing" \
	"($our_most a second, usual $usual_most); autovacuum and checkpoints run."
echo
for schema in commerce usual; do
	expect "orders of $schema, all there" "$(counted "$schema.order_*")" \
		"$(run_sql -c "SELECT count(*) FROM $schema.orders")"
	expect_sound $schema
done
machine
exit $failed
